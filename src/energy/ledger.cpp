#include "energy/ledger.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "metrics/quantile.hpp"
#include "network/oscillator_network.hpp"

namespace entrain::energy {
namespace {

using Eigen::Index;

constexpr double break_even_macs = 9.0;  // published accounting: softmax 10 P against P with everything physical, P pairs

struct Parts {
    double oscillator = 0.0;
    double drive = 0.0;
};

/// What oscillator i takes from the start to `time`; `load` is its sum_j |w_ij| |r_j|, a fraction of full scale.
Parts parts_until(const problem::Instance& instance, const problem::Solution& solution, const problem::EnergyModel& model, double load,
                  double full_scale_current_a, Index i, double time) {
    const problem::OscillatorSolution& o = solution.oscillators[static_cast<std::size_t>(i)];
    double oscillator = instance.calibration.power_w * time;
    if (o.mean_power > 0.0) {
        const double logged = o.trajectory.times().back();
        oscillator = time <= logged ? o.trajectory.energy_at(time) : o.trajectory.energies().back() + o.mean_power * (time - logged);
    }
    return {oscillator, load * full_scale_current_a * model.drive_v * time};
}

}  // namespace

Ledger ledger(const problem::Instance& instance, const problem::Solution& solution, const std::vector<readout::Reading>& readings,
              const problem::EnergyModel& model, double full_scale_current_a, double read_time, const DigitalCosts& digital,
              const mechanisms::OperationCounts& operations, int queries_per_sequence) {
    Ledger ledger;
    ledger.operations = operations;
    ledger.digital_softmax_per_query = {operations.softmax * digital.mac_fp32.value / queries_per_sequence,
                                        operations.softmax * digital.mac_int8.value / queries_per_sequence};
    ledger.break_even_per_pair = {break_even_macs * digital.mac_fp32.value, break_even_macs * digital.mac_int8.value};
    if (instance.calibration.dimensionless) return ledger;
    ledger.caveat = model.caveat;
    if (!instance.noisy() && !model.noiseless_caveat.empty())
        ledger.caveat = model.noiseless_caveat + (model.caveat.empty() ? "" : "; " + model.caveat);

    const Index n = instance.network.size();
    const Eigen::VectorXd load = network::row_sum(instance.network);
    bool integrated = false;

    ledger.per_oscillator_j = Eigen::VectorXd::Constant(n, std::numeric_limits<double>::quiet_NaN());
    std::vector<double> finite;
    std::vector<double> gated;
    std::set<int> sequences;
    Parts sum;
    for (Index i = 0; i < n; ++i) {
        const auto& reading = readings[static_cast<std::size_t>(i)];
        sequences.insert(instance.network.free[static_cast<std::size_t>(i)].sequence);
        if (solution.oscillators[static_cast<std::size_t>(i)].trajectory.empty() || !std::isfinite(read_time)) continue;
        integrated = integrated || solution.oscillators[static_cast<std::size_t>(i)].mean_power > 0.0;
        const Parts parts = parts_until(instance, solution, model, load(i), full_scale_current_a, i, read_time);
        ledger.per_oscillator_j(i) = parts.oscillator + parts.drive;
        finite.push_back(ledger.per_oscillator_j(i));
        sum.oscillator += parts.oscillator;
        sum.drive += parts.drive;
        if (reading.settling_time) {
            const Parts own = parts_until(instance, solution, model, load(i), full_scale_current_a, i, *reading.settling_time);
            gated.push_back(own.oscillator + own.drive);
        }
    }
    const double count = static_cast<double>(finite.size());
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto mean = [&](const std::vector<double>& values) {
        double total = 0.0;
        for (const double v : values) total += v;
        return values.empty() ? nan : total / static_cast<double>(values.size());
    };
    if (finite.empty()) {
        ledger.mean = ledger.median = ledger.p95 = ledger.max = ledger.gated_mean = ledger.per_layer = nan;
        return ledger;
    }
    ledger.entries = {
        {"oscillator", sum.oscillator / count, integrated ? model.oscillator_origin : problem::Origin::modelled,
         integrated ? model.oscillator_source
                    : fmt::format("power of the free cell measured in calibration ({:.4g} W) x read time", instance.calibration.power_w)},
        {"coupling drive", sum.drive / count, problem::Origin::modelled,
         fmt::format("class-A current drivers: sum_j |I_ij| x {:.3g} V x read time, full scale {:.3g} A ({})", model.drive_v, full_scale_current_a,
                     model.drive_source)}};
    ledger.mean = (sum.oscillator + sum.drive) / count;
    ledger.median = metrics::quantile(finite, 0.5);
    ledger.p95 = metrics::quantile(finite, 0.95);
    ledger.max = metrics::quantile(finite, 1.0);
    ledger.gated_mean = mean(gated);
    ledger.per_layer = (sum.oscillator + sum.drive) / static_cast<double>(sequences.size());
    return ledger;
}

double mean_energy_until(const problem::Instance& instance, const problem::Solution& solution, const problem::EnergyModel& model,
                         double full_scale_current_a, double time) {
    double sum = 0.0;
    int count = 0;
    const Eigen::VectorXd load = network::row_sum(instance.network);
    for (Index i = 0; i < instance.network.size(); ++i) {
        if (solution.oscillators[static_cast<std::size_t>(i)].trajectory.empty()) continue;
        const Parts parts = parts_until(instance, solution, model, load(i), full_scale_current_a, i, time);
        sum += parts.oscillator + parts.drive;
        ++count;
    }
    return count > 0 && !instance.calibration.dimensionless ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace entrain::energy

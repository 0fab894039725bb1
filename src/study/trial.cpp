#include "study/trial.hpp"

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "metrics/quantile.hpp"
#include "network/oscillator_network.hpp"
#include "problem/settling.hpp"

namespace entrain::study {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Unit start states [N x d] from the keyed streams, by original sequence, head and token.
MatrixXd start_states(const network::OscillatorNetwork& network, const Start& start, const RandomStreams& streams) {
    const Index d = network.dimension;
    MatrixXd states(network.size(), d);
    for (Index i = 0; i < network.size(); ++i) {
        const network::TokenId& id = network.free[static_cast<std::size_t>(i)];
        const auto element_of = [&](Index component) { return element(id.sequence, id.head, id.token, component); };
        if (d == 2 || start.fixed_phase) {  // a fixed start is this angle in the plane of the first two components
            const double phase = start.fixed_phase ? *start.fixed_phase : turn * streams.uniform(Stream::start_phase, element_of(0));
            states.row(i).setZero();
            states(i, 0) = std::cos(phase);
            states(i, 1) = std::sin(phase);
        } else {
            for (Index k = 0; k < d; ++k) states(i, k) = streams.normal(Stream::start_phase, element_of(k));
            states.row(i).normalize();
        }
    }
    return states;
}

/// When an oscillator counts as settled, and for how long it is worth waiting.
problem::SettlingRule settling_rule(const problem::Instance& instance, const ReadoutOptions& readout) {
    constexpr double patience_drive = 0.02;        // max_periods: auto waits for this drive ratio,
    const double patience_angle = radians(179.0);  // from this far away;
    constexpr double patience_margin = 1.25;       // for what the closed form leaves out (phases far from equilibrium, detuning),
    constexpr double fit_windows = 3.0;            // and the settling fit looks back over three time constants
    constexpr double least_load = 0.1;             // full_scale mapping: rows loaded less than this are not waited for longer
    problem::SettlingRule rule;
    rule.tolerance = readout.settle_tolerance;
    const Index n = instance.drive.rows();
    rule.rate = instance.coupling_rate.cwiseProduct(instance.drive.rowwise().norm());
    rule.noisy = instance.noisy();
    if (instance.calibration.dimensionless) {
        rule.max_time = VectorXd::Constant(n, std::numeric_limits<double>::infinity());
    } else if (readout.max_periods) {
        rule.max_time = VectorXd::Constant(n, *readout.max_periods / instance.calibration.frequency_at_step_hz);
    } else {
        const VectorXd load = network::row_sum(instance.network);
        rule.max_time.resize(n);
        for (Index i = 0; i < n; ++i) {
            const double rate = problem::coupling_rate_at(instance.calibration, patience_drive) * patience_drive *
                                (load(i) > 0.0 ? std::max(load(i), least_load) : 1.0);  // no load: nothing to wait for
            rule.max_time(i) = patience_margin * problem::predicted_settling_time(rate, patience_angle, rule.remaining.value()) + fit_windows / rate;
        }
    }
    if (rule.noisy && readout.read_time.kind == ReadTime::Kind::fixed) {
        constexpr double periods_beyond = 2.0;  // a period's reading belongs to its middle, and the one at the read time lies between two of them
        rule.least_time = readout.read_time.value + periods_beyond / instance.calibration.frequency_at_step_hz;
        rule.max_time = rule.max_time.cwiseMax(rule.least_time);
    }
    return rule;
}

/// States by head of one sequence, NaN where there is no reading.
std::vector<MatrixXd> states_of(const attention::Sequence& sequence, int heads, int dimension, const std::map<network::TokenId, Index>& where,
                                const std::vector<readout::Reading>& readings) {
    std::vector<MatrixXd> states(static_cast<std::size_t>(heads), MatrixXd::Constant(sequence.tokens(), dimension, not_a_number));
    for (int h = 0; h < heads; ++h)
        for (int t = 0; t < sequence.tokens(); ++t) {
            const auto found = where.find({sequence.index, h, t});
            if (found == where.end()) continue;
            const VectorXd& state = readings[static_cast<std::size_t>(found->second)].state;
            if (state.size() == dimension) states[static_cast<std::size_t>(h)].row(t) = state.transpose();
        }
    return states;
}

double pick_read_time(const ReadTime& rule, const std::vector<readout::Reading>& readings) {
    if (rule.kind == ReadTime::Kind::fixed) return rule.value;
    std::vector<double> times;
    for (const auto& reading : readings)
        if (reading.settling_time && (reading.verdict == readout::Verdict::settled || reading.verdict == readout::Verdict::degenerate))
            times.push_back(*reading.settling_time);
    if (times.empty()) return not_a_number;
    return metrics::quantile(std::move(times), rule.kind == ReadTime::Kind::slowest ? 1.0 : rule.value);
}

/// Tokens that enter error averages: settled and not degenerate.
std::vector<std::vector<bool>> counting(const SequenceRecord& s) {
    std::vector<std::vector<bool>> counts(static_cast<std::size_t>(s.verdict.rows()), std::vector<bool>(static_cast<std::size_t>(s.verdict.cols())));
    for (Index h = 0; h < s.verdict.rows(); ++h)
        for (Index t = 0; t < s.verdict.cols(); ++t)
            counts[static_cast<std::size_t>(h)][static_cast<std::size_t>(t)] = s.verdict(h, t) == static_cast<int>(readout::Verdict::settled);
    return counts;
}

metrics::AttentionError error_of(const std::vector<SequenceRecord>& records, mechanisms::AttentionResult SequenceRecord::*simulated) {
    std::vector<metrics::Comparison> comparisons;
    for (const SequenceRecord& s : records) comparisons.push_back({&(s.*simulated), &s.reference, &s.sequence->padded, counting(s)});
    return metrics::attention_error(comparisons);
}

metrics::AttentionError error_against_softmax(const std::vector<SequenceRecord>& records) {
    std::vector<mechanisms::AttentionResult> softmax(records.size());
    std::vector<metrics::Comparison> comparisons;
    for (std::size_t k = 0; k < records.size(); ++k) {
        softmax[k].attention = records[k].softmax;
        comparisons.push_back({&records[k].simulated, &softmax[k], &records[k].sequence->padded, counting(records[k])});
    }
    return metrics::attention_error(comparisons);
}

}  // namespace

double distance_to_target(const problem::Instance& instance, Index i) {
    VectorXd target = instance.drive.row(i).transpose().normalized();
    if (target.size() == 2) target = Eigen::Rotation2Dd{instance.nominal_raw_shift(i)} * Eigen::Vector2d{target};
    const VectorXd start = instance.network.start.row(i).transpose();
    return 2.0 * std::atan2((start - target).norm(), (start + target).norm());  // accurate near 0 and pi
}

VectorXd head_full_scale(const attention::Layer& layer, std::span<const attention::Sequence> sequences, const mechanisms::Mechanism& mechanism) {
    VectorXd largest = VectorXd::Zero(layer.heads);
    for (const auto& sequence : sequences) {
        const network::OscillatorNetwork network = mechanism.lower(layer, {&sequence, 1}, {});
        const VectorXd sum = network::row_sum(network);
        for (Index i = 0; i < network.size(); ++i) {
            double& head = largest(network.free[static_cast<std::size_t>(i)].head);
            head = std::max(head, sum(i));
        }
    }
    return largest;
}

Prepared prepare(const TrialInput& input, const MatrixXd& states) {
    network::OscillatorNetwork network = input.mechanism.lower(input.layer, input.sequences, states);
    network.start = states.size() > 0 ? states : start_states(network, input.start, input.streams);
    Prepared prepared;
    prepared.instance = input.substrate.map(network, input.calibration, input.mapping, input.nonidealities, input.streams);
    prepared.rule = settling_rule(prepared.instance, input.readout);
    prepared.problem = input.substrate.problem(prepared.instance, input.engine.fidelity(),
                                               {prepared.rule, static_cast<int>(input.simulation.points_per_period), input.simulation.crossbar});
    return prepared;
}

TrialRecord run_trial(const TrialInput& input) {
    using readout::Correction;
    TrialRecord record;
    Prepared stage;
    problem::Solution solution;
    MatrixXd states;  // pass on between rounds
    for (int round = 0; round < input.mechanism.rounds(); ++round) {
        stage = prepare(input, states);
        solution = input.engine.solve(stage.problem, input.run);
        record.readings = readout::read(solution, stage.instance, stage.rule, input.readout.correction);
        record.cost.cpu_s += solution.cost.cpu_s;
        record.cost.simulated_periods += solution.cost.simulated_periods;
        record.cost.points += solution.cost.points;
        record.cost.newton_iterations += solution.cost.newton_iterations;
        record.cost.oscillator_periods += solution.cost.oscillator_periods;
        record.cost.longest_periods = std::max(record.cost.longest_periods, solution.cost.longest_periods);
        record.failures.insert(record.failures.end(), solution.failures.begin(), solution.failures.end());
        record.retries.insert(record.retries.end(), solution.retries.begin(), solution.retries.end());
        states.setConstant(stage.instance.network.size(), stage.instance.network.dimension, not_a_number);
        for (Index i = 0; i < states.rows(); ++i)
            if (const auto& state = record.readings[static_cast<std::size_t>(i)].state; state.size() > 0) states.row(i) = state.transpose();
    }
    const problem::Instance& instance = stage.instance;
    const Index n = instance.network.size();
    record.read_time = pick_read_time(input.readout.read_time, record.readings);
    const auto slope_removed = readout::read(solution, instance, stage.rule, Correction::offset_slope);
    const bool is_read = std::isfinite(record.read_time);  // an array of which nothing settled has no read time
    const auto at_read = is_read ? readout::read_at(solution, instance, stage.rule, input.readout.correction, record.read_time) : record.readings;
    const int tokens = input.sequences.front().tokens();
    const problem::EnergyModel energy_model = input.substrate.energy_model(instance.calibration);
    const double full_scale_current = input.substrate.injection() * instance.calibration.reference_current_a;  // [A]
    record.ledger =
        energy::ledger(instance, solution, record.readings, energy_model, full_scale_current, record.read_time, input.digital,
                       input.mechanism.operations(input.layer.heads, tokens, input.layer.oscillator_dimension), input.layer.heads * tokens);

    record.free = instance.network.free;
    record.drive_ratio = instance.drive_ratio;
    // Compared with sinusoidal anchors, without disorder and noise: of others the comparison says nothing.
    const bool as_compared = input.substrate.sinusoidal_anchors() && instance.deviation.isZero(0.0) && !instance.noisy();
    if (instance.calibration.validity && as_compared)
        record.place = problem::place_of(*instance.calibration.validity, input.substrate.injection(), instance.drive.rowwise().norm());
    record.couplings = instance.network.couplings.size();
    const double reader_window = instance.calibration.dimensionless ? 0.0 : 1.0 / instance.calibration.frequency_at_step_hz;  // I/Q over one period
    record.latency = record.read_time + reader_window;  // phases are preset: starting takes no time
    record.predicted_settling_time.resize(n);
    std::map<network::TokenId, Index> where;
    for (Index i = 0; i < n; ++i) {
        where[record.free[static_cast<std::size_t>(i)]] = i;
        const double distance = distance_to_target(instance, i);
        record.predicted_settling_time(i) = problem::predicted_settling_time(stage.rule.rate(i), distance, stage.rule.tolerance.value());
    }

    MatrixXd reference_states = MatrixXd::Constant(n, instance.network.dimension, not_a_number);
    for (const attention::Sequence& sequence : input.sequences) {
        const auto decode = [&](const std::vector<readout::Reading>& readings) {
            return input.mechanism.decode(input.layer, sequence, states_of(sequence, input.layer.heads, instance.network.dimension, where, readings));
        };
        SequenceRecord s;
        s.sequence = &sequence;
        s.simulated = decode(record.readings);
        s.slope_removed = decode(slope_removed);
        s.at_read = decode(at_read);
        s.reference = input.mechanism.reference(input.layer, sequence);
        s.softmax = attention::softmax_attention(input.layer, sequence, input.mechanism.causal());
        s.raw_phase = s.settling_time = s.energy = MatrixXd::Constant(input.layer.heads, sequence.tokens(), not_a_number);
        s.verdict = Eigen::MatrixXi::Constant(input.layer.heads, sequence.tokens(), static_cast<int>(readout::Verdict::masked));
        for (int h = 0; h < input.layer.heads; ++h)
            for (int t = 0; t < sequence.tokens(); ++t) {
                const auto found = where.find({sequence.index, h, t});
                if (found == where.end()) continue;
                const readout::Reading& reading = record.readings[static_cast<std::size_t>(found->second)];
                reference_states.row(found->second) = s.reference.states[static_cast<std::size_t>(h)].row(t);
                s.verdict(h, t) = static_cast<int>(reading.verdict);
                if (reading.state.size() > 0) s.raw_phase(h, t) = reading.raw_phase;
                if (reading.settling_time) s.settling_time(h, t) = *reading.settling_time;
                if (record.ledger.per_oscillator_j.size() > 0) s.energy(h, t) = record.ledger.per_oscillator_j(found->second);
            }
        record.sequences.push_back(std::move(s));
    }
    record.error = error_of(record.sequences, &SequenceRecord::simulated);
    record.error_offset_slope = error_of(record.sequences, &SequenceRecord::slope_removed);
    record.error_at_read.n_total = record.error.n_total;
    if (is_read) record.error_at_read = error_of(record.sequences, &SequenceRecord::at_read);
    record.softmax_error = error_against_softmax(record.sequences);
    if (is_read)
        record.error_over_time =
            error_over_time(solution, instance, record.readings, input.readout.correction, reference_states, record.read_time,
                            [&](double time) { return energy::mean_energy_until(instance, solution, energy_model, full_scale_current, time); });
    record.settling_curves = settling_curves(solution, instance, record.readings);
    return record;
}

}  // namespace entrain::study

#include "study/ppv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <map>
#include <numbers>
#include <vector>

#include "core/error.hpp"
#include "core/quantity.hpp"

namespace entrain::study {
namespace {

using problem::Calibration;
using problem::OscillatorSolution;
using substrates::BenchCell;

constexpr int phases = 32;  // half of them, with both signs and the free copy, fill a netlist of the size that is cheapest

/// When everything happens, in periods after time 0.
struct Schedule {
    int first_kick = 0;
    int end = 0;
    double half_base = 0.0;  ///< [s] of a pulse
};

Schedule schedule_of(const Bench& bench, const Calibration& c) {
    constexpr double to_start = 5.0;  // relaxations: what a preset start, right to a percent, is off the limit cycle by then is 1e-4
    constexpr double to_rest = 10.0;  // relaxations: 5e-5 of what a kick moved the amplitude
    constexpr double least = 2.0;     // periods: the first steps are short, and edges pass
    const double relaxation = c.relaxation_time_s * c.frequency_at_step_hz;
    const double steps = problem::steps_per_period(bench.points_per_period);
    Schedule s;
    s.first_kick = static_cast<int>(std::ceil(least + (c.warm_up_periods > 0 ? 0.0 : to_start * relaxation)));
    s.end = s.first_kick + problem::grid_periods + static_cast<int>(std::ceil(least + to_rest * relaxation)) + 2 * problem::grid_periods;
    s.half_base = std::max(2.0, std::round(steps / phases)) / (steps * c.frequency_at_step_hz);
    return s;
}

/// Mean phase [rad] over the periods before the last ones; in a run so long that its trajectory has no sample there, the last one before.
double earlier_phase(const OscillatorSolution& cell, const Schedule& schedule, double frequency_hz) {
    const double to = (schedule.end - problem::grid_periods) / frequency_hz;
    const double from = to - problem::grid_periods / frequency_hz;
    double before = 0.0;
    double sum = 0.0;
    int count = 0;
    for (std::size_t k = 0; k < cell.trajectory.size() && cell.trajectory.times()[k] <= to; ++k) {
        if (cell.trajectory.times()[k] < from) {
            before = cell.trajectory.phase(k);
        } else {
            sum += cell.trajectory.phase(k);
            ++count;
        }
    }
    return count > 0 ? sum / count : before;
}

/// Responses to kicks of one charge.
struct Shifts {
    std::vector<double> own_phase;  ///< [rad] at the kick
    std::vector<double> odd;        ///< [rad] half the difference of both signs
    std::vector<double> even;       ///< [rad] half the sum
    std::vector<double> moved;      ///< [rad] of `odd` between the last two windows
};

/// Kicks at the phases `part`, `part + parts`, ...: one netlist.
Shifts kicked(const Bench& bench, const Calibration& c, const Schedule& schedule, double charge, const std::string& plus, const std::string& minus,
              int part, int parts) {
    const double period = 1.0 / c.frequency_at_step_hz;
    const double start = c.warm_up_periods > 0 ? c.free_phase : 0.0;  // all copies are the same circuit until they are kicked
    std::vector<BenchCell> cells{{.start_phase = start, .drive = 0.0}};
    std::vector<double> times;
    for (int k = part; k < phases; k += parts) {
        times.push_back((schedule.first_kick + static_cast<double>(k) / phases) * period);
        for (const double q : {charge, -charge}) {
            BenchCell cell{.start_phase = start, .drive = 0.0};
            for (int m = 0; m < problem::grid_periods; ++m)
                cell.kicks.push_back({q / problem::grid_periods, times.back() + m * period, schedule.half_base, plus, minus});
            cells.push_back(std::move(cell));
        }
    }
    const auto after = bench.simulate(cells, c.frequency_at_step_hz, bench.points_per_period, c, schedule.end * period);
    const OscillatorSolution& free = after.front();
    const double free_earlier = earlier_phase(free, schedule, c.frequency_at_step_hz);
    Shifts shifts;
    for (std::size_t k = 0; k < times.size(); ++k) {
        std::array<double, 2> shift{};
        std::array<double, 2> earlier{};
        for (std::size_t sign = 0; sign < 2; ++sign) {
            const OscillatorSolution& cell = after[1 + 2 * k + sign];
            if (cell.stop != problem::Stop::time_limit || !(cell.amplitude > 0.0))
                throw ModelError{fmt::format("{}: a kick of {:.3g} C between {} and {} stops the cell", bench.substrate.cell(), charge, plus, minus)};
            shift[sign] = wrap(cell.phase - free.phase);
            earlier[sign] = wrap(earlier_phase(cell, schedule, c.frequency_at_step_hz) - free_earlier);
        }
        shifts.own_phase.push_back(free.phase + turn * c.frequency_at_step_hz * times[k]);
        shifts.odd.push_back(0.5 * (shift[0] - shift[1]));
        shifts.even.push_back(0.5 * (shift[0] + shift[1]));
        shifts.moved.push_back(shifts.odd.back() - 0.5 * (earlier[0] - earlier[1]));
    }
    return shifts;
}

double largest(const std::vector<double>& values) {
    double found = 0.0;
    for (const double value : values) found = std::max(found, std::abs(value));
    return found;
}

Shifts all_kicked(const Bench& bench, const Calibration& c, const Schedule& schedule, double charge, const std::string& plus,
                  const std::string& minus) {
    std::array<Shifts, 2> half;
    const auto take = [&](int part) { half[static_cast<std::size_t>(part)] = kicked(bench, c, schedule, charge, plus, minus, part, 2); };
    both(
        bench.run.jobs, [&] { take(0); }, [&] { take(1); });
    for (const auto list : {&Shifts::own_phase, &Shifts::odd, &Shifts::even, &Shifts::moved})
        (half[0].*list).insert((half[0].*list).end(), (half[1].*list).begin(), (half[1].*list).end());
    return half[0];
}

}  // namespace

problem::PhaseSensitivity phase_sensitivity(const Bench& bench, const Calibration& c, const std::string& plus, const std::string& minus) {
    constexpr double shift = 0.02;       // [rad] a thousand times what is left of the grid in a phase; its square is 4e-4
    constexpr double non_linear = 0.05;  // even over odd part: what is cubic is then of the order of its square
    constexpr int halvings = 6;
    const double full_scale = bench.substrate.injection() * c.reference_current_a;  ///< [A]
    const Schedule schedule = schedule_of(bench, c);
    double charge = shift * full_scale / (2.0 * c.relaxation_rate);
    Shifts shifts = all_kicked(bench, c, schedule, charge, plus, minus);
    for (int k = 0; largest(shifts.even) > non_linear * largest(shifts.odd); ++k) {
        if (k == halvings)
            throw ModelError{
                fmt::format("{}: kicks of +-{:.3g} C between {} and {} turn the phase by {:.3g} rad, both signs alike by {:.3g} rad (no "
                            "kick is small enough for a linear response)",
                            bench.substrate.cell(), charge, plus, minus, largest(shifts.odd), largest(shifts.even))};
        charge *= 0.5;
        shifts = all_kicked(bench, c, schedule, charge, plus, minus);
    }

    problem::PhaseSensitivity ppv;
    double moved = 0.0;
    for (const double m : shifts.moved) moved += m * m / phases;
    ppv.floor = std::sqrt(2.0 * moved / phases) / charge;
    // Beyond, the pulse's own spectrum has fallen below 0.4 and its zero comes near.
    const double base = schedule.half_base * c.frequency_at_step_hz;
    const int orders = std::min(phases / 2 - 1, static_cast<int>(0.5 / base));
    for (int k = 0; k <= orders; ++k) {
        std::complex<double> sum;
        for (std::size_t j = 0; j < shifts.odd.size(); ++j) sum += std::polar(shifts.odd[j], -k * shifts.own_phase[j]);
        const double x = std::numbers::pi * k * base;
        const double spectrum = k == 0 ? 1.0 : std::pow(std::sin(x) / x, 2);  // of a triangle
        ppv.harmonics.push_back((k == 0 ? 1.0 : 2.0) / phases / spectrum / charge * sum);
    }
    constexpr double significant = 4.0;  // standard deviations
    while (ppv.harmonics.size() > 2 && std::abs(ppv.harmonics.back()) < significant * ppv.floor) ppv.harmonics.pop_back();
    return ppv;
}

problem::Waveform read_waveform(const FreeCycle& free, int harmonics) {
    const problem::Recording& recording = free.recording;
    const std::size_t n = recording.time.size();
    problem::Waveform waveform;
    // Whole periods from the end, each point weighted by the step before it: exact on the uniform grid, which comes round in them.
    const double from = n > 0 ? recording.time.back() - problem::grid_periods / free.frequency_hz : 0.0;
    double mean = 0.0;
    double total = 0.0;
    std::vector<double> weight(n, 0.0);
    for (std::size_t k = 0; k < n; ++k) {
        const double width = recording.time[k] - std::max(k > 0 ? recording.time[k - 1] : from, from);
        if (!(width > 0.0)) continue;
        weight[k] = width;
        mean += width * recording.read[k];
        total += width;
    }
    if (!(total > 0.0)) return waveform;
    mean /= total;
    for (int order = 1; order <= harmonics; ++order) {
        std::complex<double> sum;
        for (std::size_t k = 0; k < n; ++k)
            sum += weight[k] * (recording.read[k] - mean) * std::polar(1.0, -order * (turn * free.frequency_hz * recording.time[k] + free.phase));
        waveform.push_back(sum);
    }
    const std::complex<double> first = waveform.front();
    if (first == 0.0) return {};
    for (int order = 1; order <= harmonics; ++order) {
        std::complex<double>& harmonic = waveform[static_cast<std::size_t>(order - 1)];
        harmonic *= std::polar(1.0 / std::abs(first), -order * std::arg(first));  // time counts from the fundamental's own peak
    }
    return waveform;
}

Calibration with_sensitivity(const Bench& bench, Calibration c, const FreeCycle& free) {
    constexpr int harmonics = phases / 2 - 1;
    c.waveform = read_waveform(free, std::min(harmonics, (bench.points_per_period - 1) / 2));
    const problem::CellInterface port = bench.substrate.bench({}, c.frequency_at_step_hz, bench.points_per_period, c).cell;
    const substrates::CellNoise noise = bench.substrate.noise();
    c.noise_missing = noise.missing;
    using Pins = std::pair<std::string, std::string>;
    std::map<Pins, problem::PhaseSensitivity> by_pins;
    // A kick that stops the cell, or that the simulator cannot follow, says nothing against the cell under weak currents.
    const auto measured = [&](const Pins& pins) -> std::string {
        try {
            if (!by_pins.contains(pins)) by_pins[pins] = phase_sensitivity(bench, c, pins.first, pins.second);
        } catch (const ModelError& error) {
            return error.what();
        } catch (const BenchFailed& error) {
            return error.what();
        }
        return "";
    };
    c.ppv_missing = measured({port.inject_plus, port.inject_minus});
    if (c.ppv_missing.empty()) c.ppv = by_pins.at({port.inject_plus, port.inject_minus});
    for (const substrates::NoiseSource& source : noise.sources)
        if (const std::string problem = measured({source.plus, source.minus}); !problem.empty()) {
            c.noise_missing = problem + (noise.missing.empty() ? "" : "; " + noise.missing);
            return c;
        }
    std::vector<double> theta;
    for (const double time : free.recording.time) theta.push_back(turn * free.frequency_hz * time + free.phase);
    for (const substrates::NoiseSource& source : noise.sources) {
        std::vector<double> density;
        std::vector<double> states(free.recording.states.size());
        for (std::size_t k = 0; k < free.recording.time.size(); ++k) {
            for (std::size_t s = 0; s < states.size(); ++s) states[s] = free.recording.states[s][k];
            density.push_back(source.density(free.recording.read[k], states));
        }
        c.noise.push_back(
            {source.name, source.formula, source.count * problem::phase_diffusion(by_pins.at({source.plus, source.minus}), theta, density)});
    }
    return c;
}

}  // namespace entrain::study

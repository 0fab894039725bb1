#include "study/calibrate.hpp"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "problem/settling.hpp"

namespace entrain::study {
namespace {

using problem::Calibration;
using problem::OscillatorSolution;
using substrates::BenchCell;

constexpr double frequency_agreement = 1e-9;  // relative; a detuning of 1e-9 f0 is 6e-6 of the smallest K r in use (K/w0 = 0.01, r = 0.02)
constexpr int max_frequency_rounds = 12;      // each round shrinks the error by the warp's slope, about 3e-3
constexpr double free_run_relaxations = 40.0; // amplitude is then within e^-40 of its limit cycle
constexpr double free_run_periods = 200.0;    // the last third fits the frequency: 66 periods resolve 1e-9 from a phase noise of 4e-7 rad
constexpr std::array<double, 5> phase_error_drives = {0.05, 0.1, problem::offset_drive, 0.5, 1.0};
constexpr std::array<double, 3> drive_directions = {0.3, 2.5, -1.9};  // [rad] three directions average what is left of the grid's discreteness
constexpr double phase_error_time_constants = 14.0;                   // e^-14 of a raw error of 20 deg is 2e-5 deg

/// Runs one bench; a failed one ends the calibration with the simulator's words.
std::vector<OscillatorSolution> run_bench(const substrates::Substrate& substrate, const engines::Engine& engine, std::span<const BenchCell> cells, double reference_hz, int points,
                                          const Calibration& calibration, double time_s, const engines::RunOptions& run) {
    problem::CircuitProblem bench = substrate.bench(cells, reference_hz, points, calibration);
    bench.fixed_time = time_s;
    bench.rule.rate = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(cells.size()));
    bench.rule.max_time = Eigen::VectorXd::Constant(static_cast<Eigen::Index>(cells.size()), time_s);
    problem::Solution solution = engine.solve(bench, run);
    if (run.progress.stop_requested()) throw Interrupted{};
    if (!solution.failures.empty()) throw std::runtime_error{fmt::format("calibration failed ({}): {}", solution.failures.front().category, solution.failures.front().message)};
    return std::move(solution.oscillators);
}

struct FreeRun {
    double frequency_hz;
    double amplitude;
    double power_w;
};

/// Free cell at `points` per period: the step is 1/(points f) with f the frequency that is found at this very step.
FreeRun free_run(const substrates::Substrate& substrate, const engines::Engine& engine, double guess_hz, int points, const Calibration& calibration, const engines::RunOptions& run) {
    const double relaxation = substrate.estimate().relaxation_time_s;
    const std::array<BenchCell, 1> cell{};
    double reference = guess_hz;
    for (int round = 0; round < max_frequency_rounds; ++round) {
        const double time = free_run_relaxations * relaxation + free_run_periods / reference;
        const OscillatorSolution free = run_bench(substrate, engine, cell, reference, points, calibration, time, run).front();
        if (free.stop == problem::Stop::never_started || free.stop == problem::Stop::collapsed || free.amplitude <= 0.0)
            throw ModelError{fmt::format("{}: the free cell does not oscillate (amplitude {:.3g} {} after {:.3g} s). Raise its loop gain.", substrate.cell(), free.amplitude, substrate.amplitude_unit(), time)};
        const double found = reference + free.frequency_difference / turn;
        if (!(found > 0.0) || !std::isfinite(found)) throw ModelError{fmt::format("{}: no oscillation near {:.4g} Hz was found", substrate.cell(), guess_hz)};
        if (std::abs(found - reference) <= frequency_agreement * reference) return {found, free.amplitude, free.mean_power};
        reference = found;
    }
    throw ModelError{fmt::format("{}: the free-running frequency near {:.4g} Hz does not settle to {:g} in {} rounds (jitter, or two modes)", substrate.cell(), reference, frequency_agreement, max_frequency_rounds)};
}

/// Offset at drive 0.25, slope and largest residual of the raw phase error over the drives.
void measure_phase_error(const substrates::Substrate& substrate, const engines::Engine& engine, int points, Calibration& c, double rate_estimate, const engines::RunOptions& run) {
    std::vector<double> error;
    for (const double drive : phase_error_drives) {
        std::vector<BenchCell> cells;
        for (const double direction : drive_directions) cells.push_back({direction, std::polar(drive, direction), 0.0});
        const double time = phase_error_time_constants / (rate_estimate * drive) + free_run_relaxations * substrate.estimate().relaxation_time_s;
        const auto locked = run_bench(substrate, engine, cells, c.frequency_at_step_hz, points, c, time, run);
        double sum = 0.0;
        for (std::size_t k = 0; k < cells.size(); ++k) sum += wrap(locked[k].phase - drive_directions[k]);
        error.push_back(sum / static_cast<double>(cells.size()));
    }
    const auto at_offset_drive = static_cast<std::size_t>(std::find(phase_error_drives.begin(), phase_error_drives.end(), problem::offset_drive) - phase_error_drives.begin());
    c.offset_rad = error[at_offset_drive];
    double numerator = 0.0;
    double denominator = 0.0;
    for (std::size_t k = 0; k < error.size(); ++k) {
        const double x = phase_error_drives[k] - problem::offset_drive;
        numerator += x * (error[k] - c.offset_rad);
        denominator += x * x;
    }
    c.slope_rad = numerator / denominator;
    for (std::size_t k = 0; k < error.size(); ++k) c.residual_rad = std::max(c.residual_rad, std::abs(error[k] - problem::raw_phase_error(c, phase_error_drives[k])));
}

/// Mean beat rate [rad/s] of a driven cell against its drive, from the first to the last passage of whole turns; 0 if it slipped fewer than three times.
double beat_rate(const problem::Trajectory& log, double drive_rate) {
    const std::size_t first = log.size() / 4;  // the lock-in transient is over
    const auto difference = [&](std::size_t k) { return log.phase(k) - drive_rate * log.times()[k]; };
    const double base = difference(first);
    std::vector<double> passages;
    double next = 0.0;
    const double direction = difference(log.size() - 1) > base ? 1.0 : -1.0;
    for (std::size_t k = first + 1; k < log.size(); ++k) {
        const double before = direction * (difference(k - 1) - base);
        const double now = direction * (difference(k) - base);
        while (now >= next + turn && now > before) {
            next += turn;
            passages.push_back(log.times()[k - 1] + (log.times()[k] - log.times()[k - 1]) * (next - before) / (now - before));
        }
    }
    if (passages.size() < 3) return 0.0;
    return turn * static_cast<double>(passages.size() - 1) / (passages.back() - passages.front());
}

/// Edge of the lock range on one side (`sign` +1 or -1) as a detuning [rad/s] > 0: a coarse grid brackets it, then w_b^2 over delta^2 of the two nearest cells outside is extrapolated to 0.
double lock_edge(const substrates::Substrate& substrate, const engines::Engine& engine, int points, const Calibration& c, double rate_estimate, double sign, const engines::RunOptions& run) {
    constexpr int cells_per_round = 16;
    double low = 0.4;   // in units of rate_estimate; the measured K of a healthy cell lies within a factor of two
    double high = 1.9;
    for (int round = 0; round < 2; ++round) {
        const double step = (high - low) / (cells_per_round - 1);
        std::vector<BenchCell> cells;
        std::vector<double> detuning;
        for (int k = 0; k < cells_per_round; ++k) {
            detuning.push_back((low + step * k) * rate_estimate);
            cells.push_back({0.0, 1.0, sign * detuning.back() / turn});
        }
        // Half a step outside the edge the beat takes 2 pi/(K sqrt(step)); eight of them, the first quarter is transient.
        const double time = 8.0 * turn / (rate_estimate * std::sqrt(step));
        const auto driven = run_bench(substrate, engine, cells, c.frequency_at_step_hz, points, c, time, run);
        std::vector<double> beat;
        for (int k = 0; k < cells_per_round; ++k) beat.push_back(beat_rate(driven[static_cast<std::size_t>(k)].trajectory, sign * detuning[static_cast<std::size_t>(k)]));
        const auto outside = static_cast<std::size_t>(std::find_if(beat.begin(), beat.end(), [](double b) { return b > 0.0; }) - beat.begin());
        if (outside == 0 || outside + 1 >= beat.size())
            throw ModelError{fmt::format("{}: no edge of the lock range between {:.3g} and {:.3g} of the expected {:.4g} rad/s (the cell {}).", substrate.cell(), low, high, rate_estimate,
                                         outside == 0 ? "does not lock" : "locks everywhere")};
        if (round == 0) {
            const double center = low + step * static_cast<double>(outside);
            low = center - 1.5 * step;
            high = center + 1.5 * step;
            continue;
        }
        const double x0 = detuning[outside] * detuning[outside];
        const double x1 = detuning[outside + 1] * detuning[outside + 1];
        const double y0 = beat[outside] * beat[outside];
        const double y1 = beat[outside + 1] * beat[outside + 1];
        return std::sqrt(std::max(0.0, x0 - y0 * (x1 - x0) / (y1 - y0)));
    }
    throw std::logic_error{"lock_edge leaves its loop by return"};
}

}  // namespace

Calibration calibrate(const substrates::Substrate& substrate, const engines::Engine& engine, const CalibrationOptions& options, const engines::RunOptions& run) {
    Calibration c;
    if (substrate.dimensionless()) return c;
    const auto tell = [&](double done) { run.progress.report("calibrating the cell", done); };
    engines::RunOptions quiet = run;
    quiet.progress.report = [](const std::string&, double) {};
    quiet.waves.clear();

    tell(0.0);
    const substrates::Estimate estimate = substrate.estimate();
    const int points = options.points_per_period;
    c.dimensionless = false;
    c.amplitude_unit = substrate.amplitude_unit();
    c.relaxation_time_s = estimate.relaxation_time_s;
    const FreeRun at_step = free_run(substrate, engine, estimate.frequency_hz, points, c, quiet);
    c.frequency_at_step_hz = at_step.frequency_hz;
    c.amplitude = at_step.amplitude;
    c.power_w = at_step.power_w;
    tell(0.1);
    // Richardson: the error of the trapezoidal rule is a series in h^2.
    const double half = free_run(substrate, engine, at_step.frequency_hz, 2 * points, c, quiet).frequency_hz;
    const double quarter = free_run(substrate, engine, half, 4 * points, c, quiet).frequency_hz;
    const double first = (4.0 * half - at_step.frequency_hz) / 3.0;
    const double second = (4.0 * quarter - half) / 3.0;
    c.frequency_hz = (16.0 * second - first) / 15.0;
    c.reference_current_a = substrate.reference_current(c.amplitude, c.frequency_at_step_hz);
    tell(0.2);

    c.coupling_rate = estimate.coupling_rate;
    const double upper = lock_edge(substrate, engine, points, c, estimate.coupling_rate, +1.0, quiet);
    tell(0.45);
    const double lower = lock_edge(substrate, engine, points, c, estimate.coupling_rate, -1.0, quiet);
    tell(0.7);
    c.coupling_rate = 0.5 * (upper + lower);
    c.lock_range_low_hz = c.frequency_at_step_hz - lower / turn;
    c.lock_range_high_hz = c.frequency_at_step_hz + upper / turn;
    measure_phase_error(substrate, engine, points, c, c.coupling_rate, quiet);
    tell(1.0);
    return c;
}

}  // namespace entrain::study

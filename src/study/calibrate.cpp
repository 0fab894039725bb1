#include "study/calibrate.hpp"

#include <fmt/format.h>

#include <Eigen/Core>
#include <Eigen/QR>
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "problem/settling.hpp"
#include "study/bench.hpp"
#include "study/ppv.hpp"

namespace entrain::study {
namespace {

using problem::Calibration;
using problem::OscillatorSolution;
using substrates::BenchCell;

constexpr double frequency_agreement = 1e-9;   // relative; a detuning of 1e-9 f0 is 6e-6 of the smallest K r in use (K/w0 = 0.01, r = 0.02)
constexpr int max_frequency_rounds = 12;       // each round shrinks the error by the warp's slope, about 3e-3
constexpr double free_run_relaxations = 40.0;  // amplitude is then within e^-40 of its limit cycle
constexpr double free_run_periods = 200.0;     // the last third fits the frequency: 66 periods resolve 1e-9 from a phase noise of 4e-7 rad
constexpr std::array<double, 5> phase_error_drives = {0.05, 0.1, problem::offset_drive, 0.5, 1.0};
constexpr std::array<double, 3> drive_directions = {0.3, 2.5, -1.9};  // [rad] three directions average what is left of the grid's discreteness
const double start_ahead = radians(60.0);                             // start-up transients are over when 20 deg are left
constexpr double phase_error_time_constants = 13.0;                   // e^-13 of 60 deg is 1.4e-4 deg

constexpr double locked_drift =
    1e-3;  // of K r: a start 20 deg off leaves 3e-5 over the last third of twelve time constants, a cell that slips about 1

/// The frequency within a few percent, whatever the estimate: formulas of transistor cells miss it by half.
double coarse_frequency(const Bench& bench) {
    constexpr int recorded = 20;        // reference periods: crossings for estimates up to five times too high
    constexpr double agreement = 0.02;  // free_run() follows the phase from there
    constexpr int rounds = 6;
    const double relaxation = bench.estimate.relaxation_time_s;
    const std::array<BenchCell, 1> cell{};
    double reference = bench.estimate.frequency_hz;
    for (int round = 0; round < rounds; ++round) {
        const double time = 5.0 * relaxation + 2.0 * recorded / reference;
        const OscillatorSolution free = bench.simulate(cell, reference, bench.points_per_period, {}, time, recorded).front();
        const double found = crossing_frequency(free.recording);
        if (!(found > 0.0) || !std::isfinite(found))
            throw ModelError{
                fmt::format("{}: the free cell does not oscillate (no crossings of its middle voltage within {} periods of the estimated "
                            "{:.4g} Hz). Give it more gain or bias.",
                            bench.substrate.cell(), recorded, reference)};
        if (std::abs(found - reference) <= agreement * reference) return found;
        reference = found;
    }
    throw ModelError{
        fmt::format("{}: the free cell has no steady frequency near {:.4g} Hz (jitter, or two modes)", bench.substrate.cell(), reference)};
}

struct FreeRun {
    double frequency_hz;
    OscillatorSolution cell;  ///< with a recording over the periods after which the time grid comes round
};

/// Free cell at `points` per period: the step belongs to the frequency that is found at this very step.
FreeRun free_run(const Bench& bench, double guess_hz, int points, const Calibration& calibration) {
    const double relaxation = bench.estimate.relaxation_time_s;
    const std::array<BenchCell, 1> cell{};
    double reference = guess_hz;
    for (int round = 0; round < max_frequency_rounds; ++round) {
        const double time = free_run_relaxations * relaxation + free_run_periods / reference;
        OscillatorSolution free = bench.simulate(cell, reference, points, calibration, time, problem::grid_periods).front();
        if (free.stop != problem::Stop::time_limit || free.amplitude <= 0.0)
            throw ModelError{fmt::format("{}: the free cell {} (amplitude {:.3g} {} after {:.3g} s). Give it more gain or bias.",
                                         bench.substrate.cell(),
                                         free.stop == problem::Stop::multimode ? "runs at a harmonic or in another mode" : "does not oscillate",
                                         free.amplitude, bench.substrate.amplitude_unit(), time)};
        const double found = reference + free.frequency_difference / turn;
        if (!(found > 0.0) || !std::isfinite(found))
            throw ModelError{fmt::format("{}: no oscillation near {:.4g} Hz was found", bench.substrate.cell(), guess_hz)};
        if (std::abs(found - reference) <= frequency_agreement * reference) return {found, std::move(free)};
        reference = found;
    }
    throw ModelError{fmt::format(
        "{}: the free-running frequency near {:.4g} Hz does not settle to {:g} in {} rounds (jitter, or two modes). Raise points_per_period.",
        bench.substrate.cell(), reference, frequency_agreement, max_frequency_rounds)};
}

struct FinerFrequencies {
    double half_step_hz;
    double physical_hz;  ///< step -> 0
};

/// Frequency at half the step, and at step -> 0 from three steps: the error of the trapezoidal rule is a series in h^2 (Neville's scheme).
FinerFrequencies finer_frequencies(const Bench& bench, const Calibration& c) {
    const int points = bench.points_per_period;
    std::array<double, 3> f{c.frequency_at_step_hz};
    std::array<double, 3> h2{};  // in units of the squared period
    for (std::size_t k = 0; k < f.size(); ++k) {
        const int finer = points + points * static_cast<int>(k) / 2;
        h2[k] = std::pow(problem::steps_per_period(finer), -2.0);
        if (k > 0) f[k] = free_run(bench, f[k - 1], finer, c).frequency_hz;
    }
    const double half_step_hz = f.back();
    for (std::size_t order = 1; order < f.size(); ++order)
        for (std::size_t k = f.size() - 1; k >= order; --k) f[k] += (f[k] - f[k - 1]) * h2[k] / (h2[k - order] - h2[k]);
    return {half_step_hz, f.back()};
}

/// States of a free cell over one period out of its recording, [samples x states], sample k at phase 2 pi k/samples. The recording spans the periods
/// after which the grid comes round, so that its points, sorted by phase, lie eight times closer than in one period.
Eigen::MatrixXd sampled_limit_cycle(const FreeRun& free, const std::vector<problem::StateNode>& states) {
    constexpr Eigen::Index samples = 512;  // linear between them: a sine within 2e-5 of its amplitude
    const problem::Recording& recording = free.cell.recording;
    if (states.empty()) return {};
    Eigen::MatrixXd cycle(samples, static_cast<Eigen::Index>(states.size()));
    std::vector<std::pair<double, std::size_t>> order;  // part of a turn, point
    std::vector<double> turns;                          // whole turns before it
    for (std::size_t k = 0; k < recording.time.size(); ++k) {
        const double angle = free.frequency_hz * recording.time[k] + free.cell.phase / turn;
        turns.push_back(std::floor(angle));
        order.emplace_back(angle - turns.back(), k);
    }
    std::sort(order.begin(), order.end());
    for (std::size_t s = 0; s < states.size(); ++s) {
        const auto value = [&](std::size_t place) {
            return recording.states[s][order[place].second] - states[s].winding * turns[order[place].second];
        };
        std::size_t after = 0;
        for (Eigen::Index k = 0; k < samples; ++k) {
            const double wanted = static_cast<double>(k) / static_cast<double>(samples);
            while (after < order.size() && order[after].first < wanted) ++after;
            const bool first = after == 0;
            const bool last = after == order.size();
            const std::size_t before = first ? order.size() - 1 : after - 1;
            const std::size_t next = last ? 0 : after;
            const double x0 = order[before].first - (first ? 1.0 : 0.0);
            const double x1 = order[next].first + (last ? 1.0 : 0.0);
            const double y0 = value(before) - (first ? states[s].winding : 0.0);
            const double y1 = value(next) + (last ? states[s].winding : 0.0);
            cycle(k, static_cast<Eigen::Index>(s)) = y0 + (y1 - y0) * (wanted - x0) / (x1 - x0);
        }
    }
    return cycle;
}

/// Has cells that cannot be preset run free first, until their amplitude is at rest, and notes where that brings their phase.
void warm_up(const FreeRun& free, Calibration& c) {
    constexpr double relaxations = 12.0;  // amplitude within 1e-5 of the limit cycle
    const double rounds = std::ceil(relaxations * c.relaxation_time_s * free.frequency_hz / problem::grid_periods);
    c.warm_up_periods = problem::grid_periods * std::max(1, static_cast<int>(rounds));
    c.free_phase = free.cell.phase;
}

/// Rate [1/s] at which a phase comes back to its final value, tan(distance/2) ~ e^(-rate t) (Adler 1946): least squares over the samples between
/// 20 and 0.5 degrees; 0 if there are fewer than three.
double return_rate(const OscillatorSolution& cell) {
    const double far = radians(20.0);
    const double near = radians(0.5);  // the calibration's runs end 1e-4 deg from equilibrium
    const problem::Trajectory& log = cell.trajectory;
    std::vector<double> time;
    std::vector<double> logarithm;
    for (std::size_t k = log.size(); k-- > 0;) {  // from the end: only the last approach
        const double distance = std::abs(wrap(log.phase(k) - cell.phase));
        if (distance > far) break;
        if (distance < near) continue;
        time.push_back(log.times()[k]);
        logarithm.push_back(std::log(std::tan(0.5 * distance)));
    }
    if (time.size() < 3) return 0.0;
    const auto n = static_cast<Eigen::Index>(time.size());
    Eigen::MatrixXd line(n, 2);
    line.col(0).setOnes();
    line.col(1) = Eigen::Map<const Eigen::VectorXd>(time.data(), n).array() - time.back();
    const Eigen::Vector2d fit = line.colPivHouseholderQr().solve(Eigen::Map<const Eigen::VectorXd>(logarithm.data(), n));
    return -fit(1);
}

/// What single cells show when they are driven on frequency, one row per drive.
struct DrivenCells {
    Eigen::VectorXd error;        ///< [drives] [rad] raw phase, of the fundamental, minus the direction of the drive
    Eigen::MatrixXd deformation;  ///< [drives x phase terms] [rad] less its reference
    Eigen::VectorXd rate;         ///< [drives] [rad/s] return rate over drive; 0 = not seen
};

DrivenCells drive_cells(const Bench& bench, const Calibration& c) {
    constexpr auto drives = static_cast<Eigen::Index>(phase_error_drives.size());
    DrivenCells seen{Eigen::VectorXd(drives), Eigen::MatrixXd(drives, static_cast<Eigen::Index>(c.phase_terms.size())), Eigen::VectorXd(drives)};
    const double count = static_cast<double>(drive_directions.size());
    double rate = 0.5 * bench.estimate.coupling_rate;  // until it is seen: an estimate may be too high by two
    double expected = 0.0;                             // raw error of the drive before, to start the next one at a known distance
    for (Eigen::Index d = drives; d-- > 0;) {          // strong drives first: theirs are the short runs
        const double drive = phase_error_drives[static_cast<std::size_t>(d)];
        std::vector<BenchCell> cells;
        for (const double direction : drive_directions) cells.push_back({direction + expected + start_ahead, std::polar(drive, direction), 0.0});
        const double time = phase_error_time_constants / (rate * drive) + free_run_relaxations * bench.estimate.relaxation_time_s;
        const auto locked = bench.simulate(cells, c.frequency_at_step_hz, bench.points_per_period, c, time);
        for (const OscillatorSolution& cell : locked)
            if (cell.amplitude <= 0.0 || cell.stop != problem::Stop::time_limit || std::abs(cell.frequency_difference) > locked_drift * rate * drive)
                throw ModelError{
                    fmt::format("{}: a cell driven at {:g} of full scale does not lock to a drive at its own frequency (it drifts at {:.3g} rad/s). "
                                "Lower injection.",
                                bench.substrate.cell(), drive, cell.frequency_difference)};
        const double first = wrap(locked.front().phase - drive_directions.front());
        seen.error(d) = first;
        seen.deformation.row(d).setZero();
        std::vector<double> rates;
        for (std::size_t k = 0; k < cells.size(); ++k) {
            seen.error(d) += wrap(locked[k].phase - drive_directions[k] - first) / count;
            for (std::size_t h = 0; h < c.phase_terms.size(); ++h)
                seen.deformation(d, static_cast<Eigen::Index>(h)) += wrap(locked[k].deformation[h] - c.phase_terms[h].reference) / count;
            if (const double back = return_rate(locked[k]); back > 0.0) rates.push_back(back / drive);
        }
        seen.rate(d) = rates.size() == cells.size() ? std::accumulate(rates.begin(), rates.end(), 0.0) / count : 0.0;
        expected = seen.error(d);
        if (seen.rate(d) > 0.0) rate = seen.rate(d);
    }
    return seen;
}

/// Factors of the harmonics: what makes error + sum of factor deformation the same for every drive, by least squares.
void fit_phase_terms(const DrivenCells& seen, Calibration& c) {
    const Eigen::Index terms = seen.deformation.cols();
    if (terms == 0) return;
    Eigen::MatrixXd model(seen.error.size(), terms + 1);
    model << -seen.deformation, Eigen::VectorXd::Ones(seen.error.size());
    const Eigen::VectorXd fit = model.colPivHouseholderQr().solve(seen.error);
    for (Eigen::Index h = 0; h < terms; ++h) c.phase_terms[static_cast<std::size_t>(h)].factor = fit(h);
}

/// Offset at drive 0.25, slope and largest residual of the raw phase error over the drives.
void fit_phase_error(const Eigen::VectorXd& error, Calibration& c) {
    const auto at_offset_drive = std::find(phase_error_drives.begin(), phase_error_drives.end(), problem::offset_drive) - phase_error_drives.begin();
    c.offset_rad = error(at_offset_drive);
    const Eigen::VectorXd x = Eigen::Map<const Eigen::VectorXd>(phase_error_drives.data(), error.size()).array() - problem::offset_drive;
    c.slope_rad = x.dot((error.array() - c.offset_rad).matrix()) / x.squaredNorm();
    c.residual_rad = 0.0;
    for (Eigen::Index k = 0; k < error.size(); ++k)
        c.residual_rad = std::max(c.residual_rad, std::abs(error(k) - problem::raw_phase_error(c, phase_error_drives[static_cast<std::size_t>(k)])));
}

/// Return rates as rate/(1 + softening drive).
struct Relaxation {
    double rate;
    double softening;
};

/// A line in 1/rate over the drives, from the weakest on, whose rates were seen; with one or two, which are the weakest, their mean. Nothing if
/// phases return faster than the periods can show, or not as such a line.
std::optional<Relaxation> fit_relaxation(const Eigen::VectorXd& rate) {
    std::vector<double> drive;
    std::vector<double> inverse;
    for (Eigen::Index k = 0; k < rate.size(); ++k) {
        if (!(rate(k) > 0.0)) break;  // what is seen of still stronger drives is not their return, which takes less than a period
        drive.push_back(phase_error_drives[static_cast<std::size_t>(k)]);
        inverse.push_back(1.0 / rate(k));
    }
    if (drive.empty()) return std::nullopt;
    if (drive.size() < 3) return Relaxation{static_cast<double>(inverse.size()) / std::accumulate(inverse.begin(), inverse.end(), 0.0), 0.0};
    const auto n = static_cast<Eigen::Index>(drive.size());
    Eigen::MatrixXd line(n, 2);
    line.col(0).setOnes();
    line.col(1) = Eigen::Map<const Eigen::VectorXd>(drive.data(), n);
    const Eigen::Vector2d fit = line.colPivHouseholderQr().solve(Eigen::Map<const Eigen::VectorXd>(inverse.data(), n));
    constexpr double least_share = 0.1;  // of the rate at full scale over that at none: beyond, the line is a fit of noise
    if (!(fit(0) > 0.0) || !(fit(0) + fit(1) > least_share * fit(0))) return std::nullopt;
    return Relaxation{1.0 / fit(0), fit(1) / fit(0)};
}

/// Mean beat rate [rad/s] of a driven cell against its drive, from the first to the last passage of whole turns; 0 if it slipped fewer than three
/// times.
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

/// A cell driven off frequency and the rate at which it slips.
struct Slip {
    double detuning;  ///< [rad/s] > 0
    double beat;      ///< [rad/s] 0 = locked
};

/// Slips of cells driven at these detunings [rad/s] above (side 1) or below (side -1) the free frequency, at full scale.
std::vector<Slip> slips(const Bench& bench, const Calibration& c, double side, const std::vector<double>& detunings, double time) {
    std::vector<BenchCell> cells;
    for (const double detuning : detunings) cells.push_back({0.0, 1.0, side * detuning / turn});
    const auto driven = bench.simulate(cells, c.frequency_at_step_hz, bench.points_per_period, c, time);
    std::vector<Slip> found;
    for (std::size_t k = 0; k < detunings.size(); ++k) found.push_back({detunings[k], beat_rate(driven[k].trajectory, side * detunings[k])});
    return found;
}

/// Whether the first cells are locked and at least two of the others slip.
bool brackets_edge(const std::vector<Slip>& slips) {
    const auto outside = std::find_if(slips.begin(), slips.end(), [](const Slip& s) { return s.beat > 0.0; });
    return outside != slips.begin() && slips.end() - outside >= 2 && (outside + 1)->beat > outside->beat;
}

/// Detuning [rad/s] at which the beat vanishes: w_b^2 over delta^2 of the two nearest cells outside the lock range, extrapolated to 0.
double edge_of(const std::vector<Slip>& slips, const std::string& cell) {
    const auto outside = std::find_if(slips.begin(), slips.end(), [](const Slip& s) { return s.beat > 0.0; });
    if (!brackets_edge(slips))
        throw ModelError{fmt::format("{}: no edge of the lock range between detunings of {:.4g} and {:.4g} rad/s (the cell {}).", cell,
                                     slips.front().detuning, slips.back().detuning, outside == slips.begin() ? "does not lock" : "locks everywhere")};
    const auto next = outside + 1;
    const double x0 = outside->detuning * outside->detuning;
    const double x1 = next->detuning * next->detuning;
    const double y0 = outside->beat * outside->beat;
    const double y1 = next->beat * next->beat;
    const double squared = x0 - y0 * (x1 - x0) / (y1 - y0);
    if (!(squared > 0.0))
        throw ModelError{
            fmt::format("{}: slips at detunings of {:.4g} and {:.4g} rad/s, beating at {:.4g} and {:.4g} rad/s, are those of no lock range. Lower "
                        "injection.",
                        cell, outside->detuning, next->detuning, outside->beat, next->beat)};
    return std::sqrt(squared);
}

/// Part of a coarse step by which an edge may lie inside the last cell that seemed locked: so close outside, fewer than three slips fall into the
/// run.
constexpr double hidden_step = 0.3;

/// Detunings [rad/s] that resolve an edge which coarse slips bracket: `count` of them from just inside the last locked cell to one coarse step beyond
/// the first slipping one.
std::vector<double> resolving(const std::vector<Slip>& coarse, int count) {
    const auto outside = std::find_if(coarse.begin(), coarse.end(), [](const Slip& s) { return s.beat > 0.0; });
    const double step = outside->detuning - (outside - 1)->detuning;
    const double low = (outside - 1)->detuning - hidden_step * step;
    const double high = outside->detuning + step;
    std::vector<double> detunings;
    for (int k = 0; k < count; ++k) detunings.push_back(low + (high - low) * k / (count - 1));
    return detunings;
}

/// Edge of the lock range at full scale on one side, as a detuning [rad/s] > 0: a coarse grid around `rate` brackets it, a fine one resolves it.
/// Nothing is assumed of the shape of the edge but that the beat vanishes there as the square root of the excess, over one fine step: at strong
/// injection amplitude gives way and the range is not Adler's.
double lock_edge(const Bench& bench, const Calibration& c, double side, double rate) {
    constexpr double slips_seen = 6.0;   // whole turns within the run of a cell half a step outside; a quarter of it is transient
    constexpr double coarse_step = 0.2;  // in units of the expected rate
    constexpr int fine_cells = 7;
    const auto time_for = [&](double step) {
        return slips_seen * turn / (rate * std::sqrt(step));
    };                                                                    // Adler: w_b = K sqrt((1 + x)^2 - 1), x = step/2
    const double largest_detuning = 0.9 * turn * c.frequency_at_step_hz;  // a drive of next to no frequency, or of a negative one, is no injection
    const auto coarse = [&](double from, double to) {
        std::vector<double> detunings;
        for (double x = from; x < to; x += coarse_step)
            if (x * rate < largest_detuning) detunings.push_back(x * rate);
        return slips(bench, c, side, detunings, time_for(coarse_step));
    };
    std::vector<Slip> bracket = coarse(0.5, 1.6);                 // most cells lock as far as they return fast
    if (!brackets_edge(bracket)) bracket = coarse(0.2, 3.3);      // the others within a factor of three
    static_cast<void>(edge_of(bracket, bench.substrate.cell()));  // refuses an edge that is not bracketed
    return edge_of(slips(bench, c, side, resolving(bracket, fine_cells), time_for((2.0 + hidden_step) * coarse_step / (fine_cells - 1))),
                   bench.substrate.cell());
}

}  // namespace

Calibration calibrate(const substrates::Substrate& substrate, const engines::Engine& engine, const CalibrationOptions& options,
                      const engines::RunOptions& run) {
    Calibration c;
    if (substrate.dimensionless()) return c;
    const auto tell = [&](double done) { run.progress.report("calibrating the cell", done); };
    engines::RunOptions quiet = run;
    quiet.progress.report = [](const std::string&, double) {};
    quiet.waves.clear();

    tell(0.0);
    const int points = options.points_per_period;
    Bench bench{substrate, engine, points, quiet, substrate.estimate()};
    if (!std::isfinite(bench.estimate.frequency_hz)) bench.estimate = survey(bench);
    c.dimensionless = false;
    c.amplitude_unit = substrate.amplitude_unit();
    c.relaxation_time_s = bench.estimate.relaxation_time_s;
    for (const int order : substrate.read_harmonics()) c.phase_terms.push_back({order, 0.0, 0.0});
    const FreeRun at_step = free_run(bench, coarse_frequency(bench), points, c);
    c.frequency_at_step_hz = at_step.frequency_hz;
    c.amplitude = at_step.cell.amplitude;
    c.power_w = at_step.cell.mean_power;
    for (std::size_t h = 0; h < c.phase_terms.size(); ++h) c.phase_terms[h].reference = at_step.cell.deformation[h];
    c.limit_cycle = sampled_limit_cycle(at_step, substrate.bench({}, c.frequency_at_step_hz, points, c).cell.states);
    if (!substrate.presets_start()) warm_up(at_step, c);
    tell(0.1);
    c.reference_current_a = substrate.reference_current(c.amplitude, c.frequency_at_step_hz);
    if (!std::isfinite(bench.estimate.coupling_rate)) {
        const double per_ampere = rate_per_ampere(bench, c);
        if (!std::isfinite(c.reference_current_a)) c.reference_current_a = angular(Hertz{c.frequency_at_step_hz}).value() / per_ampere;
        bench.estimate.coupling_rate = per_ampere * c.reference_current_a * substrate.injection();
    }
    c.coupling_rate = bench.estimate.coupling_rate;
    DrivenCells seen;
    FinerFrequencies finer{};
    both(
        run.jobs, [&] { seen = drive_cells(bench, c); }, [&] { finer = finer_frequencies(bench, c); });
    c.frequency_hz = finer.physical_hz;
    c.frequency_at_half_step_hz = finer.half_step_hz;
    tell(0.5);

    const std::optional<Relaxation> relaxation = fit_relaxation(seen.rate);
    const double expected_edge = relaxation ? relaxation->rate : bench.estimate.coupling_rate;
    double lower = 0.0;
    double upper = 0.0;
    both(
        run.jobs, [&] { lower = lock_edge(bench, c, -1.0, expected_edge); }, [&] { upper = lock_edge(bench, c, 1.0, expected_edge); });
    c.coupling_rate = 0.5 * (upper + lower);
    c.lock_range_low_hz = c.frequency_at_step_hz - lower / turn;
    c.lock_range_high_hz = c.frequency_at_step_hz + upper / turn;
    fit_phase_terms(seen, c);
    Eigen::VectorXd error = seen.error;
    for (Eigen::Index h = 0; h < seen.deformation.cols(); ++h) error += c.phase_terms[static_cast<std::size_t>(h)].factor * seen.deformation.col(h);
    fit_phase_error(error, c);
    c.relaxation_rate = relaxation ? relaxation->rate : c.coupling_rate;
    c.relaxation_softening = relaxation ? relaxation->softening : 0.0;
    tell(0.9);
    c = with_sensitivity(bench, std::move(c), {at_step.frequency_hz, at_step.cell.phase, at_step.cell.recording});
    tell(1.0);
    return c;
}

}  // namespace entrain::study

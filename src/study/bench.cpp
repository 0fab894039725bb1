#include "study/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <stdexcept>
#include <string>

#include "core/error.hpp"
#include "core/quantity.hpp"

namespace entrain::study {
namespace {

using problem::OscillatorSolution;
using substrates::BenchCell;

struct Swing {
    double low;
    double high;
};

Swing swing_of(std::span<const double> values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return {*low, *high};
}

/// Times [s] of the crossings that crossing_frequency() counts.
std::vector<double> rising_crossings(const problem::Recording& recording) {
    std::vector<double> crossings;
    if (recording.read.empty()) return crossings;
    const auto [low, high] = swing_of(recording.read);
    const double middle = 0.5 * (low + high);
    const double hysteresis = 0.25 * (high - low);
    if (!(hysteresis > 0.0)) return crossings;
    bool armed = false;
    for (std::size_t k = 1; k < recording.read.size(); ++k) {
        const double before = recording.read[k - 1] - middle;
        const double now = recording.read[k] - middle;
        if (before < -hysteresis) armed = true;
        if (armed && before < 0.0 && now >= 0.0) {
            crossings.push_back(recording.time[k - 1] + (recording.time[k] - recording.time[k - 1]) * before / (before - now));
            armed = false;
        }
    }
    return crossings;
}

/// Whether the waveform is an oscillation and not noise of the integration: it swings, and its crossings are evenly spaced.
bool oscillates(const problem::Recording& recording) {
    constexpr double least_swing = 1e-5;  // of the voltage: ten times what Newton's tolerance leaves
    constexpr double unevenness = 0.3;    // of the mean spacing: start-up still stretches periods
    const std::vector<double> crossings = rising_crossings(recording);
    if (crossings.size() < 4) return false;
    const auto [low, high] = swing_of(recording.read);
    if (high - low < least_swing * std::max(std::abs(low), std::abs(high))) return false;
    const double mean = (crossings.back() - crossings.front()) / static_cast<double>(crossings.size() - 1);
    for (std::size_t k = 1; k < crossings.size(); ++k)
        if (std::abs(crossings[k] - crossings[k - 1] - mean) > unevenness * mean) return false;
    return true;
}

/// Frequency [Hz] of the free cell, looked for from high to low: a step that is too long shows nothing of a fast oscillation, one that is too short
/// sees part of a period and no crossings.
double find_frequency(const Bench& bench) {
    constexpr double highest = 1e13;  // [Hz]
    constexpr double lowest = 1.0;
    constexpr double ratio = 8.0;
    constexpr int recorded = 48;    // reference periods: six of the slowest oscillation that is this rung's
    constexpr double too_fast = 2;  // over the reference: the higher rungs would have seen it, this is the step's own ringing
    const std::array<BenchCell, 1> cell{};
    std::string words;
    for (double reference = highest; reference >= lowest; reference /= ratio) {
        try {
            const double time = 1.25 * recorded / reference;
            const auto free = bench.simulate(cell, reference, bench.points_per_period, {}, time, recorded);
            const problem::Recording& recording = free.front().recording;
            if (oscillates(recording) && crossing_frequency(recording) < too_fast * reference) return crossing_frequency(recording);
        } catch (const BenchFailed& failed) {  // a step far from the cell's time scale may fail where another does not
            if (failed.category() == "timeout") throw;
            words = failed.what();
        }
    }
    if (!words.empty())
        throw ModelError{
            fmt::format("{}: no oscillation was found, since the cell cannot be simulated: {}. (A singular matrix is often a node without "
                        "DC path to ground.)",
                        bench.substrate.cell(), words)};
    throw ModelError{fmt::format(
        "{}: no oscillation between {:g} Hz and {:g} Hz at its read port. The cell has to start by itself from its initial conditions (IC= of "
        "capacitors, .ic), and its supply port must be its supply.",
        bench.substrate.cell(), lowest, highest)};
}

/// Time [s] in which the swing comes within e^-1 of its final value, of an oscillation of about `frequency` [Hz].
double find_relaxation(const Bench& bench, double frequency) {
    constexpr double near = 1e-3;  // of the final swing
    const double time_constants = std::log(1.0 / near);
    constexpr int block = problem::grid_periods;  // the largest of so many periods misses the peak between two points by 3e-5
    constexpr double over = 0.7;                  // of the run: what is within `near` of its end for the rest of it has settled
    const std::array<BenchCell, 1> cell{};
    for (int periods = 8 * block; periods <= 1 << 16; periods *= 4) {
        const auto free = bench.simulate(cell, frequency, bench.points_per_period, {}, periods / frequency, periods);
        const problem::Recording& recording = free.front().recording;
        std::vector<double> swings;
        std::size_t begin = 0;
        for (int b = 1; b * block <= periods; ++b) {
            const auto after =
                std::lower_bound(recording.time.begin() + static_cast<std::ptrdiff_t>(begin), recording.time.end(), b * block / frequency);
            const auto end = static_cast<std::size_t>(after - recording.time.begin());
            if (end == begin) break;
            const auto [low, high] = swing_of(std::span{recording.read}.subspan(begin, end - begin));
            swings.push_back(high - low);
            begin = end;
        }
        std::size_t moving = swings.size();
        while (moving > 0 && std::abs(swings[moving - 1] - swings.back()) <= near * swings.back()) --moving;
        if (static_cast<double>(moving) <= over * static_cast<double>(swings.size()))
            return static_cast<double>(block) * static_cast<double>(moving + 1) / frequency / time_constants;
    }
    throw ModelError{
        fmt::format("{}: the amplitude near {:.4g} Hz does not come to rest within {} periods", bench.substrate.cell(), frequency, 1 << 16)};
}

}  // namespace

BenchFailed::BenchFailed(const problem::Failure& failure)
    : std::runtime_error{fmt::format("calibration failed ({}): {}", failure.category, failure.message)}, category_{failure.category} {}

std::vector<OscillatorSolution> Bench::simulate(std::span<const BenchCell> cells, double reference_hz, int points,
                                                const problem::Calibration& calibration, double time_s, int recorded_periods) const {
    problem::CircuitProblem bench = substrate.bench(cells, reference_hz, points, calibration);
    bench.fixed_time = time_s;
    bench.recorded_periods = recorded_periods;
    bench.rule.rate = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(cells.size()));
    bench.rule.max_time = Eigen::VectorXd::Constant(static_cast<Eigen::Index>(cells.size()), time_s);
    problem::Solution solution = engine.solve(bench, run);
    if (run.progress.stop_requested()) throw Interrupted{};
    if (!solution.failures.empty()) throw BenchFailed{solution.failures.front()};
    return std::move(solution.oscillators);
}

double crossing_frequency(const problem::Recording& recording) {
    const std::vector<double> crossings = rising_crossings(recording);
    if (crossings.size() < 4) return 0.0;
    return static_cast<double>(crossings.size() - 1) / (crossings.back() - crossings.front());
}

substrates::Estimate survey(const Bench& bench) {
    substrates::Estimate estimate = bench.estimate;
    estimate.frequency_hz = find_frequency(bench);
    estimate.relaxation_time_s = find_relaxation(bench, estimate.frequency_hz);
    return estimate;
}

double rate_per_ampere(const Bench& bench, const problem::Calibration& calibration) {
    constexpr double weakest = 1e-12;  // [A]
    constexpr double strongest = 1.0;
    constexpr double periods = 32.0;
    constexpr double least_turn = 0.02;  // [rad] two thousand times the jitter of a period's phase
    constexpr std::array<double, 4> directions = {0.0, 0.5 * std::numbers::pi, std::numbers::pi, 1.5 * std::numbers::pi};
    problem::Calibration known = calibration;
    for (double current = weakest; current <= strongest; current *= 10.0) {
        known.reference_current_a = current / bench.substrate.injection();
        std::vector<BenchCell> cells;
        for (const double direction : directions) cells.push_back({0.0, std::polar(1.0, direction), 0.0});
        const auto driven = bench.simulate(cells, known.frequency_at_step_hz, bench.points_per_period, known, periods / known.frequency_at_step_hz);
        std::complex<double> sum = 0.0;  // of K sin(direction - phase) over the directions
        double time = 0.0;
        for (std::size_t k = 0; k < cells.size(); ++k) {
            const problem::Trajectory& log = driven[k].trajectory;
            time = log.times().back() - log.times().front();
            sum += std::polar((log.phase(log.size() - 1) - log.phase(0)) * 2.0 / static_cast<double>(directions.size()), directions[k]);
        }
        if (std::abs(sum) > least_turn) return std::abs(sum) / (time * current);
    }
    throw ModelError{
        fmt::format("{}: no current up to {:g} A into its inject port turns its phase. Is it the right pin?", bench.substrate.cell(), strongest)};
}

}  // namespace entrain::study

#pragma once
#include <future>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engines/engine.hpp"
#include "problem/solution.hpp"
#include "substrates/substrate.hpp"

namespace entrain::study {

/// A bench that could not be simulated.
class BenchFailed : public std::runtime_error {
 public:
    explicit BenchFailed(const problem::Failure& failure);
    [[nodiscard]] const std::string& category() const { return category_; }

 private:
    std::string category_;
};

/// Where single cells of a substrate are measured. References must outlive it.
struct Bench {
    const substrates::Substrate& substrate;
    const engines::Engine& engine;  ///< simulates circuits
    int points_per_period;
    const engines::RunOptions& run;
    substrates::Estimate estimate;

    /// Simulates cells for `time_s` with steps of a period of `reference_hz` over `points`, keeping the waveforms of the last `recorded_periods`.
    /// BenchFailed with the simulator's words, Interrupted.
    [[nodiscard]] std::vector<problem::OscillatorSolution> simulate(std::span<const substrates::BenchCell> cells, double reference_hz, int points,
                                                                    const problem::Calibration& calibration, double time_s,
                                                                    int recorded_periods = 0) const;
};

/// Runs two measurements, side by side if there are jobs for both.
template <class First, class Second>
void both(int jobs, First&& first, Second&& second) {
    if (jobs < 2) {
        first();
        second();
        return;
    }
    std::future<void> other = std::async(std::launch::async, std::forward<Second>(second));
    try {
        first();
    } catch (...) {
        other.wait();
        throw;
    }
    other.get();
}

/// Frequency [Hz] from the rising crossings of the middle of a recorded waveform's swing; 0 with fewer than four. A crossing counts after the voltage
/// has been below it by a quarter of its swing, so that ripple does not count.
[[nodiscard]] double crossing_frequency(const problem::Recording& recording);

/// Estimates of a cell of which no formula says anything (Estimate::frequency_hz is NaN), from simulations: frequency within a factor of two,
/// relaxation time, no coupling rate. ModelError if the cell does not oscillate between 1 Hz and 10 THz.
[[nodiscard]] substrates::Estimate survey(const Bench& bench);

/// K per ampere [rad/(s A)] of a cell whose `calibration` knows its free run: how fast a small current, at four phases, turns it. ModelError if no
/// current up to 1 A does.
[[nodiscard]] double rate_per_ampere(const Bench& bench, const problem::Calibration& calibration);

}  // namespace entrain::study

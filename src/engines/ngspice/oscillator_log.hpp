#pragma once
#include <array>
#include <complex>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "problem/problem.hpp"
#include "problem/solution.hpp"

namespace entrain::engines::ngspice {

/// Periods that make up the final state: enough to average the 1e-3 degrees that Newton's tolerance leaves in a single one.
inline constexpr int final_periods = problem::grid_periods;

/// What one period of one oscillator gave.
struct PeriodSample {
    std::complex<double> fundamental;             ///< [V] phasor of cos(w t + arg) at the read port
    std::vector<std::complex<double>> harmonics;  ///< [V] one per PhaseTerm
    double mean_square = 0.0;                     ///< [V^2] about the mean
    double power = 0.0;                           ///< [W] mean
};

/// One oscillator of a running netlist: its trajectory, and whether its netlist still has to run for it.
class OscillatorLog {
 public:
    /// `start_amplitude` [V] of a healthy cell, 0 = unknown. `terms` outlives the log.
    OscillatorLog(double period, double start_amplitude, std::span<const problem::PhaseTerm> terms)
        : period_{period}, start_amplitude_{start_amplitude}, terms_{terms} {}

    void append(const PeriodSample& sample);

    /// Judges the trajectory so far; true if nothing more is to be learnt: settled (once is enough), slipping, out of time, or without oscillation
    /// that still grows.
    [[nodiscard]] bool judge(double rate, double max_time, const problem::SettlingRule& rule);

    /// Of a judged run: the last verdict. The state is that of the last periods; stop_time of a settled oscillator is when it was first judged so.
    [[nodiscard]] problem::OscillatorSolution solution() const;

    /// Of a run of fixed length: no verdict on phases (time_limit), the drift fitted to the last third.
    [[nodiscard]] problem::OscillatorSolution bench_solution() const;

 private:
    [[nodiscard]] double time() const { return period_ * static_cast<double>(count_); }
    [[nodiscard]] double mean_amplitude() const;
    [[nodiscard]] double swing() const;
    [[nodiscard]] double read_phase(std::complex<double> fundamental, std::span<const std::complex<double>> harmonics) const;
    [[nodiscard]] bool weak() const;
    [[nodiscard]] problem::OscillatorSolution final_state() const;

    double period_;           ///< [s]
    double start_amplitude_;  ///< [V]
    std::span<const problem::PhaseTerm> terms_;
    problem::Trajectory trajectory_;
    std::uint64_t count_ = 0;
    std::array<PeriodSample, final_periods> last_{};  ///< ring, place = period number modulo its size
    double phase_ = 0.0;                              ///< [rad] unwrapped, last period
    double energy_ = 0.0;                             ///< [J] to the end of the last period
    double largest_amplitude_ = 0.0;
    double judged_amplitude_ = 0.0;  ///< at the previous judgement
    problem::SettlingState state_;
    std::optional<double> settled_at_;
    bool noisy_ = false;
};

}  // namespace entrain::engines::ngspice

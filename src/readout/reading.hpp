#pragma once
#include <Eigen/Core>
#include <optional>
#include <vector>

#include "problem/instance.hpp"
#include "problem/problem.hpp"
#include "problem/solution.hpp"

namespace entrain::readout {

/// What is known of one oscillator's reading. The numbers are those of /verdict in arrays.h5.
enum class Verdict : int {
    settled = 0,
    unsettled = 1,
    unlocked = 2,
    never_started = 3,
    degenerate = 4,
    failed = 5,
    masked = 6,
    collapsed = 7,
    multimode = 8
};

/// A token with drive below this is degenerate: its direction is a difference of nearly equal numbers; simulated, listed, left out of error averages.
inline constexpr double degenerate_drive = 1e-3;

/// Which part of the calibrated raw phase error is removed.
enum class Correction {
    none,
    offset,       ///< the constant at drive 0.25: what hardware can do
    offset_slope  ///< needs the drive, which is the digital answer: a model-agreement figure
};

/// One probe, read.
struct Reading {
    Verdict verdict = Verdict::failed;
    Eigen::VectorXd state;                ///< [d] corrected unit state; empty when failed, never started or collapsed
    double phase = 0.0;                   ///< [rad] corrected, d = 2, in [-pi, pi)
    double raw_phase = 0.0;               ///< [rad] before correction, in [-pi, pi)
    double frequency_difference = 0.0;    ///< [rad/s]
    std::optional<double> settling_time;  ///< [s] nothing = not settled
};

/// Readings at equilibrium (over the last whole periods), one per free oscillator. Only Stop::settled is settled; an oscillator that ran into the
/// time limit is unsettled and keeps its last phase; an unlocked one has none. Drive below degenerate_drive is degenerate whatever the oscillator
/// did, unless it never started, collapsed or failed. The correction applies to d = 2 and does not know the cell's detuning or disorder: those are
/// errors of the hardware.
[[nodiscard]] std::vector<Reading> read(const problem::Solution& solution, const problem::Instance& instance, const problem::SettlingRule& rule,
                                        Correction correction);

/// Readings at `time` [s] after the start, from the trajectories, the final state once they have ended; verdicts and settling times as at
/// equilibrium.
[[nodiscard]] std::vector<Reading> read_at(const problem::Solution& solution, const problem::Instance& instance, const problem::SettlingRule& rule,
                                           Correction correction, double time);

/// The state [d] that read_at gives oscillator i at `time`, without the search for its settling time: for curves over many times. Empty where there
/// is no phase.
[[nodiscard]] Eigen::VectorXd state_at(const problem::OscillatorSolution& oscillator, const problem::Instance& instance, Eigen::Index i,
                                       Correction correction, double time);

}  // namespace entrain::readout

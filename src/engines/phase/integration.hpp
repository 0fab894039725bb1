#pragma once
#include <atomic>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "engines/phase/dynamics.hpp"
#include "engines/phase/path.hpp"
#include "engines/phase/stepper.hpp"
#include "problem/trajectory.hpp"

namespace entrain::engines::phase {

/// How a component's run ended.
enum class End {
    stationary,  ///< every oscillator is within Limits::remaining of a stable fixed point
    slipping,    ///< some oscillator keeps turning
    horizon,     ///< neither until the horizon
    interrupted,
    not_finite
};

struct Limits {
    Method method = Method::automatic;
    double tolerance = 1e-9;               ///< [rad] of one step
    double horizon = 0.0;                  ///< [s]
    std::size_t path_bytes = 256'000'000;  ///< kept of the run: what is longer is integrated a second time to be recorded
    const std::atomic<bool>* stop = nullptr;
};

/// Where the run ends and how it got there.
struct Run {
    End end = End::horizon;
    double time = 0.0;               ///< [s]
    State state;                     ///< at `time`
    State rate;                      ///< [1/s] at `time`
    std::vector<bool> slips;         ///< per oscillator
    std::vector<double> mean_drift;  ///< [rad/s] d = 2: over the last half of the run or more
    std::vector<double> bend;        ///< by step: its share of the samples, up to a factor
    std::size_t steps = 0;
    std::size_t evaluations = 0;  ///< of the derivative
    std::size_t interpolation_nodes = 2;
    Path path{0, 1};
};

/// Integrates from the start until the remaining angle of every oscillator is below max(1e-8 rad, 10 tolerance), an oscillator slips, or the horizon
/// is reached. The remaining angle is judged by the dynamics: one oscillator by |rate|/contraction, which must be positive, so that the antipode
/// never counts; several by |rate|/decay rate of the rates in two windows of a fifth of the run. Slipping: one oscillator that has turned twice; of
/// several, one that has turned more than twice in the last half of a run of at least 200/scale.
[[nodiscard]] Run find_end(const Dynamics& dynamics, const Limits& limits);

/// What shall be read from a run about each oscillator.
struct Request {
    double band = 0.0;          ///< [rad] last entry into this angle around the final state
    double inner_band = 0.0;    ///< [rad] the same for a second, smaller one
    std::vector<double> until;  ///< [s] trajectories end here, or where the run does
    std::size_t samples = 400;  ///< about so many per trajectory, at most Trajectory::capacity
};

/// Trajectories and crossings, interpolated between the nodes of the run: no derivative is evaluated, unless the path was too long to be kept.
struct Record {
    std::vector<problem::Trajectory> trajectories;
    std::vector<double> entry;                       ///< [s] last entry into the band; 0 if never outside. Of stationary runs only
    std::vector<double> inner_entry;                 ///< [s]
    std::vector<std::optional<double>> slip_period;  ///< [s] of the second turn, for oscillators that turned twice
    std::size_t evaluations = 0;
};

[[nodiscard]] Record record(const Dynamics& dynamics, const Limits& limits, const Run& run, const Request& request);

}  // namespace entrain::engines::phase

#pragma once
#include <Eigen/Core>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "problem/trajectory.hpp"

namespace entrain::problem {

/// Why an oscillator's simulation ended.
enum class Stop {
    settled,
    time_limit,     ///< max_time reached while still moving
    unlocked,       ///< phase slips
    never_started,  ///< amplitude never reached a tenth of the calibrated one
    collapsed,      ///< amplitude fell below a tenth of the calibrated one
    multimode,      ///< as one of these two, but the voltage swings all the same: at a harmonic, or in another mode
    failed          ///< the simulation failed; see Solution::failures
};

/// Waveforms of a test bench, in netlist units, from the first accepted point after `time.front()` to the end of the run.
struct Recording {
    std::vector<double> time;                 ///< [s]
    std::vector<double> read;                 ///< [V] at the read port
    std::vector<std::vector<double>> states;  ///< [V] one per CellInterface::states
};

/// What an engine says about one free oscillator.
struct OscillatorSolution {
    Stop stop = Stop::failed;
    Trajectory trajectory;
    Eigen::VectorXd state;  ///< [d] raw final unit state: over the last whole periods (circuits) or the limit (exact, phase); empty when failed
    double phase = 0.0;     ///< [rad] unwrapped raw final phase, d = 2
    double frequency_difference = 0.0;    ///< [rad/s] mean drift over the last window; > 0 runs ahead of the anchors
    double amplitude = 0.0;               ///< of the fundamental at the read port, last periods [V]; 0 for phase models
    double stop_time = 0.0;               ///< [s] simulated
    double mean_power = 0.0;              ///< [W] over the last whole periods; 0 for phase models
    std::optional<double> settling_time;  ///< [s] set by engines that know it better than the trajectory's samples do
    std::vector<double> deformation;      ///< [rad] circuits: wrap(arg V_order - order arg V1) of the last periods, one per PhaseTerm
    Recording recording;                  ///< benches that ask for it
};

/// A simulation that failed although its input was good.
struct Failure {
    std::string category;  ///< parse, no_circuit, operating_point, timestep, empty, not_finite, incomplete, exit, crash, timeout, interrupted
    std::string message;   ///< first error lines
    int chunk = -1;        ///< netlist number, -1 without chunks
    std::vector<std::uint32_t> oscillators;  ///< whose numbers are missing because of it
};

/// A simulation that failed and was tried once more.
struct Retry {
    int chunk = -1;
    std::string category;  ///< of the failure, as in Failure
    std::string message;
    std::string change;  ///< what was different the next time: "fresh worker", "half step"
    bool ok = false;     ///< whether that worked
};

struct Cost {
    double cpu_s = 0.0;
    double simulated_periods = 0.0;   ///< sum over netlists
    double points = 0.0;              ///< accepted time points, sum over netlists; right-hand sides for the phase engine
    double newton_iterations = 0.0;   ///< sum over netlists; 0 where the simulator does not tell
    double oscillator_periods = 0.0;  ///< periods times oscillators, sum over netlists
    double longest_periods = 0.0;     ///< of the netlist that ran longest
};

struct Solution {
    std::vector<OscillatorSolution> oscillators;  ///< [N], in the order of the problem
    std::vector<Failure> failures;
    std::vector<Retry> retries;
    Cost cost;
};

}  // namespace entrain::problem

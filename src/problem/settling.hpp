#pragma once
#include <Eigen/Core>
#include <optional>

#include "core/quantity.hpp"
#include "problem/trajectory.hpp"

namespace entrain::problem {

/// When an oscillator counts as settled and how long to wait for it.
struct SettlingRule {
    Radians tolerance{radians(1.0)};         ///< settling time: first time after which the state stays within this angle of its final value
    Radians remaining{radians(0.02)};        ///< settled: the fitted exponential's remaining angle is below this
    Eigen::VectorXd rate;                    ///< [N] [1/s] expected contraction rate K |drive_i|; sets the length of the fit windows only, never "final"
    Eigen::VectorXd max_time;                ///< [N] [s] give up after this time
};

/// What a trajectory says about one oscillator so far.
enum class Motion {
    moving,   ///< still on its way
    settled,  ///< remaining angle below the rule's, drift decayed over two windows, not the neighbourhood of the antipode
    slipping  ///< has turned by more than two whole turns in the last half of the run: not locked
};

struct SettlingState {
    Motion motion = Motion::moving;
    double remaining = 0.0;  ///< [rad] angle still to go, of the fitted exponential; meaningful when the drift decays
    double drift = 0.0;      ///< [rad/s] mean drift over the last window
};

/// Judges a trajectory (d = 2) with windows of at least 1/rate. The last three windows' mean phases m0, m1, m2 give the drift ratio q = (m2 - m1)/(m1 - m0); an
/// exponential has 0 < q < 1 and a remaining angle that follows from q and m2 - m1. Near the antipode the drift vanishes too but GROWS (q > 1); a
/// trajectory that has hardly moved since its start must be watched for 12/rate, in which a deviation from the antipode grows by e^12.
[[nodiscard]] SettlingState assess(const Trajectory& trajectory, double rate, Radians remaining);

/// First time after which the trajectory stays within `tolerance` of `final_state` (unit vector [d]); linear interpolation of the angle between samples. 0 if it starts within it,
/// nothing if its last sample is outside.
[[nodiscard]] std::optional<double> settling_time(const Trajectory& trajectory, const Eigen::VectorXd& final_state, Radians tolerance);

/// Time for a phase error to shrink from `from` to `to` [rad] at rate K |drive|: ln(tan(from/2)/tan(to/2))/rate (Adler 1946); infinite for rate 0.
[[nodiscard]] double predicted_settling_time(double rate, double from, double to);

}  // namespace entrain::problem

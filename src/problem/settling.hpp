#pragma once
#include <Eigen/Core>
#include <optional>

#include "core/quantity.hpp"
#include "problem/trajectory.hpp"

namespace entrain::problem {

/// When an oscillator counts as settled and how long to wait for it.
struct SettlingRule {
    Radians tolerance{radians(1.0)};   ///< settling time: first time after which the state stays within this angle of its final value
    Radians remaining{radians(0.02)};  ///< settled: the fitted exponential's remaining angle is below this
    Eigen::VectorXd rate;              ///< [N] [1/s] expected contraction rate K |drive_i|; sets the length of the fit windows only, never "final"
    Eigen::VectorXd max_time;          ///< [N] [s] give up after this time
    bool noisy = false;                ///< phases jitter: settled is a mean that no longer moves, see assess_noisy()
    double least_time = 0.0;           ///< [s] watch settled oscillators at least this long: jittering ones are read as they are at that time
};

/// What a trajectory says about one oscillator so far.
enum class Motion {
    moving,   ///< still on its way
    settled,  ///< remaining angle below the rule's, drift decayed over two windows, not the neighbourhood of the antipode
    slipping  ///< has turned by more than two whole turns in the last half of the log: not locked
};

struct SettlingState {
    Motion motion = Motion::moving;
    double remaining = 0.0;  ///< [rad] angle still to go, of the fitted exponential; meaningful when the drift decays
    double drift = 0.0;  ///< [rad/s] mean drift over the last window; over the last half of the log while that is too short for windows, or slipping
};

/// Judges a trajectory (d = 2, evenly spaced samples) by its last three windows, each at least 1/rate and 8 samples long. Their mean phases m0, m1,
/// m2 give the drift ratio q = (m2 - m1)/(m1 - m0); an exponential has 0 < q < 1 and, x = -ln q, an angle of (m2 - m1)/(g (1 - e^x)), g = (e^x -
/// 1)/x, left at the end (the sum over samples is used instead of g). Settled:
/// - 0 < q < 0.8 and |angle left| < `remaining`; windows are doubled while q is larger, since detuned oscillators contract more slowly than `rate`;
/// or
/// - both differences are below remaining/4 over windows of 4/rate: the noise floor;
/// and the phase moves smoothly from sample to sample, and has moved by 0.5 deg since the start or has been watched for 12/rate. Near the antipode
/// the drift vanishes too but GROWS (q > 1); there the waiting time turns 1e-7 rad into 1 deg. The first window after the start is never used:
/// start-up of a cell looks like a decay. Without drive (rate 0) nothing ever counts as settled. Costs one pass over the windows; `remaining` of the
/// result is infinite where no decay is seen.
[[nodiscard]] SettlingState assess(const Trajectory& trajectory, double rate, Radians remaining);

/// Judges a trajectory that jitters (d = 2): settled when it is 24/rate old and the means of its last two thirds, each at least 8/rate long, differ
/// by less than three standard errors, which follow from the spread within them and the correlation time 1/rate. `drift` is the difference over the
/// distance of the thirds, `remaining` the standard error of the mean over both.
[[nodiscard]] SettlingState assess_noisy(const Trajectory& trajectory, double rate);

/// First time after which the trajectory stays within `tolerance` of `final_state` (unit vector [d]); linear interpolation of the angle between
/// samples. 0 if it starts within it, nothing if its last sample is outside.
[[nodiscard]] std::optional<double> settling_time(const Trajectory& trajectory, const Eigen::VectorXd& final_state, Radians tolerance);

/// Time for a phase error to shrink from `from` to `to` [rad] at rate K |drive|: ln(tan(from/2)/tan(to/2))/rate (Adler 1946); infinite for rate 0.
[[nodiscard]] double predicted_settling_time(double rate, double from, double to);

}  // namespace entrain::problem

#pragma once

namespace entrain::closed_form {

/// The angle from the drive's direction to an oscillator under constant drive, in closed form:
///     d(angle)/dt = detuning - rate sin(angle)                               (Adler 1946)
/// It is a Riccati equation for tan(angle/2), that is a linear one for v = (cos(angle/2), sin(angle/2)) up to length:
///     dv/dt = M v,  M = 1/2 [[rate, -detuning], [detuning, -rate]],  M^2 = (rate^2 - detuning^2)/4 I,
/// so exp(Mt) needs one exponential (locked, |detuning| <= rate) or one sine and cosine (drifting). Since v turns by half the angle, less than half a
/// turn while locked and exactly half a turn per slip while drifting, the angle is known with its whole turns. Valid for every d: without detuning
/// the motion stays on the great circle through start and drive. Unit of time: whatever `rate` is the inverse of.
class Transient {
 public:
    /// rate >= 0, detuning finite, not both 0. `start` [rad] in (-pi, pi].
    Transient(double rate, double detuning, double start);

    [[nodiscard]] bool locked() const { return locked_; }
    [[nodiscard]] double angle(double time) const;         ///< [rad] continuous in time, angle(0) = start; finite time >= 0
    [[nodiscard]] double speed(double angle) const;        ///< [rad/time] d(angle)/dt there
    [[nodiscard]] double limit() const { return limit_; }  ///< [rad] where a locked oscillator goes, NaN for a drifting one
    [[nodiscard]] double mean_speed() const {
        return mean_speed_;
    }  ///< [rad/time] of a drifting oscillator, sign(detuning) sqrt(detuning^2 - rate^2); 0 if locked

    /// Time after which a locked oscillator stays within `remaining` [rad] of its limit, by bisection (the way to go only shrinks); 0 if it starts
    /// there, infinite if it sits on the unstable equilibrium.
    [[nodiscard]] double time_to_within(double remaining) const;

    /// The longest step over which the angle (curve_factor 1) or a unit vector that turns by it (curve_factor 3.5) can be interpolated by cubics to
    /// `error` [rad].
    [[nodiscard]] double sample_step(double angle, double error, double curve_factor) const;

 private:
    struct Half {
        double cosine, sine;
    };
    [[nodiscard]] Half combine(double of_start, double of_flow) const;
    [[nodiscard]] double turned(const Half& v) const;

    double rate_;
    double detuning_;
    double start_;
    bool locked_;
    double root_;       ///< [1/time] sqrt|rate^2 - detuning^2|
    double direction_;  ///< sign of the speed at the start: the motion never turns round
    Half v_;            ///< v at the start
    Half flow_;         ///< 2 M v at the start
    double limit_;
    double mean_speed_;
};

}  // namespace entrain::closed_form

#pragma once
#include <functional>
#include <optional>

namespace entrain::closed_form {

/// One oscillator under a constant pull, on its way to its equilibrium, in closed form. With x the angle from the pull to the phase,
///     dx/dt = w - (1 + s) r sin(x)/(1 + s cos(x))                                        (PhaseProblem: rate r, softening s, detuning w)
/// is Adler's law in another time: y = x - a turns at dy/dT = w - R sin(y), R = hypot((1 + s) r, s w), a = atan2(s w, (1 + s) r), dt = (1 + s cos(x))
/// dT. For |w| < R, d the distance to the equilibrium and g the distance between it and the unstable one behind the oscillator,
///     u = ln(sin(d/2)/sin((g - d)/2))   falls at the rate l = sqrt(R^2 - w^2) in the time T, and
///     t = (u0 - u) m/l + p (d0 - d) - q ln(D/D0),   D = w - R sin(y) ~ sin(d/2) sin((g - d)/2),
///     m = 1 - (s w/R)^2,   p = +-s^2 w/R^2 (+ for motion towards larger x),   q = s (1 + s) r/R^2.
/// Valid for s in [0, 1). Unit of time: whatever `rate` is the inverse of.
class Approach {
 public:
    /// `start` [rad] is the angle from the pull. Nothing where the closed form is of no use: no pull, not locked or so close to the edge of the lock
    /// range that l < 1e-4 R, or a start within 1e-9 rad of the unstable equilibrium.
    [[nodiscard]] static std::optional<Approach> from(double rate, double softening, double detuning, double start);

    [[nodiscard]] double limit() const { return start_ + side_ * start_distance_; }  ///< [rad] of the equilibrium, unwrapped from the start
    [[nodiscard]] double distance() const { return start_distance_; }                ///< [rad] > 0 at the start, at most 2 pi

    /// When the oscillator is `distance` [rad] from its equilibrium; 0 if it starts nearer.
    [[nodiscard]] double time_to_within(double distance) const;

    /// Angle [rad] from the pull at a time > 0, unwrapped.
    [[nodiscard]] double angle(double time) const;

    /// Visits (time, angle from the pull) from the start to `until`: some 100 samples, so close that cubics between them (Trajectory) are within 1e-5
    /// rad; constant after the last.
    void follow(double until, const std::function<void(double time, double angle)>& visit) const;

 private:
    Approach() = default;

    struct Place {
        double distance;  ///< [rad]
        double log_norm;  ///< ln(N), N^2 = 1 + 2 e^u cos(g/2) + e^(2u): sin(d/2) = e^u sin(g/2)/N, sin((g - d)/2) = sin(g/2)/N
    };
    [[nodiscard]] Place place(double exp_u) const;
    /// Into how many parts a step in u down to or from this distance is cut, so that cubics follow it.
    [[nodiscard]] int pieces(double step, double distance) const;
    [[nodiscard]] double time(double u, const Place& place) const;

    double start_ = 0.0;
    double side_ = 1.0;  ///< direction of the motion
    double start_distance_ = 0.0;
    double start_u_ = 0.0;
    double start_log_norm_ = 0.0;
    double half_gap_cosine_ = 0.0;  ///< cos(g/2)
    double half_gap_sine_ = 1.0;
    double per_u_ = 0.0;         ///< (m/l + q): d(t)/d(-u)
    double per_distance_ = 0.0;  ///< p
    double per_log_norm_ = 0.0;  ///< 2 q
};

}  // namespace entrain::closed_form

#pragma once
#include <complex>

namespace entrain::substrates::cdw {

/// Load resistor, capacitor and a device whose state u is a smooth latch between insulating (-1) and metallic (+1),
///     C dv/dt = (V - v)/Rs - v G(u) + i,    G(u) = (1/Ri + 1/Rm)/2 + u (1/Rm - 1/Ri)/2
///     ts du/dt = tanh((v - vc + h u)/(q h)) - u
/// with vc and h such that the folds of the static latch lie at the two thresholds.
struct RelaxationOscillator {
    double supply = 0.0;           ///< [V] V
    double load = 0.0;             ///< [ohm] Rs
    double insulating = 0.0;       ///< [ohm] Ri
    double metallic = 0.0;         ///< [ohm] Rm
    double upper_threshold = 0.0;  ///< [V]
    double lower_threshold = 0.0;  ///< [V]
    double sharpness = 0.0;        ///< [1] q, in (0, 1)
    double capacitance = 0.0;      ///< [F] C
    double latch_time = 0.0;       ///< [s] ts

    [[nodiscard]] double conductance(double state) const;  ///< [S] G(u)
    [[nodiscard]] double divider(double state) const;      ///< [V] to which the capacitor charges with the device held in this state
    [[nodiscard]] double fold_state() const;               ///< |u| at the folds: sqrt(1 - q)
    [[nodiscard]] double half_hysteresis() const;          ///< [V] h = half the distance of the thresholds / (s - q atanh(s)), s the fold state
    [[nodiscard]] double rc_period() const;                ///< [s] for an instantaneous, sharp latch; requires dividers beyond the thresholds
    /// [s] Largest latch time at which the fixed point between the thresholds is unstable, so that the cell oscillates: trace of the Jacobian there
    /// above 0. Requires divider(-fold_state()) above the upper and divider(fold_state()) below the lower threshold.
    [[nodiscard]] double largest_latch_time() const;
};

/// The free oscillation, by integration of the two equations (Runge-Kutta, 4th order), and its response to small charges, by integration of their
/// adjoint backwards along the cycle (Malkin; Ermentrout and Kopell, J. Math. Biol. 29, 1991).
struct LimitCycle {
    double period = 0.0;            ///< [s]
    double amplitude = 0.0;         ///< of the fundamental of u
    double metallic_share = 0.0;    ///< of the period with u > 0
    double relaxation_time = 0.0;   ///< [s] distances from the cycle shrink by e: the trace of the Jacobian along it (Liouville)
    std::complex<double> response;  ///< [rad/C] Z1: a charge q moves the phase theta of u's fundamental by q Re(... + Z1 e^(i theta) + ...)

    /// [rad/s] by which a current of this amplitude [A] at the oscillator's frequency pulls (Adler's K), to first order.
    [[nodiscard]] double pull(double current) const { return 0.5 * std::abs(response) * current; }
    /// [rad] by which u stands ahead of a small current in lock at the oscillator's own frequency.
    [[nodiscard]] double locked_offset() const;
};

/// Largest number of steps a period that limit_cycle() takes; it needs rc_period/(latch_time sharpness).
inline constexpr double most_steps = 4e6;

/// ModelError if the oscillator does not come to a cycle. Period within 1e-6, response within 1e-3.
[[nodiscard]] LimitCycle limit_cycle(const RelaxationOscillator& oscillator);

}  // namespace entrain::substrates::cdw

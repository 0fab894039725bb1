#pragma once
#include <limits>

namespace entrain::substrates::ring {

/// Static drain current of a MOS transistor: square law with velocity saturation (Toh, Ko and Meyer, IEEE JSSC 23, 1988). Voltages are magnitudes,
/// towards the source. With overdrive o = vgs - threshold > 0, saturation voltage s = o V/(o + V) and u = min(vds, s), V = `critical_voltage`,
///     i = gain_factor (o - u/2) u/(1 + u/V) (1 + lambda vds)
/// V infinite is the level-1 model of SPICE. Symmetric: vds < 0 exchanges source and drain.
struct Transistor {
    double gain_factor = 0.0;                                           ///< [A/V^2] mobility times gate capacitance per area times W/L
    double threshold = 0.0;                                             ///< [V]
    double lambda = 0.0;                                                ///< [1/V]
    double critical_voltage = std::numeric_limits<double>::infinity();  ///< [V] critical field times channel length
    [[nodiscard]] double current(double vgs, double vds) const;         ///< [A]
    /// [A/V] g such that the channel's thermal noise is 4 k T gamma g: of the level-1 model g_d0 (1 + e + e^2)/(1 + e) with g_d0 = gain_factor o, the
    /// channel's conductance at vds = 0, and e = 1 - min(vds, o)/o: the transconductance in saturation, 3/2 of g_d0 at vds = 0, where gamma = 2/3
    /// makes it the noise of a resistor (van der Ziel 1962).
    [[nodiscard]] double noise_conductance(double vgs, double vds) const;
};

/// Ring of an odd number of inverters: stage k drives node k, its gate is node k - 1,
///     capacitance dv_k/dt = pmos(supply - v_(k-1), supply - v_k) - nmos(v_(k-1), v_k) [ - load (v_0 - supply/2) at node 0 ]
struct InverterRing {
    int stages = 3;
    double supply = 0.0;       ///< [V]
    double capacitance = 0.0;  ///< [F] of every node
    Transistor nmos;
    Transistor pmos;
    double load = 0.0;  ///< [S]
};

/// Input voltage [V] at which an inverter's output equals its input. Needs a supply above the sum of the thresholds.
[[nodiscard]] double switching_voltage(const InverterRing& ring);

/// Gain around the ring, linearised at the switching voltage, at the frequency where the stages' poles turn the signal by 180 degrees. Above 1 the
/// ring starts to oscillate. For equal stages of gain A = gm/gds it is (A cos(pi/N))^N; infinite without output conductance.
[[nodiscard]] double loop_gain(const InverterRing& ring);

/// Steady oscillation and its response to a small current into node 0.
struct LimitCycle {
    double frequency_hz = 0.0;
    double amplitude = 0.0;           ///< [V] of the fundamental at node 0
    double rate_per_injection = 0.0;  ///< K/w0 of a current as large as the fundamental capacitance w0 |V1|
};

/// Integrates the ring. K/w0 = I |P1|, with P1 the first harmonic of the shift in time per charge that an impulse at node 0 causes (Demir, Mehrotra
/// and Roychowdhury, IEEE TCAS-I 47, 2000). Relative errors of order 1e-3. ModelError if no steady oscillation is found.
[[nodiscard]] LimitCycle limit_cycle(const InverterRing& ring);

}  // namespace entrain::substrates::ring

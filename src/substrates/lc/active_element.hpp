#pragma once
#include <functional>

namespace entrain::substrates::lc {

/// Static odd characteristic of an active element: current [A] into the tank at voltage [V].
using Characteristic = std::function<double(double)>;

/// imax tanh(gm v/imax): a transconductor that saturates.
[[nodiscard]] Characteristic saturating_transconductor(double transconductance, double saturation_current);

/// Cross-coupled pair of square-law transistors with gain factor b = kp W/L [A/V^2] that share `tail_current`: (b/4) v sqrt(4 It/b - v^2), and
/// +-It/2 once one of them carries all of it, v^2 >= 2 It/b. v is the voltage between the drains. Valid without channel-length modulation and triode
/// region.
[[nodiscard]] Characteristic square_law_pair(double gain_factor, double tail_current);

/// Overdrives [V] of the two transistors of square_law_pair() at the voltage v between the drains, the one whose gate is at the higher drain first; 0
/// of a transistor that is off.
struct PairOverdrive {
    double high = 0.0;
    double low = 0.0;
};
[[nodiscard]] PairOverdrive pair_overdrive(double gain_factor, double tail_current, double v);

/// Amplitude of the fundamental of the current at v = amplitude cos(x):  F(a) = (1/pi) integral_0^2pi f(a cos x) cos x dx   [A]
[[nodiscard]] double fundamental_current(const Characteristic& characteristic, double amplitude);

/// Amplitude [V] at which a parallel resonance with loss `resistance` [ohm] oscillates with this element: a = resistance F(a) (describing function;
/// exact to second order in 1/Q). Requires a loop gain above 1 and |f| <= `largest_current`.
[[nodiscard]] double limit_cycle_amplitude(const Characteristic& characteristic, double resistance, double largest_current);

}  // namespace entrain::substrates::lc

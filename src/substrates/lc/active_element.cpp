#include "substrates/lc/active_element.hpp"

#include <cmath>
#include <numbers>

#include "core/quantity.hpp"

namespace entrain::substrates::lc {

Characteristic saturating_transconductor(double transconductance, double saturation_current) {
    return [=](double v) { return saturation_current * std::tanh(transconductance * v / saturation_current); };
}

Characteristic square_law_pair(double gain_factor, double tail_current) {
    return [=](double v) {
        if (v * v >= 2.0 * tail_current / gain_factor) return std::copysign(0.5 * tail_current, v);
        return 0.25 * gain_factor * v * std::sqrt(4.0 * tail_current / gain_factor - v * v);
    };
}

PairOverdrive pair_overdrive(double gain_factor, double tail_current, double v) {
    const double all = 2.0 * tail_current / gain_factor;  ///< [V^2] sum of the squared overdrives
    if (v * v >= all) return {std::sqrt(all), 0.0};
    const double sum = std::sqrt(2.0 * all - v * v);
    return {0.5 * (sum + std::abs(v)), 0.5 * (sum - std::abs(v))};
}

double fundamental_current(const Characteristic& characteristic, double amplitude) {
    constexpr int points = 1024;  // midpoint rule over a period: exact for the tanh to 1e-12, to 1e-6 at the kinks of the square-law pair
    double sum = 0.0;
    for (int k = 0; k < points; ++k) {
        const double cosine = std::cos(turn * (k + 0.5) / points);
        sum += characteristic(amplitude * cosine) * cosine;
    }
    return 2.0 * sum / points;
}

double limit_cycle_amplitude(const Characteristic& characteristic, double resistance, double largest_current) {
    double low = 0.0;                                                             // gain above 1 there
    double high = 4.0 / std::numbers::pi * resistance * largest_current * 1.001;  // a square wave's fundamental is the largest possible
    while (high - low > 1e-12 * high) {                                           // a start value: far below what it is used for
        const double middle = 0.5 * (low + high);
        (resistance * fundamental_current(characteristic, middle) > middle ? low : high) = middle;
    }
    return low;
}

}  // namespace entrain::substrates::lc

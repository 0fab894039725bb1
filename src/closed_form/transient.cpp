#include "closed_form/transient.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/quantity.hpp"

namespace entrain::closed_form {

namespace {

/// sqrt(a^2 - b^2) for |b| <= a: exactly a for b = 0, no overflow, and accurate where the two are close, since the difference a - b is exact there.
double root_of_difference(double a, double b) { return a > 0.0 ? a * std::sqrt((a - b) / a * ((a + b) / a)) : 0.0; }

}  // namespace

Transient::Transient(double rate, double detuning, double start)
    : rate_{rate},
      detuning_{detuning},
      start_{start},
      locked_{std::abs(detuning) <= rate},
      root_{locked_ ? root_of_difference(rate, detuning) : root_of_difference(std::abs(detuning), rate)},
      direction_{std::copysign(1.0, speed(start))},
      v_{std::cos(start / 2.0), std::sin(start / 2.0)},
      flow_{rate * v_.cosine - detuning * v_.sine, detuning * v_.cosine - rate * v_.sine},
      limit_{std::numeric_limits<double>::quiet_NaN()},
      mean_speed_{locked_ ? 0.0 : std::copysign(root_, detuning)} {
    if (!locked_) return;
    // v for t -> infinity gives the whole turns, the arcsine the digits.
    const double about = start_ + (root_ > 0.0 ? turned(combine(1.0, 1.0 / root_)) : turned(flow_));
    const double equilibrium = std::asin(detuning_ / rate_);
    limit_ = equilibrium + turn * std::round((about - equilibrium) / turn);
}

Transient::Half Transient::combine(double of_start, double of_flow) const {
    return {of_start * v_.cosine + of_flow * flow_.cosine, of_start * v_.sine + of_flow * flow_.sine};
}

double Transient::turned(const Half& v) const {
    double half = std::atan2(v_.cosine * v.sine - v_.sine * v.cosine, v_.cosine * v.cosine + v_.sine * v.sine);
    // The motion goes one way, by half a turn of v at most: an angle well behind the start is one ahead whose half turn was rounded over the cut of
    // atan2.
    if (direction_ * half < -1.0) half += direction_ * turn;
    return 2.0 * half;
}

double Transient::angle(double time) const {
    if (locked_) {  // exp(Mt) v over half of exp(root t / 2), which stays in range
        const double decay = std::exp(-root_ * time);
        if (root_ * time > 1.0) {  // what is left of the start's unstable part, added last: it is small and known to full accuracy
            const Half stable = combine(1.0, 1.0 / root_);
            const Half unstable = combine(1.0, -1.0 / root_);
            return start_ + turned({stable.cosine + decay * unstable.cosine, stable.sine + decay * unstable.sine});
        }
        return start_ + turned(combine(1.0 + decay, root_ > 0.0 ? -std::expm1(-root_ * time) / root_ : time));
    }
    const double slips = std::floor(time * root_ / turn);
    const double phase = std::max(0.0, time * root_ - slips * turn) / 2.0;
    return start_ + direction_ * turn * slips + turned(combine(std::cos(phase), std::sin(phase) / root_));
}

double Transient::speed(double angle) const { return detuning_ - rate_ * std::sin(angle); }

double Transient::time_to_within(double remaining) const {
    const auto arrived = [&](double time) { return std::abs(limit_ - angle(time)) <= remaining; };
    if (arrived(0.0)) return 0.0;
    double before = 0.0;
    double after = 1.0 / rate_;
    while (!arrived(after)) {
        before = after;
        after *= 2.0;
        if (!std::isfinite(after)) return after;
    }
    for (double middle = 0.5 * (before + after); middle > before && middle < after; middle = 0.5 * (before + after))
        (arrived(middle) ? after : before) = middle;
    return after;
}

double Transient::sample_step(double angle, double error, double curve_factor) const {
    const double v = std::abs(speed(angle));
    // Third derivative of the angle: rate v^2 sin + rate^2 v cos^2, at most v k^2 with k the rate at which the speed itself changes. A step of 0.5/k
    // keeps v, and with it this bound, valid up to a factor e^0.5 within the step.
    const double k = std::sqrt(std::pow(rate_ * std::cos(angle), 2) + rate_ * v);
    // A cubic whose end slopes are those of parabolas through neighbours is off by up to 0.016 h^3 f''' between samples, 0.07 h^3 f''' in the first
    // and last interval.
    return std::min(0.5 / k, std::cbrt(error / (0.07 * curve_factor * v * k * k)));
}

}  // namespace entrain::closed_form

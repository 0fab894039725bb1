#include "closed_form/approach.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/quantity.hpp"

namespace entrain::closed_form {
namespace {

constexpr double least_rate_share = 1e-4;     // l/R: below, the two terms of the time are differences of numbers 1e4 times their size
constexpr double nearest_to_unstable = 1e-9;  // [rad] from there rounding errors decide when the way begins
constexpr double log_error = 8e-6;            // [rad] of cubics between samples without softening and detuning
constexpr double end_error = 0.07;            // cubics between unevenly spaced samples are off by at most this times h^3 f''' (Catmull-Rom)
constexpr double longest_step = 0.5;          // [in u] a decay sampled more coarsely is no cubic
constexpr double first_u = 22.0;              // distance to the unstable equilibrium 5e-10 rad
constexpr double last_u = -14.0;              // distance to the equilibrium 1.7e-6 rad: constant after it

/// Places at which every trajectory is sampled, in u, and what they are without detuning (g = pi).
struct Node {
    double u;
    double exp_u;
    double distance;
    double log_norm;
};

/// Steps in u, which is time for an oscillator without softening: x = 2 atan(e^u), whose third derivative is at most |sin x| (cos^2 x + sin^2 x / 2).
std::vector<Node> make_nodes() {
    std::vector<Node> nodes;
    double u = first_u;
    while (u > last_u) {
        const double x = 2.0 * std::atan(std::exp(u));
        nodes.push_back({u, std::exp(u), x, 0.5 * std::log1p(std::exp(2.0 * u))});
        const double sine = std::sin(x);
        u -= std::min(longest_step, std::cbrt(log_error / (end_error * sine * (1.0 - 0.5 * sine * sine))));
    }
    return nodes;
}

const std::vector<Node>& nodes() {
    static const std::vector<Node> all = make_nodes();
    return all;
}

}  // namespace

std::optional<Approach> Approach::from(double rate, double softening, double detuning, double start) {
    if (!(rate > 0.0) || !std::isfinite(rate) || !(softening >= 0.0 && softening < 1.0) || !std::isfinite(detuning) || !std::isfinite(start))
        return std::nullopt;
    const double pull = (1.0 + softening) * rate;
    const double turned = softening * detuning;
    const double size = std::hypot(pull, turned);
    if (!(std::abs(detuning) < size)) return std::nullopt;
    const double l = std::sqrt((size - detuning) * (size + detuning));
    if (l < least_rate_share * size) return std::nullopt;

    const double lean = std::asin(detuning / size);
    Approach a;
    a.start_ = start;
    const double ahead = wrap(lean + std::atan2(turned, pull) - start);  // of the equilibrium, the short way round
    // The unstable equilibrium is pi + 2 lean behind the stable one and pi - 2 lean ahead of it: which way the oscillator goes.
    const double gap_up = std::numbers::pi + 2.0 * lean;
    const double to_go = ahead >= 0.0 ? ahead : ahead + turn;  // going up
    const bool up = to_go < gap_up;
    a.side_ = up ? 1.0 : -1.0;
    a.start_distance_ = up ? to_go : turn - to_go;
    const double gap = up ? gap_up : turn - gap_up;
    const double from_unstable = gap - a.start_distance_;
    if (from_unstable < nearest_to_unstable) return std::nullopt;
    // cos(g/2) = -+ sin(lean), without the rounding of pi.
    a.half_gap_cosine_ = -a.side_ * detuning / size;
    a.half_gap_sine_ = l / size;

    const double q = softening * pull / (size * size);
    const double w_over_size = detuning / size;
    a.per_u_ = (1.0 - softening * softening * w_over_size * w_over_size) / l + q;
    a.per_distance_ = a.side_ * softening * softening * detuning / (size * size);
    a.per_log_norm_ = 2.0 * q;
    if (a.start_distance_ > 0.0) {
        a.start_u_ = std::log(std::sin(0.5 * a.start_distance_) / std::sin(0.5 * from_unstable));
        a.start_log_norm_ = a.place(std::exp(a.start_u_)).log_norm;
    }
    return a;
}

Approach::Place Approach::place(double exp_u) const {
    return {2.0 * std::atan2(exp_u * half_gap_sine_, 1.0 + exp_u * half_gap_cosine_), 0.5 * std::log(1.0 + exp_u * (2.0 * half_gap_cosine_ + exp_u))};
}

double Approach::time(double u, const Place& at) const {
    return (start_u_ - u) * per_u_ + per_distance_ * (start_distance_ - at.distance) + per_log_norm_ * (at.log_norm - start_log_norm_);
}

double Approach::time_to_within(double distance) const {
    if (distance >= start_distance_) return 0.0;
    // sin((g - d)/2) from sine and cosine of g/2
    const double s = std::sin(0.5 * distance);
    const double c = std::cos(0.5 * distance);
    const double exp_u = s / (half_gap_sine_ * c - half_gap_cosine_ * s);
    return time(std::log(exp_u), {distance, place(exp_u).log_norm});
}

double Approach::angle(double when) const {
    if (start_distance_ == 0.0) return start_;
    double later = start_u_;
    for (double step = 1.0; time(later, place(std::exp(later))) < when && step < 1024.0; step *= 2.0) later -= step;
    double sooner = start_u_;
    while (true) {
        const double middle = 0.5 * (sooner + later);
        if (!(middle < sooner && middle > later)) break;
        (time(middle, place(std::exp(middle))) < when ? sooner : later) = middle;
    }
    return start_ + side_ * (start_distance_ - place(std::exp(later)).distance);
}

int Approach::pieces(double step, double distance) const {
    // dy/dT = w - R sin(y) with y = lean - side d: |third derivative| <= v ((R cos y)^2 + v R), in units of l.
    const double s = std::sin(0.5 * distance);
    const double v = 2.0 * s * std::abs(half_gap_sine_ * std::cos(0.5 * distance) - half_gap_cosine_ * s) / half_gap_sine_;
    const double bend = (half_gap_sine_ * std::cos(distance) - half_gap_cosine_ * std::sin(distance)) / half_gap_sine_;
    const double third = v * (bend * bend + v / half_gap_sine_);
    return std::max(1, static_cast<int>(std::ceil(step * std::cbrt(end_error * third / log_error))));
}

void Approach::follow(double until, const std::function<void(double time, double angle)>& visit) const {
    visit(0.0, start_);
    if (!(until > 0.0) || start_distance_ == 0.0) return;
    const bool centred = half_gap_cosine_ == 0.0;
    const auto& all = nodes();
    const auto begin = std::partition_point(all.begin(), all.end(), [&](const Node& n) { return n.u >= start_u_; });
    double last_u = start_u_;
    double last_distance = start_distance_;
    double last_time = 0.0;
    for (auto node = begin; node != all.end(); ++node) {
        const Place at = centred ? Place{node->distance, node->log_norm} : place(node->exp_u);
        const int parts = centred ? 1 : pieces(last_u - node->u, std::max(last_distance, at.distance));
        for (int part = 1; part <= parts; ++part) {
            const double u = part == parts ? node->u : last_u + (node->u - last_u) * part / parts;
            const Place here = part == parts ? at : place(std::exp(u));
            const double now = time(u, here);
            if (!(now > last_time)) continue;  // next to the start
            if (now >= until) return visit(until, angle(until));
            visit(now, start_ + side_ * (start_distance_ - here.distance));
            last_time = now;
        }
        last_u = node->u;
        last_distance = at.distance;
    }
}

}  // namespace entrain::closed_form

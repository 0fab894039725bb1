#include "substrates/cdw/relaxation_oscillator.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.hpp"
#include "core/quantity.hpp"

namespace entrain::substrates::cdw {

namespace {

struct Point {
    double v = 0.0;
    double u = 0.0;
};
Point operator+(Point a, Point b) { return {a.v + b.v, a.u + b.u}; }
Point operator*(double s, Point a) { return {s * a.v, s * a.u}; }

/// The equations with their constants worked out.
class Flow {
 public:
    explicit Flow(const RelaxationOscillator& o)
        : supply_current_{o.supply / o.load},
          mean_{0.5 * (1.0 / o.insulating + 1.0 / o.metallic) + 1.0 / o.load},
          step_{0.5 * (1.0 / o.metallic - 1.0 / o.insulating)},
          capacitance_{o.capacitance},
          latch_time_{o.latch_time},
          centre_{0.5 * (o.upper_threshold + o.lower_threshold)},
          slope_{1.0 / (o.sharpness * o.half_hysteresis())},
          gain_{1.0 / o.sharpness} {}

    [[nodiscard]] Point operator()(Point p) const {
        return {(supply_current_ - p.v * (mean_ + step_ * p.u)) / capacitance_, (latch(p) - p.u) / latch_time_};
    }
    /// Transposed Jacobian times z.
    [[nodiscard]] Point adjoint(Point p, Point z) const {
        const double steepness = 1.0 - latch(p) * latch(p);  // derivative of tanh
        return {-(mean_ + step_ * p.u) / capacitance_ * z.v + slope_ * steepness / latch_time_ * z.u,
                -step_ * p.v / capacitance_ * z.v + (gain_ * steepness - 1.0) / latch_time_ * z.u};
    }
    [[nodiscard]] double trace(Point p) const {
        const double steepness = 1.0 - latch(p) * latch(p);
        return -(mean_ + step_ * p.u) / capacitance_ + (gain_ * steepness - 1.0) / latch_time_;
    }
    [[nodiscard]] Point step(Point p, double dt) const {
        const Point a = (*this)(p);
        const Point b = (*this)(p + 0.5 * dt * a);
        const Point c = (*this)(p + 0.5 * dt * b);
        const Point d = (*this)(p + dt * c);
        return p + dt / 6.0 * (a + 2.0 * b + 2.0 * c + d);
    }

 private:
    [[nodiscard]] double latch(Point p) const { return std::tanh(slope_ * (p.v - centre_) + gain_ * p.u); }
    double supply_current_, mean_, step_, capacitance_, latch_time_, centre_, slope_, gain_;
};

/// Where u passes 0 upwards, and how long it took to come there.
struct Passage {
    Point point;
    double time = 0.0;
};

/// From a passage to the next one.
Passage next_passage(const Flow& flow, Point from, double dt, double longest) {
    Point p = from;
    bool armed = false;
    for (double time = 0.0; time < longest; time += dt) {
        const Point next = flow.step(p, dt);
        if (p.u < 0.0) armed = true;
        if (armed && next.u >= 0.0) {
            double low = 0.0;
            double high = dt;
            for (int k = 0; k < 50; ++k) {  // halves the step down to the last bit of it
                const double middle = 0.5 * (low + high);
                (flow.step(p, middle).u < 0.0 ? low : high) = middle;
            }
            return {flow.step(p, high), time + high};
        }
        p = next;
    }
    return {};
}

}  // namespace

double RelaxationOscillator::conductance(double state) const {
    return 0.5 * (1.0 / insulating + 1.0 / metallic) + 0.5 * state * (1.0 / metallic - 1.0 / insulating);
}

double RelaxationOscillator::divider(double state) const { return supply / (1.0 + load * conductance(state)); }

double RelaxationOscillator::fold_state() const { return std::sqrt(1.0 - sharpness); }

double RelaxationOscillator::half_hysteresis() const {
    return 0.5 * (upper_threshold - lower_threshold) / (fold_state() - sharpness * std::atanh(fold_state()));
}

double RelaxationOscillator::rc_period() const {
    const auto time_constant = [this](double state) { return capacitance / (1.0 / load + conductance(state)); };
    const double high = divider(-1.0);
    const double low = divider(1.0);
    return time_constant(-1.0) * std::log((high - lower_threshold) / (high - upper_threshold)) +
           time_constant(1.0) * std::log((upper_threshold - low) / (lower_threshold - low));
}

double RelaxationOscillator::largest_latch_time() const {
    const double h = half_hysteresis();
    const double centre = 0.5 * (upper_threshold + lower_threshold);
    const auto excess = [&](double u) { return divider(u) - (centre - h * u + sharpness * h * std::atanh(u)); };  // load line less static latch
    double low = -fold_state();                                                                                   // excess above 0
    double high = fold_state();                                                                                   // below 0
    for (int k = 0; k < 60; ++k) {
        const double middle = 0.5 * (low + high);
        (excess(middle) > 0.0 ? low : high) = middle;
    }
    return capacitance / (1.0 / load + conductance(low)) * ((1.0 - low * low) / sharpness - 1.0);
}

double LimitCycle::locked_offset() const { return wrap(0.5 * std::numbers::pi - std::arg(response)); }

LimitCycle limit_cycle(const RelaxationOscillator& oscillator) {
    constexpr double same_period = 1e-9;
    constexpr int most_periods = 2000;    // close to the largest latch time the cycle is approached slowly
    constexpr double least_steps = 4000;  // a period: the charging curves to 1e-12
    const Flow flow{oscillator};
    const double scale = oscillator.rc_period();
    const double longest = 100.0 * (scale + oscillator.latch_time);
    // The latch runs away from its folds with at most (1/sharpness - 1)/latch_time: steps below latch_time * sharpness.
    const double step = std::min(scale / least_steps, oscillator.latch_time * oscillator.sharpness);

    Passage passage{{oscillator.upper_threshold, 0.0}, 0.0};
    double before = 0.0;
    int periods = 0;
    do {
        before = passage.time;
        passage = next_passage(flow, passage.point, step, longest);
        if (!(passage.time > 0.0) || ++periods > most_periods)
            throw ModelError{"cdw: the cell's equations do not come to a cycle (the cell does not oscillate). Lower latch_time or latch_sharpness."};
    } while (std::abs(passage.time - before) > same_period * passage.time);

    // One period on a grid of even steps, with the points in the middle of the adjoint's steps.
    const double period = passage.time;
    const auto steps = static_cast<std::size_t>(std::ceil(period / (2.0 * step)));
    const double half = period / (2.0 * static_cast<double>(steps));
    std::vector<Point> cycle{passage.point};
    for (std::size_t k = 0; k < 2 * steps; ++k) cycle.push_back(flow.step(cycle.back(), half));

    LimitCycle found;
    found.period = period;
    double trace = 0.0;
    std::size_t metallic = 0;
    std::complex<double> fundamental;
    const double w = turn / period;  ///< [rad/s]
    for (std::size_t k = 0; k < 2 * steps; ++k) {
        trace += flow.trace(cycle[k]) * half;
        metallic += cycle[k].u > 0.0 ? 1 : 0;
        fundamental += cycle[k].u * std::polar(1.0, -w * half * static_cast<double>(k));
    }
    const auto points = static_cast<double>(2 * steps);
    found.amplitude = 2.0 * std::abs(fundamental) / points;
    found.metallic_share = static_cast<double>(metallic) / points;
    found.relaxation_time = -period / trace;

    // Backwards every solution of dz/dt = -J^T z but the periodic one decays; z . dx/dt = w fixes its size.
    Point z{1.0, 0.0};
    std::complex<double> response;
    double size = 0.0;
    const int turns = 2 + static_cast<int>(std::ceil(14.0 * found.relaxation_time / period));  // e^-14 = 1e-6
    for (int turn_number = 0; turn_number < turns; ++turn_number) {
        response = 0.0;
        for (std::size_t k = steps; k-- > 0;) {
            const Point end = cycle[2 * k + 2];
            const Point middle = cycle[2 * k + 1];
            const double dt = 2.0 * half;
            const Point a = flow.adjoint(end, z);
            const Point b = flow.adjoint(middle, z + 0.5 * dt * a);
            const Point c = flow.adjoint(middle, z + 0.5 * dt * b);
            const Point d = flow.adjoint(cycle[2 * k], z + dt * c);
            z = z + dt / 6.0 * (a + 2.0 * b + 2.0 * c + d);
            response += z.v * std::polar(1.0, -w * dt * static_cast<double>(k));
        }
        const Point along = flow(cycle.front());
        size = w / (z.v * along.v + z.u * along.u);
        z = size * z;
    }
    found.response = 2.0 * size * response / (static_cast<double>(steps) * oscillator.capacitance) * std::polar(1.0, -std::arg(fundamental));
    return found;
}

}  // namespace entrain::substrates::cdw

#include "problem/trajectory.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace entrain::problem {
namespace {

/// Interval [k, k + 1] of `times` that contains `time`; needs at least two samples and times.front() <= time <= times.back().
std::size_t interval_of(std::span<const double> times, double time) {
    const auto after = std::upper_bound(times.begin() + 1, times.end() - 1, time);
    return static_cast<std::size_t>(after - times.begin()) - 1;
}

/// Slope of the parabola through three neighbouring samples a, b, c at b (inside the log) or, mirrored, at its first sample. With it the cubic is
/// third-order exact, also where decimation or a final short interval makes the spacing uneven.
double inner_slope(double ta, double tb, double tc, double a, double b, double c) {
    const double left = (b - a) / (tb - ta);
    const double right = (c - b) / (tc - tb);
    return (left * (tc - tb) + right * (tb - ta)) / (tc - ta);
}

double end_slope(double ta, double tb, double tc, double a, double b, double c) {
    const double first = (b - a) / (tb - ta);
    return first + (first - (c - a) / (tc - ta)) * (tb - ta) / (tc - tb);
}

}  // namespace

void Trajectory::reserve(std::size_t samples) {
    times_.reserve(samples);
    states_.reserve(samples * static_cast<std::size_t>(components_));
    energies_.reserve(samples);
}

void Trajectory::append(double time, std::span<const double> state, double energy) {
    if (state.size() != static_cast<std::size_t>(components_)) throw std::logic_error{"trajectory: sample has the wrong number of components"};
    if (!times_.empty() && !(time > times_.back())) throw std::logic_error{"trajectory: times must increase"};
    const std::size_t number = offered_++;
    if (number % stride_ != 0) return;
    if (times_.size() == capacity) {
        const auto width = static_cast<std::size_t>(components_);
        for (std::size_t k = 0; k < capacity / 2; ++k) {
            times_[k] = times_[2 * k];
            energies_[k] = energies_[2 * k];
            std::copy_n(states_.begin() + static_cast<std::ptrdiff_t>(2 * k * width), width,
                        states_.begin() + static_cast<std::ptrdiff_t>(k * width));
        }
        times_.resize(capacity / 2);
        energies_.resize(capacity / 2);
        states_.resize(capacity / 2 * width);
        stride_ *= 2;  // `number` is a multiple of the old stride times the even capacity, hence of the new one
    }
    times_.push_back(time);
    energies_.push_back(energy);
    states_.insert(states_.end(), state.begin(), state.end());
}

double Trajectory::interpolate(double time, std::size_t component) const {
    const auto width = static_cast<std::size_t>(components_);
    const auto value = [&](std::size_t sample) { return states_[sample * width + component]; };
    if (time <= times_.front()) return value(0);
    if (time >= times_.back()) return value(size() - 1);

    const std::size_t k = interval_of(times_, time);
    const double step = times_[k + 1] - times_[k];
    const auto slope = [&](auto rule, std::size_t a, std::size_t b, std::size_t c) {
        return rule(times_[a], times_[b], times_[c], value(a), value(b), value(c));
    };
    double start = (value(k + 1) - value(k)) / step;  // two samples: a straight line
    double end = start;
    if (size() > 2) {
        start = k > 0 ? slope(inner_slope, k - 1, k, k + 1) : slope(end_slope, 0, 1, 2);
        end = k + 2 < size() ? slope(inner_slope, k, k + 1, k + 2) : slope(end_slope, k + 1, k, k - 1);
    }
    const double u = (time - times_[k]) / step;
    const double v = 1.0 - u;
    return v * v * (1.0 + 2.0 * u) * value(k) + u * u * (1.0 + 2.0 * v) * value(k + 1) + u * v * step * (v * start - u * end);
}

Eigen::VectorXd Trajectory::state_at(double time) const {
    if (empty()) throw std::logic_error{"trajectory: empty"};
    if (components_ == 1) {
        const double phase = interpolate(time, 0);
        return Eigen::Vector2d{std::cos(phase), std::sin(phase)};
    }
    Eigen::VectorXd state(components_);
    for (Eigen::Index c = 0; c < components_; ++c) state(c) = interpolate(time, static_cast<std::size_t>(c));
    return state.normalized();
}

double Trajectory::phase_at(double time) const {
    if (empty() || components_ != 1) throw std::logic_error{"trajectory: no phase"};
    return interpolate(time, 0);
}

double Trajectory::energy_at(double time) const {
    if (empty()) throw std::logic_error{"trajectory: empty"};
    if (size() == 1) return energies_.front();
    const std::size_t k = interval_of(times_, time);
    return energies_[k] + (energies_[k + 1] - energies_[k]) / (times_[k + 1] - times_[k]) * (time - times_[k]);
}

}  // namespace entrain::problem

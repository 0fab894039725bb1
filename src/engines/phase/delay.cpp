#include "engines/phase/delay.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "core/error.hpp"
#include "kernels/trigonometry.hpp"

namespace entrain::engines::phase {
namespace {

constexpr double error_constant = 120.0;  // 5!: of the first term that order 4 leaves out
constexpr double exact = 1e-12;           // relative: whole steps but for rounding
constexpr double roughest_delay = 1e-3;   // relative; delays of hardware are known no better
constexpr std::size_t search_factor = 4;  // what a step that divides all delays may cost
constexpr std::size_t search_least = 64;
constexpr std::size_t search_most = 4096;  // steps tried
constexpr double most_bytes = 1e9;

/// Largest relative error of delays rounded to whole steps.
double rounding_error(std::span<const double> delays, double step) {
    double worst = 0.0;
    for (const double delay : delays) worst = std::max(worst, std::abs(delay - std::round(delay / step) * step) / delay);
    return worst;
}

std::vector<double> distinct_delays(const Planar& dynamics) {
    std::vector<double> delays;
    for (const auto& entries : dynamics.delayed())
        for (const DelayedEntry& d : entries) delays.push_back(d.delay);
    std::sort(delays.begin(), delays.end());
    delays.erase(std::unique(delays.begin(), delays.end()), delays.end());
    return delays;
}

}  // namespace

DelayGrid delay_grid(std::span<const double> delays, double longest) {
    const double shortest = *std::min_element(delays.begin(), delays.end());
    const auto fewest = static_cast<std::size_t>(std::max(1.0, std::ceil(shortest / longest * (1.0 - exact))));
    const std::size_t enough = std::min(std::max(fewest * search_factor, search_least), fewest + search_most);
    std::size_t rough = 0;
    for (std::size_t k = fewest; k <= enough || rough == 0; ++k) {  // ends: at 500 steps in the shortest no delay is off by more than a thousandth
        const double error = rounding_error(delays, shortest / static_cast<double>(k));
        if (error <= exact) return {shortest / static_cast<double>(k), error};
        if (error <= roughest_delay && rough == 0) rough = k;
    }
    const double step = shortest / static_cast<double>(rough);
    return {step, rounding_error(delays, step)};
}

DelayedStepper::DelayedStepper(const Planar& dynamics, double tolerance)
    : dynamics_{dynamics}, grid_{delay_grid(distinct_delays(dynamics), std::pow(error_constant * tolerance, 0.2) / dynamics.scale)} {
    const std::size_t n = dynamics.start.size();
    std::map<std::pair<std::size_t, std::size_t>, std::vector<kernels::Entry>> entries;
    std::size_t longest = 0;
    for (std::size_t h = 0; h < dynamics.delayed().size(); ++h)
        for (const DelayedEntry& d : dynamics.delayed()[h]) {
            const auto half_steps = 2 * static_cast<std::size_t>(std::llround(d.delay / grid_.step));
            entries[{h, half_steps}].push_back(d.entry);
            longest = std::max(longest, half_steps);
        }
    const double bytes = 2.0 * sizeof(double) * static_cast<double>(n) * static_cast<double>(longest + 2);
    if (bytes > most_bytes)
        throw ModelError{"phase: delays need " + std::to_string(longest / 2) + " steps of the past of " + std::to_string(n) +
                         " oscillators (more than 1 GB). Loosen engine.tolerance or shorten the longest delay."};
    for (const auto& [key, list] : entries) groups_.push_back({key.first, key.second, kernels::coupling_matrix(n, list)});

    state_ = dynamics.start;
    for (State* s : {&rate_, &middle_, &end_, &k2_, &k3_, &k4_}) s->resize(n);
    drives_.assign(dynamics.drives().size(), Phasors{n});
    power_ = Phasors{n};
    pull_ = Phasors{n};
    past_.assign(longest + 2, Phasors{n});  // a step asks for what was `longest` ago and writes two halves
    for (std::ptrdiff_t k = -static_cast<std::ptrdiff_t>(longest); k <= 0; ++k) {
        for (std::size_t i = 0; i < n; ++i) middle_[i] = dynamics.start[i] + 0.5 * static_cast<double>(k) * grid_.step * dynamics.detuning()[i];
        remember(k, middle_);
    }
    sum_drives(0);
    evaluate(state_, rate_);
}

void DelayedStepper::remember(std::ptrdiff_t half_step, const State& state) {
    Phasors& z = past(half_step);
    kernels::sincos(state.size(), state.data(), z.re.data(), z.im.data());
}

/// drives_ at a half step of the run.
void DelayedStepper::sum_drives(std::ptrdiff_t half_step) {
    for (std::size_t h = 0; h < drives_.size(); ++h) {
        std::copy(dynamics_.drives()[h].re.begin(), dynamics_.drives()[h].re.end(), drives_[h].re.begin());
        std::copy(dynamics_.drives()[h].im.begin(), dynamics_.drives()[h].im.end(), drives_[h].im.begin());
    }
    for (const Group& group : groups_) {
        const Phasors& seen = past(half_step - static_cast<std::ptrdiff_t>(group.half_steps));
        const Phasors* z = &seen;
        if (const int order = dynamics_.orders()[group.harmonic]; order > 1) {
            std::copy(seen.re.begin(), seen.re.end(), power_.re.begin());
            std::copy(seen.im.begin(), seen.im.end(), power_.im.begin());
            for (int m = 1; m < order; ++m) multiply(power_, seen);
            z = &power_;
        }
        group.matrix->apply(z->re.data(), z->im.data(), pull_.re.data(), pull_.im.data());
        Phasors& drive = drives_[group.harmonic];
        for (std::size_t i = 0; i < drive.re.size(); ++i) drive.re[i] += pull_.re[i];
        for (std::size_t i = 0; i < drive.im.size(); ++i) drive.im[i] += pull_.im[i];
    }
}

void DelayedStepper::evaluate(const State& state, State& rate) {
    dynamics_.derivative(state, drives_, rate);
    ++evaluations_;
}

void DelayedStepper::step(double /*horizon*/) {
    const double h = grid_.step;
    const std::size_t n = state_.size();
    sum_drives(half_step_ + 1);
    for (std::size_t i = 0; i < n; ++i) middle_[i] = state_[i] + 0.5 * h * rate_[i];
    evaluate(middle_, k2_);
    for (std::size_t i = 0; i < n; ++i) middle_[i] = state_[i] + 0.5 * h * k2_[i];
    evaluate(middle_, k3_);
    sum_drives(half_step_ + 2);
    for (std::size_t i = 0; i < n; ++i) end_[i] = state_[i] + h * k3_[i];
    evaluate(end_, k4_);
    for (std::size_t i = 0; i < n; ++i) end_[i] = state_[i] + h / 6.0 * (rate_[i] + 2.0 * (k2_[i] + k3_[i]) + k4_[i]);
    k2_.swap(rate_);  // the rate at the beginning
    evaluate(end_, rate_);
    for (std::size_t i = 0; i < n; ++i) middle_[i] = 0.5 * (state_[i] + end_[i]) + h / 8.0 * (k2_[i] - rate_[i]);
    state_.swap(end_);
    remember(half_step_ + 1, middle_);
    remember(half_step_ + 2, state_);
    half_step_ += 2;
    time_ = 0.5 * static_cast<double>(half_step_) * h;
}

}  // namespace entrain::engines::phase

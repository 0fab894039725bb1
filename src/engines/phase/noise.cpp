#include "engines/phase/noise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "problem/settling.hpp"

namespace entrain::engines::phase {
namespace {

constexpr double heun_share = 0.05;    // [1/scale] the variance of a locked phase is then low by (0.05/2)^2
constexpr double euler_share = 0.002;  // [1/scale] high by 0.002/2
constexpr double largest_jump = 0.1;   // [rad] rms in a step: the sine's curvature over it stays a small correction
constexpr double sample_share = 0.25;  // [1/scale] a sample: short enough for the fastest motion to be seen
constexpr double look_again = 1.05;    // in units of the time so far: how much later than it could an oscillator is found settled

}  // namespace

NoisyStepper::NoisyStepper(const Dynamics& dynamics, NoiseScheme scheme)
    : dynamics_{dynamics}, scheme_{scheme}, state_{dynamics.start}, rate_(state_.size()), predicted_(state_.size()), predicted_rate_(state_.size()) {}

void NoisyStepper::step(double length, const State& increment) {
    dynamics_.derivative(state_, rate_);
    ++evaluations_;
    const std::size_t n = state_.size();
    if (scheme_ == NoiseScheme::euler_maruyama) {
        for (std::size_t i = 0; i < n; ++i) state_[i] += length * rate_[i] + increment[i];
        return;
    }
    for (std::size_t i = 0; i < n; ++i) predicted_[i] = state_[i] + length * rate_[i] + increment[i];
    dynamics_.derivative(predicted_, predicted_rate_);
    ++evaluations_;
    for (std::size_t i = 0; i < n; ++i) state_[i] += 0.5 * length * (rate_[i] + predicted_rate_[i]) + increment[i];
}

double noise_step(double scale, double largest_diffusion, NoiseScheme scheme) {
    const double of_noise = largest_jump * largest_jump / largest_diffusion;
    if (scale == 0.0) return of_noise;
    return std::min(of_noise, (scheme == NoiseScheme::heun ? heun_share : euler_share) / scale);
}

NoisyRun follow_noisy(const Dynamics& dynamics, NoiseScheme scheme, const Noise& noise, const Watch& watch) {
    const std::size_t n = dynamics.oscillators();
    const double step = noise_step(dynamics.scale, *std::max_element(noise.diffusion.begin(), noise.diffusion.end()), scheme);
    const auto steps_per_sample =
        dynamics.scale > 0.0 ? static_cast<std::size_t>(std::max(1.0, std::round(sample_share / dynamics.scale / step))) : 1;
    std::vector<RandomStreams> streams;
    std::vector<double> deviation(n);  // [rad] of an increment
    for (std::size_t i = 0; i < n; ++i) {
        streams.emplace_back(noise.seed[i]);
        deviation[i] = std::sqrt(noise.diffusion[i] * step);
    }

    constexpr double most_steps = 1e9;  // some minutes for one oscillator
    if (watch.least_time / step > most_steps)
        throw ModelError{
            fmt::format("phase: following a jittering phase for {:.3g} s takes {:.2g} steps of {:.3g} s, more than {:g}. Lower the read time.",
                        watch.least_time, watch.least_time / step, step, most_steps)};
    NoisyRun run;
    run.oscillators.resize(n);
    std::vector<bool> done(n, false);
    std::size_t watched = n;
    NoisyStepper stepper{dynamics, scheme};
    State increment(n);
    State sum(n);
    std::uint64_t steps = 0;
    double next_look = 0.0;
    for (std::size_t i = 0; i < n; ++i) run.oscillators[i].trajectory.append(0.0, std::span{&dynamics.start[i], 1});
    while (watched > 0) {
        if (watch.stop != nullptr && watch.stop->load(std::memory_order_relaxed)) {
            run.interrupted = true;
            break;
        }
        std::fill(sum.begin(), sum.end(), 0.0);
        for (std::size_t k = 0; k < steps_per_sample; ++k, ++steps) {
            for (std::size_t i = 0; i < n; ++i) increment[i] = deviation[i] * streams[i].normal(Stream::phase_noise, steps);
            stepper.step(step, increment);
            for (std::size_t i = 0; i < n; ++i) sum[i] += stepper.state()[i];
        }
        const double time = static_cast<double>(steps) * step;
        const double middle = time - 0.5 * static_cast<double>(steps_per_sample - 1) * step;
        const bool look = time >= next_look;
        if (look) next_look = time * look_again;
        for (std::size_t i = 0; i < n; ++i) {
            if (done[i]) continue;
            NoisyOscillator& one = run.oscillators[i];
            const double mean = sum[i] / static_cast<double>(steps_per_sample);
            run.finite = run.finite && std::isfinite(mean);
            one.trajectory.append(middle, std::span{&mean, 1});
            const bool late = time >= watch.max_time[i];
            if (!look && !late) continue;
            const problem::SettlingState state = problem::assess_noisy(one.trajectory, watch.rate[i]);
            one.drift = state.drift;
            one.slips = state.motion == problem::Motion::slipping;
            if (state.motion == problem::Motion::settled && !one.settled_at) one.settled_at = time;
            // Noise makes any phase slip some day: what is read at least_time is followed until then.
            if (((one.settled_at || one.slips) && time >= watch.least_time) || late) {
                one.stop_time = time;
                done[i] = true;
                --watched;
            }
        }
        if (!run.finite) break;
    }
    run.evaluations = stepper.evaluations();
    return run;
}

}  // namespace entrain::engines::phase

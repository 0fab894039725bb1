#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "engines/phase/dynamics.hpp"
#include "problem/trajectory.hpp"

namespace entrain::engines::phase {

/// How noise is integrated. Both converge strongly with order 1, since the noise is additive; their means with order 2 and 1.
enum class NoiseScheme {
    heun,
    euler_maruyama  ///< Maruyama 1955
};

/// Steps of dtheta = f(theta) dt + dB, B a Brownian motion of each phase.
class NoisyStepper {
 public:
    NoisyStepper(const Dynamics& dynamics, NoiseScheme scheme);

    /// By `length` [s], in which the Brownian motions move by `increment` [rad]. Allocates nothing.
    void step(double length, const State& increment);

    [[nodiscard]] const State& state() const { return state_; }
    [[nodiscard]] std::size_t evaluations() const { return evaluations_; }

 private:
    const Dynamics& dynamics_;
    NoiseScheme scheme_;
    State state_;
    State rate_;
    State predicted_;
    State predicted_rate_;
    std::size_t evaluations_ = 0;
};

/// Step [s] whose error in the variance of a locked phase is below a thousandth: 0.05/scale (heun) or 0.002/scale, and at most such that the noise
/// turns no phase by more than a tenth of a radian (rms).
[[nodiscard]] double noise_step(double scale, double largest_diffusion, NoiseScheme scheme);

/// Random increments of one component's phases.
struct Noise {
    std::vector<double> diffusion;    ///< [rad^2/s]
    std::vector<std::uint64_t> seed;  ///< element n of Stream::phase_noise belongs to step n
};

/// Until when oscillators are watched.
struct Watch {
    std::vector<double> rate;      ///< [1/s] as SettlingRule::rate
    std::vector<double> max_time;  ///< [s] finite
    double least_time = 0.0;       ///< [s]
    const std::atomic<bool>* stop = nullptr;
};

struct NoisyOscillator {
    problem::Trajectory trajectory;    ///< means over some steps each, at the times of their middles
    std::optional<double> settled_at;  ///< [s] when assess_noisy() first said so
    bool slips = false;
    double drift = 0.0;  ///< [rad/s] as assess_noisy() says at the end
    double stop_time = 0.0;
};

struct NoisyRun {
    std::vector<NoisyOscillator> oscillators;
    std::size_t evaluations = 0;
    bool interrupted = false;
    bool finite = true;
};

/// Follows each oscillator until it has settled (problem::assess_noisy) and `least_time` is over, it slips, or its time is up.
[[nodiscard]] NoisyRun follow_noisy(const Dynamics& dynamics, NoiseScheme scheme, const Noise& noise, const Watch& watch);

}  // namespace entrain::engines::phase

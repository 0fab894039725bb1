#include "engines/ngspice/oscillator_log.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace entrain::engines::ngspice {

namespace {

constexpr double weak_share = 0.1;     // of the healthy amplitude: a tenth is no oscillation a reader could lock on
constexpr double swing_share = 0.25;   // of the healthy one: a voltage that swings so much without a fundamental has its energy elsewhere
constexpr double growth_share = 0.01;  // between two judgements: what grows less is not starting up

/// Least-squares slope [rad/s] of the last third of the trajectory, of means over the periods after which the time grid comes round: one period's
/// phase jitters with the grid's place by some 1e-5 rad, the means do not.
double drift_of_last_third(const problem::Trajectory& trajectory) {
    const std::size_t span = std::min<std::size_t>(problem::grid_periods, trajectory.size() / 2);
    const std::size_t first = std::min(trajectory.size() - trajectory.size() / 3, trajectory.size() - span - 1);
    const auto times = trajectory.times();
    std::vector<double> time;
    std::vector<double> phase;
    for (std::size_t k = first; k + span <= trajectory.size(); ++k) {
        double time_sum = 0.0;
        double phase_sum = 0.0;
        for (std::size_t j = k; j < k + span; ++j) {
            time_sum += times[j] - times[first];
            phase_sum += trajectory.phase(j) - trajectory.phase(first);
        }
        time.push_back(time_sum / static_cast<double>(span));
        phase.push_back(phase_sum / static_cast<double>(span));
    }
    const double n = static_cast<double>(time.size());
    const double mean_time = std::accumulate(time.begin(), time.end(), 0.0) / n;
    const double mean_phase = std::accumulate(phase.begin(), phase.end(), 0.0) / n;
    double covariance = 0.0;
    double variance = 0.0;
    for (std::size_t k = 0; k < time.size(); ++k) {
        covariance += (time[k] - mean_time) * (phase[k] - mean_phase);
        variance += (time[k] - mean_time) * (time[k] - mean_time);
    }
    return covariance / variance;
}

}  // namespace

void OscillatorLog::append(const PeriodSample& sample) {
    const double raw = read_phase(sample.fundamental, sample.harmonics);
    phase_ = count_ == 0 ? raw : phase_ + wrap(raw - phase_);
    const double taken = sample.power * period_;
    trajectory_.append(time() + 0.5 * period_, {&phase_, 1}, energy_ + 0.5 * taken);
    energy_ += taken;
    last_[count_ % last_.size()] = sample;
    largest_amplitude_ = std::max(largest_amplitude_, std::abs(sample.fundamental));
    ++count_;
}

/// Phase [rad] as the terms combine it from the harmonics.
double OscillatorLog::read_phase(std::complex<double> fundamental, std::span<const std::complex<double>> harmonics) const {
    double phase = std::arg(fundamental);
    const double first = phase;
    for (std::size_t k = 0; k < terms_.size(); ++k)
        phase += terms_[k].factor * wrap(std::arg(harmonics[k]) - terms_[k].order * first - terms_[k].reference);
    return phase;
}

/// Amplitude [V] of a sine that swings as much as the voltage did in the last periods.
double OscillatorLog::swing() const {
    const std::size_t n = std::min<std::size_t>(count_, last_.size());
    double sum = 0.0;
    for (std::size_t k = 0; k < n; ++k) sum += last_[k].mean_square;
    return n == 0 ? 0.0 : std::sqrt(2.0 * sum / static_cast<double>(n));
}

double OscillatorLog::mean_amplitude() const {
    const std::size_t n = std::min<std::size_t>(count_, last_.size());
    double sum = 0.0;
    for (std::size_t k = 0; k < n; ++k) sum += std::abs(last_[k].fundamental);
    return n == 0 ? 0.0 : sum / static_cast<double>(n);
}

bool OscillatorLog::weak() const { return mean_amplitude() < weak_share * start_amplitude_; }

bool OscillatorLog::judge(double rate, double max_time, const problem::SettlingRule& rule) {
    noisy_ = rule.noisy;
    state_ = noisy_ ? problem::assess_noisy(trajectory_, rate) : problem::assess(trajectory_, rate, rule.remaining);
    const double amplitude = mean_amplitude();
    const bool growing = amplitude > (1.0 + growth_share) * judged_amplitude_;
    judged_amplitude_ = amplitude;
    if (!weak() && state_.motion == problem::Motion::settled && !settled_at_) settled_at_ = time();
    return (settled_at_ && time() >= rule.least_time) || state_.motion == problem::Motion::slipping || time() >= max_time || (weak() && !growing);
}

problem::OscillatorSolution OscillatorLog::final_state() const {
    problem::OscillatorSolution solution;
    solution.trajectory = trajectory_;
    solution.stop_time = time();
    const std::size_t n = std::min<std::size_t>(count_, last_.size());
    if (n == 0) return solution;
    std::complex<double> sum;
    std::vector<std::complex<double>> harmonics(terms_.size());
    for (std::size_t k = 0; k < n; ++k) {
        // Each period turned back to a fundamental of phase 0: the deformation does not depend on the phase, which may drift.
        sum += last_[k].fundamental;
        for (std::size_t h = 0; h < terms_.size(); ++h)
            harmonics[h] += last_[k].harmonics[h] * std::polar(1.0, -terms_[h].order * std::arg(last_[k].fundamental));
        solution.mean_power += last_[k].power / static_cast<double>(n);
    }
    for (const std::complex<double>& harmonic : harmonics) solution.deformation.push_back(std::arg(harmonic));
    for (std::size_t h = 0; h < terms_.size(); ++h) harmonics[h] *= std::polar(1.0, terms_[h].order * std::arg(sum));
    solution.phase = phase_ + wrap(read_phase(sum, harmonics) - phase_);
    if (noisy_) {  // the last periods are one draw; the mean over the last two thirds is what has settled
        const std::size_t first = trajectory_.size() / 3;
        double mean = 0.0;
        for (std::size_t k = first; k < trajectory_.size(); ++k) mean += trajectory_.phase(k) / static_cast<double>(trajectory_.size() - first);
        solution.phase = mean;
    }
    solution.state = Eigen::Vector2d{std::cos(solution.phase), std::sin(solution.phase)};
    solution.amplitude = mean_amplitude();
    solution.stop = problem::Stop::time_limit;
    if (weak() && swing() > swing_share * start_amplitude_)
        solution.stop = problem::Stop::multimode;
    else if (weak())
        solution.stop = largest_amplitude_ < weak_share * start_amplitude_ ? problem::Stop::never_started : problem::Stop::collapsed;
    return solution;
}

problem::OscillatorSolution OscillatorLog::solution() const {
    problem::OscillatorSolution solution = final_state();
    solution.frequency_difference = state_.drift;
    if (solution.stop != problem::Stop::time_limit) return solution;
    if (settled_at_) {
        solution.stop = problem::Stop::settled;
        solution.stop_time = *settled_at_;
    } else if (state_.motion == problem::Motion::slipping) {
        solution.stop = problem::Stop::unlocked;
        solution.frequency_difference = drift_of_last_third(trajectory_);
    }
    return solution;
}

problem::OscillatorSolution OscillatorLog::bench_solution() const {
    problem::OscillatorSolution solution = final_state();
    if (trajectory_.size() >= 4) solution.frequency_difference = drift_of_last_third(trajectory_);
    return solution;
}

}  // namespace entrain::engines::ngspice

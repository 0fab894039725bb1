#include "problem/settling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "core/random.hpp"

namespace entrain::problem {
namespace {

constexpr double limit = radians(0.02);

/// Angle to the fixed point under Adler's equation psi' = -rate sin psi.
double adler(double start, double rate, double time) { return 2.0 * std::atan(std::tan(0.5 * start) * std::exp(-rate * time)); }

struct Judged {
    double time = 0.0;       ///< of the first verdict
    double remaining = 0.0;  ///< [rad] true angle left then
    Motion motion = Motion::moving;
};

/// Offers one noisy sample a period, as a circuit does, until assess() gives a verdict or `periods` have passed.
template <class Phase>
Judged judge(const Phase& phase, double rate, double noise, int periods, std::uint32_t trial) {
    const RandomStreams random{42, trial};
    Trajectory trajectory;
    for (int k = 0; k < periods; ++k) {
        const double time = k + 0.5;
        trajectory.append(time, std::array{phase(time) + noise * random.normal(Stream::bench, static_cast<std::uint64_t>(k))});
        if (k % 8 != 0) continue;
        const SettlingState state = assess(trajectory, rate, Radians{limit});
        if (state.motion != Motion::moving) return {time, phase(time), state.motion};
    }
    return {static_cast<double>(periods), phase(periods), Motion::moving};
}

TEST(Settled, IsNeverSaidTooEarlyAndSoonAfterItIsTrue) {
    // Rates per period from strong injection to the slowest drive that a run waits for; starts from the solution itself to 1e-4 rad from the
    // antipode.
    const double near_antipode = std::numbers::pi - 1e-4;
    double worst_overhead = 0.0;  // [1/rate]
    std::uint32_t trial = 0;
    for (const double rate : {0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003})
        for (const double start : {0.0, radians(0.01), radians(0.1), radians(0.4), radians(0.6), radians(3.0), radians(30.0), radians(60.0),
                                   radians(90.0), radians(120.0), radians(170.0), radians(179.0), radians(179.9), near_antipode, -radians(100.0)})
            for (const double noise : {0.0, radians(1e-4), radians(1e-3)}) {
                const double due = predicted_settling_time(rate, std::abs(start), limit);
                const int periods = static_cast<int>(due + 20.0 / rate + 100.0);
                const Judged judged = judge([&](double t) { return adler(start, rate, t); }, rate, noise, periods, ++trial);
                ASSERT_EQ(judged.motion, Motion::settled) << "rate " << rate << " start " << degrees(start) << " noise " << degrees(noise);
                ASSERT_LT(std::abs(judged.remaining), 2.0 * limit) << "rate " << rate << " start " << degrees(start) << " noise " << degrees(noise);
                // An oscillator that starts within 0.5 deg is watched for 12/rate; 4 windows of 8 samples are the least.
                const double least = std::max(due, std::abs(start) < radians(0.5) ? 12.0 / rate : 4.0 * std::max(8.0, 1.0 / rate));
                worst_overhead = std::max(worst_overhead, (judged.time - least - 16.0) * rate);
            }
    EXPECT_LT(worst_overhead, 2.0);  // one window of 1/rate before the fit holds, and the grid of the calls
}

TEST(Settled, IsNotSaidAtTheAntipodeThoughNothingMovesThere) {
    // 1e-7 rad from the antipode the phase stays within the noise for about 8/rate.
    std::uint32_t trial = 1000;
    for (const double rate : {0.1, 0.01})
        for (const double distance : {1e-7, 1e-6, 1e-5, 1e-3, 1e-2})
            for (int repeat = 0; repeat < 20; ++repeat) {
                const double start = std::numbers::pi - distance;
                const Judged judged =
                    judge([&](double t) { return adler(start, rate, t); }, rate, radians(1e-4), static_cast<int>(50.0 / rate), ++trial);
                ASSERT_EQ(judged.motion, Motion::settled);
                ASSERT_LT(std::abs(judged.remaining), 2.0 * limit) << "rate " << rate << " distance " << distance;
            }
}

TEST(Settled, IgnoresTheStartUpOfACell) {
    // A jump of 0.6 deg while the amplitude builds up, then the neighbourhood of the antipode: the drift seems to have decayed.
    const double rate = 0.01;
    const double start = std::numbers::pi - 1e-5;
    const auto phase = [&](double t) { return adler(start, rate, t) + radians(0.6) * std::exp(-0.3 * t); };
    const Judged judged = judge(phase, rate, radians(1e-4), 5000, 1);
    ASSERT_EQ(judged.motion, Motion::settled);
    EXPECT_LT(std::abs(judged.remaining), 2.0 * limit);
}

TEST(Settled, IsFoundForOscillatorsThatContractMoreSlowlyThanExpected) {
    // Detuned inside the lock range the contraction rate is sqrt(1 - (w/K)^2) of the drive's (Adler 1946); near its end the approach is exponential.
    const double rate = 0.02;
    for (const double share : {0.9, 0.5, 0.3, 0.15, 0.1})
        for (const double noise : {0.0, radians(1e-4)}) {
            const Judged judged =
                judge([&](double t) { return std::exp(-share * rate * t); }, rate, noise, static_cast<int>(30.0 / (share * rate)), 7);
            ASSERT_EQ(judged.motion, Motion::settled) << share;
            EXPECT_LT(std::abs(judged.remaining), 2.0 * limit) << share;
        }
}

TEST(Settled, IsNeverSaidWithoutDrive) {
    const Judged judged = judge([](double) { return 0.3; }, 0.0, 0.0, 10000, 1);
    EXPECT_EQ(judged.motion, Motion::moving);
}

/// Phase under psi' = w - K sin psi with |w| > K, unwrapped, starting at 0.
double drifting(double w, double k, double time) {
    const double l = std::sqrt(w * w - k * k);
    const auto branch = [&](double t) { return 2.0 * std::atan((k + l * std::tan(0.5 * l * t - std::atan(k / l))) / w); };
    return branch(time) + turn * std::floor((0.5 * l * time - std::atan(k / l)) / std::numbers::pi + 0.5);
}

TEST(Slipping, IsSeenForEveryDetuningOutsideTheLockRange) {
    const double rate = 0.05;
    for (const double ratio : {1.02, 1.05, 1.2, 1.5, 2.0, -1.1}) {
        const double period = turn / (rate * std::sqrt(ratio * ratio - 1.0));
        const auto phase = [&](double t) { return (ratio > 0 ? 1.0 : -1.0) * drifting(std::abs(ratio) * rate, rate, t); };
        const Judged judged = judge(phase, rate, radians(1e-3), static_cast<int>(8.0 * period), 3);
        ASSERT_EQ(judged.motion, Motion::slipping) << ratio;
        EXPECT_LT(judged.time, 7.0 * period) << ratio;  // more than two turns in the last half: four to six slips in all
    }
}

TEST(SettlingState, ReportsTheRemainingAngleAndTheDrift) {
    const double rate = 0.05;
    Trajectory trajectory;
    for (int k = 0; k < 200; ++k) trajectory.append(k, std::array{adler(1.0, rate, k)});
    const SettlingState state = assess(trajectory, rate, Radians{limit});
    const double left = adler(1.0, rate, 199.0);
    EXPECT_NEAR(state.remaining, left, 1e-3 * left);  // the sine is straight to psi^2/6 here
    // Windows of 20 samples, one time constant: the means differ by left S (e - 1) with S = (e - 1)/(20 (e^0.05 - 1)).
    const double growth = std::expm1(1.0);
    EXPECT_NEAR(state.drift, -left * growth * growth / (20.0 * std::expm1(0.05)) / 20.0, 1e-3 * left * rate);
}

TEST(SettlingTime, MatchesAdlersLogarithm) {
    const double tolerance = radians(1.0);
    for (const double rate : {1.0, 0.2})
        for (const double start : {radians(179.9), 2.0, -1.0, radians(1.5)}) {
            Trajectory trajectory;
            for (double t = 0.0; t < 30.0 / rate; t += 0.01 / rate) trajectory.append(t, std::array{0.4 + adler(start, rate, t) + turn});
            const auto time = settling_time(trajectory, Eigen::Vector2d{std::cos(0.4), std::sin(0.4)}, Radians{tolerance});
            ASSERT_TRUE(time.has_value());
            const double expected = std::log(std::tan(0.5 * std::abs(start)) / std::tan(0.5 * tolerance)) / rate;
            EXPECT_NEAR(*time, expected, 1.3e-5 / rate);  // secant of an exponential over 0.01/rate: 0.01^2/8
            EXPECT_NEAR(predicted_settling_time(rate, std::abs(start), tolerance), expected, 1e-12 * expected);
        }
}

TEST(SettlingTime, IsTheLastEntryIntoTheBand) {
    Trajectory trajectory;
    const std::vector<double> phases{0.5, 0.05, 0.3, 0.1, 0.0};
    for (std::size_t k = 0; k < phases.size(); ++k) trajectory.append(static_cast<double>(k), std::array{phases[k]});
    const Eigen::Vector2d final_state{1.0, 0.0};
    EXPECT_NEAR(settling_time(trajectory, final_state, Radians{0.2}).value(), 2.5, 1e-12);
    EXPECT_EQ(settling_time(trajectory, final_state, Radians{1.0}).value(), 0.0);
    EXPECT_FALSE(settling_time(trajectory, Eigen::Vector2d{0.0, 1.0}, Radians{0.2}).has_value());
    EXPECT_FALSE(settling_time(Trajectory{}, final_state, Radians{0.2}).has_value());
}

TEST(SettlingTime, WorksOnTheSphere) {
    Trajectory trajectory{3};
    const auto at = [](double angle) { return std::array{std::cos(angle), 0.6 * std::sin(angle), 0.8 * std::sin(angle)}; };
    for (int k = 0; k <= 2000; ++k) trajectory.append(0.01 * k, at(adler(2.0, 1.0, 0.01 * k)));
    const Eigen::Vector3d pole{1.0, 0.0, 0.0};
    EXPECT_NEAR(settling_time(trajectory, pole, Radians{1e-3}).value(), std::log(std::tan(1.0) / std::tan(0.5e-3)), 1.3e-5);
}

TEST(PredictedSettlingTime, IsZeroInsideTheBandAndInfiniteWithoutDrive) {
    EXPECT_EQ(predicted_settling_time(1.0, 0.01, 0.02), 0.0);
    EXPECT_TRUE(std::isinf(predicted_settling_time(0.0, 1.0, 0.02)));
}

TEST(Settling, NeverSeesACellThatHasNoPhaseAsSettled) {
    // Phases drawn at random each period, as of a cell at another frequency whose harmonics mix: means of windows come to rest by chance.
    for (std::uint32_t trial = 0; trial < 50; ++trial) {
        const RandomStreams random{11, trial};
        Trajectory trajectory;
        double phase = 0.0;
        for (int k = 0; k < 4000; ++k) {
            phase += turn * (random.uniform(Stream::bench, static_cast<std::uint64_t>(k)) - 0.5);
            trajectory.append(k + 0.5, std::array{phase});
            if (k % 8 != 0) continue;
            ASSERT_NE(assess(trajectory, 0.02, Radians{limit}).motion, Motion::settled) << trial << " " << k;
        }
    }
}

/// A phase that relaxes at `rate` from `start` to 0 under white noise (Ornstein-Uhlenbeck, stationary deviation `sigma`), one sample a unit of time.
Trajectory jittering(double start, double rate, double sigma, int samples, std::uint32_t trial) {
    const RandomStreams random{5, trial};
    const double kept = std::exp(-rate);
    double phase = start;
    Trajectory trajectory;
    for (int k = 0; k < samples; ++k) {
        trajectory.append(k + 0.5, std::array{phase});
        phase = kept * phase + sigma * std::sqrt(1.0 - kept * kept) * random.normal(Stream::bench, static_cast<std::uint64_t>(k));
    }
    return trajectory;
}

TEST(NoisySettling, IsAMeanThatStands) {
    constexpr double rate = 0.1;
    constexpr double sigma = 0.3;
    constexpr std::uint32_t trials = 200;
    int settled = 0;
    double sum_of_squares = 0.0;
    double told = 0.0;
    for (std::uint32_t trial = 0; trial < trials; ++trial) {
        EXPECT_EQ(assess_noisy(jittering(2.0, rate, sigma, 230, trial), rate).motion, Motion::moving);  // younger than 24/rate
        const Trajectory log = jittering(2.0, rate, sigma, 900, trial);
        const SettlingState state = assess_noisy(log, rate);
        settled += state.motion == Motion::settled ? 1 : 0;
        double mean = 0.0;
        for (std::size_t k = 300; k < 900; ++k) mean += log.phase(k) / 600.0;
        sum_of_squares += mean * mean;
        told += state.remaining / trials;
    }
    EXPECT_GE(settled, 190);  // three standard errors hold 99.7 % of normal differences; the spread is itself estimated
    // sigma sqrt(2/(rate 600)) = 0.0548; 5 % from 200 trials, 10 % from thirds of 30 correlation times being a little short of the limit
    EXPECT_NEAR(std::sqrt(sum_of_squares / trials), sigma * std::sqrt(2.0 / 60.0), 0.15 * sigma * std::sqrt(2.0 / 60.0));
    EXPECT_NEAR(told, sigma * std::sqrt(2.0 / 60.0), 0.15 * sigma * std::sqrt(2.0 / 60.0));
}

TEST(NoisySettling, SeesThatAPhaseStillMoves) {
    Trajectory log;
    for (int k = 0; k < 600; ++k) log.append(k, std::array{2.0 * std::exp(-k / 300.0)});
    EXPECT_EQ(assess_noisy(log, 0.1).motion, Motion::moving);
    Trajectory slipping;
    for (int k = 0; k < 600; ++k) slipping.append(k, std::array{0.1 * k});
    EXPECT_EQ(assess_noisy(slipping, 0.1).motion, Motion::slipping);
}

}  // namespace
}  // namespace entrain::problem

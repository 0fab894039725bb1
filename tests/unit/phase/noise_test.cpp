// Phases that jitter.
#include "engines/phase/noise.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/quantity.hpp"
#include "engines/phase/plugin.hpp"
#include "networks.hpp"

namespace entrain::engines::phase {
namespace {

using network::Coupling;
using problem::Stop;

/// Moves an ensemble by `time` with increments of Brownian motions of diffusion D, each oscillator's by its own stream.
void wander(NoisyStepper& ensemble, double step, double time, double diffusion, std::uint64_t& steps) {
    State increment(ensemble.state().size());
    for (double t = 0.0; t < time; t += step, ++steps) {
        for (std::size_t i = 0; i < increment.size(); ++i)
            increment[i] = std::sqrt(diffusion * step) * RandomStreams{i + 1}.normal(Stream::phase_noise, steps);
        ensemble.step(step, increment);
    }
}

TEST(Locked, PhaseHasTheVonMisesDensity) {
    // Stationary density exp(kappa cos(theta)), kappa = 2 K/D: mean of cos(theta) = I1/I0 (Stratonovich 1963).
    constexpr std::size_t n = 3000;
    for (const NoiseScheme scheme : {NoiseScheme::heun, NoiseScheme::euler_maruyama})
        for (const double kappa : {1.0, 4.0, 20.0}) {
            if (scheme == NoiseScheme::euler_maruyama && kappa > 1.0) continue;  // 25 times the steps, and nothing new
            const double diffusion = 2.0 / kappa;
            const Planar dynamics = test::driven(std::vector<double>(n, 0.0), 1.0);
            NoisyStepper ensemble{dynamics, scheme};
            const double step = noise_step(dynamics.scale, diffusion, scheme);
            std::uint64_t steps = 0;
            wander(ensemble, step, 8.0, diffusion, steps);  // e^-8 of the start is left (kappa = 1: 0.02, relaxation rate D/2 = 1 at least)
            double sum = 0.0;
            constexpr int looks = 3;
            for (int k = 0; k < looks; ++k) {
                wander(ensemble, step, 2.0, diffusion, steps);
                for (const double x : ensemble.state()) sum += std::cos(x);
            }
            const double i0 = std::cyl_bessel_i(0.0, kappa);
            const double expected = std::cyl_bessel_i(1.0, kappa) / i0;
            const double variance = 0.5 * (1.0 + std::cyl_bessel_i(2.0, kappa) / i0) - expected * expected;
            // Looks are two relaxation times apart: at least n independent samples. Four standard errors, and what the step errs.
            EXPECT_NEAR(sum / (looks * n), expected, 4.0 * std::sqrt(variance / n) + 1e-3 * (1.0 - expected)) << kappa;
        }
}

TEST(Free, PhaseDiffuses) {
    constexpr std::size_t n = 5000;
    constexpr double diffusion = 0.3;
    const Planar dynamics = test::driven(std::vector<double>(n, 1.0), 0.0);
    NoisyStepper ensemble{dynamics, NoiseScheme::heun};
    std::uint64_t steps = 0;
    wander(ensemble, noise_step(0.0, diffusion, NoiseScheme::heun), 4.0, diffusion, steps);
    const double time = static_cast<double>(steps) * noise_step(0.0, diffusion, NoiseScheme::heun);
    double mean = 0.0;
    double square = 0.0;
    for (const double x : ensemble.state()) {
        mean += (x - 1.0) / n;
        square += (x - 1.0) * (x - 1.0) / n;
    }
    EXPECT_NEAR(mean, 0.0, 4.0 * std::sqrt(diffusion * time / n));
    EXPECT_NEAR(square, diffusion * time, 4.0 * std::sqrt(2.0 / n) * diffusion * time);  // of a variance from n samples
}

/// Mean distance at t = 1 of steps of length 2^-k from steps of 2^-11 along the same Brownian paths.
double strong_error(NoiseScheme scheme, int k) {
    constexpr int finest = 11;
    constexpr std::size_t paths = 100;
    const Planar dynamics = test::driven(std::vector<double>(paths, 1.5), 2.0);
    NoisyStepper fine{dynamics, NoiseScheme::heun};
    NoisyStepper coarse{dynamics, scheme};
    State increment(paths);
    State sum(paths);
    const double h = std::ldexp(1.0, -finest);
    for (std::uint64_t step = 0; step < (1U << finest); ++step) {
        for (std::size_t i = 0; i < paths; ++i) {
            increment[i] = std::sqrt(0.5 * h) * RandomStreams{i}.normal(Stream::phase_noise, step);
            sum[i] += increment[i];
        }
        fine.step(h, increment);
        if ((step + 1) % (1U << (finest - k)) == 0) {
            coarse.step(std::ldexp(1.0, -k), sum);
            std::fill(sum.begin(), sum.end(), 0.0);
        }
    }
    double error = 0.0;
    for (std::size_t i = 0; i < paths; ++i) error += std::abs(coarse.state()[i] - fine.state()[i]) / paths;
    return error;
}

TEST(Steppers, ConvergeStronglyWithOrderOne) {
    for (const NoiseScheme scheme : {NoiseScheme::heun, NoiseScheme::euler_maruyama}) {
        const double order = std::log2(strong_error(scheme, 4) / strong_error(scheme, 7)) / 3.0;
        EXPECT_NEAR(order, 1.0, 0.15);  // a hundred paths
    }
}

/// Relative error of the stationary variance of a weakly jittering phase, an Ornstein-Uhlenbeck process of variance D/(2 K). A small step of it is
/// linear, x -> a x + b dB: the variance of the discrete process, b^2 D h/(1 - a^2), is known without drawing a single number.
double variance_error(NoiseScheme scheme, double h) {
    constexpr double small = 1e-5;  // sin(x) = x to 1e-11
    const auto moved = [&](double from, double by) {
        const Planar dynamics = test::driven({from}, 1.0);
        NoisyStepper one{dynamics, scheme};
        one.step(h, State{by});
        return one.state()[0] / small;
    };
    const double a = moved(small, 0.0);
    const double b = moved(0.0, small);
    return std::abs(2.0 * b * b * h / (1.0 - a * a) - 1.0);
}

TEST(Steppers, ConvergeWeaklyWithOrdersTwoAndOne) {
    EXPECT_NEAR(std::log2(variance_error(NoiseScheme::heun, 0.04) / variance_error(NoiseScheme::heun, 0.02)), 2.0, 0.05);
    EXPECT_NEAR(std::log2(variance_error(NoiseScheme::euler_maruyama, 0.04) / variance_error(NoiseScheme::euler_maruyama, 0.02)), 1.0, 0.05);
}

TEST(Steppers, AreUsedWithStepsThatErrByLessThanAThousandth) {
    for (const NoiseScheme scheme : {NoiseScheme::heun, NoiseScheme::euler_maruyama})
        EXPECT_LE(variance_error(scheme, noise_step(1.0, 1e-6, scheme)), 1.01e-3);
}

/// Oscillators on one anchor at phase 0.4, drives and diffusion in units of the coupling rate.
problem::PhaseProblem jittering(std::size_t n, double drive, double diffusion, double rate = 1.0) {
    problem::PhaseProblem problem;
    const auto all = static_cast<Eigen::Index>(n);
    problem.network.free.resize(n);
    problem.network.start.resize(all, 2);
    problem.network.anchors.resize(1, 2);
    problem.network.anchors << std::cos(0.4), std::sin(0.4);
    for (std::uint32_t i = 0; i < n; ++i) {
        problem.network.start.row(i) << std::cos(0.1 * i), std::sin(0.1 * i);
        problem.network.couplings.push_back({0, i, Coupling::From::anchor, 1, drive, 0.0, 0.0});
        problem.noise_seed.push_back(1000U + i);
    }
    problem.coupling_rate = Eigen::VectorXd::Constant(all, rate);
    problem.detuning = Eigen::VectorXd::Zero(all);
    problem.raw_shift = Eigen::VectorXd::Zero(all);
    problem.diffusion = Eigen::VectorXd::Constant(all, diffusion * rate);
    problem.rule.noisy = true;
    problem.rule.rate = Eigen::VectorXd::Constant(all, drive * rate);
    problem.rule.max_time = Eigen::VectorXd::Constant(all, 400.0 / (drive * rate));
    return problem;
}

TEST(Engine, ReadsTheMeanOfAJitteringPhase) {
    for (const double rate : {1.0, 3e7}) {
        const problem::PhaseProblem problem = jittering(40, 0.5, 0.01, rate);
        const auto solution = create()->solve(problem, RunOptions{});
        for (const auto& one : solution.oscillators) {
            ASSERT_EQ(one.stop, Stop::settled);
            EXPECT_GE(one.stop_time * 0.5 * rate, 24.0);  // assess_noisy() wants to see so much
            // A mean over two thirds of 24 relaxation times of a phase of variance D/(2 K r) has a 1/8 of that variance; five standard errors.
            EXPECT_NEAR(wrap(one.phase - 0.4), 0.0, 5.0 * std::sqrt(0.01 / (2.0 * 0.5) / 8.0));
        }
    }
}

TEST(Engine, DrawsTheSameNoiseOnAnyNumberOfThreads) {
    const problem::PhaseProblem problem = jittering(12, 0.5, 0.05);
    RunOptions run;
    const auto one = create()->solve(problem, run);
    run.jobs = 2;
    const auto two = create()->solve(problem, run);
    for (std::size_t i = 0; i < one.oscillators.size(); ++i) EXPECT_EQ(one.oscillators[i].phase, two.oscillators[i].phase);
    EXPECT_NE(one.oscillators[0].phase, one.oscillators[1].phase);
}

TEST(Engine, FollowsSettledOscillatorsToTheTimeTheyAreReadAt) {
    problem::PhaseProblem problem = jittering(3, 0.5, 0.01);
    problem.rule.least_time = 150.0;
    for (const auto& one : create()->solve(problem, RunOptions{}).oscillators) {
        ASSERT_EQ(one.stop, Stop::settled);
        EXPECT_LT(one.stop_time, 150.0);
        EXPECT_GE(one.trajectory.times().back(), 149.0);
    }
}

TEST(Engine, TellsSlippingFromLockedUnderNoise) {
    problem::PhaseProblem problem = jittering(2, 0.5, 0.001);
    problem.detuning(1) = 0.8;
    const auto solution = create()->solve(problem, RunOptions{});
    EXPECT_EQ(solution.oscillators[0].stop, Stop::settled);
    EXPECT_EQ(solution.oscillators[1].stop, Stop::unlocked);
    EXPECT_NEAR(solution.oscillators[1].frequency_difference, std::sqrt(0.64 - 0.25), 0.15);  // Adler's beat, over some turns that are not whole
}

}  // namespace
}  // namespace entrain::engines::phase

// Couplings that take time.
#include "engines/phase/delay.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/quantity.hpp"
#include "engines/phase/plugin.hpp"
#include "networks.hpp"

namespace entrain::engines::phase {
namespace {

using network::Coupling;
constexpr double pi = std::numbers::pi;

TEST(Grid, DividesDelaysThatHaveACommonDivisor) {
    const std::vector<double> delays = {0.3, 0.45, 1.2};
    const DelayGrid grid = delay_grid(delays, 0.1);
    EXPECT_LE(grid.step, 0.1);
    EXPECT_GT(grid.step, 0.025);
    EXPECT_LE(grid.largest_error, 1e-12);
    for (const double delay : delays) EXPECT_NEAR(delay / grid.step, std::round(delay / grid.step), 1e-9);
}

TEST(Grid, KeepsDelaysWithoutACommonDivisorToAThousandth) {
    const std::vector<double> delays = {0.5, 0.5 * std::numbers::sqrt2, 0.5 * pi, 1.234567};
    for (const double longest : {0.3, 0.01, 1e-4}) {
        const DelayGrid grid = delay_grid(delays, longest);
        EXPECT_LE(grid.step, longest);
        EXPECT_LE(grid.largest_error, 1e-3);
        for (const double delay : delays) EXPECT_NEAR(std::round(delay / grid.step) * grid.step, delay, 1e-3 * delay);
    }
}

/// One oscillator that sees itself `delay` ago through harmonic m.
Planar echo(int order, double weight, double delay, double detuning) {
    Harmonic harmonic{order, Phasors{1}, {}, {{{0, 0, weight}, delay}}};
    std::vector<Harmonic> harmonics;
    harmonics.push_back(std::move(harmonic));
    return Planar{State{0.4}, State{detuning}, {}, std::move(harmonics)};
}

/// Its phase up to one delay: what it sees turned at its detuning, so that u = theta - theta(t - delay) falls by u' = -K sin(m u) from w delay.
double echoed(double time, int order, double weight, double delay, double detuning) {
    const double angle = 2.0 * std::atan(std::tan(0.5 * order * detuning * delay) * std::exp(-order * weight * time)) / order;
    return 0.4 + detuning * (time - delay) + angle;
}

TEST(Delayed, PhaseThatSeesItsOwnPastFollowsTheClosedForm) {
    for (const int order : {1, 2, 3}) {
        const Planar dynamics = echo(order, 0.8, 1.5, 0.6);
        DelayedStepper moving{dynamics, 1e-10};
        while (moving.time() < 1.5 - 1e-9) moving.step(1e9);
        EXPECT_NEAR(moving.time(), 1.5, 1e-9);
        EXPECT_NEAR(moving.state()[0], echoed(1.5, order, 0.8, 1.5, 0.6), 1e-8) << order;  // 100 steps of 1e-10 each
    }
}

double end_after(const Planar& dynamics, double tolerance, double time, std::size_t& steps) {
    DelayedStepper moving{dynamics, tolerance};
    steps = 0;
    while (moving.time() < time - 1e-9) {
        moving.step(1e9);
        ++steps;
    }
    EXPECT_NEAR(moving.time(), time, 1e-9);  // whole steps
    return moving.state()[3];
}

TEST(Delayed, ConvergesWithOrderFour) {
    // Four delays: kinks of the motion lie at whole steps and cost no order.
    const Planar dynamics = test::all_to_all(8, 0.5);
    std::size_t reference_steps = 0;
    const double reference = end_after(dynamics, 1e-15, 2.0, reference_steps);
    std::size_t few = 0;
    std::size_t many = 0;
    const double error = std::abs(end_after(dynamics, 1e-6, 2.0, few) - reference);
    const double less = std::abs(end_after(dynamics, 1e-10, 2.0, many) - reference);
    EXPECT_NEAR(std::log(error / less) / std::log(static_cast<double>(many) / static_cast<double>(few)), 4.0, 0.3);
    EXPECT_LT(error, 1e-5);  // ten steps' tolerance
    EXPECT_LT(less, 1e-9);
}

problem::PhaseProblem pair(double delay, double rate, double detuning) {
    problem::PhaseProblem problem;
    problem.network.free.resize(2);
    problem.network.start.resize(2, 2);
    problem.network.start << 1.0, 0.0, std::cos(0.7), std::sin(0.7);
    problem.network.anchors.resize(0, 2);
    problem.network.couplings = {{1, 0, Coupling::From::free, 1, 1.0, 0.0, delay}, {0, 1, Coupling::From::free, 1, 1.0, 0.0, delay}};
    problem.coupling_rate = Eigen::VectorXd::Constant(2, rate);
    problem.detuning = Eigen::VectorXd::Constant(2, detuning);
    problem.raw_shift = Eigen::VectorXd::Zero(2);
    problem.rule.rate = Eigen::VectorXd::Constant(2, rate);
    problem.rule.max_time = Eigen::VectorXd::Constant(2, 300.0 / rate);
    return problem;
}

TEST(Delayed, PairSynchronisesAtTheTranscendentalFrequency) {
    // In phase, Omega = w - K sin(Omega tau), stable for cos(Omega tau) > 0 (Schuster and Wagner 1989). Delays count in 1/K.
    for (const double rate : {1.0, 5e6}) {
        const double w = 0.9 * rate;
        const double delay = 1.1;
        double omega = w;
        for (int k = 0; k < 200; ++k) omega = 0.5 * (omega + w - rate * std::sin(omega * delay / rate));
        ASSERT_GT(std::cos(omega * delay / rate), 0.0);
        const auto solution = create()->solve(pair(delay, rate, w), RunOptions{});
        for (const auto& one : solution.oscillators) {
            EXPECT_EQ(one.stop, problem::Stop::unlocked);  // of the anchors' clock: both turn
            EXPECT_NEAR(one.frequency_difference, omega, 1e-6 * rate);
        }
        const double apart = solution.oscillators[1].trajectory.phase_at(280.0 / rate) - solution.oscillators[0].trajectory.phase_at(280.0 / rate);
        EXPECT_NEAR(std::remainder(apart, 2.0 * pi), 0.0, 1e-5);
    }
}

TEST(Delayed, CouplingsWithoutDetuningSettleWhereOthersDo) {
    // At rest nothing tells the past from the present; only the way there is longer.
    const auto late = create()->solve(pair(0.8, 1.0, 0.0), RunOptions{});
    for (const auto& one : late.oscillators) ASSERT_EQ(one.stop, problem::Stop::settled);
    EXPECT_NEAR(late.oscillators[0].phase, late.oscillators[1].phase, 1e-7);
}

TEST(Delayed, AnchorsHaveBeenWhatTheyAreForEver) {
    problem::PhaseProblem problem = pair(0.0, 1.0, 0.0);
    problem.network.anchors.resize(1, 2);
    problem.network.anchors << 0.0, 1.0;
    problem.network.couplings = {{0, 0, Coupling::From::anchor, 1, 1.0, 0.0, 0.7}, {0, 1, Coupling::From::anchor, 1, 1.0, 0.0, 0.0}};
    const auto solution = create()->solve(problem, RunOptions{});
    for (const auto& one : solution.oscillators) EXPECT_NEAR(one.phase, 0.5 * pi, 1e-7);
    EXPECT_NEAR(solution.oscillators[0].settling_time.value(), std::log(1.0 / std::tan(0.5 * radians(1.0))), 1e-4);
}

}  // namespace
}  // namespace entrain::engines::phase

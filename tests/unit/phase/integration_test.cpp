// Steppers, what is interpolated between their steps, and what a run costs.
#include "engines/phase/integration.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/numeric/odeint.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <sstream>

#include "allocations.hpp"
#include "engines/phase/delay.hpp"
#include "engines/phase/noise.hpp"
#include "networks.hpp"

namespace entrain::engines::phase {
namespace {

constexpr double pi = std::numbers::pi;

struct Arrival {
    State state;
    std::size_t steps = 0;
};
Arrival integrated(const Dynamics& dynamics, Method method, double tolerance, double duration) {
    const auto moving = stepper(dynamics, method, tolerance);
    Arrival end;
    for (; moving->time() < duration; ++end.steps) moving->step(duration);
    end.state = moving->state();
    return end;
}

/// Order of a method from its errors with `steps` equal steps and with twice as many.
double order_of(Method method, int steps) {
    constexpr double start = 2.9;
    constexpr double duration = 4.0;
    const Planar dynamics = test::driven({start}, 1.0);
    const auto error = [&](int count) {
        const auto moving = stepper(dynamics, method, /*tolerance=*/1e3);  // every step is accepted, and ends where it is told to
        double largest = 0.0;
        for (int k = 1; k <= count; ++k) {
            moving->step(duration * k / count);
            const double exact = 2.0 * std::atan(std::tan(0.5 * start) * std::exp(-moving->time()));  // Adler 1946
            largest = std::max(largest, std::abs(moving->state()[0] - exact));
        }
        EXPECT_DOUBLE_EQ(moving->time(), duration);
        return largest;
    };
    return std::log2(error(steps) / error(2 * steps));
}

TEST(Order, OfDormandPrinceIsFive) { EXPECT_NEAR(order_of(Method::dopri5, 40), 5.0, 0.15); }  // the next term is a tenth of the first

// odeint goes on with the formula of order 8. Steps of 0.8 and 0.4: with shorter ones errors are those of rounding.
TEST(Order, OfFehlbergIsEight) { EXPECT_NEAR(order_of(Method::fehlberg78, 5), 8.0, 0.7); }

TEST(Interpolation, IsExactForPolynomialsOfItsDegree) {
    const std::array<double, 6> times = {0.0, 0.7, 1.1, 2.5, 3.0, 4.2};  // uneven
    for (const std::size_t nodes : {2U, 4U, 6U}) {
        const auto degree = static_cast<int>(2 * nodes - 1);
        std::array<State, 6> states;
        std::array<State, 6> rates;
        std::vector<Node> all;
        for (std::size_t k = 0; k < nodes; ++k) {
            states[k] = {std::pow(times[k] - 2.0, degree)};
            rates[k] = {degree * std::pow(times[k] - 2.0, degree - 1)};
            all.push_back({times[k], states[k].data(), rates[k].data()});
        }
        const Interpolant between{all};
        for (double t = 0.0; t < times[nodes - 1]; t += 0.13) EXPECT_NEAR(between.at(t, 0), std::pow(t - 2.0, degree), 1e-9) << nodes;  // rounding
    }
}

TEST(Interpolation, ErrsByTheStatedShareOfTheHighestDerivative) {
    // e^t on equal steps: the derivative is between its values at the ends of the window.
    struct Case {
        std::size_t nodes;
        double middle;
    };
    for (const auto [nodes, middle] : {Case{2, 2.6e-3}, Case{4, 7.85e-6}, Case{6, 2.6e-8}}) {
        constexpr double h = 0.7;
        std::vector<State> values;
        for (std::size_t k = 0; k < nodes; ++k) values.push_back({std::exp(h * static_cast<double>(k))});
        std::vector<Node> all;
        for (std::size_t k = 0; k < nodes; ++k) all.push_back({h * static_cast<double>(k), values[k].data(), values[k].data()});
        const double at = 0.5 * h * static_cast<double>(nodes - 1);
        const double error = std::abs(Interpolant{all}.at(at, 0) - std::exp(at));
        const double expected = middle * std::pow(h, 2.0 * static_cast<double>(nodes));
        EXPECT_GT(error, expected * 0.9);
        EXPECT_LT(error, expected * 1.1 * values.back()[0]);
    }
}

TEST(Path, ForgetsTheFirstNodesOnly) {
    Path path{2, 5};
    for (int k = 0; k < 12; ++k) path.append(k, State{1.0 * k, 2.0 * k}, State{3.0 * k, 4.0 * k});
    EXPECT_FALSE(path.complete());
    for (std::size_t k = 7; k < 12; ++k) {
        EXPECT_EQ(path.node(k).time, static_cast<double>(k));
        EXPECT_EQ(path.node(k).state[1], 2.0 * static_cast<double>(k));
        EXPECT_EQ(path.node(k).rate[0], 3.0 * static_cast<double>(k));
    }
}

Limits limits_of(Method method, double tolerance) {
    Limits limits;
    limits.method = method;
    limits.tolerance = tolerance;
    limits.horizon = 1e4;
    return limits;
}

constexpr double band = pi / 180.0;

TEST(Settling, IsFoundToAThousandthWithoutAnotherDerivative) {
    for (const Method method : {Method::dopri5, Method::fehlberg78})
        for (double start = 0.1; start < 3.1; start += 0.2) {
            const Planar dynamics = test::driven({start}, 1.0);
            const phase::Run run = find_end(dynamics, limits_of(method, 1e-6));
            ASSERT_EQ(run.end, phase::End::stationary);
            const Record found = record(dynamics, limits_of(method, 1e-6), run, {band, 0.02 * band, {run.time}, 400});
            EXPECT_EQ(found.evaluations, 0U);
            const double exact = std::log(std::tan(0.5 * start) / std::tan(0.5 * band));
            EXPECT_NEAR(found.entry[0], exact, 1e-3 * exact) << start;
        }
}

TEST(Settling, OfANetworkDoesNotDependOnTheMethod) {
    const Planar dynamics = test::all_to_all(24);
    // Locked in frequency it still turns as a whole; the frame of its mean frequency is found by running it.
    const State late = integrated(dynamics, Method::fehlberg78, 1e-12, 400.0).state;
    const State later = integrated(dynamics, Method::fehlberg78, 1e-12, 500.0).state;
    const double common = (later[0] - late[0]) / 100.0;
    State detuning = dynamics.detuning();
    for (double& w : detuning) w -= common;
    const Planar source = test::all_to_all(24);
    std::vector<Harmonic> harmonics;
    harmonics.push_back({1, Phasors{24}, {}, {}});
    const RandomStreams random{3};
    for (std::uint32_t i = 0; i < 24; ++i)
        for (std::uint32_t j = 0; j < 24; ++j)
            harmonics[0].entries.push_back({i, j, (1.0 + 0.5 * random.normal(Stream::coupling_mismatch, i * 24U + j)) / 24.0});
    const Planar still{source.start, detuning, {}, std::move(harmonics)};
    const auto entries = [&](Method method, double tolerance) {
        const phase::Run run = find_end(still, limits_of(method, tolerance));
        EXPECT_EQ(run.end, phase::End::stationary);
        return record(still, limits_of(method, tolerance), run, {band, 0.02 * band, std::vector<double>(24, run.time), 400}).entry;
    };
    const std::vector<double> exact = entries(Method::fehlberg78, 1e-11);
    for (const Method method : {Method::dopri5, Method::fehlberg78}) {
        const std::vector<double> found = entries(method, 1e-6);
        for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], exact[i], 1e-3 * exact[i]) << i;
    }
}

TEST(Settling, IsTheSameWhenTheRunIsTooLongToBeKept) {
    const Planar dynamics = test::driven({2.9, 0.4, -1.0}, 1.0);
    for (const Method method : {Method::dopri5, Method::fehlberg78}) {
        Limits limits = limits_of(method, 1e-8);
        const auto recorded = [&] {
            const phase::Run run = find_end(dynamics, limits);
            return std::pair{run.path.complete(), record(dynamics, limits, run, {band, 0.02 * band, std::vector<double>(3, run.time), 400})};
        };
        const auto [complete, kept] = recorded();
        limits.path_bytes = 1;
        const auto [never, again] = recorded();
        EXPECT_TRUE(complete);
        EXPECT_FALSE(never);
        EXPECT_GT(again.evaluations, 0U);
        EXPECT_EQ(kept.entry, again.entry);
        EXPECT_EQ(kept.inner_entry, again.inner_entry);
        for (std::size_t i = 0; i < 3; ++i) {
            ASSERT_EQ(kept.trajectories[i].size(), again.trajectories[i].size());
            for (std::size_t k = 0; k < kept.trajectories[i].size(); ++k) EXPECT_EQ(kept.trajectories[i].phase(k), again.trajectories[i].phase(k));
        }
    }
}

TEST(Memory, IsNotAllocatedByStepsNorByDerivatives) {
    const Planar plain = test::all_to_all(40);
    const Planar delayed = test::all_to_all(40, 0.5);
    for (const Method method : {Method::dopri5, Method::fehlberg78})
        for (const Planar* dynamics : {&plain, &delayed}) {
            const auto moving = stepper(*dynamics, method, 1e-8);
            moving->step(1e3);  // odeint sizes its states in the first one
            const std::size_t before = test::allocations();
            for (int k = 0; k < 100; ++k) moving->step(1e3);
            EXPECT_EQ(test::allocations(), before);
        }
    for (const NoiseScheme scheme : {NoiseScheme::heun, NoiseScheme::euler_maruyama}) {
        NoisyStepper moving{plain, scheme};
        const State increment(40, 1e-3);
        const std::size_t before = test::allocations();
        for (int k = 0; k < 100; ++k) moving.step(0.01, increment);
        EXPECT_EQ(test::allocations(), before);
    }
}

/// The network as a textbook writes it.
void double_loop(const std::vector<double>& theta, std::vector<double>& rate) {
    const RandomStreams random{3};
    const std::size_t n = theta.size();
    for (std::size_t i = 0; i < n; ++i) {
        rate[i] = 0.1 * random.normal(Stream::frequency_disorder, i);
        for (std::size_t j = 0; j < n; ++j)
            rate[i] += (1.0 + 0.5 * random.normal(Stream::coupling_mismatch, i * n + j)) / static_cast<double>(n) * std::sin(theta[j] - theta[i]);
    }
}

TEST(Oracle, TextbookDoubleLoopUnderOdeint) {
    namespace odeint = boost::numeric::odeint;
    const Planar dynamics = test::all_to_all(30);
    std::vector<double> theta{dynamics.start.begin(), dynamics.start.end()};
    odeint::integrate_adaptive(
        odeint::make_controlled(1e-11, 0.0, odeint::runge_kutta_cash_karp54<std::vector<double>>{}),
        [](const std::vector<double>& x, std::vector<double>& dxdt, double /*t*/) { double_loop(x, dxdt); }, theta, 0.0, 10.0, 0.01);
    for (const Method method : {Method::dopri5, Method::fehlberg78}) {
        const State end = integrated(dynamics, method, 1e-10, 10.0).state;
        for (std::size_t i = 0; i < theta.size(); ++i) EXPECT_NEAR(end[i], theta[i], 3e-9) << i;  // some tens of steps of 1e-10 each
    }
}

TEST(Oracle, Scipy) {
    if (std::system("/usr/bin/python3 -c 'import scipy.integrate' 2>/dev/null") != 0) GTEST_SKIP() << "python3-scipy is not installed";
    const Planar dynamics = test::all_to_all(12);
    std::ostringstream numbers;
    numbers.precision(17);
    const RandomStreams random{3};
    for (std::uint32_t k = 0; k < 144; ++k) numbers << (1.0 + 0.5 * random.normal(Stream::coupling_mismatch, k)) / 12.0 << ' ';
    for (const double w : dynamics.detuning()) numbers << w << ' ';
    for (const double x : dynamics.start) numbers << x << ' ';
    const std::string command = "echo '" + numbers.str() + "' | /usr/bin/python3 " ENTRAIN_SOURCE_DIR "/tests/unit/phase/scipy_solution.py 12 7.5";
    FILE* pipe = ::popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    const State end = integrated(dynamics, Method::automatic, 1e-10, 7.5).state;
    for (const double x : end) {
        double expected = 0.0;
        ASSERT_EQ(std::fscanf(pipe, "%lf", &expected), 1);
        EXPECT_NEAR(x, expected, 1e-8);
    }
    EXPECT_EQ(::pclose(pipe), 0);
}

}  // namespace
}  // namespace entrain::engines::phase

#include <gtest/gtest.h>

#include <atomic>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/numeric/odeint/integrate/integrate_adaptive.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_fehlberg78.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "closed_form/transient.hpp"
#include "core/quantity.hpp"
#include "core/random.hpp"
#include "engines/exact/plugin.hpp"

namespace entrain::engines::exact {
namespace {

using closed_form::Transient;
using problem::ExactProblem;
using problem::OscillatorSolution;
using problem::Solution;
using problem::Stop;

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double pi = turn / 2.0;

Eigen::RowVectorXd planar(double length, double angle) { return Eigen::RowVector2d{length * std::cos(angle), length * std::sin(angle)}; }

ExactProblem problem_of(const Eigen::MatrixXd& drive, const Eigen::MatrixXd& start, const Eigen::VectorXd& detuning) {
    ExactProblem p;
    p.dimension = static_cast<int>(drive.cols());
    p.drive = drive;
    p.start = start;
    p.detuning = detuning;
    p.raw_shift = Eigen::VectorXd::Zero(drive.rows());
    p.rule.rate = drive.rowwise().norm();
    p.rule.max_time = Eigen::VectorXd::Constant(drive.rows(), infinite);
    return p;
}

Solution solve(const ExactProblem& p) { return create()->solve(p, {}); }

OscillatorSolution solve_planar(double rate, double detuning, double start, double max_time = infinite) {
    ExactProblem p = problem_of(planar(rate, 0.0), planar(1.0, start), Eigen::VectorXd::Constant(1, detuning));
    p.rule.max_time(0) = max_time;
    return solve(p).oscillators[0];
}

/// In extended precision, so that cancellation in detuning - rate sin(angle) does not limit the oracle where the two nearly agree.
using State = std::vector<long double>;

/// Integrates x' = f(x) from `begin` to `end` with a tolerance of 1e-18 per step.
template <class Field>
void integrate(const Field& field, State& x, double begin, double end) {
    using Stepper = boost::numeric::odeint::runge_kutta_fehlberg78<State, long double>;
    boost::numeric::odeint::integrate_adaptive(boost::numeric::odeint::make_controlled<Stepper>(1e-18L, 1e-18L), field, x,
                                               static_cast<long double>(begin), static_cast<long double>(end), 1e-2L * (end - begin));
}

struct Pull {
    double detuning_over_rate;
    Stop stop;
};

class ClosedForm : public testing::TestWithParam<Pull> {};

// Phase with its whole turns at every logged time against the integrated d(theta)/dt = detuning - rate sin(theta - psi - shift). 1e-10: a rounding of
// 1e-16 times the growth of a deviation, at most 1e5 here: at the bottleneck just outside the lock range (detuning/rate = 1 + 1e-5), from slowest to
// fastest.
TEST_P(ClosedForm, FollowsTheIntegratedPhaseEquation) {
    const RandomStreams random{11};
    for (std::uint64_t k = 0; k < 8; ++k) {
        const auto uniform = [&](std::uint64_t what) { return random.uniform(Stream::bench, 8 * k + what); };
        const double rate = std::pow(10.0, 3.0 * uniform(0) - 1.0);
        const double w = GetParam().detuning_over_rate;
        const double psi =
            std::abs(std::abs(w) - 1.0) < 1e-3 ? 0.0 : turn * uniform(1);  // at the edge the last bit of |drive| matters: keep it `rate`
        const double start = turn * uniform(2);
        const double shift = uniform(3) - 0.5;
        const double detuning = w * rate;
        ExactProblem p = problem_of(planar(rate, psi), planar(1.0, start), Eigen::VectorXd::Constant(1, detuning));
        p.raw_shift(0) = shift;
        const OscillatorSolution s = solve(p).oscillators[0];
        ASSERT_EQ(s.stop, GetParam().stop) << "case " << k;

        State theta{wrap(start)};
        const auto field = [&](const State& x, State& dx, long double) { dx[0] = detuning - rate * std::sin(x[0] - psi - shift); };
        ASSERT_GT(s.trajectory.size(), 20u);
        EXPECT_NEAR(s.trajectory.phase(0), wrap(start), 1e-15);
        for (std::size_t n = 1; n < s.trajectory.size(); ++n) {
            integrate(field, theta, s.trajectory.times()[n - 1], s.trajectory.times()[n]);
            ASSERT_NEAR(s.trajectory.phase(n), static_cast<double>(theta[0]), 1e-10)
                << "case " << k << " at " << s.trajectory.times()[n] * rate << "/rate";
        }
        if (s.stop == Stop::settled) {
            EXPECT_NEAR(s.phase, static_cast<double>(theta[0]), 1.001e-5);            // the log ends this close to the limit
            const double rounding = 1e-14 / std::sqrt(std::max(1.0 - w * w, 1e-12));  // of w, as the arcsine magnifies it towards the edge
            EXPECT_NEAR(wrap(s.phase - psi - shift - std::asin(w)), 0.0, rounding);
            EXPECT_NEAR(wrap(std::atan2(s.state(1), s.state(0)) - s.phase), 0.0, 1e-14);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Locked, ClosedForm,
                         testing::Values(Pull{0.0, Stop::settled}, Pull{0.4, Stop::settled}, Pull{-0.9, Stop::settled}, Pull{0.999, Stop::settled}));
INSTANTIATE_TEST_SUITE_P(Boundary, ClosedForm, testing::Values(Pull{1.0, Stop::settled}, Pull{-1.0, Stop::settled}, Pull{1.0 - 1e-9, Stop::settled}));
INSTANTIATE_TEST_SUITE_P(Drifting, ClosedForm,
                         testing::Values(Pull{1.001, Stop::unlocked}, Pull{-1.2, Stop::unlocked}, Pull{5.0, Stop::unlocked},
                                         Pull{1.0 + 1e-5, Stop::unlocked}));

class GreatCircle : public testing::TestWithParam<int> {};

TEST_P(GreatCircle, FollowsTheIntegratedProjectionFlow) {
    const int d = GetParam();
    const RandomStreams random{static_cast<std::uint64_t>(d)};
    const auto vector = [&](std::uint64_t which) -> Eigen::VectorXd {
        return Eigen::VectorXd::NullaryExpr(
            d, [&](Eigen::Index k) { return random.normal(Stream::bench, 100 * which + static_cast<std::uint64_t>(k)); });
    };
    for (std::uint64_t k = 0; k < 5; ++k) {
        const Eigen::VectorXd drive = vector(2 * k);
        const Eigen::VectorXd start = vector(2 * k + 1).normalized();
        const OscillatorSolution s = solve(problem_of(drive.transpose(), start.transpose(), Eigen::VectorXd::Zero(1))).oscillators[0];
        ASSERT_EQ(s.stop, Stop::settled);
        EXPECT_LT((s.state - drive.normalized()).norm(), 1e-15);

        State z(start.data(), start.data() + d);
        const auto field = [&](const State& x, State& dx, long double) {
            long double along = 0;
            for (int c = 0; c < d; ++c) along += x[static_cast<std::size_t>(c)] * drive(c);
            for (int c = 0; c < d; ++c) dx[static_cast<std::size_t>(c)] = drive(c) - along * x[static_cast<std::size_t>(c)];
        };
        for (std::size_t n = 1; n < s.trajectory.size(); ++n) {
            integrate(field, z, s.trajectory.times()[n - 1], s.trajectory.times()[n]);
            for (std::size_t c = 0; c < z.size(); ++c) ASSERT_NEAR(s.trajectory.state(n)[c], static_cast<double>(z[c]), 1e-10);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Dimensions, GreatCircle, testing::Values(3, 8, 32));

// Time from psi to eps without detuning: ln(tan(psi/2)/tan(eps/2))/rate (Adler 1946).
TEST(SettlingTime, IsAdlersWithoutDetuning) {
    for (const double start_deg : {-179.999, -90.0, 2.0, 45.0, 179.0}) {
        const double rate = 0.37;
        const OscillatorSolution s = solve_planar(rate, 0.0, radians(start_deg));
        const auto adler = [&](double degree) { return std::log(std::tan(radians(std::abs(start_deg)) / 2) / std::tan(radians(degree) / 2)) / rate; };
        ASSERT_TRUE(s.settling_time.has_value());
        EXPECT_NEAR(*s.settling_time, adler(1.0), 1e-9 * adler(1.0) + 1e-10);  // at 179.999 deg rounding of the start alone is 1e-11
        EXPECT_NEAR(s.stop_time, adler(0.02), 1e-9 * adler(0.02));
    }
}

// The same by quadrature of dt = d(angle)/(detuning - rate sin angle) where the oscillator is detuned, the long way round included.
TEST(SettlingTime, IsTheIntegralOfTheInverseSpeedWithDetuning) {
    struct Case {
        double detuning, start, way;  // way: from start to the limit, signed
    };
    const double rate = 2.0;
    const double limit = std::asin(0.7);
    for (const Case& c :
         {Case{1.4, 0.0, limit}, Case{1.4, 2.0, limit - 2.0}, Case{1.4, 2.5, limit + turn - 2.5}, Case{-1.4, -2.5, 2.5 - limit - turn}}) {
        const OscillatorSolution s = solve_planar(rate, c.detuning, c.start);
        const double end = c.start + c.way - std::copysign(radians(1.0), c.way);
        const auto inverse_speed = [&](double angle) { return 1.0 / (c.detuning - rate * std::sin(angle)); };
        const double expected = boost::math::quadrature::gauss_kronrod<double, 61>::integrate(inverse_speed, c.start, end, 15, 1e-12);
        ASSERT_TRUE(s.settling_time.has_value());
        EXPECT_NEAR(*s.settling_time, expected, 1e-9 * expected);
        EXPECT_NEAR(s.phase, c.start + c.way, 1e-12);
    }
}

TEST(SettlingTime, IsZeroForAStartWithinTheTolerance) {
    const OscillatorSolution s = solve_planar(1.0, 0.0, radians(0.5));
    EXPECT_EQ(s.settling_time, 0.0);
    EXPECT_GT(s.stop_time, 0.0);
    EXPECT_EQ(solve_planar(1.0, 0.0, 0.0).stop, Stop::settled);
}

// An oscillator just past the unstable side of a nearly lost lock starts within a degree of its end but goes once round: staying counts, not passing.
TEST(SettlingTime, DoesNotCountAPassingCoincidence) {
    const double w = std::sin(radians(89.8));  // equilibria at 89.8 and 90.2 deg
    const OscillatorSolution s = solve_planar(1.0, w, radians(90.3));
    ASSERT_TRUE(s.settling_time.has_value());
    EXPECT_GT(*s.settling_time, 10.0);
    EXPECT_NEAR(s.phase, radians(89.8 + 360.0), 1e-9);
}

TEST(SettlingTime, IsAlgebraicAtTheEdgeOfTheLockRange) {
    // detuning = rate: d(x)/dt = rate (1 - cos x) for x = angle - 90 deg, so cot(x/2) grows as rate t; from 0 deg to 1 deg short: cot(0.5 deg) -
    // cot(45 deg).
    const OscillatorSolution s = solve_planar(3.0, 3.0, 0.0);
    const double expected = (1 / std::tan(radians(0.5)) - 1.0) / 3.0;
    EXPECT_NEAR(*s.settling_time, expected, 1e-9 * expected);
}

TEST(Drifting, AdvancesOneTurnPerBeatPeriod) {
    const OscillatorSolution s = solve_planar(3.0, -5.0, 1.0);
    EXPECT_EQ(s.stop, Stop::unlocked);
    EXPECT_DOUBLE_EQ(s.frequency_difference, -4.0);   // sqrt(25 - 9), behind the anchors
    EXPECT_NEAR(s.stop_time, 4 * turn / 4.0, 1e-12);  // four slips
    EXPECT_NEAR(s.trajectory.phase_at(s.stop_time), 1.0 - 4 * turn, 1e-12);
    EXPECT_NEAR(s.trajectory.phase_at(s.stop_time / 4), 1.0 - turn, 1e-5);
    EXPECT_FALSE(s.settling_time.has_value());
}

TEST(Drifting, WithoutDriveRunsAtItsOwnFrequency) {
    ExactProblem p = problem_of(Eigen::RowVector2d{0, 0}, planar(1.0, 2.0), Eigen::VectorXd::Constant(1, 0.5));
    const OscillatorSolution s = solve(p).oscillators[0];
    EXPECT_EQ(s.stop, Stop::unlocked);
    EXPECT_DOUBLE_EQ(s.frequency_difference, 0.5);
    EXPECT_NEAR(s.trajectory.phase_at(3.0), 3.5, 1e-12);
}

TEST(TimeLimit, KeepsTheStateItHasThen) {
    const OscillatorSolution s = solve_planar(1.0, 0.0, 2.0, 1.5);
    EXPECT_EQ(s.stop, Stop::time_limit);
    EXPECT_EQ(s.stop_time, 1.5);
    const double angle = 2 * std::atan(std::tan(1.0) * std::exp(-1.5));
    EXPECT_NEAR(s.phase, angle, 1e-14);
    EXPECT_NEAR(s.state(1), std::sin(angle), 1e-14);
    EXPECT_NEAR(s.frequency_difference, -std::sin(angle), 1e-14);
    EXPECT_FALSE(s.settling_time.has_value());
}

TEST(TimeLimit, WithoutDriveAnOscillatorStaysWhereItStarted) {
    for (const int d : {2, 5}) {
        const Eigen::MatrixXd start = Eigen::RowVectorXd::Unit(d, 1);
        const OscillatorSolution s = solve(problem_of(Eigen::MatrixXd::Zero(1, d), start, Eigen::VectorXd::Zero(1))).oscillators[0];
        EXPECT_EQ(s.stop, Stop::time_limit);
        EXPECT_EQ(s.state, start.row(0).transpose());
        EXPECT_EQ(s.stop_time, 0.0);
        EXPECT_FALSE(s.settling_time.has_value());
        EXPECT_LT((s.trajectory.state_at(7.0) - start.row(0).transpose()).norm(), 1e-15);
    }
}

// A start exactly opposite to the drive is an equilibrium, but an unstable one: whatever rounding makes of it, the answer is a unit state.
TEST(Antipode, GivesAUnitStateInEveryDimension) {
    for (const int d : {2, 3, 32}) {
        const Eigen::RowVectorXd drive = 4.0 * Eigen::RowVectorXd::Unit(d, 0);
        const OscillatorSolution s = solve(problem_of(drive, -Eigen::RowVectorXd::Unit(d, 0), Eigen::VectorXd::Zero(1))).oscillators[0];
        EXPECT_NEAR(s.state.norm(), 1.0, 1e-14);
        for (const double time : {0.0, 1.0, 9.0, 20.0}) EXPECT_NEAR(s.trajectory.state_at(time).norm(), 1.0, 1e-14);
    }
}

// What a reading at a time gets: the log interpolated by cubics, and its last value after it. 1e-5 rad = 6e-4 deg.
TEST(Log, IsFineEnoughToBeReadAtAnyTime) {
    const RandomStreams random{5};
    for (std::uint64_t k = 0; k < 20; ++k) {
        const double psi = k == 0 ? pi - 1e-7 : pi * random.uniform(Stream::bench, 3 * k);
        const double rate = std::pow(10.0, 2.0 * random.uniform(Stream::bench, 3 * k + 1) - 1.0);
        Eigen::RowVectorXd start = Eigen::RowVectorXd::Zero(8);
        start(2) = std::cos(psi);
        start(5) = std::sin(psi);
        const OscillatorSolution plane = solve_planar(rate, 0.0, psi);
        const OscillatorSolution sphere = solve(problem_of(rate * Eigen::RowVectorXd::Unit(8, 2), start, Eigen::VectorXd::Zero(1))).oscillators[0];
        EXPECT_LE(plane.trajectory.size(), 300u);
        EXPECT_LE(sphere.trajectory.size(), 400u);
        for (int n = 0; n < 500; ++n) {
            const double time = 40.0 / rate * n / 500.0;
            const double angle = 2 * std::atan(std::tan(psi / 2) * std::exp(-rate * time));
            ASSERT_NEAR(plane.trajectory.phase_at(time), angle, 1e-5) << "psi " << psi << " at " << rate * time << "/rate";
            const Eigen::VectorXd state = sphere.trajectory.state_at(time);
            ASSERT_NEAR(std::atan2(state(5), state(2)), angle, 1e-5) << "psi " << psi << " at " << rate * time << "/rate";
        }
    }
}

TEST(Log, IsFineEnoughForDetunedOscillators) {
    for (const double w : {0.5, 0.99, 1.0, 1.01, 1.3, 8.0}) {
        const OscillatorSolution s = solve_planar(1.0, w, 2.0);
        const Transient transient{1.0, w, 2.0};  // checked against integration above
        EXPECT_LE(s.trajectory.size(), 1500u);
        const double end = std::min(s.stop_time, 200.0);
        for (int n = 0; n < 2000; ++n) {
            const double time = end * n / 2000.0;
            ASSERT_NEAR(s.trajectory.phase_at(time), transient.angle(time), 1e-5) << "detuning " << w << " at " << time;
        }
    }
}

TEST(Exact, ReportsNumbersThatAreNoneAndSolvesTheOthers) {
    Eigen::MatrixXd drive{{1, 0}, {std::nan(""), 0}, {0, 2}};
    const Solution s = solve(problem_of(drive, Eigen::MatrixXd{{0, 1}, {0, 1}, {1, 0}}, Eigen::Vector3d::Zero()));
    ASSERT_EQ(s.failures.size(), 1u);
    EXPECT_EQ(s.failures[0].category, "not_finite");
    EXPECT_EQ(s.failures[0].oscillators, std::vector<std::uint32_t>{1});
    EXPECT_EQ(s.oscillators[1].stop, Stop::failed);
    EXPECT_EQ(s.oscillators[2].stop, Stop::settled);
}

TEST(Exact, StopsWhenAsked) {
    const std::atomic<bool> stop{true};
    RunOptions run;
    run.progress.stop = &stop;
    const Solution s = create()->solve(problem_of(planar(1, 0), planar(1, 1), Eigen::VectorXd::Zero(1)), run);
    ASSERT_EQ(s.failures.size(), 1u);
    EXPECT_EQ(s.failures[0].category, "interrupted");
}

TEST(Exact, SpansDrivesOfEveryMagnitude) {
    for (const double rate : {1e-60, 1e-9, 1e12, 1e60}) {
        const OscillatorSolution s = solve_planar(rate, 0.0, 2.0);
        ASSERT_TRUE(s.settling_time.has_value());
        EXPECT_NEAR(*s.settling_time * rate, std::log(std::tan(1.0) / std::tan(radians(0.5))), 1e-10);
    }
}

}  // namespace
}  // namespace entrain::engines::exact

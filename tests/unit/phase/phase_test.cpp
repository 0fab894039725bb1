#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdio>
#include <limits>
#include <numbers>

#include "core/error.hpp"
#include "core/random.hpp"
#include "cvode.hpp"
#include "engines/phase/plugin.hpp"

namespace entrain::engines::phase {
namespace {

using network::Coupling;
using problem::PhaseProblem;
using problem::Stop;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double pi = std::numbers::pi;

/// Free oscillators without couplings; ideal limits unless changed.
PhaseProblem oscillators(const Eigen::MatrixXd& start) {
    PhaseProblem problem;
    const Eigen::Index n = start.rows();
    problem.network.dimension = static_cast<int>(start.cols());
    problem.network.free.resize(static_cast<std::size_t>(n));
    problem.network.start = start;
    problem.network.detuning = Eigen::VectorXd::Zero(n);
    problem.network.anchors = Eigen::MatrixXd::Zero(0, start.cols());
    problem.coupling_rate = Eigen::VectorXd::Ones(n);
    problem.detuning = Eigen::VectorXd::Zero(n);
    problem.raw_shift = Eigen::VectorXd::Zero(n);
    problem.rule.rate = Eigen::VectorXd::Ones(n);
    problem.rule.max_time = Eigen::VectorXd::Constant(n, infinity);
    return problem;
}

Eigen::MatrixXd at_phases(const std::vector<double>& phases) {
    Eigen::MatrixXd states(phases.size(), 2);
    for (std::size_t i = 0; i < phases.size(); ++i) states.row(static_cast<Eigen::Index>(i)) << std::cos(phases[i]), std::sin(phases[i]);
    return states;
}

/// One oscillator on one anchor of unit weight: Adler's equation.
PhaseProblem adler(double start, double anchor, double rate, double detuning = 0.0) {
    PhaseProblem problem = oscillators(at_phases({start}));
    problem.network.anchors = at_phases({anchor});
    problem.network.couplings.push_back({0, 0, Coupling::From::anchor, 1, 1.0, 0.0, 0.0});
    problem.coupling_rate = Eigen::VectorXd::Constant(problem.network.size(), rate);
    problem.detuning(0) = detuning;
    return problem;
}

/// Sets options of an engine.
class Set final : public FieldVisitor {
 public:
    Set(std::string method, double tolerance) : method_{std::move(method)}, tolerance_{tolerance} {}
    void visit(const Field& field) override {
        if (field.name == "method") {
            EXPECT_EQ(std::get<WordField>(field.value).assign(method_), "");
        }
        if (field.name == "tolerance") *std::get<NumberField>(field.value).value = tolerance_;
    }

 private:
    std::string method_;
    double tolerance_;
};

std::unique_ptr<Engine> engine_with(const std::string& method, double tolerance = 1e-9) {
    auto engine = create();
    Set set{method, tolerance};
    engine->describe(set);
    return engine;
}

/// Integrated by what auto chooses for networks at this tolerance, single oscillators too.
problem::Solution solve(const PhaseProblem& problem, int jobs = 1) {
    RunOptions run;
    run.jobs = jobs;
    return engine_with("fehlberg78")->solve(problem, run);
}

double apart(double a, double b) { return std::abs(wrap(a - b)); }

double adler_angle(double start, double rate, double time) { return 2.0 * std::atan(std::tan(0.5 * start) * std::exp(-rate * time)); }

/// Adler's oscillator whose amplitude follows its drive.
PhaseProblem softened(double start, double rate, double softening, double detuning = 0.0) {
    PhaseProblem problem = adler(start, 0.0, rate, detuning);
    problem.softening = Eigen::VectorXd::Constant(1, softening);
    return problem;
}

TEST(Softening, StretchesTheWayToEquilibriumAsItsIntegralSays) {
    // dx/dt = -(1 + s) K sin(x)/(1 + s cos(x)): t = [ln(tan(x0/2)/tan(x/2)) + s ln(sin(x0)/sin(x))]/((1 + s) K)
    constexpr double rate = 3.0;
    constexpr double softening = 0.6;
    constexpr double start = 2.8;
    const problem::Solution solution = solve(softened(start, rate, softening));
    const problem::Trajectory& log = solution.oscillators[0].trajectory;
    for (std::size_t k = 1; k < log.size(); k += 20) {
        const double x = log.phase(k);
        if (x < 1e-4) break;
        const double expected =
            (std::log(std::tan(0.5 * start) / std::tan(0.5 * x)) + softening * std::log(std::sin(start) / std::sin(x))) / ((1.0 + softening) * rate);
        EXPECT_NEAR(log.times()[k], expected, 1e-4 * expected + 1e-6) << x;  // the integrator's tolerance, seen through the slow antipode
    }
    EXPECT_EQ(solution.oscillators[0].stop, problem::Stop::settled);
}

TEST(Softening, WidensTheLockRange) {
    // The largest pull is at cos(x) = -s: K (1 + s)/sqrt(1 - s^2).
    constexpr double softening = 0.5;
    const double edge = 1.5 / std::sqrt(0.75);
    EXPECT_EQ(solve(softened(0.3, 1.0, softening, 0.98 * edge)).oscillators[0].stop, problem::Stop::settled);
    EXPECT_EQ(solve(softened(0.3, 1.0, softening, 1.02 * edge)).oscillators[0].stop, problem::Stop::unlocked);
}

TEST(Adler, SettlesAtTheDriveAfterTheClosedFormsTime) {
    // Rates from the dimensionless problem to a gigahertz array: nothing may depend on the unit of time.
    for (const double rate : {1e-2, 1.0, 30.0, 1e7})
        for (const double start : {0.02, 0.5, -1.3, 2.6, radians(179.0), radians(-179.9), pi - 1e-4}) {
            const double anchor = 0.7;
            const auto solution = solve(adler(anchor + start, anchor, rate));
            const auto& one = solution.oscillators.at(0);
            ASSERT_EQ(one.stop, Stop::settled);
            EXPECT_LT(apart(one.phase, anchor), 2e-8);  // 1e-8 rad is where a run ends
            EXPECT_LT((one.state - at_phases({anchor}).row(0).transpose()).norm(), 2e-8);
            const double expected = std::log(std::tan(0.5 * std::abs(start)) / std::tan(0.5 * radians(1.0))) / rate;
            EXPECT_NEAR(one.settling_time.value(), expected, 1e-4 * expected) << start;  // ten times below what is asked for
        }
}

TEST(Adler, TrajectoryFollowsTheClosedFormBetweenSamples) {
    for (const double start : {2.6, pi - 1e-3}) {
        const auto solution = solve(adler(start, 0.0, 1.0));
        const auto& trajectory = solution.oscillators.at(0).trajectory;
        double worst = 0.0;
        for (double t = 0.0; t < 25.0; t += 0.00371) worst = std::max(worst, std::abs(trajectory.phase_at(t) - adler_angle(start, 1.0, t)));
        EXPECT_LT(worst, start < 3.0 ? 1e-6 : 1e-5) << trajectory.size();  // steps near the antipode err by 1e-9 rad of a distance of 1e-3 rad
        EXPECT_LT(trajectory.size(), 2001U);
    }
}

TEST(Adler, LeavesTheNeighbourhoodOfTheAntipode) {
    for (const double distance : {1e-6, 1e-8, -1e-6}) {
        const auto solution = solve(adler(pi - distance, 0.0, 1.0));
        const auto& one = solution.oscillators.at(0);
        ASSERT_EQ(one.stop, Stop::settled);
        EXPECT_LT(apart(one.phase, 0.0), 2e-8);
        const double expected = std::log(2.0 / std::abs(distance) / std::tan(0.5 * radians(1.0)));
        EXPECT_NEAR(one.settling_time.value(), expected, 1e-3 * expected) << distance;
    }
}

TEST(Adler, StaysAtTheAntipodeWithoutBeingCalledSettled) {
    PhaseProblem problem = oscillators(Eigen::RowVector3d{-1.0, 0.0, 0.0});
    problem.network.anchors = Eigen::RowVector3d{1.0, 0.0, 0.0};
    problem.network.couplings.push_back({0, 0, Coupling::From::anchor, 1, 1.0, 0.0, 0.0});
    EXPECT_EQ(solve(problem).oscillators.at(0).stop, Stop::time_limit);
}

TEST(Adler, StartedAtTheSolutionSettlesAtOnce) {
    const auto one = solve(adler(0.3, 0.3, 1.0)).oscillators.at(0);
    EXPECT_EQ(one.stop, Stop::settled);
    EXPECT_EQ(one.settling_time.value(), 0.0);
    EXPECT_NEAR(one.phase, 0.3, 1e-15);
    EXPECT_NEAR(one.trajectory.phase_at(5.0), 0.3, 1e-15);
}

TEST(Adler, LocksAtArcsineOfDetuningOverRate) {
    for (const double ratio : {0.1, -0.5, 0.9, 0.99}) {
        const double rate = 2.0;
        const double start = 1.0;
        const auto one = solve(adler(start, 0.0, rate, ratio * rate)).oscillators.at(0);
        ASSERT_EQ(one.stop, Stop::settled) << ratio;
        const double limit = std::asin(ratio);
        EXPECT_NEAR(one.phase, limit, 1e-7);
        // With u = tan((theta - limit)/2), u' = w u^2 - l u, l = R cos(limit): v = 1/u obeys v' = l v - w, hence v(t) = (v0 - w/l) e^(l t) + w/l.
        const double l = rate * std::cos(limit);
        const double w = ratio * rate;
        const double edge = std::copysign(std::tan(0.5 * radians(1.0)), start - limit);
        const double expected = std::log((1.0 / edge - w / l) / (1.0 / std::tan(0.5 * (start - limit)) - w / l)) / l;
        EXPECT_NEAR(one.settling_time.value(), expected, 1e-4 * expected) << ratio;
    }
}

TEST(Adler, DriftsWithTheBeatFrequencyOutsideTheLockRange) {
    for (const double ratio : {1.001, 1.05, -1.5, 4.0}) {
        const double rate = 3.0;
        const auto one = solve(adler(0.4, 0.0, rate, ratio * rate)).oscillators.at(0);
        ASSERT_EQ(one.stop, Stop::unlocked) << ratio;
        const double beat = std::copysign(rate * std::sqrt(ratio * ratio - 1.0), ratio);  // mean of theta' = w - R sin theta over a turn (Adler 1946)
        EXPECT_NEAR(one.frequency_difference, beat, 1e-6 * std::abs(beat));
        // theta = 2 atan(...) through the bottleneck, checked against the Moebius form at a few times.
        const std::complex<double> z0 = std::polar(1.0, 0.4);
        const double l = std::abs(beat);
        const std::complex<double> i{0.0, 1.0};
        for (const double share : {0.1, 0.3, 0.7, 1.2}) {
            const double t = share * turn / l;
            const double cosine = std::cos(0.5 * l * t);
            const double sine = std::sin(0.5 * l * t) / l;
            const std::complex<double> z = (cosine * z0 + sine * (i * ratio * rate * z0 + rate)) / (cosine + sine * (rate * z0 - i * ratio * rate));
            EXPECT_LT(apart(one.trajectory.phase_at(t), std::arg(z)), 1e-5);
        }
    }
}

TEST(Adler, WithoutDriveTurnsAtItsDetuningOrStands) {
    PhaseProblem problem = oscillators(at_phases({0.1, 0.2}));
    problem.detuning << 0.0, -0.5;
    const auto solution = solve(problem);
    EXPECT_EQ(solution.oscillators[0].stop, Stop::time_limit);
    EXPECT_NEAR(solution.oscillators[0].phase, 0.1, 1e-15);
    EXPECT_EQ(solution.oscillators[1].stop, Stop::unlocked);
    EXPECT_NEAR(solution.oscillators[1].frequency_difference, -0.5, 1e-9);
}

TEST(Drive, IsTheSumOfAnchorsWithLengthsLagsAndComplexWeights) {
    PhaseProblem problem = oscillators(at_phases({2.0}));
    problem.network.anchors = Eigen::MatrixXd(3, 2);
    problem.network.anchors << 0.5, 0.2, -1.0, 0.3, 2.0, -1.5;
    const std::complex<double> weight{0.3, 0.4};
    problem.network.couplings = {{0, 0, Coupling::From::anchor, 1, 1.2, 0.0, 0.0},
                                 {1, 0, Coupling::From::anchor, 1, 0.4, 0.25, 0.0},
                                 {2, 0, Coupling::From::anchor, 1, weight, 0.0, 0.0}};
    problem.raw_shift(0) = -0.11;
    const std::complex<double> drive = 1.2 * std::complex<double>{0.5, 0.2} + 0.4 * std::polar(1.0, -0.25) * std::complex<double>{-1.0, 0.3} +
                                       weight * std::complex<double>{2.0, -1.5};
    const auto one = solve(problem).oscillators.at(0);
    ASSERT_EQ(one.stop, Stop::settled);
    EXPECT_LT(apart(one.phase, std::arg(drive) - 0.11), 1e-7);
    const double start = wrap(2.0 - std::arg(drive) + 0.11);
    EXPECT_NEAR(one.settling_time.value(), std::log(std::tan(0.5 * std::abs(start)) / std::tan(0.5 * radians(1.0))) / std::abs(drive), 1e-4);
}

TEST(Drive, OfTheSecondHarmonicHasTwoStablePhases) {
    for (const double start : {0.4, 0.4 + pi, 1.2, -1.2}) {
        PhaseProblem problem = adler(start, 0.1, 1.0);
        problem.network.couplings[0].harmonic = 2;  // theta' = sin(2 (0.1 - theta)): stable at 0.1 and 0.1 + pi
        const auto one = solve(problem).oscillators.at(0);
        ASSERT_EQ(one.stop, Stop::settled);
        const double to_first = apart(start, 0.1);
        EXPECT_LT(apart(one.phase, to_first < 0.5 * pi ? 0.1 : 0.1 + pi), 1e-7) << start;
    }
}

TEST(Sphere, MovesOnTheGreatCircle) {
    const RandomStreams random{7};
    for (const int d : {3, 8}) {
        Eigen::VectorXd start(d);
        Eigen::VectorXd anchor(d);
        for (int k = 0; k < d; ++k) {
            start(k) = random.normal(Stream::bench, static_cast<std::uint64_t>(k));
            anchor(k) = random.normal(Stream::bench, static_cast<std::uint64_t>(100 + k));
        }
        start.normalize();
        PhaseProblem problem = oscillators(start.transpose());
        problem.network.anchors = anchor.transpose();
        problem.network.couplings.push_back({0, 0, Coupling::From::anchor, 1, 0.8, 0.0, 0.0});
        const auto one = solve(problem).oscillators.at(0);
        ASSERT_EQ(one.stop, Stop::settled);
        const Eigen::VectorXd pole = anchor.normalized();
        const double rate = 0.8 * anchor.norm();
        EXPECT_LT((one.state - pole).norm(), 1e-7);
        const double angle = std::acos(pole.dot(start));
        EXPECT_NEAR(one.settling_time.value(), std::log(std::tan(0.5 * angle) / std::tan(0.5 * radians(1.0))) / rate, 1e-4 / rate);
        const Eigen::VectorXd side = (start - pole.dot(start) * pole).normalized();
        for (double t = 0.0; t < 10.0 / rate; t += 0.0713 / rate) {
            const double psi = adler_angle(angle, rate, t);
            EXPECT_LT((one.trajectory.state_at(t) - std::cos(psi) * pole - std::sin(psi) * side).norm(), 1e-5) << t;
        }
    }
}

TEST(Sphere, LeavesTheNeighbourhoodOfTheAntipode) {
    PhaseProblem problem = oscillators(Eigen::RowVector3d{-std::cos(1e-6), 0.6 * std::sin(1e-6), 0.8 * std::sin(1e-6)});
    problem.network.anchors = Eigen::RowVector3d{1.0, 0.0, 0.0};
    problem.network.couplings.push_back({0, 0, Coupling::From::anchor, 1, 1.0, 0.0, 0.0});
    const auto one = solve(problem).oscillators.at(0);
    ASSERT_EQ(one.stop, Stop::settled);
    EXPECT_LT((one.state - Eigen::Vector3d{1.0, 0.0, 0.0}).norm(), 1e-7);
    const double expected = std::log(2e6 / std::tan(0.5 * radians(1.0)));
    EXPECT_NEAR(one.settling_time.value(), expected, 1e-3 * expected);
}

/// A ring with random couplings, lags, second harmonics and two anchors; frequencies spread little enough to lock.
PhaseProblem kuramoto(int n) {
    const RandomStreams random{11};
    std::uint64_t draw = 0;
    const auto normal = [&] { return random.normal(Stream::bench, draw++); };
    std::vector<double> phases;
    for (int i = 0; i < n; ++i) phases.push_back(normal());
    PhaseProblem problem = oscillators(at_phases(phases));
    problem.network.anchors = 0.7 * at_phases({0.3, 1.1});
    problem.coupling_rate = Eigen::VectorXd::Constant(n, 1.7);
    for (int i = 0; i < n; ++i) {
        problem.detuning(i) = 0.1 * normal();
        const auto to = static_cast<std::uint32_t>(i);
        for (std::uint32_t a = 0; a < 2; ++a) problem.network.couplings.push_back({a, to, Coupling::From::anchor, 1, 0.3 + 0.1 * normal(), 0.0, 0.0});
        for (const int hop : {1, 2, 5}) {
            const auto from = static_cast<std::uint32_t>((i + hop) % n);
            problem.network.couplings.push_back({from, to, Coupling::From::free, static_cast<std::int16_t>(hop == 2 ? 2 : 1),
                                                 std::complex<double>{0.4 + 0.1 * normal(), 0.05 * normal()}, 0.2 * normal(), 0.0});
        }
    }
    return problem;
}

/// The same network's equation, written as a sum of sines.
void sine_sum(const PhaseProblem& problem, std::span<const double> theta, std::span<double> rate) {
    for (std::size_t i = 0; i < theta.size(); ++i) rate[i] = problem.detuning(static_cast<Eigen::Index>(i));
    for (const Coupling& c : problem.network.couplings) {
        const bool anchor = c.kind == Coupling::From::anchor;
        const double length = anchor ? problem.network.anchors.row(c.from).norm() : 1.0;
        const double from = anchor ? std::atan2(problem.network.anchors(c.from, 1), problem.network.anchors(c.from, 0)) : theta[c.from];
        rate[c.to] += problem.coupling_rate(c.to) * std::abs(c.weight) * length *
                      std::sin(c.harmonic * (from - theta[c.to]) + std::arg(c.weight) - c.phase_lag);
    }
}

TEST(Network, AgreesWithCvodeOnTheWayAndAtTheEnd) {
    const int n = 24;
    const PhaseProblem problem = kuramoto(n);
    const auto solution = solve(problem);
    std::vector<double> start;
    for (int i = 0; i < n; ++i) start.push_back(std::atan2(problem.network.start(i, 1), problem.network.start(i, 0)));
    const auto derivative = [&](std::span<const double> x, std::span<double> dxdt) { sine_sum(problem, x, dxdt); };
    for (const double t : {0.3, 1.0, 3.0, 200.0}) {
        const std::vector<double> expected = test::integrate_with_cvode(derivative, start, t);
        for (int i = 0; i < n; ++i) {
            const auto& one = solution.oscillators[static_cast<std::size_t>(i)];
            ASSERT_EQ(one.stop, Stop::settled);
            EXPECT_NEAR(one.trajectory.phase_at(t), expected[static_cast<std::size_t>(i)], t < 100.0 ? 1e-5 : 1e-7)
                << "oscillator " << i << " at " << t;
            if (t == 200.0) {
                EXPECT_NEAR(one.phase, expected[static_cast<std::size_t>(i)], 1e-7);
            }
        }
    }
    // At its settling time an oscillator is one tolerance from the end, and afterwards never farther.
    for (const auto& one : solution.oscillators) {
        const double t = one.settling_time.value();
        if (t > 0.0) {
            EXPECT_NEAR(apart(one.trajectory.phase_at(t), one.phase), radians(1.0), 1e-5);
        }
        for (const double time : one.trajectory.times())
            if (time > t) {
                EXPECT_LT(apart(one.trajectory.phase_at(time), one.phase), radians(1.0));
            }
    }
}

TEST(Network, SplitsIntoComponentsThatDoNotSeeEachOther) {
    // Two copies of the same network, interleaved, and an oscillator alone: the copies agree with the single network to the last bit.
    const int n = 24;
    const PhaseProblem single = kuramoto(n);
    PhaseProblem both = oscillators(Eigen::MatrixXd(2 * n + 1, 2));
    both.coupling_rate = Eigen::VectorXd::Constant(2 * n + 1, single.coupling_rate(0));
    both.network.anchors = single.network.anchors;
    for (int i = 0; i < n; ++i)
        for (const int copy : {0, 1}) {
            both.network.start.row(2 * i + copy) = single.network.start.row(i);
            both.detuning(2 * i + copy) = single.detuning(i);
        }
    both.network.start.row(2 * n) << 0.0, 1.0;
    for (const Coupling& c : single.network.couplings)
        for (const std::uint32_t copy : {0U, 1U}) {
            Coupling moved = c;
            moved.to = 2 * c.to + copy;
            if (c.kind == Coupling::From::free) moved.from = 2 * c.from + copy;
            both.network.couplings.push_back(moved);
        }
    std::stable_sort(both.network.couplings.begin(), both.network.couplings.end(), [](const Coupling& a, const Coupling& b) { return a.to < b.to; });
    both.network.couplings.push_back({0, static_cast<std::uint32_t>(2 * n), Coupling::From::anchor, 1, 1.0, 0.0, 0.0});
    const auto expected = solve(single);
    for (const int jobs : {1, 2}) {
        const auto solution = solve(both, jobs);
        for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
            for (const std::size_t copy : {0U, 1U}) {
                EXPECT_EQ(solution.oscillators[2 * i + copy].phase, expected.oscillators[i].phase);
                EXPECT_EQ(solution.oscillators[2 * i + copy].settling_time, expected.oscillators[i].settling_time);
            }
        EXPECT_EQ(solution.oscillators.back().stop, Stop::settled);
    }
}

TEST(Network, DoesNotDependOnTheOrderOfOscillators) {
    const int n = 24;
    const PhaseProblem problem = kuramoto(n);
    PhaseProblem turned = problem;
    const auto moved = [&](std::uint32_t i) { return (i + 7U) % static_cast<std::uint32_t>(n); };
    for (int i = 0; i < n; ++i) {
        const auto to = static_cast<Eigen::Index>(moved(static_cast<std::uint32_t>(i)));
        turned.network.start.row(to) = problem.network.start.row(i);
        turned.detuning(to) = problem.detuning(i);
    }
    for (Coupling& c : turned.network.couplings) {
        c.to = moved(c.to);
        if (c.kind == Coupling::From::free) c.from = moved(c.from);
    }
    std::stable_sort(turned.network.couplings.begin(), turned.network.couplings.end(),
                     [](const Coupling& a, const Coupling& b) { return a.to < b.to; });
    const auto expected = solve(problem);
    const auto solution = solve(turned);
    for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(n); ++i) {
        EXPECT_NEAR(solution.oscillators[moved(i)].phase, expected.oscillators[i].phase, 1e-8);  // the tolerance: sums run in another order
        EXPECT_NEAR(solution.oscillators[moved(i)].settling_time.value(), expected.oscillators[i].settling_time.value(), 1e-5);
    }
}

TEST(Network, SettlesOnTheSphereWithFreeCouplings) {
    // Three oscillators that attract each other and one anchor: consensus at the anchor (Lohe 2009).
    Eigen::MatrixXd start(3, 3);
    start << 0.0, 1.0, 0.0, 0.6, 0.0, 0.8, 0.0, -0.28, 0.96;
    PhaseProblem problem = oscillators(start);
    problem.network.anchors = Eigen::RowVector3d{0.0, 0.6, 0.8};
    problem.network.couplings = {{0, 0, Coupling::From::anchor, 1, 0.5, 0.0, 0.0}};
    for (std::uint32_t to = 0; to < 3; ++to)
        for (std::uint32_t from = 0; from < 3; ++from)
            if (from != to) problem.network.couplings.push_back({from, to, Coupling::From::free, 1, 0.7, 0.0, 0.0});
    for (const auto& one : solve(problem).oscillators) {
        ASSERT_EQ(one.stop, Stop::settled);
        EXPECT_LT((one.state - Eigen::Vector3d{0.0, 0.6, 0.8}).norm(), 1e-7);
    }
}

TEST(Network, PairSlipsOutsideItsLockRange) {
    // Difference of a mutually coupled pair: d' = w - 2 sin d. The sum stands still here.
    for (const double w : {1.0, 3.0}) {
        PhaseProblem problem = oscillators(at_phases({0.0, 0.5}));
        problem.detuning << -0.5 * w, 0.5 * w;
        problem.network.couplings = {{1, 0, Coupling::From::free, 1, 1.0, 0.0, 0.0}, {0, 1, Coupling::From::free, 1, 1.0, 0.0, 0.0}};
        const auto solution = solve(problem);
        if (w < 2.0) {
            ASSERT_EQ(solution.oscillators[0].stop, Stop::settled);
            EXPECT_NEAR(solution.oscillators[1].phase - solution.oscillators[0].phase, std::asin(0.5 * w), 1e-7);
        } else {
            ASSERT_EQ(solution.oscillators[1].stop, Stop::unlocked);
            // Each turns with half the beat of the difference; the mean runs over tens of turns that are not whole.
            EXPECT_NEAR(solution.oscillators[1].frequency_difference, 0.5 * std::sqrt(w * w - 4.0), 0.02);
            EXPECT_NEAR(solution.oscillators[0].frequency_difference, -0.5 * std::sqrt(w * w - 4.0), 0.02);
        }
    }
}

/// A layer's worth of single oscillators with drives spread over three decades.
PhaseProblem array(int n) {
    const RandomStreams random{5};
    std::vector<double> starts;
    std::vector<double> anchors;
    for (int i = 0; i < n; ++i) {
        starts.push_back(turn * random.uniform(Stream::start_phase, static_cast<std::uint64_t>(i)));
        anchors.push_back(turn * random.uniform(Stream::bench, static_cast<std::uint64_t>(i)));
    }
    PhaseProblem problem = oscillators(at_phases(starts));
    problem.network.anchors = at_phases(anchors);
    for (int i = 0; i < n; ++i) {
        const auto k = static_cast<std::uint32_t>(i);
        problem.network.couplings.push_back({k, k, Coupling::From::anchor, 1, std::pow(10.0, -3.0 * (i % 10) / 9.0), 0.0, 0.0});
    }
    return problem;
}

TEST(Array, IsTheSameForAnyNumberOfThreads) {
    const PhaseProblem problem = array(40);
    const auto one = solve(problem, 1);
    const auto two = solve(problem, 2);
    ASSERT_EQ(one.oscillators.size(), two.oscillators.size());
    EXPECT_EQ(one.cost.points, two.cost.points);
    for (std::size_t i = 0; i < one.oscillators.size(); ++i) {
        EXPECT_EQ(one.oscillators[i].phase, two.oscillators[i].phase);
        EXPECT_EQ(one.oscillators[i].settling_time, two.oscillators[i].settling_time);
        EXPECT_EQ(one.oscillators[i].trajectory.size(), two.oscillators[i].trajectory.size());
    }
}

TEST(Array, IsWithinTheStatedErrorsOfTheClosedForm) {
    const PhaseProblem problem = array(160);
    const auto solution = solve(problem);
    for (std::size_t i = 0; i < solution.oscillators.size(); ++i) {
        const auto k = static_cast<Eigen::Index>(i);
        const auto& one = solution.oscillators[i];
        const Eigen::RowVector2d anchor = problem.network.anchors.row(k);
        const Eigen::RowVector2d start = problem.network.start.row(k);
        const double limit = std::atan2(anchor(1), anchor(0));
        const double angle = apart(std::atan2(start(1), start(0)), limit);
        const double rate = problem.network.couplings[i].weight.real();
        ASSERT_EQ(one.stop, Stop::settled);
        EXPECT_LT(apart(one.phase, limit), 1e-7);  // a tenth of what is stated
        const double expected = std::max(0.0, std::log(std::tan(0.5 * angle) / std::tan(0.5 * radians(1.0))) / rate);
        EXPECT_NEAR(one.settling_time.value(), expected, 1e-4 * expected);
    }
}

TEST(Limits, AnOscillatorSettlesOnlyIfItIsCloseEnoughInTime) {
    // From 2 rad to 0.02 deg takes ln(tan(1)/tan(0.01 deg)) = 9.1 time constants.
    const double needed = std::log(std::tan(1.0) / std::tan(0.5 * radians(0.02)));
    for (const double share : {0.3, 0.99, 1.01}) {
        PhaseProblem problem = adler(2.0, 0.0, 4.0);
        problem.rule.max_time(0) = share * needed / 4.0;
        const auto one = solve(problem).oscillators.at(0);
        EXPECT_EQ(one.stop, share > 1.0 ? Stop::settled : Stop::time_limit) << share;
        EXPECT_LE(one.trajectory.times().back(), problem.rule.max_time(0));
        EXPECT_DOUBLE_EQ(one.stop_time, problem.rule.max_time(0));
        if (share > 1.0) {
            EXPECT_NEAR(one.phase, 0.0, 2e-8);  // the limit, not the last sample
        } else {
            EXPECT_NEAR(one.phase, adler_angle(2.0, 4.0, problem.rule.max_time(0)), 1e-7);
            EXPECT_FALSE(one.settling_time.has_value());
        }
    }
}

TEST(Limits, DegenerateDriveRunsOutOfTimeOnTheIdealArray) {
    PhaseProblem problem = adler(3.0, 0.0, 1.0);
    problem.network.anchors = at_phases({0.0, pi});
    problem.network.couplings[0].weight = 1.0 + 1e-4;
    problem.network.couplings.push_back({1, 0, Coupling::From::anchor, 1, 1.0 - 1e-4, 0.0, 0.0});
    EXPECT_EQ(solve(problem).oscillators.at(0).stop, Stop::time_limit);
}

TEST(ClosedForm, IsWhatIntegrationFinds) {
    const RandomStreams random{5};
    int locked = 0;
    for (std::uint64_t k = 0; k < 60; ++k) {
        const auto u = [&](std::uint64_t part) { return random.uniform(Stream::bench, 8 * k + part); };
        PhaseProblem problem = softened(6.28 * u(0), 0.5 + u(1), k % 2 == 0 ? 0.0 : 0.8 * u(2), k % 3 == 0 ? 0.0 : 1.5 * (u(3) - 0.5));
        problem.raw_shift(0) = u(4) - 0.5;
        if (k % 5 == 0) problem.rule.max_time(0) = 4.0;
        const auto closed = engine_with("auto")->solve(problem, RunOptions{}).oscillators.at(0);
        const auto integrated = solve(problem).oscillators.at(0);
        ASSERT_EQ(closed.stop, integrated.stop) << k;
        if (closed.stop == Stop::unlocked) continue;
        ++locked;
        // The integrator's tolerance is 1e-9 a step, and it stops 1e-8 rad before the end.
        EXPECT_NEAR(closed.phase, integrated.phase, 5e-8) << k;
        EXPECT_NEAR(closed.settling_time.value_or(-1.0), integrated.settling_time.value_or(-1.0), 2e-6) << k;
        EXPECT_NEAR(closed.frequency_difference, integrated.frequency_difference, 1e-5) << k;
        for (const double time : {0.3, 1.0, 3.0}) EXPECT_NEAR(closed.trajectory.phase_at(time), integrated.trajectory.phase_at(time), 2e-5) << k;
    }
    EXPECT_GT(locked, 40);
}

TEST(Tolerance, OfAnyAllowedSizeEndsTheRun) {
    for (const double tolerance : {1e-4, 1e-6, 1e-12}) {
        const auto engine = engine_with("dopri5", tolerance);
        const auto single = engine->solve(adler(2.5, 0.0, 1.0), RunOptions{}).oscillators.at(0);
        EXPECT_EQ(single.stop, Stop::settled);
        EXPECT_NEAR(single.phase, 0.0, std::max(2e-8, 20.0 * tolerance));
        for (const auto& one : engine->solve(kuramoto(24), RunOptions{}).oscillators) EXPECT_EQ(one.stop, Stop::settled) << tolerance;
    }
}

TEST(Refusal, NamesWhatThePhaseModelCannotDo) {
    PhaseProblem delayed = adler(0.0, 1.0, 1.0);
    delayed.network.couplings[0].delay = -0.1;
    EXPECT_THROW((void)solve(delayed), ModelError);
    delayed.network.couplings.push_back({0, 0, Coupling::From::free, 1, 1.0, 0.0, 0.1});
    delayed.network.couplings[0].delay = 0.0;
    delayed.diffusion = Eigen::VectorXd::Ones(1);
    EXPECT_THROW((void)solve(delayed), ModelError);  // noise and memory together

    PhaseProblem sphere = oscillators(Eigen::RowVector3d{1.0, 0.0, 0.0});
    sphere.network.anchors = Eigen::RowVector3d{0.0, 1.0, 0.0};
    sphere.network.couplings.push_back({0, 0, Coupling::From::anchor, 2, 1.0, 0.0, 0.0});
    EXPECT_THROW((void)solve(sphere), ModelError);
    sphere.network.couplings[0].harmonic = 1;
    sphere.detuning(0) = 0.1;
    EXPECT_THROW((void)solve(sphere), ModelError);
    sphere.detuning(0) = 0.0;
    sphere.network.couplings[0].delay = 0.1;
    EXPECT_THROW((void)solve(sphere), ModelError);
    sphere.network.couplings[0].delay = 0.0;
    sphere.diffusion = Eigen::VectorXd::Ones(1);
    EXPECT_THROW((void)solve(sphere), ModelError);
}

TEST(Failure, OfOneComponentLeavesTheOthers) {
    PhaseProblem problem = array(3);
    problem.network.couplings[1].weight = std::numeric_limits<double>::quiet_NaN();
    const auto solution = solve(problem);
    ASSERT_EQ(solution.failures.size(), 1U);
    EXPECT_EQ(solution.failures[0].category, "not_finite");
    EXPECT_THAT(solution.failures[0].oscillators, testing::ElementsAre(1U));
    EXPECT_EQ(solution.oscillators[0].stop, Stop::settled);
    EXPECT_EQ(solution.oscillators[1].stop, Stop::failed);
    EXPECT_EQ(solution.oscillators[2].stop, Stop::settled);
}

TEST(Interruption, KeepsWhatIsDoneAndListsTheRest) {
    std::atomic<bool> stop{true};
    RunOptions run;
    run.progress.stop = &stop;
    const auto solution = create()->solve(array(3), run);
    ASSERT_EQ(solution.failures.size(), 3U);
    EXPECT_EQ(solution.failures[0].category, "interrupted");
}

}  // namespace
}  // namespace entrain::engines::phase

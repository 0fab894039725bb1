#include "readout/reading.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace entrain::readout {
namespace {

using problem::OscillatorSolution;
using problem::Stop;
constexpr double pi = std::numbers::pi;

/// Array whose cells read 0.2 rad too much at drive 0.25 and 0.4 rad more per unit of drive; oscillator i has drive `drives[i]`.
problem::Instance array(const std::vector<double>& drives) {
    problem::Instance instance;
    const auto n = static_cast<Eigen::Index>(drives.size());
    instance.network.free.resize(drives.size());
    instance.calibration.dimensionless = false;
    instance.calibration.offset_rad = 0.2;
    instance.calibration.slope_rad = 0.4;
    instance.drive = Eigen::MatrixXd::Zero(n, 2);
    for (Eigen::Index i = 0; i < n; ++i) instance.drive(i, 1) = drives[static_cast<std::size_t>(i)];
    instance.drive_ratio = instance.drive.col(1);
    return instance;
}

/// psi = start e^(-t) towards `limit`, logged every 0.05 up to t = 12.
OscillatorSolution decaying(Stop stop, double start, double limit) {
    OscillatorSolution solution;
    solution.stop = stop;
    for (int k = 0; k <= 240; ++k) solution.trajectory.append(0.05 * k, std::array{limit + (start - limit) * std::exp(-0.05 * k)});
    solution.phase = limit;
    solution.state = Eigen::Vector2d{std::cos(limit), std::sin(limit)};
    return solution;
}

const problem::SettlingRule rule{};  // tolerance 1 deg

TEST(Reading, RemovesTheOffsetOrOffsetAndSlopeOnRequest) {
    problem::Solution solution;
    solution.oscillators.push_back(decaying(Stop::settled, 2.0, 1.0));
    const problem::Instance instance = array({0.75});
    EXPECT_NEAR(read(solution, instance, rule, Correction::none)[0].phase, 1.0, 1e-15);
    EXPECT_NEAR(read(solution, instance, rule, Correction::offset)[0].phase, 1.0 - 0.2, 1e-15);
    EXPECT_NEAR(read(solution, instance, rule, Correction::offset_slope)[0].phase, 1.0 - 0.2 - 0.4 * 0.5, 1e-15);
    for (const Correction correction : {Correction::none, Correction::offset, Correction::offset_slope}) {
        const Reading reading = read(solution, instance, rule, correction)[0];
        EXPECT_NEAR(reading.raw_phase, 1.0, 1e-15);
        EXPECT_NEAR(reading.state(0), std::cos(reading.phase), 1e-15);
        EXPECT_NEAR(reading.state(1), std::sin(reading.phase), 1e-15);
    }
}

TEST(Reading, WrapsPhasesIntoOneTurn) {
    problem::Solution solution;
    solution.oscillators.push_back(decaying(Stop::settled, 2.0, -3.1 + 4.0 * pi));
    const Reading reading = read(solution, array({0.5}), rule, Correction::offset)[0];
    EXPECT_NEAR(reading.raw_phase, -3.1, 1e-14);
    EXPECT_NEAR(reading.phase, -3.3 + 2.0 * pi, 1e-14);
}

TEST(Verdict, FollowsTheReasonTheSimulationEnded) {
    const std::array<std::pair<Stop, Verdict>, 7> expected{{{Stop::settled, Verdict::settled},
                                                            {Stop::time_limit, Verdict::unsettled},
                                                            {Stop::unlocked, Verdict::unlocked},
                                                            {Stop::never_started, Verdict::never_started},
                                                            {Stop::collapsed, Verdict::collapsed},
                                                            {Stop::multimode, Verdict::multimode},
                                                            {Stop::failed, Verdict::failed}}};
    for (const auto& [stop, verdict] : expected) {
        problem::Solution solution;
        solution.oscillators.push_back(decaying(stop, 2.0, 1.0));
        const Reading reading = read(solution, array({0.5}), rule, Correction::none)[0];
        EXPECT_EQ(reading.verdict, verdict);
        const bool readable = stop == Stop::settled || stop == Stop::time_limit;
        EXPECT_EQ(reading.state.size(), readable ? 2 : 0);
        EXPECT_EQ(reading.settling_time.has_value(), stop == Stop::settled);
    }
}

TEST(Verdict, IsDegenerateForDriveBelowAThousandthUnlessTheCellFailed) {
    for (const Stop stop : {Stop::settled, Stop::time_limit, Stop::unlocked}) {
        problem::Solution solution;
        solution.oscillators = {decaying(stop, 2.0, 1.0), decaying(stop, 2.0, 1.0)};
        const auto readings = read(solution, array({0.99e-3, 1.01e-3}), rule, Correction::none);
        EXPECT_EQ(readings[0].verdict, Verdict::degenerate);
        EXPECT_NE(readings[1].verdict, Verdict::degenerate);
        EXPECT_EQ(readings[0].state.size(), readings[1].state.size());  // simulated all the same
    }
    problem::Solution solution;
    solution.oscillators.push_back(decaying(Stop::collapsed, 2.0, 1.0));
    EXPECT_EQ(read(solution, array({0.0}), rule, Correction::none)[0].verdict, Verdict::collapsed);
}

TEST(SettlingTime, ComesFromTheTrajectoryUnlessTheEngineKnowsBetter) {
    problem::Solution solution;
    solution.oscillators.push_back(decaying(Stop::settled, 2.0, 1.0));
    const problem::Instance instance = array({0.5});
    // exp(-t) falls to 1 deg at t = ln(1/0.01745); the chord over 0.05 errs by at most 0.05^2/8.
    EXPECT_NEAR(read(solution, instance, rule, Correction::offset)[0].settling_time.value(), std::log(1.0 / radians(1.0)), 3.2e-4);
    solution.oscillators[0].settling_time = 3.75;
    EXPECT_EQ(read(solution, instance, rule, Correction::offset)[0].settling_time.value(), 3.75);
}

TEST(ReadAt, GivesTheStateAtThatTimeWithTheSameCorrection) {
    problem::Solution solution;
    solution.oscillators.push_back(decaying(Stop::settled, 2.0, 1.0));
    const problem::Instance instance = array({0.5});
    const Reading early = read_at(solution, instance, rule, Correction::offset, 1.234)[0];
    EXPECT_NEAR(early.raw_phase, 1.0 + std::exp(-1.234), 1e-5);
    EXPECT_NEAR(early.phase, 0.8 + std::exp(-1.234), 1e-5);
    EXPECT_EQ(early.verdict, Verdict::settled);
    const Reading late = read_at(solution, instance, rule, Correction::offset, 100.0)[0];
    EXPECT_EQ(late.raw_phase, read(solution, instance, rule, Correction::offset)[0].raw_phase);
}

TEST(Reading, LeavesStatesOnTheSphereAlone) {
    problem::Solution solution;
    OscillatorSolution& one = solution.oscillators.emplace_back();
    one.stop = Stop::settled;
    one.trajectory = problem::Trajectory{3};
    one.trajectory.append(0.0, std::array{1.0, 0.0, 0.0});
    one.trajectory.append(1.0, std::array{0.0, 0.6, 0.8});
    one.state = Eigen::Vector3d{0.0, 0.6, 0.8};
    problem::Instance instance = array({0.5});
    instance.network.dimension = 3;
    EXPECT_EQ(read(solution, instance, rule, Correction::offset)[0].state, one.state);
    EXPECT_NEAR(read_at(solution, instance, rule, Correction::offset, 0.5)[0].state(0), std::sqrt(0.5), 1e-12);
}

TEST(Reading, RefusesASolutionOfAnotherArray) {
    EXPECT_THROW((void)read(problem::Solution{}, array({0.5}), rule, Correction::offset), std::logic_error);
}

}  // namespace
}  // namespace entrain::readout

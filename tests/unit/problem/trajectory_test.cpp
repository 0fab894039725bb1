#include "problem/trajectory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <stdexcept>

namespace entrain::problem {
namespace {

double smooth(double t) { return std::sin(t) + 0.1 * t; }

Trajectory sampled(double step, int samples) {
    Trajectory trajectory;
    for (int k = 0; k < samples; ++k) trajectory.append(step * k, std::array{smooth(step * k)}, 2.0 * step * k);
    return trajectory;
}

TEST(Trajectory, KeepsEverySampleUntilItIsFull) {
    const Trajectory trajectory = sampled(0.5, Trajectory::capacity);
    ASSERT_EQ(trajectory.size(), Trajectory::capacity);
    EXPECT_EQ(trajectory.times()[4095], 0.5 * 4095);
}

TEST(Trajectory, StaysBoundedAndEvenlySpacedHoweverLongTheRun) {
    for (const int samples : {4097, 8191, 8193, 100000}) {
        const Trajectory trajectory = sampled(1.0, samples);
        EXPECT_LE(trajectory.size(), Trajectory::capacity);
        EXPECT_GE(trajectory.size(), Trajectory::capacity / 2);
        const double spacing = trajectory.times()[1];
        for (std::size_t k = 0; k < trajectory.size(); ++k) {
            ASSERT_EQ(trajectory.times()[k], spacing * static_cast<double>(k));
            ASSERT_EQ(trajectory.phase(k), smooth(trajectory.times()[k]));
            ASSERT_EQ(trajectory.energies()[k], 2.0 * trajectory.times()[k]);
        }
        EXPECT_LT(samples - 1 - trajectory.times().back(), spacing);
    }
}

TEST(Trajectory, KeepsComponentsTogetherWhenItDropsSamples) {
    Trajectory trajectory{3};
    for (int k = 0; k < 5000; ++k) trajectory.append(k, std::array{1.0 * k, 2.0 * k, 3.0 * k});
    for (std::size_t k = 0; k < trajectory.size(); ++k) {
        const double t = trajectory.times()[k];
        ASSERT_EQ(trajectory.state(k)[0], t);
        ASSERT_EQ(trajectory.state(k)[1], 2.0 * t);
        ASSERT_EQ(trajectory.state(k)[2], 3.0 * t);
    }
}

TEST(Trajectory, InterpolatesTheUnwrappedPhase) {
    // Slopes of parabolas are wrong by step^2 f'''/6, which a cubic Hermite piece turns into at most 0.0962 step^3 f'''/6 = 2.0e-6 at step 0.05; the
    // one-sided slopes of the first and last intervals err twice as much and do not cancel.
    const Trajectory trajectory = sampled(0.05, 400);
    const double end = trajectory.times().back();
    for (double t = 0.0; t < end; t += 0.0037) {
        const bool inside = t > 0.05 && t < end - 0.05;
        ASSERT_NEAR(trajectory.phase_at(t), smooth(t), inside ? 2.1e-6 : 1e-5) << t;
        ASSERT_NEAR(trajectory.state_at(t)(1), std::sin(smooth(t)), 1e-5);
    }
    EXPECT_EQ(trajectory.phase_at(-1.0), smooth(0.0));
    EXPECT_EQ(trajectory.phase_at(1e3), trajectory.phase(399));
}

TEST(Trajectory, IsExactForParabolasWithUnevenSteps) {
    Trajectory trajectory;
    const auto parabola = [](double t) { return 3.0 - 2.0 * t + 0.5 * t * t; };
    for (const double t : {0.0, 0.1, 0.5, 0.6, 2.0, 2.3}) trajectory.append(t, std::array{parabola(t)});
    for (double t = 0.0; t <= 2.3; t += 0.01) EXPECT_NEAR(trajectory.phase_at(t), parabola(t), 1e-14);
}

TEST(Trajectory, StaysOnTheSphere) {
    // Great circle in R^3; interpolating the components and normalising keeps the order of the interpolation.
    Trajectory trajectory{3};
    const auto at = [](double t) { return std::array{std::cos(t), 0.6 * std::sin(t), 0.8 * std::sin(t)}; };
    for (int k = 0; k <= 100; ++k) trajectory.append(0.05 * k, at(0.05 * k));
    for (double t = 0.06; t < 4.9; t += 0.013) {
        const Eigen::VectorXd state = trajectory.state_at(t);
        ASSERT_NEAR(state.norm(), 1.0, 1e-14);
        ASSERT_NEAR(state(2), 0.8 * std::sin(t), 2.1e-6);
    }
}

TEST(Trajectory, ExtendsEnergyWithTheLastPower) {
    Trajectory trajectory;
    trajectory.append(1.0, std::array{0.0}, 5.0);
    trajectory.append(2.0, std::array{0.0}, 6.0);
    trajectory.append(3.0, std::array{0.0}, 9.0);
    EXPECT_DOUBLE_EQ(trajectory.energy_at(0.0), 4.0);
    EXPECT_DOUBLE_EQ(trajectory.energy_at(2.5), 7.5);
    EXPECT_DOUBLE_EQ(trajectory.energy_at(5.0), 15.0);
}

TEST(Trajectory, WorksWithOneAndTwoSamples) {
    Trajectory trajectory;
    EXPECT_THROW((void)trajectory.phase_at(0.0), std::logic_error);
    trajectory.append(1.0, std::array{0.25}, 3.0);
    EXPECT_EQ(trajectory.phase_at(7.0), 0.25);
    EXPECT_EQ(trajectory.energy_at(7.0), 3.0);
    trajectory.append(2.0, std::array{0.75});
    EXPECT_DOUBLE_EQ(trajectory.phase_at(1.5), 0.5);
    EXPECT_THROW(trajectory.append(2.0, std::array{0.0}), std::logic_error);
    EXPECT_THROW(trajectory.append(3.0, std::array{0.0, 1.0}), std::logic_error);
}

}  // namespace
}  // namespace entrain::problem

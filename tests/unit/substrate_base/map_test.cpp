#include <gtest/gtest.h>

#include <cmath>

#include "substrates/substrate.hpp"

namespace entrain::substrates {
namespace {

using network::Coupling;

/// Row sums 4 and 10: oscillator 0 between two orthogonal anchors of weights 3 and 1, oscillator 1 on one anchor of weight 10.
network::OscillatorNetwork two_rows() {
    network::OscillatorNetwork net;
    net.anchors = Eigen::Matrix2d::Identity();
    net.free = {{0, 0, 0}, {0, 0, 1}};
    net.start = Eigen::Matrix2d::Identity();
    net.detuning = Eigen::Vector2d{0.2, 0.5};  // in units of the weights
    net.couplings = {{0, 0, Coupling::From::anchor, 1, 3.0, 0.0, 0.0},
                     {1, 0, Coupling::From::anchor, 1, 1.0, 0.0, 0.0},
                     {1, 1, Coupling::From::anchor, 1, 10.0, 0.0, 0.0}};
    return net;
}

problem::Calibration cell() {
    problem::Calibration calibration;
    calibration.dimensionless = false;
    calibration.coupling_rate = 1.02e7;  // from the lock range, where the amplitude is free: moves no phase near equilibrium
    calibration.relaxation_rate = 1e7;
    calibration.relaxation_softening = 0.1;
    calibration.offset_rad = 0.05;
    calibration.slope_rad = -0.2;
    return calibration;
}

TEST(MapWithoutDisorder, LeavesTheTextbookOscillatorAsItIs) {
    const problem::Instance instance = map_without_disorder(two_rows(), problem::Calibration{}, Mapping{});
    EXPECT_EQ(instance.network.couplings[0].weight, 3.0);
    EXPECT_EQ(instance.drive.row(0), Eigen::RowVector2d(3.0, 1.0));
    EXPECT_EQ(instance.row_scale, Eigen::Vector2d::Ones());
    EXPECT_EQ(instance.detuning, Eigen::Vector2d(0.2, 0.5));
    EXPECT_EQ(instance.nominal_raw_shift, Eigen::Vector2d::Zero());
    EXPECT_DOUBLE_EQ(instance.drive_ratio(0), std::sqrt(10.0) / 4.0);
}

TEST(MapWithoutDisorder, BringsEachRowToFullScale) {
    const problem::Instance instance = map_without_disorder(two_rows(), cell(), Mapping{});
    EXPECT_EQ(instance.row_scale, Eigen::Vector2d(4.0, 10.0));
    EXPECT_DOUBLE_EQ(instance.drive(0, 0), 0.75);
    EXPECT_DOUBLE_EQ(instance.drive(1, 1), 1.0);
    EXPECT_DOUBLE_EQ(instance.drive_ratio(0), std::sqrt(10.0) / 4.0);
    // K falls with the drive, sqrt(10)/4 and 1 of full scale; the detuning is the same fraction of it as was asked for of the weights.
    EXPECT_DOUBLE_EQ(instance.coupling_rate(0), 1e7 / (1.0 + 0.1 * std::sqrt(10.0) / 4.0));
    EXPECT_DOUBLE_EQ(instance.coupling_rate(1), 1e7 / 1.1);
    EXPECT_DOUBLE_EQ(instance.detuning(0), instance.coupling_rate(0) * 0.2 / 4.0);
    EXPECT_DOUBLE_EQ(instance.detuning(1), instance.coupling_rate(1) * 0.5 / 10.0);
    EXPECT_DOUBLE_EQ(instance.nominal_raw_shift(0), 0.05 - 0.2 * (std::sqrt(10.0) / 4.0 - 0.25));
    EXPECT_EQ(instance.deviation, Eigen::Vector2d::Zero());
}

TEST(MapWithoutDisorder, OrEveryRowOfAHeadToTheSameScale) {
    Mapping mapping;
    mapping.normalisation = network::Normalisation::full_scale;
    mapping.head_full_scale = Eigen::VectorXd::Constant(1, 20.0);
    const problem::Instance instance = map_without_disorder(two_rows(), cell(), mapping);
    EXPECT_EQ(instance.row_scale, Eigen::Vector2d(20.0, 20.0));
    EXPECT_DOUBLE_EQ(instance.drive(1, 1), 0.5);
    EXPECT_DOUBLE_EQ(instance.drive_ratio(1), 1.0);  // a property of the layer, not of its scale
}

TEST(Problems, CarryRatesAndTheCellsPhaseError) {
    const problem::Instance instance = map_without_disorder(two_rows(), cell(), Mapping{});
    const problem::ExactProblem exact = exact_problem(instance, {});
    EXPECT_DOUBLE_EQ(exact.drive(0, 0), 0.75 * instance.coupling_rate(0));
    EXPECT_EQ(exact.raw_shift, instance.nominal_raw_shift);
    EXPECT_EQ(exact.start, instance.network.start);
    const problem::PhaseProblem phase = phase_problem(instance, {});
    EXPECT_EQ(phase.coupling_rate, instance.coupling_rate);
    EXPECT_EQ(phase.network.couplings[0].weight, 0.75);
    EXPECT_EQ(phase.detuning, instance.detuning);
}

}  // namespace
}  // namespace entrain::substrates

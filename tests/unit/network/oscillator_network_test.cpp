#include "network/oscillator_network.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace entrain::network {
namespace {

/// Two oscillators on three anchors of lengths 1, 2 and 5, and a coupling between the oscillators.
OscillatorNetwork small() {
    OscillatorNetwork net;
    net.anchors = Eigen::MatrixXd(3, 2);
    net.anchors << 1.0, 0.0, 0.0, 2.0, -3.0, 4.0;
    net.free = {{0, 0, 0}, {0, 1, 0}};
    net.couplings = {{0, 0, Coupling::From::anchor, 1, 2.0, 0.0, 0.0},
                     {1, 0, Coupling::From::anchor, 1, 0.5, 0.0, 0.0},
                     {1, 0, Coupling::From::free, 1, 7.0, 0.0, 0.0},
                     {2, 1, Coupling::From::anchor, 1, 0.1, 0.0, 0.0}};
    return net;
}

TEST(Drive, IsTheWeightedSumOfAnchorVectors) {
    const Eigen::MatrixXd drive = anchor_drive(small());
    EXPECT_DOUBLE_EQ(drive(0, 0), 2.0);  // 2 (1, 0) + 0.5 (0, 2); couplings from free oscillators do not count
    EXPECT_DOUBLE_EQ(drive(0, 1), 1.0);
    EXPECT_DOUBLE_EQ(drive(1, 0), -0.3);
    EXPECT_DOUBLE_EQ(drive(1, 1), 0.4);
}

TEST(Drive, RatioIsOneForASingleAnchorAndSqrtFiveThirdsForTheOther) {
    const OscillatorNetwork net = small();
    EXPECT_DOUBLE_EQ(row_sum(net)(0), 2.0 * 1.0 + 0.5 * 2.0);
    EXPECT_DOUBLE_EQ(row_sum(net)(1), 0.1 * 5.0);
    EXPECT_DOUBLE_EQ(drive_ratio(net)(0), std::sqrt(5.0) / 3.0);
    EXPECT_DOUBLE_EQ(drive_ratio(net)(1), 1.0);
}

TEST(Drive, OfAComplexWeightIsTurnedByItsArgumentMinusTheLag) {
    OscillatorNetwork net = small();
    net.couplings = {{0, 0, Coupling::From::anchor, 1, {0.0, 3.0}, 0.0, 0.0}, {1, 1, Coupling::From::anchor, 1, 1.0, 0.5, 0.0}};
    const Eigen::MatrixXd drive = anchor_drive(net);
    EXPECT_NEAR(drive(0, 0), 0.0, 1e-15);  // i times (1, 0)
    EXPECT_NEAR(drive(0, 1), 3.0, 1e-15);
    EXPECT_NEAR(drive(1, 0), 2.0 * std::sin(0.5), 1e-15);  // (0, 2) turned back by 0.5 rad
    EXPECT_NEAR(drive(1, 1), 2.0 * std::cos(0.5), 1e-15);
    EXPECT_DOUBLE_EQ(row_sum(net)(0), 3.0);
}

TEST(Drive, OfAnOscillatorWithoutAnchorsIsZero) {
    OscillatorNetwork net = small();
    net.couplings.clear();
    EXPECT_EQ(drive_ratio(net), Eigen::VectorXd::Zero(2));
    EXPECT_EQ(drive_ratio(normalised(net, Normalisation::row, {})), Eigen::VectorXd::Zero(2));
}

TEST(Normalised, RowsSumToFullScaleAndKeepTheirDirection) {
    const OscillatorNetwork net = small();
    const OscillatorNetwork rows = normalised(net, Normalisation::row, {});
    EXPECT_TRUE(row_sum(rows).isOnes(1e-15));
    EXPECT_TRUE(drive_ratio(rows).isApprox(drive_ratio(net), 1e-15));
    EXPECT_NEAR(rows.couplings[0].weight.real(), 2.0 / 3.0, 1e-15);
    EXPECT_NEAR((anchor_drive(rows).row(0) - anchor_drive(net).row(0) / 3.0).norm(), 0.0, 1e-15);
}

TEST(Normalised, FullScaleDividesByTheHeadsConstant) {
    const OscillatorNetwork scaled = normalised(small(), Normalisation::full_scale, Eigen::Vector2d{6.0, 2.0});
    EXPECT_DOUBLE_EQ(row_sum(scaled)(0), 0.5);
    EXPECT_DOUBLE_EQ(row_sum(scaled)(1), 0.25);
}

TEST(Drive, WorksInAnyDimension) {
    OscillatorNetwork net;
    net.dimension = 3;
    net.anchors = Eigen::MatrixXd(2, 3);
    net.anchors << 1.0, 2.0, 2.0, 0.0, 0.0, -1.0;
    net.free = {{0, 0, 0}};
    net.couplings = {{0, 0, Coupling::From::anchor, 1, 1.0, 0.0, 0.0}, {1, 0, Coupling::From::anchor, 1, 2.0, 0.0, 0.0}};
    EXPECT_EQ(anchor_drive(net), Eigen::RowVector3d(1.0, 2.0, 0.0));
    EXPECT_DOUBLE_EQ(row_sum(net)(0), 5.0);
    EXPECT_DOUBLE_EQ(drive_ratio(net)(0), std::sqrt(5.0) / 5.0);
}

}  // namespace
}  // namespace entrain::network

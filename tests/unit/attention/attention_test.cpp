#include <gtest/gtest.h>

#include <cmath>

#include "attention/layer.hpp"

namespace entrain::attention {
namespace {

// Two heads of dimension 1 on inputs of dimension 2; every number below is worked out by hand.
Layer two_heads() {
    Layer layer;
    layer.heads = 2;
    layer.head_dimension = 1;
    layer.model_dimension = 2;
    layer.oscillator_dimension = 2;
    layer.max_tokens = 3;
    layer.w_q = Eigen::MatrixXd{{1, 0}, {0, 1}};
    layer.w_k = Eigen::MatrixXd{{0, 1}, {2, 0}};
    layer.w_v = Eigen::MatrixXd{{1, 1}, {1, -1}};
    layer.w_o = Eigen::MatrixXd{{1, 2}, {3, 4}};
    layer.b_o = Eigen::VectorXd{{10, 20}};
    layer.anchors.assign(2, Eigen::MatrixXd::Ones(3, 2));
    return layer;
}

Sequence three_tokens() { return {0, Eigen::MatrixXd{{1, 2}, {3, 4}, {5, 6}}, {false, false, false}}; }

TEST(Projection, TakesTheRowsOfItsHead) {
    const Projection p = project(two_heads(), three_tokens(), 1);
    EXPECT_EQ(p.q, (Eigen::MatrixXd{{2}, {4}, {6}}));     // second coordinate
    EXPECT_EQ(p.k, (Eigen::MatrixXd{{2}, {6}, {10}}));    // twice the first
    EXPECT_EQ(p.v, (Eigen::MatrixXd{{-1}, {-1}, {-1}}));  // difference
}

TEST(SoftmaxAttention, IsTheNormalisedExponentialOfTheScores) {
    // Head 0, token 0: q = 1, k = (2, 4, 6): scores 2, 4, 6.
    const double sum = 1.0 + std::exp(2.0) + std::exp(4.0);
    const Eigen::MatrixXd a = softmax_attention(two_heads(), three_tokens(), false)[0];
    EXPECT_NEAR(a(0, 0), 1.0 / sum, 1e-15);
    EXPECT_NEAR(a(0, 1), std::exp(2.0) / sum, 1e-15);
    EXPECT_NEAR(a(0, 2), std::exp(4.0) / sum, 1e-15);
}

TEST(SoftmaxAttention, DividesScoresByTheRootOfTheHeadDimension) {
    Layer layer = two_heads();
    layer.heads = 1;
    layer.head_dimension = 2;  // token 0: q = (1, 2); k = (2, 2), (4, 6), (6, 10): q.k = 6, 16, 26
    layer.anchors.resize(1);
    const Eigen::MatrixXd a = softmax_attention(layer, three_tokens(), false)[0];
    EXPECT_NEAR(std::log(a(0, 2) / a(0, 1)), 10.0 / std::sqrt(2.0), 1e-12);
}

TEST(SoftmaxAttention, HidesTheFutureWhenCausal) {
    const Eigen::MatrixXd a = softmax_attention(two_heads(), three_tokens(), true)[0];
    EXPECT_EQ(a(0, 0), 1.0);
    EXPECT_EQ(a(0, 1), 0.0);
    EXPECT_EQ(a(0, 2), 0.0);
    EXPECT_EQ(a(1, 2), 0.0);
    EXPECT_NEAR(a(1, 1) / a(1, 0), std::exp(6.0), 1e-12 * std::exp(6.0));  // q = 3, k = 2, 4
}

TEST(SoftmaxAttention, GivesPaddedKeysNothingAndPaddedQueriesAZeroRow) {
    Sequence sequence = three_tokens();
    sequence.padded[1] = true;
    const Eigen::MatrixXd a = softmax_attention(two_heads(), sequence, false)[0];
    EXPECT_EQ(a.row(1), (Eigen::RowVector3d{0, 0, 0}));
    EXPECT_EQ(a(0, 1), 0.0);
    EXPECT_EQ(a(2, 1), 0.0);
    EXPECT_NEAR(a(0, 2) / a(0, 0), std::exp(4.0), 1e-12 * std::exp(4.0));
    EXPECT_NEAR(a.row(0).sum(), 1.0, 1e-15);
}

TEST(SoftmaxAttention, StaysFiniteForLargeScores) {
    Layer layer = two_heads();
    layer.w_q *= 1e4;  // scores up to 3e5
    const Eigen::MatrixXd a = softmax_attention(layer, three_tokens(), false)[0];
    EXPECT_TRUE(a.allFinite());
    EXPECT_EQ(a(0, 2), 1.0);
}

TEST(AttentionOutput, ConcatenatesHeadsAndAddsTheBias) {
    // v of head 0: 3, 7, 11; of head 1: -1 each. Head 0 copies token 2, head 1 averages: mixed = (11, -1); W_o mixed + b = (11 - 2 + 10, 33 - 4 +
    // 20).
    const Eigen::MatrixXd copy = Eigen::MatrixXd{{0, 0, 1}, {0, 0, 1}, {0, 0, 1}};
    const Eigen::MatrixXd average = Eigen::MatrixXd::Constant(3, 3, 1.0 / 3.0);
    Sequence sequence = three_tokens();
    sequence.padded[2] = true;
    const Eigen::MatrixXd y = output(two_heads(), sequence, {copy, average});
    EXPECT_NEAR(y(0, 0), 19.0, 1e-13);
    EXPECT_NEAR(y(0, 1), 49.0, 1e-13);
    EXPECT_TRUE(std::isnan(y(2, 0)));  // a padded query has no output
}

}  // namespace
}  // namespace entrain::attention

#include "mechanisms/fixed_query/fixed_query.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "unit/fixed_query/random_layer.hpp"

namespace entrain::mechanisms::fixed_query {
namespace {

constexpr double rounding = 1e-12;  // the requirement on the digital reference; a few hundred roundings of numbers of order 1

/// Score at which softplus has the given value: ln(e^w - 1).
double softplus_inverse(double weight) { return std::log(std::expm1(weight)); }

/// One head, dh = 1, inputs = unit vectors, so that q and k are the columns of W_q and W_k: q_i = queries(i), k_j = keys(j), v_j = values(j).
attention::Layer layer_of(const Eigen::RowVectorXd& queries, const Eigen::RowVectorXd& keys, const Eigen::RowVectorXd& values,
                          const Eigen::MatrixXd& anchors) {
    attention::Layer layer;
    layer.heads = 1;
    layer.head_dimension = 1;
    layer.model_dimension = static_cast<int>(queries.size());
    layer.oscillator_dimension = static_cast<int>(anchors.cols());
    layer.max_tokens = static_cast<int>(anchors.rows());
    layer.w_q = queries;
    layer.w_k = keys;
    layer.w_v = values;
    layer.w_o = Eigen::VectorXd::LinSpaced(queries.size(), 1.0, static_cast<double>(queries.size()));  // output m = m * mixed value
    layer.b_o = Eigen::VectorXd::Constant(queries.size(), 0.5);
    layer.anchors = {anchors};
    return layer;
}

attention::Sequence unit_inputs(int tokens) {
    return {0, Eigen::MatrixXd::Identity(tokens, tokens), std::vector<bool>(static_cast<std::size_t>(tokens), false)};
}

TEST(CouplingFunction, HasThePublishedValues) {
    EXPECT_DOUBLE_EQ(coupling_weight(CouplingFunction::softplus, 0.0), std::log(2.0));
    EXPECT_NEAR(coupling_weight(CouplingFunction::softplus, std::log(std::exp(3.0) - 1.0)), 3.0, 1e-14);
    EXPECT_DOUBLE_EQ(coupling_weight(CouplingFunction::relu_eps, -5.0), 1e-3);
    EXPECT_DOUBLE_EQ(coupling_weight(CouplingFunction::relu_eps, 2.0), 2.001);
    EXPECT_DOUBLE_EQ(coupling_weight(CouplingFunction::elu1, 2.0), 3.0);
    EXPECT_DOUBLE_EQ(coupling_weight(CouplingFunction::elu1, -1.0), std::exp(-1.0));
}

TEST(CouplingFunction, SoftplusNeitherOverflowsNorLosesSmallWeights) {
    EXPECT_EQ(coupling_weight(CouplingFunction::softplus, 1000.0), 1000.0);
    EXPECT_NEAR(coupling_weight(CouplingFunction::softplus, -50.0), std::exp(-50.0), 1e-12 * std::exp(-50.0));
    EXPECT_EQ(coupling_weight(CouplingFunction::elu1, -1e6), 0.0);
}

// q = (1, 0), k = (f^-1(1), f^-1(2)): token 0 couples with weights 1 and 2, token 1 (q = 0) with ln 2 twice. Anchors along the axes:
//   h_0 = (1, 2), z_0 = (1, 2)/sqrt 5, gains 1 + 1/sqrt 5 and 1 + 2/sqrt 5;   h_1 = ln 2 (1, 1), gains equal.
TEST(Reference, SolvesTwoTokensByHand) {
    const attention::Layer layer = layer_of(Eigen::RowVector2d{1, 0}, Eigen::RowVector2d{softplus_inverse(1), softplus_inverse(2)},
                                            Eigen::RowVector2d{3, 5}, Eigen::MatrixXd{{1, 0}, {0, 1}});
    const AttentionResult r = FixedQuery{}.reference(layer, unit_inputs(2));
    const double root5 = std::sqrt(5.0);
    const double a00 = (1 + 1 / root5) / (2 + 3 / root5);
    const double a01 = (1 + 2 / root5) / (2 + 3 / root5);
    EXPECT_NEAR(r.states[0](0, 0), 1 / root5, rounding);
    EXPECT_NEAR(r.states[0](0, 1), 2 / root5, rounding);
    EXPECT_NEAR(r.attention[0](0, 0), a00, rounding);
    EXPECT_NEAR(r.attention[0](0, 1), a01, rounding);
    EXPECT_NEAR(r.attention[0](1, 0), 0.5, rounding);
    EXPECT_NEAR(r.attention[0](1, 1), 0.5, rounding);
    EXPECT_NEAR(r.drive[0](0), root5 / 3, rounding);
    EXPECT_NEAR(r.drive[0](1), 1 / std::sqrt(2.0), rounding);
    const double mixed = 3 * a00 + 5 * a01;
    EXPECT_NEAR(r.output(0, 0), mixed + 0.5, rounding);
    EXPECT_NEAR(r.output(0, 1), 2 * mixed + 0.5, rounding);
    EXPECT_NEAR(r.output(1, 1), 2 * 4 + 0.5, rounding);
}

// The same with anchors (2, 0) and (0, -3/2): h_0 = 1 (2, 0) + 2 (0, -3/2) = (2, -3), z_0 = (2, -3)/sqrt 13; s = 4/sqrt 13, 4.5/sqrt 13;
// row sum 1 * 2 + 2 * 1.5 = 5. A unit-anchor readout would use 2/sqrt 13 and 3/sqrt 13.
TEST(Reference, UsesAnchorLengthsAsDriveAndAsReadoutGain) {
    const attention::Layer layer = layer_of(Eigen::RowVector2d{1, 0}, Eigen::RowVector2d{softplus_inverse(1), softplus_inverse(2)},
                                            Eigen::RowVector2d{3, 5}, Eigen::MatrixXd{{2, 0}, {0, -1.5}});
    const AttentionResult r = FixedQuery{}.reference(layer, unit_inputs(2));
    const double root13 = std::sqrt(13.0);
    EXPECT_NEAR(r.states[0](0, 0), 2 / root13, rounding);
    EXPECT_NEAR(r.states[0](0, 1), -3 / root13, rounding);
    EXPECT_NEAR(r.attention[0](0, 0), (1 + 4 / root13) / (2 + 8.5 / root13), rounding);
    EXPECT_NEAR(r.drive[0](0), root13 / 5, rounding);
}

// Anchors L_j e_j on the axes of R^d and weights W_j: h_j = W_j L_j, s_j = W_j L_j^2 / |h| for every d.
TEST(Reference, MatchesOrthogonalAnchorsInEightDimensions) {
    const int d = 8;
    const Eigen::ArrayXd weight = Eigen::ArrayXd::LinSpaced(d, 0.3, 3.1);
    const Eigen::ArrayXd length = Eigen::ArrayXd::LinSpaced(d, 2.0, 0.25);
    const Eigen::RowVectorXd keys = Eigen::RowVectorXd::NullaryExpr(d, [&](Eigen::Index j) { return softplus_inverse(weight(j)); });
    const attention::Layer layer = layer_of(Eigen::RowVectorXd::Ones(d), keys, Eigen::RowVectorXd::Zero(d), length.matrix().asDiagonal());
    const AttentionResult r = FixedQuery{}.reference(layer, unit_inputs(d));
    const double h = std::sqrt((weight * length).square().sum());
    const Eigen::ArrayXd gain = 1 + weight * length.square() / h;
    for (int j = 0; j < d; ++j) {
        EXPECT_NEAR(r.states[0](3, j), weight(j) * length(j) / h, rounding);
        EXPECT_NEAR(r.attention[0](3, j), gain(j) / gain.sum(), rounding);
    }
    EXPECT_NEAR(r.drive[0](3), h / (weight * length).sum(), rounding);
}

// Uniform couplings: z* is the direction of the anchors' mean, whatever the weight. Anchors at 0, 60 and 120 degrees: the mean points to 60.
TEST(Reference, PointsToTheMeanAnchorForUniformCouplings) {
    const double half_root3 = std::sqrt(3.0) / 2;
    const attention::Layer layer = layer_of(Eigen::RowVector3d{0, 0, 0}, Eigen::RowVector3d{1, 7, -4}, Eigen::RowVector3d{1, 1, 1},
                                            Eigen::MatrixXd{{1, 0}, {0.5, half_root3}, {-0.5, half_root3}});
    const AttentionResult r = FixedQuery{}.reference(layer, unit_inputs(3));
    for (int i = 0; i < 3; ++i) {
        EXPECT_NEAR(r.states[0](i, 0), 0.5, rounding);
        EXPECT_NEAR(r.states[0](i, 1), half_root3, rounding);
        EXPECT_NEAR(r.attention[0](i, 0), 1.5 / 5, rounding);  // cosines 1/2, 1, 1/2
        EXPECT_NEAR(r.attention[0](i, 1), 2.0 / 5, rounding);
        EXPECT_NEAR(r.drive[0](i), 2.0 / 3, rounding);
    }
}

TEST(Reference, CausalMaskRemovesTheFutureFromCouplingAndReadout) {
    FixedQueryOptions options;
    options.causal = true;
    const attention::Layer layer =
        layer_of(Eigen::RowVector3d{0, 0, 0}, Eigen::RowVector3d{1, 1, 1}, Eigen::RowVector3d{1, 1, 1}, Eigen::MatrixXd{{1, 0}, {0, 1}, {-1, 0}});
    const AttentionResult r = FixedQuery{options}.reference(layer, unit_inputs(3));
    EXPECT_EQ(r.attention[0].row(0), (Eigen::RowVector3d{1, 0, 0}));
    EXPECT_NEAR(r.attention[0](1, 0), 0.5, rounding);  // h = (1, 1) ln 2
    EXPECT_NEAR(r.attention[0](1, 1), 0.5, rounding);
    EXPECT_EQ(r.attention[0](1, 2), 0.0);
    EXPECT_NEAR(r.states[0](2, 1), 1.0, rounding);  // the outer two cancel: h = (0, 1) ln 2, gains 1, 2, 1
    EXPECT_NEAR(r.attention[0](2, 1), 0.5, rounding);
}

// Four tokens, the third padded, uniform couplings, anchors on the axes: h = ln 2 (1, 1, 0, 1) without the padded one.
TEST(Reference, PaddedKeysLoseTheirCouplingButKeepReadoutWeightAsPublished) {
    const attention::Layer layer =
        layer_of(Eigen::RowVector4d{0, 0, 0, 0}, Eigen::RowVector4d{1, 1, 1, 1}, Eigen::RowVector4d{1, 1, 1, 1}, Eigen::MatrixXd::Identity(4, 4));
    attention::Sequence sequence = unit_inputs(4);
    sequence.padded[2] = true;
    const double gain = 1 + 1 / std::sqrt(3.0);

    const AttentionResult published = FixedQuery{}.reference(layer, sequence);
    EXPECT_EQ(published.states[0](0, 2), 0.0);
    EXPECT_NEAR(published.attention[0](0, 0), gain / (3 * gain + 1), rounding);
    EXPECT_NEAR(published.attention[0](0, 2), 1 / (3 * gain + 1), rounding);
    EXPECT_EQ(published.attention[0].row(2), (Eigen::RowVector4d{0, 0, 0, 0}));
    EXPECT_TRUE(std::isnan(published.states[0](2, 0)));
    EXPECT_TRUE(std::isnan(published.drive[0](2)));
    EXPECT_TRUE(published.output.row(2).array().isNaN().all());

    FixedQueryOptions options;
    options.mask_padding_in_readout = true;
    const AttentionResult masked = FixedQuery{options}.reference(layer, sequence);
    EXPECT_NEAR(masked.attention[0](0, 0), 1.0 / 3, rounding);
    EXPECT_EQ(masked.attention[0](0, 2), 0.0);
}

TEST(Reference, WithoutDriveAttendsEvenly) {
    // elu1 of -1e6 is exactly 0, so every weight vanishes and h = 0 exactly.
    FixedQueryOptions options;
    options.coupling = CouplingFunction::elu1;
    const attention::Layer layer =
        layer_of(Eigen::RowVector2d{1, 1}, Eigen::RowVector2d{-1e6, -1e6}, Eigen::RowVector2d{3, 5}, Eigen::MatrixXd{{1, 0}, {0, 1}});
    const AttentionResult r = FixedQuery{options}.reference(layer, unit_inputs(2));
    EXPECT_EQ(r.states[0].row(0), (Eigen::RowVector2d{0, 0}));
    EXPECT_EQ(r.attention[0].row(0), (Eigen::RowVector2d{0.5, 0.5}));
    EXPECT_EQ(r.drive[0](0), 0.0);
}

TEST(Reference, OpposedAnchorsCancelTheDrive) {
    const attention::Layer layer =
        layer_of(Eigen::RowVector2d{0, 0}, Eigen::RowVector2d{1, 1}, Eigen::RowVector2d{3, 5}, Eigen::MatrixXd{{1, 0}, {-1, 0}});
    const AttentionResult r = FixedQuery{}.reference(layer, unit_inputs(2));
    EXPECT_EQ(r.drive[0](0), 0.0);
    EXPECT_EQ(r.attention[0].row(0), (Eigen::RowVector2d{0.5, 0.5}));
}

// Long anchors: z = (1, 0); s = 3, -3: the second entry clamps to 0. p = 2 squares the gains 1 + 3/sqrt(10) ... of a mixed case.
TEST(Reference, ClampsNegativeGainsAndAppliesTheReadoutPower) {
    FixedQueryOptions options;
    options.readout_power = 2.0;
    const attention::Layer layer =
        layer_of(Eigen::RowVector3d{1, 1, 1}, Eigen::RowVector3d{softplus_inverse(3), softplus_inverse(1), softplus_inverse(1)},
                 Eigen::RowVector3d{1, 2, 3}, Eigen::MatrixXd{{2, 0}, {0, 1}, {-2, 0}});
    // h = 3 (2, 0) + (0, 1) + (-2, 0) = (4, 1); z = (4, 1)/sqrt 17; s = 8, 1, -8 over sqrt 17 = 1.94, 0.24, -1.94.
    const double root17 = std::sqrt(17.0);
    const double g0 = std::pow(1 + 8 / root17, 2), g1 = std::pow(1 + 1 / root17, 2);
    const AttentionResult r = FixedQuery{options}.reference(layer, unit_inputs(3));
    EXPECT_NEAR(r.attention[0](0, 0), g0 / (g0 + g1), rounding);
    EXPECT_NEAR(r.attention[0](0, 1), g1 / (g0 + g1), rounding);
    EXPECT_EQ(r.attention[0](0, 2), 0.0);
}

TEST(Reference, AHighReadoutPowerPicksTheLargestEntry) {
    FixedQueryOptions options;
    options.readout_power = 1e5;  // 2^100000 is beyond every double
    const attention::Layer layer = layer_of(Eigen::RowVector2d{1, 1}, Eigen::RowVector2d{softplus_inverse(1), softplus_inverse(2)},
                                            Eigen::RowVector2d{3, 5}, Eigen::MatrixXd{{1, 0}, {0, 1}});
    const AttentionResult r = FixedQuery{options}.reference(layer, unit_inputs(2));
    EXPECT_EQ(r.attention[0].row(0), (Eigen::RowVector2d{0, 1}));
}

TEST(Lowering, PutsOneOscillatorPerHeadAndUnpaddedTokenInOrder) {
    const attention::Layer layer = test::random_layer(2, 3, 4, 2, 6, 1);
    std::vector<attention::Sequence> sequences{test::random_sequence(7, 5, 4, 2), test::random_sequence(3, 5, 4, 3)};
    sequences[1].padded[4] = true;
    const network::OscillatorNetwork n = FixedQuery{}.lower(layer, sequences, {});
    ASSERT_EQ(n.size(), 2 * (5 + 4));
    EXPECT_EQ(n.free[0], (network::TokenId{7, 0, 0}));
    EXPECT_EQ(n.free[5], (network::TokenId{7, 1, 0}));
    EXPECT_EQ(n.free[17], (network::TokenId{3, 1, 3}));
    EXPECT_EQ(n.couplings.size(), 2u * (5 * 5 + 4 * 4));  // no coupling to or from padded tokens
    EXPECT_TRUE(std::is_sorted(n.couplings.begin(), n.couplings.end(), [](const auto& a, const auto& b) { return a.to < b.to; }));
    EXPECT_EQ(n.anchors.rows(), 2 * 5);
    EXPECT_EQ(n.anchors.row(5 + 2), layer.anchors[1].row(2));
    EXPECT_EQ(n.anchor_ids[7].head, 1);
    EXPECT_EQ(n.anchor_ids[7].position, 2);
    EXPECT_EQ(n.probes.size(), 18u);
    EXPECT_EQ(n.start, (Eigen::MatrixXd::Zero(18, 2)));
    EXPECT_EQ(n.detuning, (Eigen::VectorXd::Zero(18)));
}

TEST(Lowering, CausalNetworksCoupleToThePastOnly) {
    FixedQueryOptions options;
    options.causal = true;
    const std::vector<attention::Sequence> sequences{test::random_sequence(0, 5, 4, 2)};
    const network::OscillatorNetwork n = FixedQuery{options}.lower(test::random_layer(2, 3, 4, 2, 6, 1), sequences, {});
    EXPECT_EQ(n.couplings.size(), 2u * 15);
    for (const network::Coupling& c : n.couplings) EXPECT_LE(n.anchor_ids[c.from].position, n.free[c.to].token);
}

TEST(Lowering, RefusesScoresThatOverflow) {
    // max(0, NaN) would make every weight of relu_eps 1e-3: a wrong answer that looks good.
    attention::Layer layer = test::random_layer(1, 3, 4, 2, 3, 1);
    layer.w_q *= 1e200;
    layer.w_k *= 1e200;
    FixedQueryOptions options;
    options.coupling = CouplingFunction::relu_eps;
    const std::vector<attention::Sequence> sequences{test::random_sequence(0, 3, 4, 2)};
    EXPECT_THROW(static_cast<void>(FixedQuery{options}.lower(layer, sequences, {})), ModelError);
    EXPECT_THROW(static_cast<void>(FixedQuery{options}.reference(layer, sequences[0])), ModelError);
}

TEST(Decoding, TokensWithoutAStateGetAZeroRowAndNoOutput) {
    const attention::Layer layer = test::random_layer(1, 3, 4, 2, 3, 1);
    Eigen::MatrixXd states{{1, 0}, {0, 1}, {0.6, 0.8}};
    states.row(1).setConstant(std::numeric_limits<double>::quiet_NaN());
    const AttentionResult r = FixedQuery{}.decode(layer, test::random_sequence(0, 3, 4, 2), {states});
    EXPECT_EQ(r.attention[0].row(1), (Eigen::RowVector3d{0, 0, 0}));
    EXPECT_TRUE(r.output.row(1).array().isNaN().all());
    EXPECT_TRUE(r.output.row(0).allFinite());
    EXPECT_NEAR(r.attention[0].row(2).sum(), 1.0, 1e-15);
}

TEST(Decoding, ARowThatClampsEverywhereIsZero) {
    attention::Layer layer = test::random_layer(1, 3, 4, 2, 2, 1);
    layer.anchors[0] = Eigen::MatrixXd{{-2, 0}, {-3, 0}};
    const Eigen::MatrixXd states{{1, 0}, {-1, 0}};  // token 0 points away from both
    const AttentionResult r = FixedQuery{}.decode(layer, test::random_sequence(0, 2, 4, 2), {states});
    EXPECT_EQ(r.attention[0].row(0), (Eigen::RowVector2d{0, 0}));
    EXPECT_NEAR(r.attention[0](1, 0), 3.0 / 7.0, 1e-15);  // gains 1 + 2, 1 + 3
    EXPECT_NEAR(r.attention[0](1, 1), 4.0 / 7.0, 1e-15);
}

// Published table (Pasqualetti & Guo 2026): shapes (H, T, d) = (2, 49, 2), (1, 9, 2) and causal (4, 128, 8).
TEST(Operations, ReproduceThePublishedCounts) {
    FixedQueryOptions relu;
    relu.coupling = CouplingFunction::relu_eps;
    FixedQueryOptions causal_relu = relu;
    causal_relu.causal = true;
    const OperationCounts kws = FixedQuery{relu}.operations(2, 49, 2);
    const OperationCounts sva = FixedQuery{relu}.operations(1, 9, 2);
    const OperationCounts stories = FixedQuery{causal_relu}.operations(4, 128, 8);
    EXPECT_EQ(kws.softmax, 48216);
    EXPECT_EQ(sva.softmax, 828);
    EXPECT_EQ(stories.softmax, 331264);
    EXPECT_EQ(kws.oscillator_digital, 24402);
    EXPECT_EQ(sva.oscillator_digital, 441);
    EXPECT_EQ(stories.oscillator_digital, 563456);
    EXPECT_EQ(kws.equilibration_physical, 14602);
    EXPECT_EQ(sva.equilibration_physical, 261);
    EXPECT_EQ(stories.equilibration_physical, 298240);
    EXPECT_EQ(kws.all_physical, 4998);
    EXPECT_EQ(sva.all_physical, 99);
    EXPECT_EQ(stories.all_physical, 34048);

    FixedQueryOptions causal;
    causal.causal = true;
    EXPECT_EQ(FixedQuery{}.operations(2, 49, 2).oscillator_digital, 67620);
    EXPECT_EQ(FixedQuery{}.operations(1, 9, 2).oscillator_digital, 1170);
    EXPECT_EQ(FixedQuery{causal}.operations(4, 128, 8).oscillator_digital, 860672);
    EXPECT_EQ(FixedQuery{}.operations(2, 49, 2).all_physical, 48216);  // softplus coupling saves nothing over softmax
}

TEST(Operations, ChargeRowNormalisationSeparately) {
    // 81 multiply-adds for the sums of W_ij |r_j|, 9 reciprocals, 81 products.
    EXPECT_EQ(FixedQuery{}.operations(1, 9, 2).row_normalisation, 171);
}

}  // namespace
}  // namespace entrain::mechanisms::fixed_query

#include "metrics/error.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/quantity.hpp"

namespace entrain::metrics {
namespace {

using mechanisms::AttentionResult;

Eigen::RowVector2d at(double degree) { return {std::cos(radians(degree)), std::sin(radians(degree))}; }

/// One head, two tokens.
AttentionResult result(const Eigen::MatrixXd& attention, double degree_0, double degree_1, const Eigen::MatrixXd& output) {
    AttentionResult r;
    r.attention = {attention};
    Eigen::MatrixXd states(2, 2);
    states << at(degree_0), at(degree_1);
    r.states = {states};
    r.output = output;
    return r;
}

const std::vector<bool> none_padded{false, false};
const std::vector<std::vector<bool>> both_count{{true, true}};

TEST(AttentionError, AgreesWithTwoRowsByHand) {
    const AttentionResult reference = result(Eigen::MatrixXd{{0.5, 0.5}, {0.75, 0.25}}, 10, 179, Eigen::MatrixXd{{3, 0}, {0, 4}});
    const AttentionResult simulated = result(Eigen::MatrixXd{{0.6, 0.4}, {0.25, 0.75}}, 13, -177, Eigen::MatrixXd{{3, 3}, {4, 4}});
    const Comparison comparison{&simulated, &reference, &none_padded, both_count};
    const AttentionError e = attention_error({&comparison, 1});
    EXPECT_NEAR(e.attention_max_abs, 0.5, 1e-15);
    EXPECT_NEAR(e.attention_max_abs_times_tokens, 1.0, 1e-15);
    EXPECT_NEAR(e.attention_rms, std::sqrt((2 * 0.01 + 2 * 0.25) / 4), 1e-15);
    // 0.5 ln(0.5/0.6) + 0.5 ln(0.5/0.4) and 0.75 ln 3 + 0.25 ln(1/3) = 0.5 ln 3
    EXPECT_NEAR(e.attention_kl_mean, (0.5 * std::log(0.25 / 0.24) + 0.5 * std::log(3.0)) / 2, 1e-15);
    EXPECT_NEAR(e.top1_agreement, 0.5, 1e-15);                         // row 0: the reference's tie contains the simulated top
    EXPECT_NEAR(e.phase_rms_deg, std::sqrt((9.0 + 16.0) / 2), 1e-12);  // 3 deg, and 4 deg across the cut at 180
    EXPECT_NEAR(e.phase_max_deg, 4.0, 1e-12);
    EXPECT_NEAR(e.output_relative, 1.0, 1e-15);  // differences (0, 3), (4, 0): 5 over 5
    EXPECT_EQ(e.n, 2);
    EXPECT_EQ(e.n_total, 2);
}

TEST(AttentionError, LeavesOutRowsThatDoNotCount) {
    const AttentionResult reference = result(Eigen::MatrixXd{{0.5, 0.5}, {0.75, 0.25}}, 10, 100, Eigen::MatrixXd{{3, 0}, {0, 4}});
    const AttentionResult simulated = result(Eigen::MatrixXd{{0.6, 0.4}, {0.0, 0.0}}, 13, 50, Eigen::MatrixXd{{3, 3}, {9, 9}});
    const Comparison comparison{&simulated, &reference, &none_padded, {{true, false}}};
    const AttentionError e = attention_error({&comparison, 1});
    EXPECT_NEAR(e.attention_max_abs, 0.1, 1e-15);
    EXPECT_NEAR(e.phase_rms_deg, 3.0, 1e-12);
    EXPECT_NEAR(e.output_relative, 1.0, 1e-15);
    EXPECT_EQ(e.n, 1);
    EXPECT_EQ(e.n_total, 2);
}

TEST(AttentionError, TotalsExcludePaddedQueriesAndScaleByEachSequencesOwnLength) {
    const AttentionResult two_reference = result(Eigen::MatrixXd{{0.5, 0.5}, {0, 0}}, 0, 0, Eigen::MatrixXd{{1, 0}, {0, 0}});
    const AttentionResult two = result(Eigen::MatrixXd{{0.75, 0.25}, {0, 0}}, 0, 0, Eigen::MatrixXd{{1, 0}, {0, 0}});
    AttentionResult four_reference, four;
    four_reference.attention = {Eigen::MatrixXd::Constant(4, 4, 0.25)};
    four.attention = {Eigen::MatrixXd::Constant(4, 4, 0.25)};
    four.attention[0].row(3) << 0.45, 0.05, 0.25, 0.25;
    const std::vector<bool> second_padded{false, true};
    const std::vector<bool> four_unpadded(4, false);
    const std::vector<Comparison> comparisons{{&two, &two_reference, &second_padded, {{true, false}}},
                                              {&four, &four_reference, &four_unpadded, {{true, true, true, true}}}};
    const AttentionError e = attention_error(comparisons);
    EXPECT_EQ(e.n, 5);
    EXPECT_EQ(e.n_total, 5);
    EXPECT_NEAR(e.attention_max_abs, 0.25, 1e-15);
    EXPECT_NEAR(e.attention_max_abs_times_tokens, 0.8, 1e-15);  // 0.2 of 4 tokens outweighs 0.25 of 2
}

TEST(AttentionError, OutputNeedsAllHeadsOfAToken) {
    AttentionResult reference = result(Eigen::MatrixXd{{0.5, 0.5}, {0.5, 0.5}}, 0, 0, Eigen::MatrixXd{{1, 0}, {0, 2}});
    AttentionResult simulated = result(Eigen::MatrixXd{{0.5, 0.5}, {0.5, 0.5}}, 0, 0, Eigen::MatrixXd{{7, 7}, {0, 3}});
    for (AttentionResult* r : {&reference, &simulated}) {
        r->attention.push_back(r->attention[0]);
        r->states.push_back(r->states[0]);
    }
    const Comparison comparison{&simulated, &reference, &none_padded, {{true, true}, {false, true}}};
    const AttentionError e = attention_error({&comparison, 1});
    EXPECT_NEAR(e.output_relative, 0.5, 1e-15);  // token 1 alone: 1 over 2
    EXPECT_EQ(e.n, 3);
}

TEST(AttentionError, KullbackLeiblerStaysFiniteWhereTheSimulationHasNoWeight) {
    const AttentionResult reference = result(Eigen::MatrixXd{{0.5, 0.5}, {1, 0}}, 0, 0, Eigen::MatrixXd::Ones(2, 1));
    const AttentionResult simulated = result(Eigen::MatrixXd{{1, 0}, {1, 0}}, 0, 0, Eigen::MatrixXd::Ones(2, 1));
    const Comparison comparison{&simulated, &reference, &none_padded, both_count};
    EXPECT_NEAR(attention_error({&comparison, 1}).attention_kl_mean, (0.5 * std::log(0.5) + 0.5 * std::log(0.5e12)) / 2, 1e-12);
}

TEST(AttentionError, TopEntriesWithinOneBillionthTie) {
    const AttentionResult reference =
        result(Eigen::MatrixXd{{0.5 + 4e-10, 0.5 - 4e-10}, {0.5 + 4e-9, 0.5 - 4e-9}}, 0, 0, Eigen::MatrixXd::Ones(2, 1));
    const AttentionResult simulated = result(Eigen::MatrixXd{{0.4, 0.6}, {0.4, 0.6}}, 0, 0, Eigen::MatrixXd::Ones(2, 1));
    const Comparison comparison{&simulated, &reference, &none_padded, both_count};
    EXPECT_NEAR(attention_error({&comparison, 1}).top1_agreement, 0.5, 1e-15);
}

TEST(AttentionError, IsNotANumberWhenNothingCounts) {
    const AttentionResult r = result(Eigen::MatrixXd{{0.5, 0.5}, {0.5, 0.5}}, 0, 0, Eigen::MatrixXd::Ones(2, 1));
    const Comparison comparison{&r, &r, &none_padded, {{false, false}}};
    const AttentionError e = attention_error({&comparison, 1});
    EXPECT_EQ(e.n, 0);
    EXPECT_EQ(e.n_total, 2);
    for (const double x : {e.attention_max_abs, e.attention_max_abs_times_tokens, e.attention_rms, e.attention_kl_mean, e.top1_agreement,
                           e.phase_rms_deg, e.phase_max_deg, e.output_relative})
        EXPECT_TRUE(std::isnan(x));
}

TEST(AttentionError, AgainstSoftmaxHasNoPhases) {
    const AttentionResult simulated = result(Eigen::MatrixXd{{0.5, 0.5}, {0.5, 0.5}}, 0, 0, Eigen::MatrixXd::Ones(2, 1));
    AttentionResult softmax;
    softmax.attention = {Eigen::MatrixXd{{0.9, 0.1}, {0.5, 0.5}}};
    const Comparison comparison{&simulated, &softmax, &none_padded, both_count};
    const AttentionError e = attention_error({&comparison, 1});
    EXPECT_NEAR(e.attention_max_abs, 0.4, 1e-15);
    EXPECT_TRUE(std::isnan(e.phase_rms_deg));
    EXPECT_TRUE(std::isnan(e.output_relative));
}

TEST(AttentionError, ResolvesTinyAnglesBetweenStatesOfAnyDimension) {
    AttentionResult reference = result(Eigen::MatrixXd::Constant(2, 2, 0.5), 0, 0, Eigen::MatrixXd::Ones(2, 1));
    AttentionResult simulated = reference;
    reference.states[0] = Eigen::MatrixXd{{1, 0, 0}, {0, 0, 1}};
    simulated.states[0] = Eigen::MatrixXd{{1, 1e-9, 0}, {0, 1, 0}};  // 1e-9 rad (an arccosine of 1 - 5e-19 would say 0), and 90 deg
    const Comparison first{&simulated, &reference, &none_padded, {{true, false}}};
    EXPECT_NEAR(attention_error({&first, 1}).phase_max_deg, degrees(1e-9), 1e-20);
    const Comparison second{&simulated, &reference, &none_padded, {{false, true}}};
    EXPECT_NEAR(attention_error({&second, 1}).phase_max_deg, 90.0, 1e-12);
}

}  // namespace
}  // namespace entrain::metrics

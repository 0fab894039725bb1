#include "catalogue/mechanisms.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "contract/fields.hpp"
#include "mechanisms/mechanism.hpp"

namespace entrain::mechanisms {
namespace {

using testing::IsEmpty;

/// Numbers of order one without pattern: the layer only has to be generic.
Eigen::MatrixXd generic(Eigen::Index rows, Eigen::Index columns, double start) {
    return Eigen::MatrixXd::NullaryExpr(rows, columns,
                                        [&](Eigen::Index i, Eigen::Index j) { return std::sin(start + 1.7 * static_cast<double>(i * columns + j)); });
}

attention::Layer small_layer() {
    attention::Layer layer;
    layer.heads = 2;
    layer.head_dimension = 3;
    layer.model_dimension = 4;
    layer.oscillator_dimension = 2;
    layer.max_tokens = 5;
    layer.w_q = generic(6, 4, 0.1);
    layer.w_k = generic(6, 4, 0.2);
    layer.w_v = generic(6, 4, 0.3);
    layer.w_o = generic(4, 6, 0.4);
    layer.b_o = generic(4, 1, 0.5);
    layer.anchors = {generic(5, 2, 0.6), generic(5, 2, 0.7)};
    return layer;
}

/// Two sequences; the first one ends with a padded token.
std::vector<attention::Sequence> small_sequences() {
    return {{7, generic(4, 4, 0.8), {false, false, false, true}}, {9, generic(3, 4, 0.9), {false, false, false}}};
}
constexpr int unpadded_tokens = 6;

class MechanismContract : public testing::TestWithParam<Entry> {
 protected:
    std::unique_ptr<Mechanism> mechanism = GetParam().create();
    attention::Layer layer = small_layer();
    std::vector<attention::Sequence> sequences = small_sequences();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MechanismContract);
INSTANTIATE_TEST_SUITE_P(Catalogue, MechanismContract, testing::ValuesIn(catalogue().begin(), catalogue().end()),
                         [](const auto& entry) { return std::string{entry.param.name}; });

TEST(MechanismCatalogue, NamesTheFolders) {
    std::vector<std::string> names;
    for (const Entry& entry : catalogue()) names.emplace_back(entry.name);
    EXPECT_EQ(names, contract::plugin_folders("mechanisms"));
}

TEST_P(MechanismContract, DescribesItsOptions) {
    EXPECT_THAT(contract::check_options([this](FieldVisitor& v) { mechanism->describe(v); },
                                        {"mechanism", "weights", "inputs", "prefix", "heads", "sequences"}),
                IsEmpty());
    EXPECT_GE(mechanism->rounds(), 1);
}

TEST_P(MechanismContract, LowersToAWellFormedNetwork) {
    const auto network = mechanism->lower(layer, sequences, {});
    EXPECT_EQ(network.dimension, layer.oscillator_dimension);
    ASSERT_EQ(network.size(), layer.heads * unpadded_tokens);
    EXPECT_EQ(network.anchors.rows(), static_cast<Eigen::Index>(network.anchor_ids.size()));
    EXPECT_EQ(network.anchors.cols(), network.dimension);
    EXPECT_EQ(network.start.rows(), network.size());
    EXPECT_EQ(network.start.cols(), network.dimension);
    EXPECT_EQ(network.detuning.size(), network.size());
    EXPECT_TRUE(std::ranges::is_sorted(network.free));
    EXPECT_EQ(std::ranges::adjacent_find(network.free), network.free.end()) << "a token has two oscillators";
    for (const auto& id : network.free) EXPECT_FALSE(id.sequence == 7 && id.token == 3) << "a padded query has an oscillator";

    EXPECT_TRUE(std::ranges::is_sorted(network.couplings, {}, &network::Coupling::to));
    for (const auto& coupling : network.couplings) {
        const auto sources = coupling.kind == network::Coupling::From::anchor ? network.anchors.rows() : network.size();
        EXPECT_LT(coupling.from, sources);
        EXPECT_LT(coupling.to, network.size());
        EXPECT_TRUE(std::isfinite(coupling.weight.real()) && std::isfinite(coupling.weight.imag()));
    }
    for (const auto& probe : network.probes) {
        EXPECT_LT(probe.observed, network.size());
        EXPECT_LT(probe.reference.value_or(0), network.size());
    }
}

TEST_P(MechanismContract, DecodesTheReferenceStatesToTheReference) {
    for (const auto& sequence : sequences) {
        const AttentionResult reference = mechanism->reference(layer, sequence);
        ASSERT_EQ(reference.attention.size(), 2U);
        const AttentionResult decoded = mechanism->decode(layer, sequence, reference.states);
        // Rounding only: sums of a few dozen products of numbers of order one.
        for (std::size_t head = 0; head < 2; ++head) EXPECT_LT((decoded.attention[head] - reference.attention[head]).cwiseAbs().maxCoeff(), 1e-12);
        EXPECT_LT((decoded.output - reference.output).cwiseAbs().maxCoeff(), 1e-12);
    }
}

TEST_P(MechanismContract, ReferenceHasUnitStatesAndDrivesBetweenZeroAndOne) {
    for (const auto& sequence : sequences) {
        const AttentionResult reference = mechanism->reference(layer, sequence);
        for (std::size_t head = 0; head < 2; ++head) {
            ASSERT_EQ(reference.attention[head].rows(), sequence.tokens());
            ASSERT_EQ(reference.states[head].rows(), sequence.tokens());
            for (Eigen::Index token = 0; token < sequence.tokens(); ++token) {
                if (sequence.padded[static_cast<std::size_t>(token)]) {
                    EXPECT_EQ(reference.attention[head].row(token).cwiseAbs().maxCoeff(), 0.0);
                    EXPECT_TRUE(reference.states[head].row(token).array().isNaN().all());
                } else {
                    EXPECT_NEAR(reference.states[head].row(token).norm(), 1.0, 1e-12);
                    EXPECT_GE(reference.drive[head](token), 0.0);
                    EXPECT_LE(reference.drive[head](token), 1.0 + 1e-12);
                }
            }
        }
    }
}

TEST_P(MechanismContract, CountsMoreOperationsForMoreTokens) {
    const OperationCounts few = mechanism->operations(1, 8, 2);
    const OperationCounts many = mechanism->operations(1, 16, 2);
    for (const auto count : {&OperationCounts::softmax, &OperationCounts::oscillator_digital, &OperationCounts::equilibration_physical,
                             &OperationCounts::all_physical, &OperationCounts::row_normalisation}) {
        EXPECT_GT(few.*count, 0.0);
        EXPECT_GT(many.*count, few.*count);
    }
}

}  // namespace
}  // namespace entrain::mechanisms

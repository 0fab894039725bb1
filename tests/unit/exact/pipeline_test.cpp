// The digital reference against lowering, ideal substrate, exact engine and decoding: two ways to the same attention.
#include <gtest/gtest.h>

#include <limits>

#include "engines/exact/plugin.hpp"
#include "mechanisms/fixed_query/fixed_query.hpp"
#include "substrates/ideal/plugin.hpp"
#include "unit/fixed_query/random_layer.hpp"

namespace entrain {
namespace {

using mechanisms::AttentionResult;
using mechanisms::fixed_query::CouplingFunction;
using mechanisms::fixed_query::FixedQuery;
using mechanisms::fixed_query::FixedQueryOptions;

struct Shape {
    int heads, head_dimension, model_dimension, oscillator_dimension, tokens;
    FixedQueryOptions options;
    bool padding;
};

/// Settled states of one sequence as decode() takes them: NaN where there is no oscillator.
std::vector<Eigen::MatrixXd> settled_states(const network::OscillatorNetwork& network, const problem::Solution& solution, const Shape& shape,
                                            int sequence) {
    std::vector<Eigen::MatrixXd> states(static_cast<std::size_t>(shape.heads), Eigen::MatrixXd::Constant(shape.tokens, shape.oscillator_dimension,
                                                                                                         std::numeric_limits<double>::quiet_NaN()));
    for (std::size_t i = 0; i < network.free.size(); ++i) {
        const network::TokenId& id = network.free[i];
        if (id.sequence == sequence) states[static_cast<std::size_t>(id.head)].row(id.token) = solution.oscillators[i].state;
    }
    return states;
}

class FixedQueryOnIdeal : public testing::TestWithParam<Shape> {};

// 1e-12 is the requirement: both sides round a few hundred times at numbers of order 1.
TEST_P(FixedQueryOnIdeal, EquilibratesToTheDigitalReference) {
    const Shape& shape = GetParam();
    const attention::Layer layer =
        test::random_layer(shape.heads, shape.head_dimension, shape.model_dimension, shape.oscillator_dimension, shape.tokens + 2, 42);
    std::vector<attention::Sequence> sequences;
    for (int k = 0; k < 3; ++k) {
        sequences.push_back(test::random_sequence(10 + k, shape.tokens, shape.model_dimension, 100 + static_cast<std::uint64_t>(k)));
        for (int t = shape.tokens - k; shape.padding && t < shape.tokens; ++t) sequences.back().padded[static_cast<std::size_t>(t)] = true;
    }

    const FixedQuery mechanism{shape.options};
    network::OscillatorNetwork network = mechanism.lower(layer, sequences, {});
    network.start = test::Normals{7}.matrix(network.size(), network.dimension).rowwise().normalized();

    const auto ideal = substrates::ideal::create();
    const problem::Instance instance = ideal->map(network, {}, {}, {}, RandomStreams{1});
    substrates::Substrate::ProblemOptions options;
    options.rule.rate = instance.drive.rowwise().norm();
    options.rule.max_time = Eigen::VectorXd::Constant(network.size(), std::numeric_limits<double>::infinity());
    const problem::Solution solution = engines::exact::create()->solve(ideal->problem(instance, problem::Fidelity::exact, options), {});

    for (const attention::Sequence& sequence : sequences) {
        const AttentionResult reference = mechanism.reference(layer, sequence);
        const AttentionResult decoded = mechanism.decode(layer, sequence, settled_states(network, solution, shape, sequence.index));
        for (std::size_t h = 0; h < reference.attention.size(); ++h) {
            EXPECT_LE((decoded.attention[h] - reference.attention[h]).cwiseAbs().maxCoeff(), 1e-12);
            for (Eigen::Index t = 0; t < shape.tokens; ++t) {
                const bool padded = sequence.padded[static_cast<std::size_t>(t)];
                EXPECT_NEAR(reference.attention[h].row(t).sum(), padded ? 0.0 : 1.0, 1e-12);
                EXPECT_EQ(decoded.output.row(t).array().isNaN().all(), padded);
                if (!padded) {
                    EXPECT_LE((decoded.output.row(t) - reference.output.row(t)).cwiseAbs().maxCoeff(), 1e-12 * shape.model_dimension);
                }
            }
        }
    }

    // The drive of the lowered network is the reference's, too.
    for (std::size_t i = 0; i < network.free.size(); ++i) {
        const network::TokenId& id = network.free[i];
        const AttentionResult reference = mechanism.reference(layer, sequences[static_cast<std::size_t>(id.sequence - 10)]);
        EXPECT_NEAR(instance.drive_ratio(static_cast<Eigen::Index>(i)), reference.drive[static_cast<std::size_t>(id.head)](id.token), 1e-12);
    }
}

constexpr FixedQueryOptions published{};
constexpr FixedQueryOptions causal{CouplingFunction::elu1, true, 1.0, false};
constexpr FixedQueryOptions sharpened{CouplingFunction::relu_eps, false, 2.5, true};
constexpr FixedQueryOptions causal_masked{CouplingFunction::softplus, true, 1.0, true};

INSTANTIATE_TEST_SUITE_P(Shapes, FixedQueryOnIdeal,
                         testing::Values(Shape{1, 4, 8, 2, 9, published, true}, Shape{2, 3, 5, 3, 7, causal, false},
                                         Shape{2, 8, 16, 8, 12, sharpened, true}, Shape{1, 16, 16, 32, 20, published, true},
                                         Shape{3, 2, 6, 2, 1, causal, false}, Shape{2, 4, 8, 2, 10, causal_masked, true},
                                         Shape{4, 1, 3, 2, 11, sharpened, true}));

}  // namespace
}  // namespace entrain

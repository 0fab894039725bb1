#include "kernels/fixed_query_pass.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "kernels/closed_form.hpp"
#include "unit/kernels/sets.hpp"

namespace entrain::kernels {
namespace {

class FixedQueryPasses : public EachInstructionSet {};

struct Layer {
    std::size_t queries, keys;
    std::vector<double> anchor_x, anchor_y, detuning, start_x, start_y;
    double time = 7.0;
    [[nodiscard]] PlanarPoints anchors() const { return {anchor_x.data(), anchor_y.data()}; }
    [[nodiscard]] FreeOscillators free() const { return {detuning.data(), start_x.data(), start_y.data(), time}; }
};

Layer layer(std::size_t queries, std::size_t keys, Draw& draw) {
    Layer l{queries, keys, draw.many(keys, -1.5, 1.5), draw.many(keys, -1.5, 1.5), draw.many(queries, -0.5, 0.5), {}, {}};
    for (std::size_t i = 0; i < queries; ++i) {
        const double phase = draw.between(-3.1, 3.1);
        l.start_x.push_back(std::cos(phase));
        l.start_y.push_back(std::sin(phase));
    }
    return l;
}

struct States {
    std::vector<double> x, y;
};

/// The baseline's closed form, tested by itself, on drives added up entry by entry.
States expected(const Layer& l, const std::vector<double>& weights) {
    std::vector<double> drive_x(l.queries, 0.0);
    std::vector<double> drive_y(l.queries, 0.0);
    for (std::size_t i = 0; i < l.queries; ++i)
        for (std::size_t j = 0; j < l.keys; ++j) {
            drive_x[i] += weights[i * l.keys + j] * l.anchor_x[j];
            drive_y[i] += weights[i * l.keys + j] * l.anchor_y[j];
        }
    States states{std::vector<double>(l.queries), std::vector<double>(l.queries)};
    const std::vector<double> time(l.queries, l.time);
    planar_states(l.queries, drive_x.data(), drive_y.data(), l.detuning.data(), time.data(), l.start_x.data(), l.start_y.data(), states.x.data(),
                  states.y.data(), InstructionSet::baseline);
    return states;
}

// Sums of up to 130 terms round to some 1e-14; where a phase drifts or starts near its unstable point that grows.
constexpr double tolerance = 1e-11;

void expect_states(const States& actual, const States& wanted) {
    for (std::size_t i = 0; i < wanted.x.size(); ++i) {
        EXPECT_NEAR(actual.x[i], wanted.x[i], tolerance) << i;
        EXPECT_NEAR(actual.y[i], wanted.y[i], tolerance) << i;
    }
}

struct Size {
    std::size_t queries, keys, depth;
};
constexpr Size sizes[] = {{1, 1, 1}, {2, 3, 5}, {7, 9, 4}, {8, 8, 8}, {33, 17, 16}, {98, 98, 64}, {130, 41, 3}};

std::vector<double> scores(const Size& s, const std::vector<double>& q, const std::vector<double>& k) {
    std::vector<double> products(s.queries * s.keys);
    for (std::size_t i = 0; i < s.queries; ++i)
        for (std::size_t j = 0; j < s.keys; ++j) {
            double sum = 0.0;
            for (std::size_t c = 0; c < s.depth; ++c) sum += q[i * s.depth + c] * k[j * s.depth + c];
            products[i * s.keys + j] = sum / std::sqrt(static_cast<double>(s.depth));
        }
    return products;
}

TEST_P(FixedQueryPasses, PassesFromWeightsToStates) {
    Draw draw{14};
    for (const Size& s : sizes) {
        const Layer l = layer(s.queries, s.keys, draw);
        const std::vector<double> weights = draw.many(s.queries * s.keys, 0.0, 2.0 / static_cast<double>(s.keys));
        WeightedPass pass{s.queries, s.keys, weights.data(), GetParam()};
        States states{l.start_x, l.start_y};
        pass.states(l.anchors(), l.free(), states.x.data(), states.y.data());
        expect_states(states, expected(l, weights));
    }
}

TEST_P(FixedQueryPasses, PassesFromQueriesAndKeysToStates) {
    Draw draw{15};
    for (const Size& s : sizes)
        for (const double largest : {1.0, 30.0}) {  // 30: scores of thousands, far beyond what exp alone takes
            const Layer l = layer(s.queries, s.keys, draw);
            const std::vector<double> q = draw.many(s.queries * s.depth, -largest, largest);
            const std::vector<double> k = draw.many(s.keys * s.depth, -largest, largest);
            std::vector<double> weights = scores(s, q, k);
            for (std::size_t i = 0; i < s.queries; ++i) {
                double* row = weights.data() + i * s.keys;
                const double top = *std::max_element(row, row + s.keys);
                double sum = 0.0;
                for (std::size_t j = 0; j < s.keys; ++j) sum += row[j] = std::exp(row[j] - top);
                for (std::size_t j = 0; j < s.keys; ++j) row[j] /= sum;
            }
            ScoredPass pass{s.queries, s.keys, s.depth, GetParam()};
            States states{std::vector<double>(s.queries), std::vector<double>(s.queries)};
            for (int again = 0; again < 2; ++again) {  // the work space keeps nothing
                pass.states(q.data(), k.data(), l.anchors(), l.free(), states.x.data(), states.y.data());
                expect_states(states, expected(l, weights));
            }
        }
}

TEST_P(FixedQueryPasses, PassesFromInputsToAttentionRows) {
    Draw draw{16};
    for (const Size& s : sizes) {
        const std::size_t tokens = s.queries;
        const std::size_t model = s.keys;
        const Layer l = layer(tokens, tokens, draw);
        const std::vector<double> inputs = draw.many(tokens * model, -2.0, 2.0);
        const std::vector<double> w_q = draw.many(s.depth * model, -0.6, 0.6);
        const std::vector<double> w_k = draw.many(s.depth * model, -0.6, 0.6);
        const auto projected = [&](const std::vector<double>& w) {
            std::vector<double> y(tokens * s.depth, 0.0);
            for (std::size_t i = 0; i < tokens; ++i)
                for (std::size_t c = 0; c < s.depth; ++c)
                    for (std::size_t m = 0; m < model; ++m) y[i * s.depth + c] += inputs[i * model + m] * w[c * model + m];
            return y;
        };
        const std::vector<double> all_scores = scores({tokens, tokens, s.depth}, projected(w_q), projected(w_k));

        AttentionPass pass{tokens, model, s.depth, w_q.data(), w_k.data(), GetParam()};
        std::vector<double> attention(tokens * tokens);
        pass.rows(inputs.data(), l.anchors(), attention.data());
        for (std::size_t i = 0; i < tokens; ++i) {
            double x = 0.0;
            double y = 0.0;
            for (std::size_t j = 0; j < tokens; ++j) {
                const double score = all_scores[i * tokens + j];
                const double weight = std::max(score, 0.0) + std::log1p(std::exp(-std::abs(score)));
                x += weight * l.anchor_x[j];
                y += weight * l.anchor_y[j];
            }
            const double length = std::hypot(x, y);
            std::vector<double> row(tokens);
            double sum = 0.0;
            for (std::size_t j = 0; j < tokens; ++j) sum += row[j] = std::max(0.0, 1.0 + (x * l.anchor_x[j] + y * l.anchor_y[j]) / length);
            for (std::size_t j = 0; j < tokens; ++j)
                EXPECT_NEAR(attention[i * tokens + j], sum == 0.0 ? 0.0 : row[j] / sum, 1e-12)
                    << i << ", " << j;  // sums of 130 terms over |h| > 1e-2
        }
    }
}

TEST_P(FixedQueryPasses, ReadsNothingWhereEveryEntryClampsAndEqualPartsWithoutDrive) {
    const double one = 1.0;
    const double inputs[] = {1.0, 1.0};
    AttentionPass pass{2, 1, 1, &one, &one, GetParam()};
    std::vector<double> attention(4);
    const double zero[] = {0.0, 0.0};
    pass.rows(inputs, {zero, zero}, attention.data());
    EXPECT_EQ(attention, (std::vector<double>(4, 0.5)));
}

TEST(FixedQueryPassSizes, NeedsKeys) {
    EXPECT_THROW((WeightedPass{3, 0, nullptr}), std::invalid_argument);
    EXPECT_THROW((ScoredPass{3, 0, 4}), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Each, FixedQueryPasses, each_set, set_name);

}  // namespace
}  // namespace entrain::kernels

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "attention/layer.hpp"
#include "core/error.hpp"

// The shipped layer of models/attention/kws_size has the figures that its README states and the speed of a run is measured on.

namespace entrain::attention {
namespace {

struct Token {
    double drive;
    double field;  ///< |h|
};

/// Drive and |h| of every token of every head, from the tensors alone: sums over numbers, no code of the lowering.
std::vector<Token> tokens_of(const Layer& layer, const Sequence& sequence) {
    std::vector<Token> tokens;
    const auto projected = [&](const Eigen::MatrixXd& weights, Eigen::Index row, Eigen::Index token) {
        double sum = 0.0;
        for (Eigen::Index c = 0; c < layer.model_dimension; ++c) sum += weights(row, c) * sequence.x(token, c);
        return sum;
    };
    for (int head = 0; head < layer.heads; ++head) {
        const Eigen::MatrixXd& anchors = layer.anchors[static_cast<std::size_t>(head)];
        for (int i = 0; i < sequence.tokens(); ++i) {
            double x = 0.0;
            double y = 0.0;
            double row = 0.0;
            for (int j = 0; j < sequence.tokens(); ++j) {
                double score = 0.0;
                for (int c = head * layer.head_dimension; c < (head + 1) * layer.head_dimension; ++c)
                    score += projected(layer.w_q, c, i) * projected(layer.w_k, c, j);
                const double weight = std::log(1.0 + std::exp(score / std::sqrt(layer.head_dimension)));
                x += weight * anchors(j, 0);
                y += weight * anchors(j, 1);
                row += weight * std::hypot(anchors(j, 0), anchors(j, 1));
            }
            tokens.push_back({std::hypot(x, y) / row, std::hypot(x, y)});
        }
    }
    return tokens;
}

/// Linear interpolation between the sorted values at p (n - 1).
double quantile(std::vector<double> values, double p) {
    std::sort(values.begin(), values.end());
    const double place = p * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(place));
    if (below + 1 == values.size()) return values.back();
    return values[below] + (place - std::floor(place)) * (values[below + 1] - values[below]);
}

TEST(KwsSizeLayer, IsDrivenAsItsReadmeSays) {
    const std::string folder = std::string{ENTRAIN_SOURCE_DIR} + "/models/attention/kws_size/";
    const Layer layer = load_layer(folder + "layer.safetensors", "", 2, {});
    const std::vector<Sequence> sequences = load_sequences(folder + "inputs.safetensors", layer);
    ASSERT_EQ(sequences.size(), 1U);
    EXPECT_EQ(sequences.front().tokens(), 49);
    EXPECT_EQ(layer.max_tokens, 49);
    EXPECT_EQ(layer.oscillator_dimension, 2);
    EXPECT_EQ(std::ranges::count(sequences.front().padded, true), 0);

    std::vector<double> drive;
    std::vector<double> field;
    for (const Token& token : tokens_of(layer, sequences.front())) {
        drive.push_back(token.drive);
        field.push_back(token.field);
    }
    ASSERT_EQ(drive.size(), 98U);
    // Rounding to F32 turns a row's sum by some 1e-7 of its weights.
    EXPECT_NEAR(quantile(drive, 0.5), 0.17, 1e-5);
    EXPECT_NEAR(quantile(drive, 0.01), 0.006, 1e-5);
    EXPECT_NEAR(quantile(field, 0.5), 8.0, 0.01);  // set to 1e-5 of a score
    // Unclipped: no two tokens share a drive, as they would at a limit.
    std::ranges::sort(drive);
    EXPECT_EQ(std::ranges::adjacent_find(drive), drive.end());
    EXPECT_LT(drive.front(), 0.006);
}

}  // namespace
}  // namespace entrain::attention

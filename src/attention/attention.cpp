#include <cmath>
#include <limits>

#include "attention/layer.hpp"

namespace entrain::attention {

Projection project(const Layer& layer, const Sequence& sequence, int head) {
    const Eigen::Index first = Eigen::Index{head} * layer.head_dimension;
    const auto rows = [&](const Eigen::MatrixXd& weight) -> Eigen::MatrixXd {
        return sequence.x * weight.middleRows(first, layer.head_dimension).transpose();
    };
    return {rows(layer.w_q), rows(layer.w_k), rows(layer.w_v)};
}

std::vector<Eigen::MatrixXd> softmax_attention(const Layer& layer, const Sequence& sequence, bool causal) {
    const Eigen::Index tokens = sequence.tokens();
    const double masked = -std::numeric_limits<double>::infinity();
    std::vector<Eigen::MatrixXd> attention;
    for (int head = 0; head < layer.heads; ++head) {
        const Projection p = project(layer, sequence, head);
        Eigen::MatrixXd scores = p.q * p.k.transpose() / std::sqrt(layer.head_dimension);
        for (Eigen::Index i = 0; i < tokens; ++i) {
            if (sequence.padded[static_cast<std::size_t>(i)]) {
                scores.row(i).setZero();
                continue;
            }
            for (Eigen::Index j = 0; j < tokens; ++j)
                if (sequence.padded[static_cast<std::size_t>(j)] || (causal && j > i)) scores(i, j) = masked;
            // A query that is not padded sees at least itself, so the largest score is finite; subtracting it keeps exp() in range.
            const double largest = scores.row(i).maxCoeff();
            for (Eigen::Index j = 0; j < tokens; ++j) scores(i, j) = std::exp(scores(i, j) - largest);
            scores.row(i) /= scores.row(i).sum();
        }
        attention.push_back(std::move(scores));
    }
    return attention;
}

Eigen::MatrixXd output(const Layer& layer, const Sequence& sequence, const std::vector<Eigen::MatrixXd>& attention) {
    const Eigen::Index tokens = sequence.tokens();
    Eigen::MatrixXd mixed{tokens, Eigen::Index{layer.heads} * layer.head_dimension};
    for (int head = 0; head < layer.heads; ++head)
        mixed.middleCols(Eigen::Index{head} * layer.head_dimension, layer.head_dimension) =
            attention[static_cast<std::size_t>(head)] * project(layer, sequence, head).v;
    Eigen::MatrixXd result = (mixed * layer.w_o.transpose()).rowwise() + layer.b_o.transpose();
    for (Eigen::Index i = 0; i < tokens; ++i)
        if (sequence.padded[static_cast<std::size_t>(i)]) result.row(i).setConstant(std::numeric_limits<double>::quiet_NaN());
    return result;
}

}  // namespace entrain::attention

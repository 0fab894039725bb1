// The digital reference, written from the definition (class comment of FixedQuery) entry by entry. It shares only the projections and the coupling
// function with lowering and decoding, so that a mistake there shows as a difference.
#include <algorithm>
#include <cmath>
#include <limits>

#include "mechanisms/fixed_query/fixed_query.hpp"

namespace entrain::mechanisms::fixed_query {

namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
constexpr double smallest_drive = 1e-12;  // of the definition z* = h / max(|h|, 1e-12): keeps h = 0 finite

double dot(const Eigen::MatrixXd& a, Eigen::Index row_a, const Eigen::MatrixXd& b, Eigen::Index row_b) {
    double sum = 0.0;
    for (Eigen::Index k = 0; k < a.cols(); ++k) sum += a(row_a, k) * b(row_b, k);
    return sum;
}

}  // namespace

AttentionResult FixedQuery::reference(const attention::Layer& layer, const attention::Sequence& sequence) const {
    const Eigen::Index tokens = sequence.tokens();
    const Eigen::Index d = layer.oscillator_dimension;
    const auto padded = [&](Eigen::Index token) { return static_cast<bool>(sequence.padded[static_cast<std::size_t>(token)]); };
    const auto in_future = [&](Eigen::Index query, Eigen::Index key) { return options_.causal && key > query; };

    AttentionResult result;
    result.output = Eigen::MatrixXd::Zero(tokens, layer.model_dimension);
    for (Eigen::Index i = 0; i < tokens; ++i)
        for (Eigen::Index m = 0; m < layer.model_dimension; ++m) result.output(i, m) = padded(i) ? nothing : layer.b_o(m);

    for (int head = 0; head < layer.heads; ++head) {
        const attention::Projection p = attention::project(layer, sequence, head);
        const Eigen::MatrixXd& r = layer.anchors[static_cast<std::size_t>(head)];
        Eigen::MatrixXd attention = Eigen::MatrixXd::Zero(tokens, tokens);
        Eigen::MatrixXd state = Eigen::MatrixXd::Constant(tokens, d, nothing);
        Eigen::VectorXd drive = Eigen::VectorXd::Constant(tokens, nothing);

        for (Eigen::Index i = 0; i < tokens; ++i) {
            if (padded(i)) continue;

            Eigen::VectorXd h = Eigen::VectorXd::Zero(d);
            double if_all_agreed = 0.0;
            for (Eigen::Index j = 0; j < tokens; ++j) {
                if (padded(j) || in_future(i, j)) continue;
                const double w = coupling_weight(options_.coupling, dot(p.q, i, p.k, j) / std::sqrt(static_cast<double>(layer.head_dimension)));
                for (Eigen::Index k = 0; k < d; ++k) h(k) += w * r(j, k);
                if_all_agreed += w * std::sqrt(dot(r, j, r, j));
            }
            double length = 0.0;
            for (Eigen::Index k = 0; k < d; ++k) length = std::hypot(length, h(k));
            drive(i) = if_all_agreed > 0.0 ? length / if_all_agreed : 0.0;
            for (Eigen::Index k = 0; k < d; ++k) state(i, k) = h(k) / std::max(length, smallest_drive);

            // Powers relative to the largest factor: the ratio is the same, the numbers stay finite for any power.
            const auto readable = [&](Eigen::Index j) { return !in_future(i, j) && !(options_.mask_padding_in_readout && padded(j)); };
            double largest = 0.0;
            for (Eigen::Index j = 0; j < tokens; ++j)
                if (readable(j)) largest = std::max(largest, 1.0 + dot(state, i, r, j));
            double sum = 0.0;
            for (Eigen::Index j = 0; j < tokens && largest > 0.0; ++j) {
                if (!readable(j)) continue;
                attention(i, j) = std::pow(std::max(0.0, 1.0 + dot(state, i, r, j)) / largest, options_.readout_power);
                sum += attention(i, j);
            }
            for (Eigen::Index j = 0; j < tokens && largest > 0.0; ++j) attention(i, j) /= sum;

            for (Eigen::Index c = 0; c < layer.head_dimension; ++c) {
                double mixed = 0.0;
                for (Eigen::Index j = 0; j < tokens; ++j) mixed += attention(i, j) * p.v(j, c);
                for (Eigen::Index m = 0; m < layer.model_dimension; ++m) result.output(i, m) += layer.w_o(m, head * layer.head_dimension + c) * mixed;
            }
        }
        result.attention.push_back(std::move(attention));
        result.states.push_back(std::move(state));
        result.drive.push_back(std::move(drive));
    }
    return result;
}

}  // namespace entrain::mechanisms::fixed_query

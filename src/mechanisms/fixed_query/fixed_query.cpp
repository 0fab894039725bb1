#include "mechanisms/fixed_query/fixed_query.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "mechanisms/fixed_query/plugin.hpp"

namespace entrain::mechanisms::fixed_query {

std::unique_ptr<Mechanism> create() { return std::make_unique<FixedQuery>(); }

void FixedQueryOptions::describe(FieldVisitor& visitor) {
    visitor.choice("coupling", coupling,
                   {{"softplus", CouplingFunction::softplus}, {"relu_eps", CouplingFunction::relu_eps}, {"elu1", CouplingFunction::elu1}},
                   "how a score becomes a coupling weight: softplus, relu_eps = max(0, x) + 1e-3, elu1 = elu(x) + 1");
    visitor.flag("causal", causal, "a query sees only keys at its own and earlier positions");
    visitor.number("readout_power", readout_power, positive, "exponent p of the readout max(0, 1 + s)^p");
    visitor.flag("mask_padding_in_readout", mask_padding_in_readout,
                 "give padded keys no readout weight; the published behaviour is false: padding masks the coupling only");
}

network::OscillatorNetwork FixedQuery::lower(const attention::Layer& layer, std::span<const attention::Sequence> sequences,
                                             const Eigen::MatrixXd& /*states*/) const {
    int positions = 0;
    for (const attention::Sequence& s : sequences) positions = std::max(positions, s.tokens());
    if (positions > layer.max_tokens) throw std::invalid_argument{"fixed_query: a sequence is longer than the layer has anchors"};

    network::OscillatorNetwork network;
    network.dimension = layer.oscillator_dimension;
    network.anchors.resize(Eigen::Index{layer.heads} * positions, layer.oscillator_dimension);
    for (int head = 0; head < layer.heads; ++head) {
        network.anchors.middleRows(Eigen::Index{head} * positions, positions) = layer.anchors[static_cast<std::size_t>(head)].topRows(positions);
        for (int j = 0; j < positions; ++j) network.anchor_ids.push_back({head, j});
    }
    for (const attention::Sequence& s : sequences) {
        for (int head = 0; head < layer.heads; ++head) {
            const attention::Projection p = attention::project(layer, s, head);
            const Eigen::MatrixXd scores = p.q * p.k.transpose() / std::sqrt(layer.head_dimension);
            for (int i = 0; i < s.tokens(); ++i) {
                if (s.padded[static_cast<std::size_t>(i)]) continue;
                const auto to = static_cast<std::uint32_t>(network.free.size());
                network.free.push_back({s.index, head, i});
                network.probes.push_back({to, std::nullopt, 1});
                const int keys = options_.causal ? i + 1 : s.tokens();
                for (int j = 0; j < keys; ++j) {
                    if (s.padded[static_cast<std::size_t>(j)]) continue;
                    network::Coupling coupling;
                    coupling.from = static_cast<std::uint32_t>(head * positions + j);
                    coupling.to = to;
                    coupling.weight = coupling_weight(options_.coupling, scores(i, j));
                    network.couplings.push_back(coupling);
                }
            }
        }
    }
    network.start = Eigen::MatrixXd::Zero(network.size(), network.dimension);
    network.detuning = Eigen::VectorXd::Zero(network.size());
    return network;
}

AttentionResult FixedQuery::decode(const attention::Layer& layer, const attention::Sequence& sequence,
                                   const std::vector<Eigen::MatrixXd>& states) const {
    const Eigen::Index tokens = sequence.tokens();
    AttentionResult result;
    result.states = states;
    std::vector<bool> missing(static_cast<std::size_t>(tokens), false);
    for (int head = 0; head < layer.heads; ++head) {
        const Eigen::MatrixXd& z = states[static_cast<std::size_t>(head)];
        Eigen::ArrayXXd gain = (1.0 + (z * layer.anchors[static_cast<std::size_t>(head)].topRows(tokens).transpose()).array()).max(0.0);
        for (Eigen::Index j = 0; j < tokens; ++j) {
            if (options_.causal) gain.col(j).head(j).setZero();
            if (options_.mask_padding_in_readout && sequence.padded[static_cast<std::size_t>(j)]) gain.col(j).setZero();
        }
        for (Eigen::Index i = 0; i < tokens; ++i) {
            auto row = gain.row(i);
            if (sequence.padded[static_cast<std::size_t>(i)] || !z.row(i).allFinite()) {
                row.setZero();
                missing[static_cast<std::size_t>(i)] = true;
                continue;
            }
            const double largest = row.maxCoeff();
            if (largest == 0.0) continue;                       // every entry clamps: nothing can be read
            row = (row / largest).pow(options_.readout_power);  // scaled first, so that a high power neither overflows nor loses the whole row
            row /= row.sum();
        }
        result.attention.emplace_back(gain.matrix());
    }
    result.output = attention::output(layer, sequence, result.attention);
    for (Eigen::Index i = 0; i < tokens; ++i)
        if (missing[static_cast<std::size_t>(i)]) result.output.row(i).setConstant(std::numeric_limits<double>::quiet_NaN());
    return result;
}

OperationCounts FixedQuery::operations(int heads, int tokens, int oscillator_dimension) const {
    const double t = tokens;
    const double pairs = heads * (options_.causal ? t * (t + 1.0) / 2.0 : t * t);
    const double rows = heads * t;
    const double d = oscillator_dimension;
    const double weights = coupling_operations(options_.coupling) * pairs;
    OperationCounts counts;  // notes: published accounting; the writing of the couplings is not in it
    counts.softmax = 10.0 * pairs + 2.0 * rows;
    counts.oscillator_digital = weights + 2.0 * d * pairs + 4.0 * rows;
    counts.equilibration_physical = weights + d * pairs + 2.0 * rows;
    counts.all_physical = weights + 2.0 * rows;
    // Bringing rows to full scale before they are written: the row sum of W_ij |r_j| (one multiply-add per pair), one reciprocal per row, one product
    // per weight.
    counts.row_normalisation = 2.0 * pairs + rows;
    return counts;
}

}  // namespace entrain::mechanisms::fixed_query

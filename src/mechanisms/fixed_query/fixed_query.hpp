#pragma once
#include <Eigen/Core>
#include <span>
#include <vector>

#include "attention/layer.hpp"
#include "core/fields.hpp"
#include "mechanisms/fixed_query/coupling.hpp"
#include "mechanisms/mechanism.hpp"
#include "network/oscillator_network.hpp"

namespace entrain::mechanisms::fixed_query {

struct FixedQueryOptions {
    CouplingFunction coupling = CouplingFunction::softplus;
    bool causal = false;
    double readout_power = 1.0;
    bool mask_padding_in_readout = false;
    void describe(FieldVisitor& visitor);
};

/// Fixed-query oscillator attention (Pasqualetti & Guo, arXiv:2606.12059). One free oscillator z_i on the unit sphere of R^d per head and token is
/// pulled by learned anchors r_j, one per head and position:
///     W_ij = f(q_i . k_j / sqrt(dh)),  h_i = sum_j W_ij r_j,  dz_i/dt = (I - z_i z_i^T) h_i  ->  z_i* = h_i / |h_i|
///     a_ij = max(0, 1 + z_i* . r_j)^p / sum_k max(0, 1 + z_i* . r_k)^p
/// Causal masking removes keys j > i from coupling and readout. Padded keys have no coupling but, as published, keep their readout weight unless
/// mask_padding_in_readout. Anchors may have any length: r_j enters in full both as drive and as readout gain, so z_i* . r_j is a cosine only for
/// unit anchors. A row sums to 1, or is 0 where nothing can be read: padded or failed queries, and a state so far from all (long) anchors that every
/// entry clamps to 0.
class FixedQuery final : public Mechanism {
 public:
    FixedQuery() = default;
    explicit FixedQuery(const FixedQueryOptions& options) : options_{options} {}

    void describe(FieldVisitor& visitor) override { options_.describe(visitor); }
    [[nodiscard]] network::OscillatorNetwork lower(const attention::Layer& layer, std::span<const attention::Sequence> sequences,
                                                   const Eigen::MatrixXd& states) const override;
    /// The output of a token without a state in some head is NaN: a sum that lacks a head is not an output.
    [[nodiscard]] AttentionResult decode(const attention::Layer& layer, const attention::Sequence& sequence,
                                         const std::vector<Eigen::MatrixXd>& states) const override;
    /// z* = h / max(|h|, 1e-12), so h = 0 gives the zero vector and equal attention to all keys.
    [[nodiscard]] AttentionResult reference(const attention::Layer& layer, const attention::Sequence& sequence) const override;
    [[nodiscard]] OperationCounts operations(int heads, int tokens, int oscillator_dimension) const override;
    [[nodiscard]] bool causal() const override { return options_.causal; }

 private:
    FixedQueryOptions options_;
};

}  // namespace entrain::mechanisms::fixed_query

#pragma once
#include <Eigen/Core>
#include <memory>
#include <span>
#include <vector>

#include "attention/layer.hpp"
#include "core/fields.hpp"
#include "network/oscillator_network.hpp"

namespace entrain::mechanisms {

/// Attention of one sequence, however it was obtained. Rows of padded queries are 0 in attention and NaN in states.
struct AttentionResult {
    std::vector<Eigen::MatrixXd> attention;  ///< [H] of [T x T]
    std::vector<Eigen::MatrixXd> states;     ///< [H] of [T x d] unit vectors z*; NaN where there is none
    std::vector<Eigen::VectorXd> drive;      ///< [H] of [T] r_i in [0, 1]; NaN for padded queries. Filled by reference()
    Eigen::MatrixXd output;                  ///< [T x D]
};

/// Operations of the attention stage per layer and sequence in multiply-add equivalents (1 exponential = 10, everything else 1); projections and
/// value path excluded.
struct OperationCounts {
    double softmax = 0.0;
    double oscillator_digital = 0.0;
    double equilibration_physical = 0.0;
    double all_physical = 0.0;
    double row_normalisation = 0.0;
};

/// An attention mechanism: digital reference + lowering + decoding. Stateless but for its options.
class Mechanism {
 public:
    virtual ~Mechanism() = default;

    /// The options of `layer:` that belong to this mechanism.
    virtual void describe(FieldVisitor& visitor) = 0;

    /// How many networks a query needs one after another; states pass on between rounds.
    [[nodiscard]] virtual int rounds() const { return 1; }

    /// Lowers sequences into one network: anchors [heads x T positions, shared by the sequences], one free oscillator per head and unpadded token,
    /// ordered by (sequence, head, token), couplings un-normalised. `start` and `detuning` of the result are left at size [N x d] / [N] zero: they
    /// are the study's business. In rounds after the first, `states` holds the previous round's settled states [N x d].
    [[nodiscard]] virtual network::OscillatorNetwork lower(const attention::Layer& layer, std::span<const attention::Sequence> sequences,
                                                           const Eigen::MatrixXd& states) const = 0;

    /// Attention and output of one sequence from the settled unit states of its oscillators: states[h] is [T x d], NaN rows for tokens that were not
    /// simulated or failed (padded queries and failures give a zero row).
    [[nodiscard]] virtual AttentionResult decode(const attention::Layer& layer, const attention::Sequence& sequence,
                                                 const std::vector<Eigen::MatrixXd>& states) const = 0;

    /// The digital reference of the same mechanism, written from its definition and not from lower()/decode().
    [[nodiscard]] virtual AttentionResult reference(const attention::Layer& layer, const attention::Sequence& sequence) const = 0;

    /// Operation counts for a layer of this shape.
    [[nodiscard]] virtual OperationCounts operations(int heads, int tokens, int oscillator_dimension) const = 0;

    /// Whether key j takes part in the row of query i (causal mask): for reports and softmax.
    [[nodiscard]] virtual bool causal() const = 0;
};

}  // namespace entrain::mechanisms

#pragma once

namespace entrain::mechanisms::fixed_query {

/// How a score q.k/sqrt(dh) becomes a coupling weight >= 0.
enum class CouplingFunction {
    softplus,  ///< ln(1 + e^x): the published default
    relu_eps,  ///< max(0, x) + 1e-3: no exponential; the 1e-3 keeps a row from vanishing
    elu1       ///< elu(x) + 1 = x + 1 for x > 0, e^x otherwise
};

/// f(score), without overflow for any finite score.
[[nodiscard]] double coupling_weight(CouplingFunction function, double score);

/// Multiply-add equivalents of one evaluation: an exponential counts 10, anything else 1 (the published accounting).
[[nodiscard]] double coupling_operations(CouplingFunction function);

}  // namespace entrain::mechanisms::fixed_query

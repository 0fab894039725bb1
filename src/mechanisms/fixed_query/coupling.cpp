#include "mechanisms/fixed_query/coupling.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace entrain::mechanisms::fixed_query {

double coupling_weight(CouplingFunction function, double score) {
    if (!std::isfinite(score))
        throw ModelError{"fixed_query: a score q.k/sqrt(dh) is not finite (weights and inputs overflow a double). Scale them down."};
    switch (function) {
        case CouplingFunction::relu_eps:
            return std::max(0.0, score) + 1e-3;  // 1e-3: Pasqualetti & Guo 2026, as trained
        case CouplingFunction::elu1:
            return score > 0.0 ? score + 1.0 : std::exp(score);
        case CouplingFunction::softplus:
            break;
    }
    return std::max(0.0, score) + std::log1p(std::exp(-std::abs(score)));  // ln(1 + e^x) with an exponent that is never positive
}

double coupling_operations(CouplingFunction function) { return function == CouplingFunction::relu_eps ? 1.0 : 10.0; }

}  // namespace entrain::mechanisms::fixed_query

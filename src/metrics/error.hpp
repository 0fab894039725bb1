#pragma once
#include <Eigen/Core>
#include <limits>
#include <span>
#include <vector>

#include "mechanisms/mechanism.hpp"

namespace entrain::metrics {

/// How far simulated attention is from a reference: the keys of `error` in result.json. Row = attention of one head and token over all T tokens of
/// its sequence, masked columns included. Only rows that count enter; NaN where there are none.
struct AttentionError {
    double attention_max_abs = std::numeric_limits<double>::quiet_NaN();
    double attention_max_abs_times_tokens =
        std::numeric_limits<double>::quiet_NaN();                     ///< each entry times the T of its sequence: entries are about 1/T
    double attention_rms = std::numeric_limits<double>::quiet_NaN();  ///< over entries
    double attention_kl_mean =
        std::numeric_limits<double>::quiet_NaN();  ///< [nat] mean over rows of KL(reference || simulated), probabilities below 1e-12 count as 1e-12
    double top1_agreement =
        std::numeric_limits<double>::quiet_NaN();  ///< fraction of rows whose largest entries share a key; entries within 1e-9 of the largest tie
    double phase_rms_deg = std::numeric_limits<double>::quiet_NaN();  ///< angle between the unit states, any d
    double phase_max_deg = std::numeric_limits<double>::quiet_NaN();
    double output_relative =
        std::numeric_limits<double>::quiet_NaN();  ///< |simulated - reference| / |reference|, Frobenius, over tokens all of whose heads count
    int n = 0;                                     ///< rows (head, token) that count
    int n_total = 0;                               ///< rows of queries that are not padded
};

/// One sequence to compare.
struct Comparison {
    const mechanisms::AttentionResult* simulated = nullptr;
    const mechanisms::AttentionResult* reference = nullptr;  ///< without states or output (softmax) the keys that need them are NaN
    const std::vector<bool>* padded = nullptr;               ///< [T]
    std::vector<std::vector<bool>> counts;                   ///< [H][T] settled, not degenerate, not padded: its simulated numbers are finite
};

[[nodiscard]] AttentionError attention_error(std::span<const Comparison> sequences);

}  // namespace entrain::metrics

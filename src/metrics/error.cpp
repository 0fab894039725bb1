#include "metrics/error.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/quantity.hpp"

namespace entrain::metrics {

namespace {

constexpr double kl_floor =
    1e-12;  // of the contract: far below any attention weight a circuit can tell from 0, so that clamped entries cost a finite amount
constexpr double tie = 1e-9;  // of the contract: above the rounding of the digital reference, below any difference a circuit resolves

using Row = Eigen::RowVectorXd;

double kl_divergence(const Row& reference, const Row& simulated) {
    double sum = 0.0;
    for (Eigen::Index j = 0; j < reference.size(); ++j)
        sum += reference(j) * std::log(std::max(reference(j), kl_floor) / std::max(simulated(j), kl_floor));
    return sum;
}

bool same_top(const Row& a, const Row& b) {
    const double top_a = a.maxCoeff() - tie;
    const double top_b = b.maxCoeff() - tie;
    return ((a.array() >= top_a) && (b.array() >= top_b)).any();
}

/// Angle between unit vectors, accurate for small angles too (the arccosine is not).
double angle_between(const Row& a, const Row& b) { return 2.0 * std::atan2((a - b).norm(), (a + b).norm()); }

}  // namespace

AttentionError attention_error(std::span<const Comparison> sequences) {
    AttentionError error;
    double max_abs = 0.0, max_abs_times_tokens = 0.0, squares = 0.0, kl = 0.0, phase_squares = 0.0, phase_max = 0.0, output_squares = 0.0,
           output_norm = 0.0;
    double entries = 0.0, agreeing = 0.0;
    int with_state = 0, with_output = 0;
    for (const Comparison& c : sequences) {
        const std::size_t heads = c.counts.size();
        const std::size_t tokens = c.padded->size();
        for (std::size_t t = 0; t < tokens; ++t) {
            if ((*c.padded)[t]) continue;
            const auto i = static_cast<Eigen::Index>(t);
            bool all_heads = true;
            for (std::size_t h = 0; h < heads; ++h) {
                ++error.n_total;
                if (!c.counts[h][t]) {
                    all_heads = false;
                    continue;
                }
                ++error.n;
                const Row simulated = c.simulated->attention[h].row(i);
                const Row reference = c.reference->attention[h].row(i);
                if (!simulated.allFinite()) throw std::logic_error{"metrics: a row that counts has no numbers"};  // a maximum would hide it
                const double largest = (simulated - reference).cwiseAbs().maxCoeff();
                max_abs = std::max(max_abs, largest);
                max_abs_times_tokens = std::max(max_abs_times_tokens, largest * static_cast<double>(tokens));
                squares += (simulated - reference).squaredNorm();
                entries += static_cast<double>(tokens);
                kl += kl_divergence(reference, simulated);
                agreeing += same_top(reference, simulated) ? 1.0 : 0.0;
                if (c.simulated->states.empty() || c.reference->states.empty()) continue;
                const double angle = angle_between(c.simulated->states[h].row(i), c.reference->states[h].row(i));
                phase_squares += angle * angle;
                phase_max = std::max(phase_max, angle);
                ++with_state;
            }
            if (!all_heads || c.simulated->output.size() == 0 || c.reference->output.size() == 0) continue;
            output_squares += (c.simulated->output.row(i) - c.reference->output.row(i)).squaredNorm();
            output_norm += c.reference->output.row(i).squaredNorm();
            ++with_output;
        }
    }
    if (error.n > 0) {
        error.attention_max_abs = max_abs;
        error.attention_max_abs_times_tokens = max_abs_times_tokens;
        error.attention_rms = std::sqrt(squares / entries);
        error.attention_kl_mean = kl / error.n;
        error.top1_agreement = agreeing / error.n;
    }
    if (with_state > 0) {
        error.phase_rms_deg = degrees(std::sqrt(phase_squares / with_state));
        error.phase_max_deg = degrees(phase_max);
    }
    if (with_output > 0) error.output_relative = std::sqrt(output_squares / output_norm);
    return error;
}

}  // namespace entrain::metrics

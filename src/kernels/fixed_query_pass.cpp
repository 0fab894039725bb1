#include "kernels/fixed_query_pass.hpp"

#include <cmath>
#include <stdexcept>

namespace entrain::kernels {

namespace {

std::size_t some(std::size_t keys) {
    if (keys == 0) throw std::invalid_argument{"kernels: a pass without keys (nothing drives the oscillators). Give at least one."};
    return keys;
}

double score_scale(std::size_t depth) { return 1.0 / std::sqrt(static_cast<double>(depth)); }

}  // namespace

WeightedPass::WeightedPass(std::size_t queries, std::size_t keys, const double* weights, InstructionSet set)
    : loops_{loops(set)},
      shape_{panel_shape(queries, some(keys), loops_.width, loops_.matrix_panel)},
      weights_{panel_size(shape_, loops_.width)},
      drive_x_{queries},
      drive_y_{queries} {
    loops_.pack(shape_, {queries, keys, weights}, weights_.data());
}

void WeightedPass::states(const PlanarPoints& anchors, const FreeOscillators& free, double* x, double* y) {
    loops_.dense(shape_, weights_.data(), anchors.x, anchors.y, drive_x_.data(), drive_y_.data());
    loops_.planar_states_at(shape_.rows, drive_x_.data(), drive_y_.data(), free.detuning, free.time, free.x, free.y, x, y);
}

ScoredPass::ScoredPass(std::size_t queries, std::size_t keys, std::size_t depth, InstructionSet set)
    : loops_{loops(set)},
      shape_{panel_shape(queries, depth, loops_.width, loops_.score_panel)},
      keys_{some(keys)},
      query_panels_{panel_size(shape_, loops_.width)},
      scratch_{keys * loops_.score_panel * loops_.width},
      drive_x_{queries},
      drive_y_{queries} {}

void ScoredPass::states(const double* q, const double* k, const PlanarPoints& anchors, const FreeOscillators& free, double* x, double* y) {
    const std::size_t depth = shape_.columns;
    loops_.pack(shape_, {shape_.rows, depth, q}, query_panels_.data());
    const Scores scores{shape_, query_panels_.data(), {keys_, depth, k}, score_scale(depth)};
    loops_.exponential_drive(scores, anchors, scratch_.data(), drive_x_.data(), drive_y_.data());
    loops_.planar_states_at(shape_.rows, drive_x_.data(), drive_y_.data(), free.detuning, free.time, free.x, free.y, x, y);
}

AttentionPass::AttentionPass(std::size_t tokens, std::size_t model, std::size_t depth, const double* w_q, const double* w_k, InstructionSet set)
    : loops_{loops(set)},
      projection_{panel_shape(depth, model, loops_.width, loops_.score_panel)},
      queries_{panel_shape(some(tokens), depth, loops_.width, loops_.score_panel)},
      w_q_{panel_size(projection_, loops_.width)},
      w_k_{panel_size(projection_, loops_.width)},
      q_{tokens * projection_.vectors * loops_.width},
      k_{tokens * projection_.vectors * loops_.width},
      query_panels_{panel_size(queries_, loops_.width)},
      scratch_{tokens * loops_.score_panel * loops_.width},
      drive_x_{tokens},
      drive_y_{tokens} {
    loops_.pack(projection_, {depth, model, w_q}, w_q_.data());
    loops_.pack(projection_, {depth, model, w_k}, w_k_.data());
}

void AttentionPass::rows(const double* inputs, const PlanarPoints& anchors, double* attention) {
    const std::size_t tokens = queries_.rows;
    const std::size_t stride = projection_.vectors * loops_.width;
    loops_.multiply(projection_, w_q_.data(), {tokens, projection_.columns, inputs}, q_.data());
    loops_.multiply(projection_, w_k_.data(), {tokens, projection_.columns, inputs}, k_.data());
    loops_.pack(queries_, {tokens, stride, q_.data()}, query_panels_.data());
    const Scores scores{queries_, query_panels_.data(), {tokens, stride, k_.data()}, score_scale(queries_.columns)};
    loops_.softplus_drive(scores, anchors, scratch_.data(), drive_x_.data(), drive_y_.data());
    loops_.attention_rows(tokens, tokens, {drive_x_.data(), drive_y_.data()}, anchors, attention);
}

}  // namespace entrain::kernels

#pragma once
#include "attention/layer.hpp"
#include "core/random.hpp"

namespace entrain::test {

/// Normal deviates one after another.
class Normals {
 public:
    explicit Normals(std::uint64_t seed) : streams_{seed} {}
    double next() { return streams_.normal(Stream::bench, count_++); }
    Eigen::MatrixXd matrix(Eigen::Index rows, Eigen::Index cols) {
        return Eigen::MatrixXd::NullaryExpr(rows, cols, [this] { return next(); });
    }

 private:
    RandomStreams streams_;
    std::uint64_t count_ = 0;
};

/// A layer with normal weights and anchors of various lengths.
inline attention::Layer random_layer(int heads, int head_dimension, int model_dimension, int oscillator_dimension, int max_tokens,
                                     std::uint64_t seed) {
    Normals normal{seed};
    attention::Layer layer;
    layer.heads = heads;
    layer.head_dimension = head_dimension;
    layer.model_dimension = model_dimension;
    layer.oscillator_dimension = oscillator_dimension;
    layer.max_tokens = max_tokens;
    layer.w_q = normal.matrix(heads * head_dimension, model_dimension);
    layer.w_k = normal.matrix(heads * head_dimension, model_dimension);
    layer.w_v = normal.matrix(heads * head_dimension, model_dimension);
    layer.w_o = normal.matrix(model_dimension, heads * head_dimension);
    layer.b_o = normal.matrix(model_dimension, 1);
    for (int head = 0; head < heads; ++head) layer.anchors.push_back(normal.matrix(max_tokens, oscillator_dimension));
    return layer;
}

inline attention::Sequence random_sequence(int index, int tokens, int model_dimension, std::uint64_t seed) {
    attention::Sequence sequence;
    sequence.index = index;
    sequence.x = 0.7 * Normals{seed}.matrix(tokens, model_dimension);
    sequence.padded.assign(static_cast<std::size_t>(tokens), false);
    return sequence;
}

}  // namespace entrain::test

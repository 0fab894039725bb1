#pragma once
#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace entrain::attention {

/// A trained attention layer as its authors' state dict has it; linear layers compute x W^T.
struct Layer {
    int heads = 1;                         ///< H
    int head_dimension = 0;                ///< dh
    int model_dimension = 0;               ///< D
    int oscillator_dimension = 0;          ///< d
    int max_tokens = 0;                    ///< Tmax
    Eigen::MatrixXd w_q;                   ///< [H dh x D]
    Eigen::MatrixXd w_k;                   ///< [H dh x D]
    Eigen::MatrixXd w_v;                   ///< [H dh x D]
    Eigen::MatrixXd w_o;                   ///< [D x H dh]
    Eigen::VectorXd b_o;                   ///< [D]
    std::vector<Eigen::MatrixXd> anchors;  ///< [H] of [Tmax x d], any length > 0
};

/// One input of a layer.
struct Sequence {
    int index = 0;             ///< original index in the inputs file
    Eigen::MatrixXd x;         ///< [T x D]
    std::vector<bool> padded;  ///< [T]
    [[nodiscard]] int tokens() const { return static_cast<int>(x.rows()); }
};

/// Reads the layer's tensors from a safetensors or npz file; `prefix` picks it out of a whole state dict. UserError with file, tensor, found and
/// expected when a tensor is missing, has a wrong shape or contains NaN/Inf, or an anchor has no length; when `heads` does not fit, at `heads_where`
/// (the configuration) and naming the file.
[[nodiscard]] Layer load_layer(const std::filesystem::path& file, const std::string& prefix, int heads, const Location& heads_where);

/// Reads `x` [S, T, D] or [T, D] and the optional `padding` [S, T] (BOOL or U8). UserError as load_layer; a sequence with every token padded is an
/// error.
[[nodiscard]] std::vector<Sequence> load_sequences(const std::filesystem::path& file, const Layer& layer);

/// Projections of one head: q = x W_q^T, k, v restricted to the head's rows [T x dh].
struct Projection {
    Eigen::MatrixXd q;
    Eigen::MatrixXd k;
    Eigen::MatrixXd v;
};
[[nodiscard]] Projection project(const Layer& layer, const Sequence& sequence, int head);

/// Softmax attention with the same scores q.k/sqrt(dh): the digital baseline, one [T x T] matrix per head. Padded keys get no weight (the usual
/// softmax convention, whatever the oscillator readout does with them); rows of padded queries are 0.
[[nodiscard]] std::vector<Eigen::MatrixXd> softmax_attention(const Layer& layer, const Sequence& sequence, bool causal);

/// W_o concat_h(A_h V_h) + b_o  [T x D]; rows of padded queries are NaN.
[[nodiscard]] Eigen::MatrixXd output(const Layer& layer, const Sequence& sequence, const std::vector<Eigen::MatrixXd>& attention);

}  // namespace entrain::attention

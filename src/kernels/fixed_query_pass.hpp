#pragma once
#include <cstddef>

#include "kernels/instruction_set.hpp"
#include "kernels/loops.hpp"
#include "kernels/panels.hpp"

namespace entrain::kernels {

/// The free oscillators of a pass, d = 2: phases e^(i theta) = x + iy at time 0, arrays of one number per query.
struct FreeOscillators {
    const double* detuning = nullptr;
    const double* x = nullptr;
    const double* y = nullptr;
    double time = 0.0;  ///< the states are wanted after this time, finite, in units of 1/drive
};

/// Fixed-query oscillator attention in one pass: weights to drives h_i = sum_j W_ij r_j, drives to states by the closed form (planar_states). The
/// classes differ in where the weights come from. Nothing is allocated after construction; each object holds its work space, so each thread needs its
/// own. Matrices are row by row, numbers of a row next to each other. Anchors r_j may have any length.
class WeightedPass {
 public:
    /// weights: [queries][keys]
    WeightedPass(std::size_t queries, std::size_t keys, const double* weights, InstructionSet set = best());

    /// x, y: [queries]; they may be those of `free`.
    void states(const PlanarPoints& anchors, const FreeOscillators& free, double* x, double* y);

 private:
    const Loops& loops_;
    PanelShape shape_;
    AlignedArray weights_;
    AlignedArray drive_x_, drive_y_;
};

/// Weights from queries and keys, exponential and of sum 1 in each row: W_ij = e^(s_ij) / sum_k e^(s_ik), s_ij = q_i . k_j / sqrt(depth). The largest
/// score of a row is taken off first: nothing overflows.
class ScoredPass {
 public:
    ScoredPass(std::size_t queries, std::size_t keys, std::size_t depth, InstructionSet set = best());

    /// q: [queries][depth], k: [keys][depth]
    void states(const double* q, const double* k, const PlanarPoints& anchors, const FreeOscillators& free, double* x, double* y);

 private:
    const Loops& loops_;
    PanelShape shape_;
    std::size_t keys_;
    AlignedArray query_panels_, scratch_, drive_x_, drive_y_;
};

/// From the inputs X of a layer to the rows of one head's attention, for settled oscillators without detuning:
///     W_ij = ln(1 + e^(s_ij)),  s_ij = (W_q x_i) . (W_k x_j) / sqrt(depth),  z_i = h_i / max(|h_i|, 1e-12)
///     a_ij = max(0, 1 + z_i . r_j) / sum_k max(0, 1 + z_i . r_k)
/// (Pasqualetti & Guo, arXiv:2606.12059). A row whose entries all clamp is 0.
class AttentionPass {
 public:
    /// w_q, w_k: [depth][model]
    AttentionPass(std::size_t tokens, std::size_t model, std::size_t depth, const double* w_q, const double* w_k, InstructionSet set = best());

    /// inputs: [tokens][model], attention: [tokens][tokens]
    void rows(const double* inputs, const PlanarPoints& anchors, double* attention);

 private:
    const Loops& loops_;
    PanelShape projection_;  ///< rows: depth, columns: model
    PanelShape queries_;     ///< rows: tokens, columns: depth
    AlignedArray w_q_, w_k_;
    AlignedArray q_, k_;  ///< [tokens][depth, padded]
    AlignedArray query_panels_, scratch_, drive_x_, drive_y_;
};

}  // namespace entrain::kernels

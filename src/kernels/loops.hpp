#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/instruction_set.hpp"

namespace entrain::kernels {

/// How the rows of a dense matrix lie in memory: in panels of a few vectors of rows; within a panel column by column, so that a column times a number
/// adds to sums that stay in registers. The first `vectors % panels` panels are one vector higher than the others. Rows are padded with zeros to
/// whole vectors. Plain numbers, read by loops of any instruction set.
struct PanelShape {
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t vectors = 0;  ///< of rows
    std::size_t panels = 0;
};

struct SparseRows {
    std::size_t rows = 0;
    const std::size_t* start = nullptr;     ///< [rows + 1] into column
    const std::uint32_t* column = nullptr;  ///< of each entry
    const double* value = nullptr;          ///< one number per entry, or (re, im)
};

/// Anchors of d = 2: [keys] each.
struct PlanarPoints {
    const double* x = nullptr;
    const double* y = nullptr;
};

/// A matrix row by row, `stride` numbers from one row to the next.
struct Rows {
    std::size_t count = 0;
    std::size_t stride = 0;
    const double* numbers = nullptr;
};

/// Scores s_ij = scale q_i . k_j.
struct Scores {
    PanelShape queries;  ///< rows: queries, columns: depth
    const double* query_panels = nullptr;
    Rows keys;
    double scale = 1.0;
};

/// The loops compiled for one instruction set. Arrays have no alignment unless they are panels or `scratch`, which are aligned to 64 bytes.
/// Nothing in here allocates.
struct Loops {
    std::size_t width;         ///< doubles in a vector
    std::size_t matrix_panel;  ///< most vectors in a panel of a coupling matrix
    std::size_t score_panel;   ///< most vectors in a panel of queries

    void (*sincos)(std::size_t n, const double* angle, double* cosine, double* sine);
    void (*sincos_pairs)(std::size_t n, const double* angle, double* pairs);  ///< (cosine, sine) next to each other
    void (*rates)(std::size_t n, const double* cosine, const double* sine, const double* pull_re, const double* pull_im, const double* detuning,
                  double* rate);

    void (*dense)(const PanelShape& shape, const double* panels, const double* re, const double* im, double* out_re, double* out_im);
    /// Columns of the panels in turn real and imaginary parts: twice as many as of the matrix.
    void (*dense_complex)(const PanelShape& shape, const double* panels, const double* re, const double* im, double* out_re, double* out_im);
    void (*interleave)(std::size_t n, const double* re, const double* im, double* pairs);
    void (*sparse)(const SparseRows& matrix, const double* pairs, double* out_re, double* out_im);
    void (*sparse_complex)(const SparseRows& matrix, const double* pairs, double* out_re, double* out_im);
    /// rates() of the product, row by row.
    void (*sparse_rates)(const SparseRows& matrix, const double* pairs, const double* detuning, double* rate);
    /// sparse() and sparse_complex() from separate arrays, with the same result to the last bit.
    void (*sparse_apart)(const SparseRows& matrix, const double* re, const double* im, double* out_re, double* out_im);
    void (*sparse_complex_apart)(const SparseRows& matrix, const double* re, const double* im, double* out_re, double* out_im);
    /// (re, im) times (turn_re, turn_im), element by element.
    void (*turn)(std::size_t n, const double* turn_re, const double* turn_im, double* re, double* im);
    /// Sum of `n` aligned numbers, n a multiple of the width: nothing but reading them once, the limit of a product.
    double (*read)(std::size_t n, const double* numbers);

    void (*planar_states)(std::size_t n, const double* drive_x, const double* drive_y, const double* detuning, const double* time,
                          const double* start_x, const double* start_y, double* x, double* y);
    /// One time for all.
    void (*planar_states_at)(std::size_t n, const double* drive_x, const double* drive_y, const double* detuning, double time, const double* start_x,
                             const double* start_y, double* x, double* y);
    void (*sphere_states)(std::size_t n, std::size_t d, const double* drive, const double* time, const double* start, double* state);

    void (*pack)(const PanelShape& shape, const Rows& matrix, double* panels);
    /// products[j][i] = row i of the panels times row j of `matrix`; [matrix.count][vectors x width].
    void (*multiply)(const PanelShape& shape, const double* panels, const Rows& matrix, double* products);
    /// sum_j f(s_ij) r_j, over sum_j f(s_ij) with f = exp; f = ln(1 + e^x) without. Scratch: keys x (score_panel x width) numbers.
    void (*exponential_drive)(const Scores& scores, const PlanarPoints& anchors, double* scratch, double* drive_x, double* drive_y);
    void (*softplus_drive)(const Scores& scores, const PlanarPoints& anchors, double* scratch, double* drive_x, double* drive_y);
    /// Rows max(0, 1 + z_i . r_j) over their sums, z_i = drive / max(|drive|, 1e-12); [rows][keys].
    void (*attention_rows)(std::size_t rows, std::size_t keys, const PlanarPoints& drives, const PlanarPoints& anchors, double* attention);
};

[[nodiscard]] const Loops& loops(InstructionSet set);

}  // namespace entrain::kernels

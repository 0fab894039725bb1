#include "kernels/coupling_matrix.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/loops.hpp"
#include "kernels/panels.hpp"

namespace entrain::kernels {

namespace {

/// Entries in the order of rows and columns, those of one place added up.
struct Compressed {
    std::vector<std::size_t> start;  ///< [rows + 1]
    std::vector<std::uint32_t> column;
    std::vector<std::complex<double>> value;
};

Compressed compress(std::size_t size, std::span<const Entry> entries) {
    Compressed rows;
    rows.start.assign(size + 1, 0);
    for (const Entry& e : entries) {
        if (e.row >= size || e.column >= size)
            throw std::invalid_argument{"kernels: entry (" + std::to_string(e.row) + ", " + std::to_string(e.column) + ") is outside a matrix of " +
                                        std::to_string(size) + " rows. Check the indices."};
        ++rows.start[e.row + 1];
    }
    for (std::size_t i = 0; i < size; ++i) rows.start[i + 1] += rows.start[i];

    std::vector<std::pair<std::uint32_t, std::complex<double>>> sorted(entries.size());
    std::vector<std::size_t> next(rows.start.begin(), rows.start.end() - 1);
    for (const Entry& e : entries) sorted[next[e.row]++] = {e.column, e.value};

    rows.column.reserve(entries.size());
    rows.value.reserve(entries.size());
    for (std::size_t i = 0; i < size; ++i) {
        const auto begin = sorted.begin() + static_cast<std::ptrdiff_t>(rows.start[i]);
        const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(rows.start[i + 1]);
        const auto by_column = [](const auto& a, const auto& b) { return a.first < b.first; };
        if (!std::is_sorted(begin, end, by_column)) std::stable_sort(begin, end, by_column);  // stable: sums do not depend on the library
        rows.start[i] = rows.column.size();
        for (auto e = begin; e != end; ++e) {
            if (rows.column.size() > rows.start[i] && rows.column.back() == e->first) {
                rows.value.back() += e->second;
            } else {
                rows.column.push_back(e->first);
                rows.value.push_back(e->second);
            }
        }
    }
    rows.start[size] = rows.column.size();
    return rows;
}

/// Direction of the line through 0 that the entries of a row lie on, if they do: the row is real numbers times it. Rows of real numbers have 1.
/// 4 roundings of 1e-16 is what weight * polar(1, lag) may be off the line.
std::optional<std::complex<double>> direction(std::span<const std::complex<double>> row) {
    if (std::ranges::all_of(row, [](const std::complex<double>& v) { return v.imag() == 0.0; })) return 1.0;
    const auto longest = std::ranges::max_element(row, {}, [](const std::complex<double>& v) { return std::abs(v); });
    const std::complex<double> along = *longest / std::abs(*longest);
    const bool on_line = std::ranges::all_of(row, [&](const std::complex<double>& v) {
        return std::abs((v * std::conj(along)).imag()) <= 4.0 * std::numeric_limits<double>::epsilon() * std::abs(v);
    });
    if (!on_line) return std::nullopt;
    return along;
}

/// What rows stored as real numbers are multiplied with after the product; empty if all are 1.
struct Turns {
    std::vector<double> re, im;
    void apply(const Loops& loops, double* out_re, double* out_im) const {
        if (!re.empty()) loops.turn(re.size(), re.data(), im.data(), out_re, out_im);
    }
    [[nodiscard]] std::size_t bytes() const { return 2 * re.size() * sizeof(double); }
};

/// Turns the rows onto the real axis if each has a direction; otherwise leaves them and returns nothing.
std::optional<Turns> straighten(Compressed& rows) {
    const std::size_t size = rows.start.size() - 1;
    Turns turns{std::vector<double>(size, 1.0), std::vector<double>(size, 0.0)};
    const auto row = [&](std::size_t i) { return std::span{rows.value}.subspan(rows.start[i], rows.start[i + 1] - rows.start[i]); };
    for (std::size_t i = 0; i < size; ++i) {
        const auto along = direction(row(i));
        if (!along) return std::nullopt;
        turns.re[i] = along->real();
        turns.im[i] = along->imag();
    }
    for (std::size_t i = 0; i < size; ++i)
        if (turns.im[i] != 0.0 || turns.re[i] != 1.0)
            for (std::complex<double>& v : row(i)) v = (v * std::complex<double>{turns.re[i], -turns.im[i]}).real();
    if (std::ranges::all_of(turns.re, [](double x) { return x == 1.0; })) return Turns{};
    return turns;
}

void rates_in_steps(const CouplingMatrix& matrix, const Loops& loops, const double* angle, const double* detuning, double* work, double* rate) {
    const std::size_t n = matrix.size();
    double* const cosine = work;
    double* const sine = work + n;
    double* const re = work + 2 * n;
    double* const im = work + 3 * n;
    loops.sincos(n, angle, cosine, sine);
    matrix.apply(cosine, sine, re, im);
    loops.rates(n, cosine, sine, re, im, detuning, rate);
}

class DenseReal final : public CouplingMatrix {
 public:
    DenseReal(const Compressed& rows, Turns turns, const Loops& loops)
        : loops_{loops},
          shape_{panel_shape(rows.start.size() - 1, rows.start.size() - 1, loops.width, loops.matrix_panel)},
          panels_{panel_size(shape_, loops.width)},
          turns_{std::move(turns)} {
        for (std::size_t i = 0; i < size(); ++i) {
            const RowPlace place = row_place(shape_, loops.width, i);
            for (std::size_t k = rows.start[i]; k < rows.start[i + 1]; ++k)
                panels_.data()[place.first + rows.column[k] * place.stride] = rows.value[k].real();
        }
    }
    void apply(const double* re, const double* im, double* out_re, double* out_im) const override {
        loops_.dense(shape_, panels_.data(), re, im, out_re, out_im);
        turns_.apply(loops_, out_re, out_im);
    }
    void rates(const double* angle, const double* detuning, double* work, double* rate) const override {
        rates_in_steps(*this, loops_, angle, detuning, work, rate);
    }
    [[nodiscard]] std::size_t size() const override { return shape_.rows; }
    [[nodiscard]] std::size_t bytes() const override { return panels_.bytes() + turns_.bytes(); }
    [[nodiscard]] std::span<const double> stored() const override { return {panels_.data(), panels_.size()}; }

 private:
    const Loops& loops_;
    PanelShape shape_;
    AlignedArray panels_;
    Turns turns_;
};

/// Two columns of the panels for each of the matrix: real and imaginary parts.
class DenseComplex final : public CouplingMatrix {
 public:
    DenseComplex(const Compressed& rows, const Loops& loops)
        : loops_{loops},
          shape_{panel_shape(rows.start.size() - 1, 2 * (rows.start.size() - 1), loops.width, loops.matrix_panel)},
          panels_{panel_size(shape_, loops.width)} {
        for (std::size_t i = 0; i < size(); ++i) {
            const RowPlace place = row_place(shape_, loops.width, i);
            for (std::size_t k = rows.start[i]; k < rows.start[i + 1]; ++k) {
                double* re = panels_.data() + place.first + 2 * rows.column[k] * place.stride;
                re[0] = rows.value[k].real();
                re[place.stride] = rows.value[k].imag();
            }
        }
    }
    void apply(const double* re, const double* im, double* out_re, double* out_im) const override {
        loops_.dense_complex(shape_, panels_.data(), re, im, out_re, out_im);
    }
    void rates(const double* angle, const double* detuning, double* work, double* rate) const override {
        rates_in_steps(*this, loops_, angle, detuning, work, rate);
    }
    [[nodiscard]] std::size_t size() const override { return shape_.rows; }
    [[nodiscard]] std::size_t bytes() const override { return panels_.bytes(); }
    [[nodiscard]] std::span<const double> stored() const override { return {panels_.data(), panels_.size()}; }

 private:
    const Loops& loops_;
    PanelShape shape_;
    AlignedArray panels_;
};

/// Rows as they are compressed. The product gathers (re, im) pairs from an interleaved copy of its argument, one cache line and, on huge pages, one
/// near address for both; a second thread that finds the copy in use gathers from the two arrays, which is slower and gives the same numbers.
class Sparse final : public CouplingMatrix {
 public:
    Sparse(Compressed rows, std::optional<Turns> turns, const Loops& loops)
        : loops_{loops}, start_{std::move(rows.start)}, column_{std::move(rows.column)}, complex_{!turns}, pairs_{2 * (start_.size() - 1)} {
        value_ = AlignedArray{(complex_ ? 2 : 1) * rows.value.size()};
        double* next = value_.data();
        for (const std::complex<double>& v : rows.value) {
            *next++ = v.real();
            if (complex_) *next++ = v.imag();
        }
        if (turns) turns_ = std::move(*turns);
    }
    void apply(const double* re, const double* im, double* out_re, double* out_im) const override {
        const SparseRows matrix{size(), start_.data(), column_.data(), value_.data()};
        if (!pairs_in_use_.test_and_set(std::memory_order_acquire)) {
            loops_.interleave(size(), re, im, pairs_.data());
            (complex_ ? loops_.sparse_complex : loops_.sparse)(matrix, pairs_.data(), out_re, out_im);
            pairs_in_use_.clear(std::memory_order_release);
        } else {
            (complex_ ? loops_.sparse_complex_apart : loops_.sparse_apart)(matrix, re, im, out_re, out_im);
        }
        turns_.apply(loops_, out_re, out_im);
    }
    void rates(const double* angle, const double* detuning, double* work, double* rate) const override {
        if (complex_ || !turns_.re.empty()) return rates_in_steps(*this, loops_, angle, detuning, work, rate);
        const SparseRows matrix{size(), start_.data(), column_.data(), value_.data()};
        const bool own = !pairs_in_use_.test_and_set(std::memory_order_acquire);
        double* const pairs = own ? pairs_.data() : work;
        loops_.sincos_pairs(size(), angle, pairs);
        loops_.sparse_rates(matrix, pairs, detuning, rate);
        if (own) pairs_in_use_.clear(std::memory_order_release);
    }
    [[nodiscard]] std::size_t size() const override { return start_.size() - 1; }
    [[nodiscard]] std::size_t bytes() const override {
        return start_.size() * sizeof(std::size_t) + column_.size() * sizeof(std::uint32_t) + value_.bytes() + turns_.bytes();
    }
    [[nodiscard]] std::span<const double> stored() const override { return {value_.data(), value_.size()}; }

 private:
    const Loops& loops_;
    std::vector<std::size_t> start_;
    std::vector<std::uint32_t> column_;
    AlignedArray value_;
    bool complex_;
    Turns turns_;
    mutable AlignedArray pairs_;  ///< the interleaved copy
    mutable std::atomic_flag pairs_in_use_;
};

}  // namespace

std::unique_ptr<CouplingMatrix> coupling_matrix(std::size_t size, std::span<const Entry> entries, InstructionSet set) {
    Compressed rows = compress(size, entries);
    std::optional<Turns> turns = straighten(rows);
    const Loops& of_set = loops(set);
    const bool dense = 5 * rows.value.size() >= size * size;
    if (!dense) return std::make_unique<Sparse>(std::move(rows), std::move(turns), of_set);
    if (turns) return std::make_unique<DenseReal>(rows, std::move(*turns), of_set);
    return std::make_unique<DenseComplex>(rows, of_set);
}

}  // namespace entrain::kernels

#pragma once
#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engines/ngspice/protocol.hpp"

namespace entrain::engines::ngspice {

/// Mean, mean square, power and harmonics of each signal over every whole period of the clock, while the points stream by:
///     c_n = 2/T * integral over [k T, (k + 1) T] of (v - mean) exp(-i n w t) dt,    so that v contains |c_n| cos(n w t + arg c_n)
/// by the trapezoidal rule on the actual points; the sample on a period's boundary is interpolated linearly in the integrand. For a periodic signal
/// on a uniform grid of T/h points this is exact for all harmonics below T/h - n wherever the grid lies, because the two parts of the cut interval
/// add up to a whole one. Steps that the simulator cut short cost accuracy only in their own period. Before its first point a signal counts as
/// constant.
class Demodulator {
 public:
    Demodulator(double frequency, std::size_t signals, std::vector<std::int32_t> harmonics);

    /// The next accepted point [s]; read voltage and power of every signal.
    void add(double time, std::span<const double> values, std::span<const double> powers);

    /// Periods completed since the last call.
    [[nodiscard]] Periods take();

 private:
    void accumulate(double weight_before, double weight_after);
    void close_period();

    double frequency_;
    std::size_t signals_;
    std::vector<std::int32_t> harmonics_;
    bool started_ = false;
    double time_ = 0.0;
    std::uint64_t period_ = 0;  ///< the open one
    std::uint64_t first_ = 0;   ///< first period not yet taken
    std::vector<double> done_;
    // At the point before and at this one; sums over the open period.
    std::vector<std::complex<double>> clock_before_, clock_after_, clock_sum_;  ///< exp(-i n w t) by harmonic
    std::vector<double> value_before_, value_after_, value_sum_, square_sum_;
    std::vector<double> power_before_, power_after_, power_sum_;
    std::vector<std::complex<double>> product_sum_;  ///< value times clock, [signal x harmonic]
};

}  // namespace entrain::engines::ngspice

#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "problem/problem.hpp"

namespace entrain::engines::ngspice {

/// Splits oscillators into netlists. They share one time axis, so each netlist runs as long as its slowest oscillator and costs
///     c = periods(slowest) (cost.fixed_s + cost.per_cell_s n),    n <= largest.
/// Minimises the sum of c plus the largest c, over contiguous parts of the list sorted by `periods`: what the processors work, plus what no number of
/// workers gets below. The largest is bounded by halves of the undivided sum down to a 32nd, so the minimum is that within a factor of two of the
/// bound. Depends on nothing but its arguments, in particular not on the number of workers. Netlists come most expensive first, each lists its
/// oscillators slowest first.
[[nodiscard]] std::vector<std::vector<std::uint32_t>> split(std::span<const double> periods, const problem::PointCost& cost, std::size_t largest);

}  // namespace entrain::engines::ngspice

#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "problem/problem.hpp"

namespace entrain::engines::ngspice {

/// Splits oscillators into netlists. They share one time axis, so each netlist runs as long as its slowest oscillator: minimises
///     sum over netlists of periods(slowest) (cost.fixed_s + cost.per_cell_s n),    n <= largest,
/// over contiguous parts of the list sorted by `periods`. Depends on nothing but its arguments, in particular not on the number of workers. (A rule
/// that also bounds the longest netlist, for several workers to share, worked 15 % more and was no faster on two; measured on configs/kws_size.yaml.)
/// Netlists come most expensive first, each lists its oscillators slowest first.
[[nodiscard]] std::vector<std::vector<std::uint32_t>> split(std::span<const double> periods, const problem::PointCost& cost, std::size_t largest);

}  // namespace entrain::engines::ngspice

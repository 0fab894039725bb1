#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace entrain::engines::ngspice {

/// Cost of an accepted time point [s] of a netlist of n oscillators: fixed_point_cost + oscillator_point_cost n. Measured on libngspice 39, LC cell,
/// trapezoidal rule, two Newton iterations a point: a fit over n = 1 .. 1024 (2.4 us at 1, 31 us at 64). Only their ratio decides the split.
inline constexpr double fixed_point_cost = 2e-6;
inline constexpr double oscillator_point_cost = 0.5e-6;

/// Splits oscillators into netlists. They share one time axis, so each netlist runs as long as its slowest oscillator: minimises
///     sum over netlists of periods(slowest) (fixed_point_cost + oscillator_point_cost n),    n <= largest,
/// over contiguous parts of the list sorted by `periods`. Depends on nothing but its arguments. Netlists come longest first, each lists its
/// oscillators slowest first.
[[nodiscard]] std::vector<std::vector<std::uint32_t>> split(std::span<const double> periods, std::size_t largest);

}  // namespace entrain::engines::ngspice

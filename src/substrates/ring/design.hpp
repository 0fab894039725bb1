#pragma once
#include <string_view>
#include <vector>

#include "problem/problem.hpp"
#include "substrates/cell_array.hpp"

namespace entrain::substrates::ring {

/// What the corner file must give, for all cells.
[[nodiscard]] std::vector<ParameterSpec> parameters();

/// Rings of level-1 inverters with explicit node capacitors, and of BSIM4 inverters. ModelError if the supply is not above the sum of the thresholds,
/// or the gain around the ring, with the load of resistive summing, is not above 1.
[[nodiscard]] CellDesign mos1_3(const Corner& corner, problem::Summing summing);
[[nodiscard]] CellDesign mos1_5(const Corner& corner, problem::Summing summing);
[[nodiscard]] CellDesign bsim4_3(const Corner& corner, problem::Summing summing);

/// Default of a parameter on the .subckt card (with its continuation lines) of a netlist: what a cell uses of a device that it does not set.
[[nodiscard]] double subcircuit_default(std::string_view netlist, std::string_view subcircuit, std::string_view parameter);

}  // namespace entrain::substrates::ring

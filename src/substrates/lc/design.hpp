#pragma once
#include <vector>

#include "substrates/cell_array.hpp"

namespace entrain::substrates::lc {

/// What the corner file must give, for all cells.
[[nodiscard]] std::vector<ParameterSpec> parameters();

/// Tank and saturating transconductor. ModelError if gm R <= 1.
[[nodiscard]] CellDesign behavioural(const Corner& corner, problem::Summing summing);

/// Cross-coupled level-1 pair with a mirror tail. ModelError if the pair's differential loop gain is not above 1, or the supply is too low to keep
/// the tail transistor saturated or the mirror's reference transistor on.
[[nodiscard]] CellDesign mos1(const Corner& corner, problem::Summing summing);

}  // namespace entrain::substrates::lc

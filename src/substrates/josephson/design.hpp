#pragma once
#include <vector>

#include "substrates/cell_array.hpp"

namespace entrain::substrates::josephson {

/// What the corner file must give.
[[nodiscard]] std::vector<ParameterSpec> parameters();

/// Resistively and capacitively shunted junction. ModelError if the bias is not above Ic, or the damping beta_c = 2 pi Ic R^2 C/Phi0 is outside the
/// range in which the model of the overdamped junction, or its integration, holds.
[[nodiscard]] CellDesign rcsj(const Corner& corner, problem::Summing summing);

}  // namespace entrain::substrates::josephson

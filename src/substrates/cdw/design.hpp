#pragma once
#include <vector>

#include "substrates/cdw/relaxation_oscillator.hpp"
#include "substrates/cell_array.hpp"

namespace entrain::substrates::cdw {

/// What the corner file must give.
[[nodiscard]] std::vector<ParameterSpec> parameters();

/// ModelError unless metallic < insulating, lower < upper threshold, both within the divider's range (at the edges of the latch, too), and the latch
/// is fast enough for the cell to oscillate and slow enough to be resolved.
[[nodiscard]] RelaxationOscillator oscillator(const Corner& corner);

[[nodiscard]] CellDesign relaxation(const Corner& corner, problem::Summing summing);

}  // namespace entrain::substrates::cdw

#pragma once
#include <vector>

#include "spice/library.hpp"
#include "spice/mistakes.hpp"

namespace entrain::spice {

/// Adds a mistake for every parameter, function or subcircuit that is defined by itself, directly or in a circle: the simulator would recurse or end.
/// Expects balanced subcircuits.
void find_circles(const std::vector<Card>& cards, Mistakes& mistakes);

}  // namespace entrain::spice

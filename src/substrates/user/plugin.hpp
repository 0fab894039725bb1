#pragma once
#include <memory>

#include "substrates/substrate.hpp"

namespace entrain::substrates::user {

/// A cell of the user's own: any subcircuit with a port for current, a port to read the phase at and, if its power is to be known, a supply pin.
/// Nothing is assumed of it; the calibration measures frequency, start-up and K per ampere, and cells are brought to their start phases by shifting
/// their clocks. Without a reference current of its own the cell's is the one whose K is w0, so that injection is K/w0 to first order.
[[nodiscard]] std::unique_ptr<Substrate> create();

}  // namespace entrain::substrates::user

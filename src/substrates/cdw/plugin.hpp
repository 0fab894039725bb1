#pragma once
#include <memory>

#include "substrates/substrate.hpp"

namespace entrain::substrates::cdw {

/// Relaxation oscillators with a charge-density-wave device, coupled by currents into the capacitor. Equations, validity and references:
/// netlists/cdw/README.md.
///
/// The phase is that of the fundamental of the device state, not of the capacitor's voltage, which the injected current moves. Reference current is
/// supply over load resistance; a current I pulls with K = I |Z1|/2, Z1 from the limit cycle of the cell's own equations. A frequency deviation df/f
/// is realised in the capacitor and the latch's time constant together.
[[nodiscard]] std::unique_ptr<Substrate> create();

}  // namespace entrain::substrates::cdw

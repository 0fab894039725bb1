#pragma once
#include <memory>

#include "substrates/substrate.hpp"

namespace entrain::substrates::josephson {

/// Shunted Josephson junctions biased above their critical current, coupled by currents. Equations, validity and references:
/// netlists/josephson/README.md.
///
/// The phase is that of the junction's voltage, of its fundamental with the second harmonic removing the pull of the drive. Reference current is the
/// critical current Ic; a current I pulls with K = w0 (I/Ic)/(2 (i^2 - 1)) to first order, i = bias current over Ic. A frequency deviation df/f is
/// realised in shunt and capacitance together, which keeps the waveform.
[[nodiscard]] std::unique_ptr<Substrate> create();

}  // namespace entrain::substrates::josephson

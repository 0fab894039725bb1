#pragma once
#include <memory>

#include "substrates/substrate.hpp"

namespace entrain::substrates::lc {

/// LC oscillators, coupled by currents into the tank. Equations, validity and references: netlists/lc/README.md.
///
/// The phase is that of the port voltage, v = A cos(w t + theta). Reference current is A/Rp (fundamental); a current I pulls with
/// K = (w0/2Q) I/(A/Rp) to first order. A frequency deviation df/f is realised in the tank capacitor.
[[nodiscard]] std::unique_ptr<Substrate> create();

}  // namespace entrain::substrates::lc

#pragma once
#include <memory>

#include "substrates/substrate.hpp"

namespace entrain::substrates::ring {

/// CMOS ring oscillators, coupled at one stage node by currents or by conductances to anchors around mid-rail. Equations, validity and references:
/// netlists/ring/README.md.
///
/// The phase is that of the fundamental of the injected node's voltage. Reference current is w0 C |V1|, the fundamental current of that node's load
/// capacitor. A frequency deviation df/f is realised in the load capacitors (level 1) or in the drain currents (BSIM4).
[[nodiscard]] std::unique_ptr<Substrate> create();

}  // namespace entrain::substrates::ring

#pragma once
#include <memory>

#include "substrates/substrate.hpp"

namespace entrain::substrates::ideal {

/// The dimensionless textbook oscillator.
[[nodiscard]] std::unique_ptr<Substrate> create();

}  // namespace entrain::substrates::ideal

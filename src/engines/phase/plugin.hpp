#pragma once
#include <memory>

#include "engines/engine.hpp"

namespace entrain::engines::phase {

/// The reduced phase model, integrated with Boost.Odeint.
[[nodiscard]] std::unique_ptr<Engine> create();

}  // namespace entrain::engines::phase

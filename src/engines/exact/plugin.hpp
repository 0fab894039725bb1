#pragma once
#include <memory>

#include "engines/engine.hpp"

namespace entrain::engines::exact {

/// Independent oscillators under constant drive, in closed form: the oracle for the phase engine.
[[nodiscard]] std::unique_ptr<Engine> create();

}  // namespace entrain::engines::exact

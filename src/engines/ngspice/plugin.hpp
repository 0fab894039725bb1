#pragma once
#include <memory>

#include "engines/engine.hpp"

namespace entrain::engines::ngspice {

[[nodiscard]] std::unique_ptr<Engine> create();

}  // namespace entrain::engines::ngspice

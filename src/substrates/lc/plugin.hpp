#pragma once
#include <memory>

#include "substrates/substrate.hpp"

namespace entrain::substrates::lc {

[[nodiscard]] std::unique_ptr<Substrate> create();

}  // namespace entrain::substrates::lc

#pragma once
#include <memory>

#include "mechanisms/mechanism.hpp"

namespace entrain::mechanisms::fixed_query {

/// Fixed-query oscillator attention with its default options.
[[nodiscard]] std::unique_ptr<Mechanism> create();

}  // namespace entrain::mechanisms::fixed_query

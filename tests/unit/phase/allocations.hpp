#pragma once
#include <cstddef>

namespace entrain::test {

/// How often this program has called operator new so far, on all threads.
[[nodiscard]] std::size_t allocations();

}  // namespace entrain::test

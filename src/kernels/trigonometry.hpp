#pragma once
#include <cstddef>

#include "kernels/instruction_set.hpp"

namespace entrain::kernels {

/// Cosine and sine of `n` angles [rad]. Absolute error at most 4e-16 for |angle| <= 1e4, growing in proportion beyond; NaN for angles that are not
/// finite or beyond 1e8. Reduction by pi/2 in three parts (Cody and Waite 1980), then the polynomials of fdlibm. The arrays must not overlap.
void sincos(std::size_t n, const double* angle, double* cosine, double* sine, InstructionSet set = best());

}  // namespace entrain::kernels

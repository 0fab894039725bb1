#pragma once
#include <cstddef>

#include "kernels/instruction_set.hpp"

namespace entrain::kernels {

/// Last step of a right-hand side: the pull p of all oscillators on each, turned into the frame of its phase, dtheta/dt = w + Im(p e^(-i theta)):
///     rate = detuning + pull_im cosine - pull_re sine
/// Arrays of `n`; `rate` must not overlap the others.
void rates(std::size_t n, const double* cosine, const double* sine, const double* pull_re, const double* pull_im, const double* detuning,
           double* rate, InstructionSet set = best());

}  // namespace entrain::kernels

#include "kernels/trigonometry.hpp"

#include "kernels/loops.hpp"

namespace entrain::kernels {

void sincos(std::size_t n, const double* angle, double* cosine, double* sine, InstructionSet set) { loops(set).sincos(n, angle, cosine, sine); }

}  // namespace entrain::kernels

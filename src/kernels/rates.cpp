#include "kernels/rates.hpp"

#include "kernels/loops.hpp"

namespace entrain::kernels {

void rates(std::size_t n, const double* cosine, const double* sine, const double* pull_re, const double* pull_im, const double* detuning,
           double* rate, InstructionSet set) {
    loops(set).rates(n, cosine, sine, pull_re, pull_im, detuning, rate);
}

}  // namespace entrain::kernels

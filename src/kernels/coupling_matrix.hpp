#pragma once
#include <complex>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "kernels/instruction_set.hpp"

namespace entrain::kernels {

/// y = A x for a complex vector x = (re, im): with x = e^(i theta) the pull of all oscillators on each. One pass over the matrix serves both parts,
/// since reading it is what takes the time.
class CouplingMatrix {
 public:
    virtual ~CouplingMatrix() = default;

    /// Arrays of size() doubles that do not overlap; out is overwritten. Allocates nothing; several threads may apply one matrix.
    virtual void apply(const double* re, const double* im, double* out_re, double* out_im) const = 0;

    /// dtheta_i/dt = w_i + Im(e^(-i theta_i) sum_j A_ij e^(i theta_j)): sincos(), apply() and rates() in as few passes over memory as the form of the
    /// matrix allows, which counts where the arrays are not in a near cache. Arrays of size(); `work`: 4 size() numbers, of any content.
    virtual void rates(const double* angle, const double* detuning, double* work, double* rate) const = 0;

    [[nodiscard]] virtual std::size_t size() const = 0;   ///< rows and columns
    [[nodiscard]] virtual std::size_t bytes() const = 0;  ///< read by one apply()

    /// The numbers of the matrix as apply() reads them, padding included; aligned to 64 bytes if dense. For measurements.
    [[nodiscard]] virtual std::span<const double> stored() const = 0;
};

struct Entry {
    std::uint32_t row = 0;
    std::uint32_t column = 0;
    std::complex<double> value;
};

/// The fastest form for these entries, in any order; entries of one place add up. Dense panels if at least a fifth of all places are taken, else
/// compressed rows. Rows whose entries share one phase (mod pi), as with real weights or one lag per row, are stored as real numbers and turned
/// afterwards; if other rows remain, all imaginary parts are stored too, at twice the traffic.
[[nodiscard]] std::unique_ptr<CouplingMatrix> coupling_matrix(std::size_t size, std::span<const Entry> entries, InstructionSet set = best());

}  // namespace entrain::kernels

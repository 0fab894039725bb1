#pragma once
#include <cmath>
#include <complex>
#include <memory>
#include <vector>

#include "engines/phase/dynamics.hpp"
#include "kernels/coupling_matrix.hpp"

namespace entrain::engines::phase {

/// Complex numbers, one per oscillator.
struct Phasors {
    Phasors() = default;
    explicit Phasors(std::size_t n) : re(n), im(n) {}
    State re;
    State im;
};

/// A coupling whose source is seen as it was `delay` ago.
struct DelayedEntry {
    kernels::Entry entry;
    double delay = 0.0;  ///< [s]
};

/// What acts on the phases through one harmonic m: the pull drive_i + sum_j w_ij e^(i m theta_j), of which the part across e^(i m theta_i) turns it.
struct Harmonic {
    int order = 1;
    Phasors drive;                        ///< [1/s] of all anchors
    std::vector<kernels::Entry> entries;  ///< [1/s] of other free oscillators, without delay
    std::vector<DelayedEntry> delayed;    ///< [1/s]
};

/// Phases in the plane,
///     dtheta_i/dt = detuning_i + Im(H_i) (1 + s_i)/(1 + s_i cos(arg H_i)),
///     H_i = sum over harmonics m of (drive_i + sum_j w_ij e^(i m theta_j)) e^(-i m theta_i),   s the softening.
class Planar final : public Dynamics {
 public:
    /// `harmonics` in ascending order; softening in [0, 1), empty = 0.
    Planar(State phases, State detuning, State softening, std::vector<Harmonic> harmonics);

    void derivative(const State& state, State& rate) const override;
    void contraction(const State& state, std::span<double> each) const override;
    [[nodiscard]] std::size_t components() const override { return 1; }
    [[nodiscard]] double memory() const override { return memory_; }

    /// The derivative under other drives than the anchors' alone, one per harmonic.
    void derivative(const State& state, std::span<const Phasors> drives, State& rate) const;

    [[nodiscard]] const State& detuning() const { return detuning_; }
    [[nodiscard]] std::span<const Phasors> drives() const { return drives_; }
    [[nodiscard]] const std::vector<int>& orders() const { return orders_; }
    [[nodiscard]] const std::vector<std::vector<DelayedEntry>>& delayed() const { return delayed_; }  ///< by harmonic
    [[nodiscard]] std::size_t matrix_bytes() const;                                                   ///< read by one derivative

 private:
    template <class Factor>
    void sum_pulls(const State& state, std::span<const Phasors> drives, const Factor& factor) const;

    State detuning_;
    State softening_;
    std::vector<int> orders_;
    std::vector<Phasors> drives_;
    std::vector<std::unique_ptr<kernels::CouplingMatrix>> matrices_;  ///< null where no free oscillator acts through the harmonic
    std::vector<std::vector<DelayedEntry>> delayed_;
    double memory_ = 0.0;
    bool plain_ = true;    // harmonic 1 and no softening, the usual network
    bool driven_ = false;  // by anchors

    mutable Phasors unit_;    // work space: e^(i theta)
    mutable Phasors power_;   // e^(i m theta)
    mutable Phasors pull_;    // through one harmonic
    mutable Phasors sum_;     // of all pulls, each seen from its phase
    mutable Phasors moment_;  // the same with each harmonic times its order
    mutable State work_;      // of the matrix, where it gives the rates itself
};

/// |w|; most weights are real, and the general case costs as much as a sine.
[[nodiscard]] inline double magnitude(std::complex<double> w) { return w.imag() == 0.0 ? std::abs(w.real()) : std::abs(w); }

/// a *= b, number by number.
void multiply(Phasors& a, const Phasors& b);

}  // namespace entrain::engines::phase

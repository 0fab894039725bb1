#pragma once
#include <complex>
#include <vector>

#include "problem/problem.hpp"

namespace entrain::problem {

/// Phase sensitivity of a cell (perturbation projection vector): a weak current i into a pair of its pins turns its phase by
///     dtheta/dt = Z(theta) i(t),   Z(theta) = Z_0 + sum over k of |Z_k| cos(k theta + arg Z_k)                                   [rad/C]
/// theta being the phase of the fundamental at the read port, cos convention. Valid to first order in the current (Demir, Mehrotra and Roychowdhury,
/// IEEE TCAS-I 47, 2000).
struct PhaseSensitivity {
    std::vector<std::complex<double>> harmonics;  ///< [rad/C] Z_0, Z_1, ...; empty = not known
    double floor = 0.0;                           ///< [rad/C] what the measurement adds to each of them, one standard deviation
    [[nodiscard]] double operator()(double theta) const;
};

/// K [rad/s] of a sinusoidal current of this amplitude [A] at the cell's own frequency: |Z_1| current/2, the rate at which dtheta/dt =
/// -K sin(theta - phase of the current - offset) turns.
[[nodiscard]] double coupling_rate(const PhaseSensitivity& ppv, double current);
/// Phase [rad] by which the cell is ahead of such a current in lock: pi/2 - arg Z_1, wrapped.
[[nodiscard]] double offset(const PhaseSensitivity& ppv);

/// Diffusion constant D [rad^2/s] of the phase under white current noise whose one-sided density S [A^2/Hz] follows the oscillation,
///     var[theta(t) - theta(0)] = D t,   D = mean over a period of Z(theta)^2 S(theta)/2
/// (Demir, Mehrotra and Roychowdhury 2000). `theta` [rad] and `density` are samples that are spread evenly over whole periods.
[[nodiscard]] double phase_diffusion(const PhaseSensitivity& ppv, const std::vector<double>& theta, const std::vector<double>& density);

/// The textbook anchor.
[[nodiscard]] Waveform sine_waveform();
/// tanh(8 cos x): a comparator's output with edges of a tenth of a period.
[[nodiscard]] Waveform square_waveform(int harmonics);

/// How a cell is turned by a full-scale anchor of its own frequency, averaged over a period:
///     Gamma(psi) = sum over k of |G_k| cos(k psi + arg G_k)   [rad/s],   G_k = current/2 Z_k conj(a_k),
/// psi = own phase minus the phase of the anchor's fundamental. Z_0 needs an anchor's mean, which is none.
class InteractionFunction {
 public:
    InteractionFunction(const PhaseSensitivity& ppv, const Waveform& anchor, double current);
    [[nodiscard]] double operator()(double psi) const;
    [[nodiscard]] double derivative(double psi) const;                                               ///< [rad/s] per rad
    [[nodiscard]] const std::vector<std::complex<double>>& harmonics() const { return harmonics_; }  ///< [rad/s] G_1, G_2, ...
    /// Harmonic k = 1, 2, ... as a coupling weight w_k relative to the first, w_1 = 1: Gamma(s - x) = |G_1| sum of |w_k| sin(k x + arg w_k), with
    /// s = pi/2 - arg G_1 the equilibrium of the first alone.
    [[nodiscard]] std::complex<double> relative(std::size_t k) const;

 private:
    std::vector<std::complex<double>> harmonics_;
};

/// The phase problem of the same network with anchors of another waveform: couplings to anchors keep rate, softening and raw shift of their
/// fundamental, as calibrated, and carry the interaction's higher harmonics relative to it. Couplings to anchors must be of harmonic 1, real and
/// without lag: a sum of shifted waveforms is not one rotated waveform. std::logic_error for others.
[[nodiscard]] PhaseProblem with_anchor_waveform(PhaseProblem problem, const InteractionFunction& interaction);

}  // namespace entrain::problem

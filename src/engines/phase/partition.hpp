#pragma once
#include <complex>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engines/phase/dynamics.hpp"
#include "network/oscillator_network.hpp"
#include "problem/problem.hpp"

namespace entrain::engines::phase {

/// An oscillator under a constant pull, dtheta/dt = detuning + |pull| sin(arg pull - theta), softened as in PhaseProblem.
struct Lone {
    std::complex<double> pull;  ///< [1/s]
    double detuning = 0.0;      ///< [1/s]
    double softening = 0.0;
    double start = 0.0;  ///< [rad]
};

/// The connected components of the graph of couplings between free oscillators, in the order of their first oscillators. Anchors do not connect: they
/// are constant. Refers to the problem, which must outlive it.
class Partition {
 public:
    /// std::invalid_argument if couplings are not sorted by their targets; ModelError for what has no equation here: for d > 2 detuning, harmonics,
    /// lags, complex weights, delays and noise; noise together with delays.
    explicit Partition(const problem::PhaseProblem& problem);

    [[nodiscard]] std::size_t size() const { return first_.size() - 1; }

    /// Oscillators of the problem, ascending; local index = position.
    [[nodiscard]] std::span<const std::uint32_t> oscillators(std::size_t component) const {
        return std::span{members_}.subspan(first_[component], first_[component + 1] - first_[component]);
    }

    /// Equations of motion of a component. For d = 2
    ///     dtheta_i/dt = detuning_i + K sum_j |w_ij| |x_j| sin(m (theta_j - theta_i + raw_shift_i) + arg w_ij - phase_lag_ij),   m the harmonic,
    /// softened as in PhaseProblem, where the anchors' terms are collapsed to one constant per oscillator and harmonic; for d > 2
    ///     dz_i/dt = K (I - z_i z_i^T) sum_j w_ij x_j.
    /// A delay, in units of 1/W, is so many 1/K_i of the oscillator that it acts on; anchors have been what they are for ever and know none. Built
    /// when asked for, so that a matrix exists no longer than its component is being solved; threads may ask at the same time.
    [[nodiscard]] std::unique_ptr<Dynamics> dynamics(std::size_t component) const;

    /// A component of one oscillator that only anchors act on, and only through harmonic 1, if it is one (d = 2).
    [[nodiscard]] std::optional<Lone> lone(std::size_t component) const;

    [[nodiscard]] std::size_t free_couplings(std::size_t component) const;  ///< between its oscillators

    /// sum_j K |w_ij| |x_j| [1/s] over all couplings of an oscillator, free ones included.
    [[nodiscard]] double rate_bound(std::uint32_t oscillator) const;

 private:
    [[nodiscard]] std::unique_ptr<Dynamics> planar(std::span<const std::uint32_t> members) const;
    [[nodiscard]] std::unique_ptr<Dynamics> sphere(std::span<const std::uint32_t> members) const;
    [[nodiscard]] std::span<const network::Coupling> couplings_to(std::uint32_t oscillator) const {
        return std::span{problem_.network.couplings}.subspan(first_coupling_[oscillator],
                                                             first_coupling_[oscillator + 1] - first_coupling_[oscillator]);
    }

    const problem::PhaseProblem& problem_;
    std::vector<std::uint32_t> members_;       // component after component
    std::vector<std::size_t> first_;           // [components + 1] into members_
    std::vector<std::uint32_t> local_;         // [N] position within its component
    std::vector<std::size_t> first_coupling_;  // [N + 1] of the problem's, which are sorted by their targets
};

}  // namespace entrain::engines::phase

#pragma once
#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "network/oscillator_network.hpp"
#include "problem/problem.hpp"

namespace entrain::engines::phase {

/// State of a component: one unwrapped phase per oscillator (d = 2) or its d components one after the other (d > 2).
using State = std::vector<double>;

/// Autonomous equations of motion of oscillators that influence each other, and of no others.
class Dynamics {
 public:
    virtual ~Dynamics() = default;

    /// Time derivative of `state` [1/s].
    virtual void derivative(const State& state, State& rate) const = 0;

    /// Rate [1/s] at which a small displacement of oscillator `index` shrinks while the others stand still; negative where it grows, as at the
    /// antipode of the drive.
    [[nodiscard]] virtual double contraction(const State& state, std::size_t index) const = 0;

    [[nodiscard]] virtual std::size_t components() const = 0;  ///< numbers per oscillator: 1 for d = 2, d above
    virtual void set_scale() = 0;                              ///< from the couplings, once they are complete

    State start;
    double scale = 0.0;  ///< [1/s] no oscillator turns faster, and no mode decays more than twice as fast (Gershgorin)
};

/// A connected component of the graph of couplings between free oscillators. Anchors do not connect: they are constant.
struct Component {
    std::vector<std::uint32_t> oscillators;  ///< of the problem, ascending; local index = position
    std::unique_ptr<Dynamics> dynamics;
};

/// Splits the problem into components, in the order of their first oscillators. For d = 2
///     dtheta_i/dt = detuning_i + K sum_j |w_ij| |x_j| sin(m (theta_j - theta_i + raw_shift_i) + arg w_ij - phase_lag_ij),   m the harmonic,
/// where the anchors' terms are collapsed to one constant per oscillator and harmonic; for d > 2
///     dz_i/dt = K (I - z_i z_i^T) sum_j w_ij x_j.
/// ModelError for what has no equation here: delays, and for d > 2 detuning, harmonics, lags and complex weights.
[[nodiscard]] std::vector<Component> components(const problem::PhaseProblem& problem);

/// sum_j K |w_ij| |x_j| over all couplings of each oscillator [N] [1/s], free ones included.
[[nodiscard]] Eigen::VectorXd rate_bound(const problem::PhaseProblem& problem);

}  // namespace entrain::engines::phase

#pragma once
#include <cstddef>
#include <memory>

#include "engines/phase/dynamics.hpp"

namespace entrain::engines::phase {

/// Runge-Kutta methods with an embedded error estimate.
enum class Method {
    automatic,  ///< whichever is faster at the tolerance: see automatic_method()
    dopri5,     ///< Dormand and Prince 5(4), 1980
    fehlberg78  ///< Fehlberg 7(8), 1968
};

[[nodiscard]] Method automatic_method(double tolerance);

/// Moves a component through time, one accepted step after the other. Allocates nothing after its construction.
class Stepper {
 public:
    virtual ~Stepper() = default;

    /// To the end of the next step, which is at most `horizon` where the method chooses its steps freely.
    virtual void step(double horizon) = 0;

    /// How many neighbouring nodes a polynomial through states and rates needs, so that it adds no error of importance to the method's own.
    [[nodiscard]] virtual std::size_t interpolation_nodes() const = 0;

    [[nodiscard]] double time() const { return time_; }                     ///< [s]
    [[nodiscard]] const State& state() const { return state_; }             ///< at time()
    [[nodiscard]] const State& rate() const { return rate_; }               ///< [1/s] at time()
    [[nodiscard]] std::size_t evaluations() const { return evaluations_; }  ///< of the derivative so far

 protected:
    double time_ = 0.0;
    State state_;
    State rate_;
    std::size_t evaluations_ = 0;
};

/// From the start of `dynamics`, which must outlive it; `tolerance` [rad] is of one step. Couplings with delay are integrated as in delay.hpp
/// whatever the method. std::runtime_error if no step meets the tolerance.
[[nodiscard]] std::unique_ptr<Stepper> stepper(const Dynamics& dynamics, Method method, double tolerance);

}  // namespace entrain::engines::phase

#pragma once
#include <cstddef>
#include <span>

#include "engines/phase/state.hpp"

namespace entrain::engines::phase {

/// Autonomous equations of motion of oscillators that influence each other, and of no others. One thread at a time: there is work space inside.
class Dynamics {
 public:
    virtual ~Dynamics() = default;

    /// Time derivative of `state` [1/s]; `rate` has its size. Allocates nothing.
    virtual void derivative(const State& state, State& rate) const = 0;

    /// Rate [1/s] at which a small displacement of each oscillator shrinks while the others stand still; negative where it grows, as at the antipode
    /// of the drive. Costs as much as a derivative.
    virtual void contraction(const State& state, std::span<double> each) const = 0;

    [[nodiscard]] virtual std::size_t components() const = 0;  ///< numbers per oscillator: 1 for d = 2, d above

    /// [s] of the longest coupling; 0: the state alone decides what happens next.
    [[nodiscard]] virtual double memory() const { return 0.0; }

    [[nodiscard]] std::size_t oscillators() const { return start.size() / components(); }

    /// One oscillator whose future depends on its state alone.
    [[nodiscard]] bool alone() const { return oscillators() == 1 && memory() == 0.0; }

    State start;
    double scale = 0.0;      ///< [1/s] no oscillator turns faster
    double stiffness = 0.0;  ///< [1/s] radius of a disc that touches 0 from the left and holds all modes of a stable state (Gershgorin)
};

}  // namespace entrain::engines::phase

#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "engines/phase/planar.hpp"
#include "engines/phase/stepper.hpp"

namespace entrain::engines::phase {

/// A fixed step of which every delay is a whole number.
struct DelayGrid {
    double step = 0.0;           ///< [s]
    double largest_error = 0.0;  ///< of a delay, relative, from rounding it to whole steps
};

/// The longest step that is at most `longest` and at most the shortest of `delays` (all positive) and divides them all; where none up to four times
/// shorter does, the longest that keeps every delay to a thousandth of itself.
[[nodiscard]] DelayGrid delay_grid(std::span<const double> delays, double longest);

/// Classical Runge-Kutta of order 4 with a fixed step for phases that see each other as they were some time ago. The past is kept at steps and half
/// steps, halfway by cubic Hermite interpolation (order 4), as far back as the longest delay and no farther. Before time 0 every phase turned at its
/// detuning and passed its start at time 0.
class DelayedStepper final : public Stepper {
 public:
    /// The step is that of which the fifth power of (scale step)/5! meets `tolerance` [rad], or shorter as delays want it. ModelError if the past
    /// does not fit into a gigabyte.
    DelayedStepper(const Planar& dynamics, double tolerance);

    void step(double horizon) override;  ///< always a whole one

    /// Cubic: the motion has kinks at the start and one delay later, and pieces between nodes do not look across them.
    [[nodiscard]] std::size_t interpolation_nodes() const override { return 2; }

    [[nodiscard]] const DelayGrid& grid() const { return grid_; }

 private:
    /// What acts through one harmonic and after one number of steps.
    struct Group {
        std::size_t harmonic = 0;  // position
        std::size_t half_steps = 0;
        std::unique_ptr<kernels::CouplingMatrix> matrix;
    };

    /// e^(i theta) at half step number `half_step` of the run, negative before its start.
    [[nodiscard]] Phasors& past(std::ptrdiff_t half_step) {
        const auto length = static_cast<std::ptrdiff_t>(past_.size());
        return past_[static_cast<std::size_t>((half_step % length + length) % length)];
    }
    void remember(std::ptrdiff_t half_step, const State& state);
    void sum_drives(std::ptrdiff_t half_step);
    void evaluate(const State& state, State& rate);

    const Planar& dynamics_;
    DelayGrid grid_;
    std::vector<Group> groups_;
    std::vector<Phasors> past_;  // a ring
    std::ptrdiff_t half_step_ = 0;
    std::vector<Phasors> drives_;  // per harmonic, of the anchors and the past
    Phasors power_;
    Phasors pull_;
    State middle_;
    State end_;
    State k2_;
    State k3_;
    State k4_;
};

}  // namespace entrain::engines::phase

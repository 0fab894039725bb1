#pragma once
#include <Eigen/Core>
#include <cstddef>
#include <span>
#include <vector>

namespace entrain::problem {

/// Bounded log of one oscillator: at most 4,096 samples, decimated by two (every second one dropped, later ones taken half as often) when full.
/// d = 2: one component, the unwrapped phase [rad] relative to the anchors' clock. d > 2: d components, a unit vector. A sample is the mean over
/// one period centred at its time (circuits), or the state at its time (phase and exact engines).
class Trajectory {
 public:
    static constexpr std::size_t capacity = 4096;

    explicit Trajectory(int components = 1) : components_{components} {}

    /// Makes room for so many samples at once.
    void reserve(std::size_t samples);

    /// Offers a sample; keeps it unless decimation skips it. Times increase strictly. `energy` [J] is the energy taken from the start up to `time` (0
    /// where unknown).
    void append(double time, std::span<const double> state, double energy = 0.0);

    [[nodiscard]] int components() const { return components_; }
    [[nodiscard]] std::size_t size() const { return times_.size(); }
    [[nodiscard]] bool empty() const { return times_.empty(); }
    [[nodiscard]] std::span<const double> times() const { return times_; }        ///< [s] (dimensionless problems: 1/W)
    [[nodiscard]] std::span<const double> energies() const { return energies_; }  ///< [J]
    [[nodiscard]] std::span<const double> state(std::size_t sample) const {
        return std::span{states_}.subspan(sample * static_cast<std::size_t>(components_), static_cast<std::size_t>(components_));
    }
    [[nodiscard]] double phase(std::size_t sample) const { return states_[sample]; }  ///< d = 2

    /// State at `time` as a unit vector in R^d [d]; phase-like for d = 2 (cos, sin). Piecewise cubic between samples whose slopes are those of the
    /// parabola through the neighbouring samples (Catmull-Rom for uneven spacing), constant outside them. Needs at least one sample, as the next two
    /// do.
    [[nodiscard]] Eigen::VectorXd state_at(double time) const;
    [[nodiscard]] double phase_at(double time) const;   ///< [rad] unwrapped, d = 2
    [[nodiscard]] double energy_at(double time) const;  ///< [J] linear between samples; outside them extended with the first and last slopes

 private:
    [[nodiscard]] double interpolate(double time, std::size_t component) const;

    int components_;
    std::size_t stride_ = 1;
    std::size_t offered_ = 0;
    std::vector<double> times_;
    std::vector<double> states_;
    std::vector<double> energies_;
};

}  // namespace entrain::problem

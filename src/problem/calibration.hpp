#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "problem/interaction.hpp"
#include "problem/problem.hpp"
#include "problem/validity.hpp"

namespace entrain::problem {

/// What a source of white noise in the cell does to the phase of a free cell.
struct NoiseShare {
    std::string name;
    std::string formula;                ///< of its density, with its origin
    double diffusion_per_kelvin = 0.0;  ///< [rad^2/s/K] see phase_diffusion(); thermal noise is proportional to temperature
};

/// What is measured once per (substrate, corner, cell, injection, options) on the netlist that is simulated. NaN = does not apply (ideal).
struct Calibration {
    bool dimensionless = true;
    double frequency_hz = std::numeric_limits<double>::quiet_NaN();               ///< free-running, step -> 0 (extrapolated)
    double frequency_at_step_hz = std::numeric_limits<double>::quiet_NaN();       ///< free-running at the step of the run: the anchors' frequency
    double frequency_at_half_step_hz = std::numeric_limits<double>::quiet_NaN();  ///< free-running at twice the points per period
    double amplitude = std::numeric_limits<double>::quiet_NaN();                  ///< of the fundamental at the read port, in amplitude_unit
    std::string amplitude_unit;
    double power_w = std::numeric_limits<double>::quiet_NaN();              ///< free-running, per oscillator
    double reference_current_a = std::numeric_limits<double>::quiet_NaN();  ///< what `injection` is a fraction of
    double coupling_rate = 1.0;         ///< [rad/s] K at full scale, from the lock range; 1 (per unit weight) for ideal
    double relaxation_rate = 1.0;       ///< [rad/s] K for weak drives, from how fast phases return: see coupling_rate_at()
    double relaxation_softening = 0.0;  ///< relative fall of K per unit drive: a driven amplitude grows, and with it what has to be turned
    double lock_range_low_hz = std::numeric_limits<double>::quiet_NaN();  ///< lower edge of the measured lock range at full scale
    double lock_range_high_hz = std::numeric_limits<double>::quiet_NaN();
    double offset_rad = 0.0;             ///< raw phase error at drive 0.25
    double slope_rad = 0.0;              ///< d(raw phase error)/d(drive)
    double residual_rad = 0.0;           ///< largest deviation of the calibration points from offset + slope (r - 0.25)
    std::vector<PhaseTerm> phase_terms;  ///< harmonics the phase is read with, so that it does not depend on the drive
    Eigen::MatrixXd limit_cycle;       ///< [samples x states] CellInterface::states of the free cell (netlist units) when its phase is 2 pi k/samples
    int warm_up_periods = 0;           ///< see CircuitProblem::warm_up_periods; 0 for cells whose states can be preset
    double free_phase = 0.0;           ///< [rad] of the free cell after them, against a clock cos(w t) from its start
    double relaxation_time_s = 0.0;    ///< amplitude relaxation of the free cell; 0 where it is not modelled
    PhaseSensitivity ppv;              ///< of the injection pins, at the step of the run
    std::string ppv_missing;           ///< why it is not known, "" if it is
    Waveform waveform;                 ///< of the free cell's read port
    std::vector<NoiseShare> noise;     ///< of every source the cell's technology names
    std::string noise_missing;         ///< why no source is known, or what the list leaves out; "" = nothing known
    std::string key;                   ///< content hash it was measured for; "" for ideal
    std::optional<Validity> validity;  ///< of the phase model of this cell at any injection; nothing if it was never compared with its circuit
};

/// Drive at which the constant offset is defined: the median drive of trained layers.
inline constexpr double offset_drive = 0.25;

/// K [rad/s] per unit drive at which a phase that is near its equilibrium returns to it when the cell is driven at `drive` (fraction of full scale).
[[nodiscard]] inline double coupling_rate_at(const Calibration& c, double drive) {
    return c.relaxation_rate / (1.0 + c.relaxation_softening * drive);
}

/// Relative fall of the response of a cell from a quarter turn away to its equilibrium, PhaseProblem::softening: at 1 the amplitude of a cell driven
/// against its phase would vanish, and with it the model.
inline constexpr double largest_softening = 0.9;
[[nodiscard]] inline double softening_at(const Calibration& c, double drive) {
    return std::clamp(c.relaxation_softening * drive, 0.0, largest_softening);
}

/// Raw phase error of the cell at `drive` (fraction of full scale) [rad].
[[nodiscard]] inline double raw_phase_error(const Calibration& c, double drive) { return c.offset_rad + c.slope_rad * (drive - offset_drive); }

}  // namespace entrain::problem

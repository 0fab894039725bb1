#pragma once
#include <Eigen/Core>
#include <optional>
#include <string>
#include <vector>

#include "core/quantity.hpp"

namespace entrain::problem {

/// Drives r (fractions of full scale) in [low, high] at one injection, at which phase model and circuit were compared.
struct ComparedDrives {
    double low = 0.0;
    double high = 0.0;
    int oscillators = 0;
    double phase_error = 0.0;     ///< [rad] largest |circuit - model| of the raw phases in equilibrium; infinite if one did not settle
    double settling_error = 0.0;  ///< |ratio - 1| of the median ratio of settling times, circuit over model; infinite if one did not settle
    bool inside = false;          ///< both are within the limits of Validity
};

/// One injection (full scale over reference current).
struct ComparedInjection {
    double injection = 0.0;
    double lock_range_error = 0.0;       ///< |ratio - 1| of half the lock range at full scale, measured over model
    std::vector<ComparedDrives> drives;  ///< ascending
};

/// Where the phase model of a calibrated cell was compared with its circuit, and where they agree. Sinusoidal anchors, no disorder.
struct Validity {
    static constexpr double largest_phase_error = radians(1.0);  ///< [rad]
    static constexpr double largest_relative_error = 0.1;        ///< of settling times and of the lock range

    std::vector<ComparedInjection> injections;  ///< ascending; those that the cell can be configured with
    double max_injection = 0.0;                 ///< agree at every drive there and at every smaller one of the list; 0 = nowhere
    double max_phase_error = 0.0;               ///< [rad] largest up to there
};

/// The sentence that names the limit: what fails first, that is at the weakest current, injection times drive, and by how much.
[[nodiscard]] std::string first_failure(const Validity& validity);

/// A run's place against the validity of its cell's phase model.
struct Place {
    bool inside = true;
    double min_drive = 0.0;       ///< drives in [min_drive, max_drive] are inside at the run's injection
    double max_drive = 0.0;       ///< 0 = none are
    int oscillators_outside = 0;  ///< of those that have a drive at all
    double phase_error = 0.0;     ///< [rad] largest seen where the run's drives lie, at the next injection that was compared; NaN = none was
    double settling_error = 0.0;
    std::string outside;  ///< what lies outside, and what error to expect there; "" inside
};

/// Where a run at `injection` with oscillators of these drives [N] lies. Between two injections that were compared the larger one decides. A drive
/// weaker than all that were compared at an injection is inside as long as its current, injection times drive, was seen at a smaller injection: a
/// cell feels nothing else.
[[nodiscard]] Place place_of(const Validity& validity, double injection, const Eigen::VectorXd& drives);

}  // namespace entrain::problem

#pragma once
#include <Eigen/Core>
#include <functional>
#include <vector>

#include "network/oscillator_network.hpp"
#include "problem/instance.hpp"
#include "problem/solution.hpp"
#include "readout/reading.hpp"

namespace entrain::study {

/// What reading the whole array at one time would give.
struct ReadPoint {
    double time = 0.0;           ///< [s] after the start (dimensionless problems: 1/W)
    double phase_rms_deg = 0.0;  ///< angle to the digital reference over the settled oscillators; NaN if none settled
    double energy_j = 0.0;       ///< mean energy per query up to this time; NaN for dimensionless substrates
};

/// The array read at 40 times from 2 % of the read time to the read time itself, equally spaced in their logarithm. `reference` holds the digital
/// states [N x d]; only oscillators whose reading is settled count, at every time the same ones, so that the last point is the error at the read
/// time. `energy_until` is the mean energy per query [J] up to a time.
[[nodiscard]] std::vector<ReadPoint> error_over_time(const problem::Solution& solution, const problem::Instance& instance,
                                                     const std::vector<readout::Reading>& readings, readout::Correction correction,
                                                     const Eigen::MatrixXd& reference, double read_time,
                                                     const std::function<double(double)>& energy_until);

/// How one oscillator settles: at most `settling_curve_points` points.
struct SettlingCurve {
    network::TokenId id;
    double drive_ratio = 0.0;
    double settling_time = 0.0;  ///< [s]
    std::vector<double> time;    ///< [s] equally spaced in the logarithm
    std::vector<double> angle;   ///< [rad] to the oscillator's own final state, which is where it went and not where it should have gone
};
inline constexpr int settling_curve_points = 160;

/// The slowest, the median and the fastest settled oscillator by settling time, in this order; fewer if fewer settled. Each curve ends after three
/// settling times or with the log: by then an exponential from a right angle to 1 deg has come below 1e-4 deg.
[[nodiscard]] std::vector<SettlingCurve> settling_curves(const problem::Solution& solution, const problem::Instance& instance,
                                                         const std::vector<readout::Reading>& readings);

}  // namespace entrain::study

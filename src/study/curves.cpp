#include "study/curves.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/quantity.hpp"

namespace entrain::study {
namespace {

using Eigen::Index;

constexpr int read_points = 40;
constexpr double first_read = 0.02;     // of the read time: before that hardly any oscillator has moved
constexpr double log_span = 1e-3;       // of a settling curve: three decades of time show the start as well as the end
constexpr double settling_times = 3.0;  // shown of a settling curve

/// Angle between unit vectors, accurate for small angles too.
double angle_between(const Eigen::VectorXd& a, const Eigen::VectorXd& b) { return 2.0 * std::atan2((a - b).norm(), (a + b).norm()); }

/// `count` numbers from `first` to `last` > 0, equally spaced in their logarithm; the last one is `last` to the bit.
std::vector<double> geometric(double first, double last, int count) {
    std::vector<double> values;
    for (int k = 0; k < count - 1; ++k) values.push_back(first * std::pow(last / first, static_cast<double>(k) / (count - 1)));
    values.push_back(last);
    return values;
}

}  // namespace

std::vector<ReadPoint> error_over_time(const problem::Solution& solution, const problem::Instance& instance,
                                       const std::vector<readout::Reading>& readings, readout::Correction correction,
                                       const Eigen::MatrixXd& reference, double read_time, const std::function<double(double)>& energy_until) {
    std::vector<ReadPoint> points;
    for (const double time : geometric(first_read * read_time, read_time, read_points)) {
        double squares = 0.0;
        int count = 0;
        for (Index i = 0; i < instance.network.size(); ++i) {
            const auto k = static_cast<std::size_t>(i);
            if (readings[k].verdict != readout::Verdict::settled) continue;
            const double angle =
                angle_between(readout::state_at(solution.oscillators[k], instance, i, correction, time), reference.row(i).transpose());
            squares += angle * angle;
            ++count;
        }
        const double rms = count > 0 ? degrees(std::sqrt(squares / count)) : std::numeric_limits<double>::quiet_NaN();
        points.push_back({time, rms, energy_until(time)});
    }
    return points;
}

std::vector<SettlingCurve> settling_curves(const problem::Solution& solution, const problem::Instance& instance,
                                           const std::vector<readout::Reading>& readings) {
    std::vector<std::size_t> settled;
    for (std::size_t i = 0; i < readings.size(); ++i)
        if (readings[i].verdict == readout::Verdict::settled && readings[i].settling_time && solution.oscillators[i].trajectory.size() > 1)
            settled.push_back(i);
    std::sort(settled.begin(), settled.end(), [&](std::size_t a, std::size_t b) { return *readings[a].settling_time > *readings[b].settling_time; });
    std::vector<std::size_t> chosen;
    if (!settled.empty()) chosen = {0, settled.size() / 2, settled.size() - 1};
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());

    std::vector<SettlingCurve> curves;
    for (const std::size_t rank : chosen) {
        const std::size_t i = settled[rank];
        const problem::OscillatorSolution& oscillator = solution.oscillators[i];
        SettlingCurve curve;
        curve.id = instance.network.free[i];
        curve.drive_ratio = instance.drive_ratio(static_cast<Index>(i));
        curve.settling_time = *readings[i].settling_time;
        const double logged = oscillator.trajectory.times().back();
        const double end = curve.settling_time > 0.0 ? std::min(settling_times * curve.settling_time, logged) : logged;  // 0: it starts settled
        const double begin = std::max(log_span * end, oscillator.trajectory.times().front());
        curve.time = geometric(std::min(begin, end), end, settling_curve_points);
        for (const double time : curve.time) curve.angle.push_back(angle_between(oscillator.trajectory.state_at(time), oscillator.state));
        curves.push_back(std::move(curve));
    }
    return curves;
}

}  // namespace entrain::study

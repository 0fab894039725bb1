#include "problem/settling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace entrain::problem {
namespace {

constexpr double samples_per_window = 8.0;  // the least a mean needs to push single-period noise well below the limit
constexpr double largest_decay = 0.8;       // closer to 1 the exponential is not told from a line, and the fit magnifies noise 1/(1 - q)^2 fold
constexpr double noise_share =
    0.25;  // drifts below this share of the limit are noise: even at a tenth of the expected rate what is left is below the limit
constexpr double noise_windows = 4.0;            // the noise rule sees no decay and therefore wants longer windows, in units of 1/rate
constexpr double least_movement = radians(0.5);  // far above what start-up of a cell and noise do to an oscillator that sits at the antipode
constexpr double antipode_watch = 12.0;          // [1/rate] e^12 = 1.6e5: 1e-7 rad from the antipode has become 1 deg by then
constexpr double slip_turns = 2.0;               // a locked oscillator passes less than one turn on its way

/// Phase log with even spacing, seen from its end in windows of `length` samples.
struct Windows {
    const Trajectory& trajectory;
    std::size_t length;

    /// Whether the phase moves smoothly through the last `count` windows. A cell that runs at another frequency has no phase from one period to the
    /// next; what is logged of it jumps, and its means may come to rest by chance.
    [[nodiscard]] bool smooth(std::size_t count) const {
        constexpr double largest_step = 0.3;  // [rad] from sample to sample; on its way in, an oscillator moves far less within its last windows
        for (std::size_t k = trajectory.size() - count * length + 1; k < trajectory.size(); ++k)
            if (std::abs(trajectory.phase(k) - trajectory.phase(k - 1)) > largest_step) return false;
        return true;
    }

    /// Mean phase of the window that lies `back` windows before the last one.
    [[nodiscard]] double mean(std::size_t back) const {
        const std::size_t end = trajectory.size() - back * length;
        double sum = 0.0;
        for (std::size_t k = end - length; k < end; ++k) sum += trajectory.phase(k);
        return sum / static_cast<double>(length);
    }
};

/// Angle left at the last sample of f + a e^(-x s/n), s in samples, seen through means of n samples: with S = (e^x - 1)/(n (e^(x/n) - 1)) the last
/// mean is f + a S and the one before f + a S e^x, so a = -d2/(S (e^x - 1)).
double remaining_of_exponential(double last_difference, double x, std::size_t length) {
    const auto n = static_cast<double>(length);
    const double growth = std::expm1(x);
    return std::abs(last_difference) * n * std::expm1(x / n) / (growth * growth);
}

double angle_between(const Trajectory& trajectory, std::size_t sample, const Eigen::VectorXd& state) {
    if (trajectory.components() == 1) return std::abs(wrap(trajectory.phase(sample) - std::atan2(state(1), state(0))));
    const auto unit = trajectory.state(sample);
    const Eigen::Map<const Eigen::VectorXd> at{unit.data(), static_cast<Eigen::Index>(unit.size())};
    return 2.0 * std::atan2((at - state).norm(), (at + state).norm());  // accurate for small angles, unlike acos
}

}  // namespace

SettlingState assess(const Trajectory& trajectory, double rate, Radians remaining) {
    SettlingState result;
    result.remaining = std::numeric_limits<double>::infinity();
    if (trajectory.size() < 2) return result;
    const auto times = trajectory.times();
    const std::size_t last = trajectory.size() - 1;
    const double elapsed = times[last] - times[0];
    const double spacing = elapsed / static_cast<double>(last);

    const std::size_t middle = last / 2;
    const double turned = trajectory.phase(last) - trajectory.phase(middle);
    result.drift = turned / (times[last] - times[middle]);
    if (std::abs(turned) > slip_turns * turn) {
        result.motion = Motion::slipping;
        return result;
    }

    const double shortest = std::max(samples_per_window, rate > 0.0 ? std::ceil(1.0 / (rate * spacing) - 1e-9) : 0.0);
    const bool left_start = std::abs(trajectory.phase(last) - trajectory.phase(0)) > least_movement || elapsed * rate >= antipode_watch;

    // The first `shortest` samples are left out: the start-up of a cell is not a drift that decays. Longer windows, each twice the last, catch
    // oscillators that contract more slowly than expected (detuning near the edge of the lock range).
    bool first = true;
    for (double length = shortest; 3.0 * length + shortest <= static_cast<double>(last + 1); length *= 2.0) {
        const Windows windows{trajectory, static_cast<std::size_t>(length)};
        const double m0 = windows.mean(2);
        const double m1 = windows.mean(1);
        const double m2 = windows.mean(0);
        const double before = m1 - m0;
        const double now = m2 - m1;
        const double q = before != 0.0 ? now / before : 0.0;
        if (first) result.drift = now / (length * spacing);
        first = false;
        if (rate <= 0.0) break;

        if (q > 0.0 && q < largest_decay) {
            // No oscillator contracts faster than `rate`; a smaller q is a turning point or noise.
            const double x = std::min(-std::log(q), rate * length * spacing);
            result.remaining = remaining_of_exponential(now, x, windows.length);
            if (result.remaining < remaining.value() && left_start && windows.smooth(3)) result.motion = Motion::settled;
            break;
        }
        const double noise = noise_share * remaining.value();
        if (length * spacing * rate >= noise_windows && std::abs(before) < noise && std::abs(now) < noise) {
            result.remaining = std::max(std::abs(before), std::abs(now));
            if (left_start && windows.smooth(3)) result.motion = Motion::settled;
            break;
        }
    }
    return result;
}

SettlingState assess_noisy(const Trajectory& trajectory, double rate) {
    constexpr double least_age = 24.0;       // [1/rate] the second third then begins when e^-8 of the start is left
    constexpr double standard_errors = 3.0;  // a stationary phase passes 99.7 % of the looks
    SettlingState result;
    result.remaining = std::numeric_limits<double>::infinity();
    if (trajectory.size() < 6) return result;
    const auto times = trajectory.times();
    const std::size_t last = trajectory.size() - 1;
    const std::size_t middle = last / 2;
    const double turned = trajectory.phase(last) - trajectory.phase(middle);
    result.drift = turned / (times[last] - times[middle]);
    if (std::abs(turned) > slip_turns * turn) {
        result.motion = Motion::slipping;
        return result;
    }
    const std::size_t length = trajectory.size() / 3;
    const Windows windows{trajectory, length};
    const auto variance = [&](std::size_t back) {
        const double mean = windows.mean(back);
        const std::size_t end = trajectory.size() - back * length;
        double sum = 0.0;
        for (std::size_t k = end - length; k < end; ++k) sum += (trajectory.phase(k) - mean) * (trajectory.phase(k) - mean);
        return sum / static_cast<double>(length);
    };
    const double span = times[last] - times[last - length];
    if (rate <= 0.0) return result;
    const double of_mean = 2.0 / (rate * span);  // a mean over `span` of a process with correlation time 1/rate has this share of its variance
    const double spread = (variance(0) + variance(1)) * of_mean;  // of the difference of the two means, squared
    const double difference = windows.mean(0) - windows.mean(1);
    result.drift = difference / span;
    result.remaining = 0.5 * std::sqrt(spread);
    if ((times[last] - times[0]) * rate >= least_age && std::abs(difference) < standard_errors * std::sqrt(spread)) result.motion = Motion::settled;
    return result;
}

std::optional<double> settling_time(const Trajectory& trajectory, const Eigen::VectorXd& final_state, Radians tolerance) {
    if (trajectory.empty()) return std::nullopt;
    const auto times = trajectory.times();
    std::size_t k = trajectory.size() - 1;
    double inside = angle_between(trajectory, k, final_state);
    if (!(inside <= tolerance.value())) return std::nullopt;
    for (; k > 0; --k) {
        const double outside = angle_between(trajectory, k - 1, final_state);
        if (outside > tolerance.value()) return times[k] - (times[k] - times[k - 1]) * (tolerance.value() - inside) / (outside - inside);
        inside = outside;
    }
    return 0.0;
}

double predicted_settling_time(double rate, double from, double to) {
    if (from <= to) return 0.0;
    if (rate <= 0.0) return std::numeric_limits<double>::infinity();
    return std::log(std::tan(0.5 * from) / std::tan(0.5 * to)) / rate;
}

}  // namespace entrain::problem

#include "study/equal_error.hpp"

#include <fmt/format.h>

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "energy/ledger.hpp"
#include "problem/settling.hpp"

namespace entrain::study {
namespace {

using Eigen::Index;
using problem::Calibration;

/// Angle of dx/dt = detuning - rate sin(x) at `time`: (cos(x/2), sin(x/2)) obeys a linear equation with the matrix 1/2 [[rate, -detuning], [detuning,
/// -rate]], whose exponential needs the two functions c and s (here without the common factor e^(root t), which changes no angle).
double angle_at(double rate, double detuning, double start, double time) {
    const double square = 0.25 * (rate * rate - detuning * detuning);
    double c = 1.0;
    double s = time;
    if (square > 0.0) {
        const double root = std::sqrt(square);
        const double decay = std::exp(-2.0 * root * time);
        c = 0.5 * (1.0 + decay);
        s = 0.5 * (1.0 - decay) / root;
    } else if (square < 0.0) {
        const double root = std::sqrt(-square);
        c = std::cos(root * time);
        s = std::sin(root * time) / root;
    }
    const double v = std::cos(0.5 * start);
    const double w = std::sin(0.5 * start);
    return 2.0 * std::atan2(c * w + 0.5 * s * (detuning * v - rate * w), c * v + 0.5 * s * (rate * v - detuning * w));
}

/// ln cosh(u) without overflow.
double log_cosh(double u) { return std::abs(u) + std::log1p(std::exp(-2.0 * std::abs(u))) - std::log(2.0); }

/// Angle of dx/dt = -rate (1 + softening) sin(x)/(1 + softening cos(x)) at `time`, softening in [0, 1): the amplitude follows the drive it gets, and
/// with it what has to be turned; near x = 0 the rate is `rate`. With u = ln tan(x/2): F(u) = u - softening ln cosh(u) falls at rate (1 + softening).
double softened_angle_at(double rate, double softening, double start, double time) {
    if (start == 0.0) return 0.0;
    const double u0 = std::log(std::tan(0.5 * std::min(std::abs(start), std::numbers::pi - 1e-12)));
    const double wanted = u0 - softening * log_cosh(u0) - rate * (1.0 + softening) * time;
    // F is concave: from the left, where its asymptotes cross `wanted`, Newton's steps never pass the root.
    const double shift = wanted - softening * std::log(2.0);
    double u = shift < 0.0 ? shift / (1.0 + softening) : shift / (1.0 - softening);
    for (int k = 0; k < 100; ++k) {
        const double step = (wanted - (u - softening * log_cosh(u))) / (1.0 - softening * std::tanh(u));
        u += step;
        if (!(step > 1e-12)) break;
    }
    return std::copysign(2.0 * std::atan(std::exp(u)), start);
}

/// Angle [rad] from where oscillator i will settle to its start; with a sign in the plane.
double start_angle(const problem::Instance& instance, Index i) {
    const double distance = distance_to_target(instance, i);
    if (instance.network.dimension != 2) return distance;
    const double along = std::atan2(instance.drive(i, 1), instance.drive(i, 0)) + instance.nominal_raw_shift(i);
    return std::copysign(distance, wrap(std::atan2(instance.network.start(i, 1), instance.network.start(i, 0)) - along));
}

/// Three significant digits: an operating point that a person can set again.
double rounded(double x) {
    const double scale = std::pow(10.0, std::floor(std::log10(x)) - 2.0);
    return std::round(x / scale) * scale;
}

/// Something measured at a place x.
struct Measured {
    double x;
    double y;
};

/// At x: the parabola through the three points (ascending) nearest to it.
double through_three(const std::vector<Measured>& points, double x) {
    const auto above = std::ranges::lower_bound(points, x, {}, &Measured::x) - points.begin();
    const auto last = static_cast<std::ptrdiff_t>(points.size()) - 3;
    auto first = std::clamp<std::ptrdiff_t>(above - 2, 0, last);
    if (first < last && points[static_cast<std::size_t>(first + 3)].x - x < x - points[static_cast<std::size_t>(first)].x) ++first;
    double y = 0.0;
    for (std::ptrdiff_t i = first; i < first + 3; ++i) {
        double weight = 1.0;
        for (std::ptrdiff_t k = first; k < first + 3; ++k)
            if (k != i)
                weight *=
                    (x - points[static_cast<std::size_t>(k)].x) / (points[static_cast<std::size_t>(i)].x - points[static_cast<std::size_t>(k)].x);
        y += weight * points[static_cast<std::size_t>(i)].y;
    }
    return y;
}

/// Why the target is out of reach with this prediction.
std::string obstacle(const ReadPrediction& prediction) {
    const ErrorTerms left = prediction.settled();
    if (prediction.tokens() == 0) return "no oscillator settles in the time a run waits";
    const char* worst = left.settling > left.calibration ? "detuning" : "what the correction leaves of the raw phase error";
    return fmt::format("{:.3g} deg remain after any time: {}", degrees(left.total()), worst);
}

}  // namespace

double ErrorTerms::total() const { return std::sqrt(settling * settling + calibration * calibration + noise * noise); }

ReadPrediction::ReadPrediction(const Prepared& prepared, readout::Correction correction, double power_w, const CellResponse& response)
    : power_{power_w} {
    const problem::Instance& instance = prepared.instance;
    const Calibration& c = instance.calibration;
    const double remaining = prepared.rule.remaining.value();
    double squares = 0.0;
    for (Index i = 0; i < instance.network.size(); ++i) {
        if (instance.drive_ratio(i) < readout::degenerate_drive) continue;
        const double drive = instance.drive.row(i).norm();
        const Response cell =
            response ? response(drive)
                     : Response{instance.nominal_raw_shift(i), c.residual_rad, instance.coupling_rate(i) * drive, c.relaxation_softening * drive};
        const double rate = cell.rate;
        const double start = start_angle(instance, i);
        if (problem::predicted_settling_time(rate, std::abs(start), remaining) > prepared.rule.max_time(i)) continue;
        tokens_.push_back({rate, std::clamp(cell.softening, 0.0, problem::largest_softening), instance.detuning(i), start});
        if (!c.dimensionless) {
            const double removed = correction == readout::Correction::offset_slope ? problem::raw_phase_error(c, drive) : c.offset_rad;
            squares += std::pow(cell.raw_error - removed, 2) + std::pow(cell.residual, 2);
        }
        // By then a locked oscillator is within 1e-9 rad of its limit, unless it is detuned to within 1 % of the edge of its lock range.
        constexpr double far_below = 1e-9;
        const double contraction = std::sqrt(std::max(rate * rate - instance.detuning(i) * instance.detuning(i), 0.02 * rate * rate));
        longest_ = std::max(longest_, problem::predicted_settling_time(contraction, std::max(std::abs(start), far_below), far_below));
    }
    if (c.dimensionless || tokens_.empty()) return;
    calibration_ = std::sqrt(squares / static_cast<double>(tokens_.size()));
}

ErrorTerms ReadPrediction::at(double time) const {
    double squares = 0.0;
    for (const Token& token : tokens_) {
        const double left = token.detuning == 0.0 ? softened_angle_at(token.rate, token.softening, token.start, time)
                                                  : wrap(angle_at(token.rate, token.detuning, token.start, time));
        squares += left * left;
    }
    return {tokens_.empty() ? 0.0 : std::sqrt(squares / static_cast<double>(tokens_.size())), calibration_, 0.0};
}

ErrorTerms ReadPrediction::settled() const { return at(longest_); }

std::optional<double> ReadPrediction::time_for(double target) const {
    if (tokens_.empty() || settled().total() > target) return std::nullopt;
    double low = 0.0;
    double high = longest_;
    if (at(low).total() <= target) return low;
    constexpr int halvings = 60;  // below the resolution of a double
    for (int k = 0; k < halvings; ++k) {
        const double middle = 0.5 * (low + high);
        (at(middle).total() > target ? low : high) = middle;
    }
    return high;
}

double mean_power(const problem::Instance& instance, const TrialInput& input, double injection) {
    const auto n = static_cast<std::size_t>(instance.network.size());
    problem::Solution at_rest;  // the ledger charges an oscillator without simulated power its calibrated one
    at_rest.oscillators.resize(n);
    const double phase = 0.0;
    for (problem::OscillatorSolution& oscillator : at_rest.oscillators) {
        oscillator.trajectory = problem::Trajectory{1};
        oscillator.trajectory.append(0.0, {&phase, 1});
    }
    constexpr double one_second = 1.0;
    return energy::ledger(instance, at_rest, std::vector<readout::Reading>(n), input.substrate.energy_model(instance.calibration),
                          injection * instance.calibration.reference_current_a, one_second, input.digital, {}, 1)
        .mean;
}

Calibration interpolated(std::span<const CalibratedInjection> calibrated, double injection) {
    auto above = std::ranges::lower_bound(calibrated, injection, {}, &CalibratedInjection::injection);
    if (above == calibrated.begin()) return calibrated.front().calibration;
    if (above == calibrated.end()) return calibrated.back().calibration;
    const CalibratedInjection& a = *(above - 1);
    const CalibratedInjection& b = *above;
    const double x = std::log(injection / a.injection) / std::log(b.injection / a.injection);
    Calibration c = b.calibration;
    const auto linear = [&](double Calibration::*number) { c.*number = (1.0 - x) * a.calibration.*number + x * b.calibration.*number; };
    for (const auto number :
         {&Calibration::frequency_hz, &Calibration::frequency_at_step_hz, &Calibration::frequency_at_half_step_hz, &Calibration::amplitude,
          &Calibration::power_w, &Calibration::reference_current_a, &Calibration::offset_rad, &Calibration::slope_rad, &Calibration::residual_rad})
        linear(number);
    for (const auto number : {&Calibration::coupling_rate, &Calibration::relaxation_rate, &Calibration::relaxation_softening})
        c.*number = injection * ((1.0 - x) * a.calibration.*number / a.injection + x * b.calibration.*number / b.injection);
    return c;
}

CellResponse response_from(std::span<const CalibratedInjection> calibrated, double injection) {
    // Raw phase errors by injected current, in units of the reference current.
    std::vector<Measured> raw;
    const auto on_line = [&](const CalibratedInjection& seen, double drive) {
        raw.push_back({seen.injection * drive, problem::raw_phase_error(seen.calibration, drive)});
    };
    constexpr double weakest = 0.05;  // of the drives a calibration is fitted to; at the strongest, 1, its line lies close since it weighs most
    on_line(calibrated.front(), weakest);
    for (const CalibratedInjection& seen : calibrated) on_line(seen, problem::offset_drive);
    on_line(calibrated.back(), 1.0);

    const Calibration own = interpolated(calibrated, injection);
    return [calibrated, injection, raw = std::move(raw), own](double drive) {
        const auto of = [&](const CalibratedInjection& seen) {
            const double same_current = drive * injection / seen.injection;
            return Response{0.0, 0.0, problem::coupling_rate_at(seen.calibration, same_current) * same_current,
                            seen.calibration.relaxation_softening * same_current};
        };
        const double level = injection * drive / problem::offset_drive;  // the injection at which a drive of 0.25 is this current
        const auto above = std::ranges::lower_bound(calibrated, level, {}, &CalibratedInjection::injection);
        Response response = of(above == calibrated.end() ? calibrated.back() : *above);
        if (above != calibrated.begin() && above != calibrated.end()) {
            const Response below = of(*(above - 1));
            const double x = (level - (above - 1)->injection) / (above->injection - (above - 1)->injection);
            response = {0.0, 0.0, (1.0 - x) * below.rate + x * response.rate, (1.0 - x) * below.softening + x * response.softening};
        }
        if (own.phase_terms.empty()) {
            response.raw_error = through_three(raw, injection * drive);
        } else {
            response.raw_error = problem::raw_phase_error(own, drive);
            response.residual = own.residual_rad;
        }
        return response;
    };
}

OperatingPoint equal_error(const EqualErrorSearch& search) {
    constexpr int most_halvings = 8;         // down to 1/256 of the largest injection: far below every default, and runs become 256 times longer
    constexpr int rises_seen = 2;            // energy is smooth in ln(injection): after two rises the minimum lies above
    constexpr int fine_per_factor_two = 24;  // 3 %; energy is stationary at the minimum
    constexpr double infinite = std::numeric_limits<double>::infinity();

    std::vector<CalibratedInjection> calibrated;  // ascending
    std::string reason;
    double least = infinite;
    double too_strong = 0.0;  // weakest injection above the calibrated ones that failed
    int rises = 0;
    for (int k = 0; k <= most_halvings && rises < rises_seen; ++k) {
        const double injection = search.largest_injection / std::pow(2.0, k);
        try {
            CalibratedInjection point{injection, search.calibrate(injection)};
            const ReadPrediction prediction = search.predict(injection, point.calibration, {});
            calibrated.insert(calibrated.begin(), std::move(point));
            const std::optional<double> time = prediction.time_for(search.target);
            if (!time) {
                reason = fmt::format("at injection {:.3g}, {}", injection, obstacle(prediction));
                continue;
            }
            const double energy = prediction.energy(*time);
            rises = energy > least ? rises + 1 : 0;
            least = std::min(least, energy);
        } catch (const ModelError& error) {
            reason = fmt::format("at injection {:.3g}, {}", injection, error.what());
            if (!calibrated.empty()) break;  // weaker drives than one that works make it no better
            too_strong = injection;
        }
    }
    const auto out_of_reach = [&] {
        return ModelError{fmt::format("no injection from {:.3g} down to {:.3g} reads {:.3g} deg: {}", search.largest_injection,
                                      search.largest_injection / std::pow(2.0, most_halvings), degrees(search.target), reason)};
    };
    if (calibrated.empty()) throw out_of_reach();
    constexpr int boundary_steps = 2;  // to within 2^(1/4) of the strongest injection that locks: energy changes little from there
    for (int k = 0; k < boundary_steps && too_strong > 0.0; ++k) {
        const double injection = rounded(std::sqrt(calibrated.back().injection * too_strong));
        try {
            calibrated.push_back({injection, search.calibrate(injection)});
        } catch (const ModelError&) {
            too_strong = injection;
        }
    }

    const auto energy_of = [&](double injection) {
        Calibration between = interpolated(calibrated, injection);
        between.offset_rad = response_from(calibrated, injection)(problem::offset_drive).raw_error;
        const ReadPrediction prediction = search.predict(injection, between, response_from(calibrated, injection));
        const std::optional<double> time = prediction.time_for(search.target);
        return time ? prediction.energy(*time) : infinite;
    };
    std::vector<std::pair<double, double>> candidates;  // energy, injection
    const double factor = std::pow(2.0, 1.0 / fine_per_factor_two);
    const double weakest = calibrated.front().injection;
    for (double injection = calibrated.back().injection; injection >= weakest; injection /= factor)
        candidates.emplace_back(energy_of(injection), injection);
    const auto [least_energy, best] = std::ranges::min(candidates);
    if (!std::isfinite(least_energy)) throw out_of_reach();
    // The interpolated minimum; a little below it, should it not calibrate or the target be just out of reach there; else what was calibrated.
    constexpr double retreat = 0.9;
    std::vector<double> wanted = {best, retreat * best};
    candidates.clear();
    for (const CalibratedInjection& c : calibrated) candidates.emplace_back(energy_of(c.injection), c.injection);
    std::ranges::sort(candidates);
    for (const auto& [energy, injection] : candidates)
        if (std::isfinite(energy)) wanted.push_back(injection);

    for (double injection : wanted) {
        auto known = std::ranges::find(calibrated, injection, &CalibratedInjection::injection);
        if (known == calibrated.end()) {
            injection = rounded(injection);
            try {
                CalibratedInjection point{injection, search.calibrate(injection)};
                known = calibrated.insert(std::ranges::lower_bound(calibrated, injection, {}, &CalibratedInjection::injection), std::move(point));
            } catch (const ModelError& error) {
                reason = fmt::format("at injection {:.3g}, {}", injection, error.what());
                continue;
            }
        }
        OperatingPoint chosen;
        chosen.injection = injection;
        chosen.calibration = known->calibration;
        const ReadPrediction prediction = search.predict(injection, chosen.calibration, response_from(calibrated, injection));
        const std::optional<double> time = prediction.time_for(search.target);
        if (!time) {
            reason = fmt::format("at injection {:.3g}, {}", injection, obstacle(prediction));
            continue;
        }
        chosen.read_time = std::max(*time, 1.0 / chosen.calibration.frequency_at_step_hz);  // a reading takes a period
        chosen.predicted = prediction.at(chosen.read_time);
        chosen.energy_j = prediction.energy(chosen.read_time);
        chosen.explored = std::move(calibrated);
        return chosen;
    }
    throw out_of_reach();
}

}  // namespace entrain::study

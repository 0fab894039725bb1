#include "problem/validity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/quantity.hpp"

namespace entrain::problem {
namespace {

constexpr double rounding = 1e-9;          // relative: an injection that was written as text is the one that was compared
constexpr double degenerate_drive = 1e-3;  // below it a token has no direction, whatever the model (INTERFACE.md)

struct Range {
    double low = 0.0;
    double high = 0.0;  ///< 0 = none
};

/// The widest range of neighbouring drives that agree (by ratio).
Range agreed_drives(const ComparedInjection& at) {
    Range widest;
    Range now;
    for (const ComparedDrives& d : at.drives) {
        if (!d.inside) {
            now = {};
            continue;
        }
        now = {now.high > 0.0 ? now.low : d.low, d.high};
        if (widest.high == 0.0 || now.high / now.low > widest.high / widest.low) widest = now;
    }
    return widest;
}

std::string expected_errors(const Place& place) {
    if (std::isnan(place.phase_error)) return "no such drives were compared";
    if (!std::isfinite(place.phase_error)) return "not every oscillator settled there";
    return fmt::format("differences up to {:.2g} deg and {:.0f} % of the settling time were seen there", degrees(place.phase_error),
                       100.0 * place.settling_error);
}

}  // namespace

std::string first_failure(const Validity& validity) {
    const ComparedInjection* where = nullptr;
    const ComparedDrives* first = nullptr;
    for (const ComparedInjection& at : validity.injections)
        for (const ComparedDrives& d : at.drives)
            if (!d.inside && (first == nullptr || at.injection * d.low < where->injection * first->low)) {
                where = &at;
                first = &d;
            }
    if (first == nullptr) return "no limit was found among the injections that were compared";
    std::string what;
    if (!std::isfinite(first->phase_error))
        what = "an oscillator does not settle";
    else if (first->phase_error > Validity::largest_phase_error)
        what = fmt::format("the phase in equilibrium is off by {:.2g} deg", degrees(first->phase_error));
    else if (first->settling_error > Validity::largest_relative_error)
        what = fmt::format("the settling time is off by {:.0f} %", 100.0 * first->settling_error);
    else
        what = fmt::format("the lock range is off by {:.0f} %", 100.0 * where->lock_range_error);
    return fmt::format("{} at injection {:g} for drives of {:.2g} to {:.2g} (injection times drive from {:.2g})", what, where->injection, first->low,
                       first->high, where->injection * first->low);
}

Place place_of(const Validity& validity, double injection, const Eigen::VectorXd& drives) {
    Place place;
    place.phase_error = place.settling_error = std::numeric_limits<double>::quiet_NaN();
    const auto at =
        std::ranges::find_if(validity.injections, [&](const ComparedInjection& c) { return c.injection >= injection * (1.0 - rounding); });
    if (at == validity.injections.end()) {
        place.inside = false;
        place.oscillators_outside = static_cast<int>((drives.array() > degenerate_drive).count());
        place.outside =
            fmt::format("injection {:.3g} is outside the validity range of the phase model, which was compared with circuits up to {:.3g}", injection,
                        validity.injections.empty() ? 0.0 : validity.injections.back().injection);
        return place;
    }
    const Range agreed = agreed_drives(*at);
    place.max_drive = agreed.high;
    place.min_drive = agreed.low;
    if (agreed.low == at->drives.front().low)
        for (auto weaker = validity.injections.begin(); weaker <= at; ++weaker) {
            const Range seen = agreed_drives(*weaker);
            if (seen.high > 0.0) place.min_drive = std::min(place.min_drive, seen.low * weaker->injection / injection);
        }
    const auto outside = [&](double drive) {
        return drive > degenerate_drive && (drive > place.max_drive * (1.0 + rounding) || drive < place.min_drive * (1.0 - rounding));
    };
    double weakest = 1.0;
    double strongest = 0.0;
    for (const double drive : drives) {
        if (!outside(drive)) continue;
        ++place.oscillators_outside;
        weakest = std::min(weakest, drive);
        strongest = std::max(strongest, drive);
    }
    for (const ComparedDrives& d : at->drives) {
        if (!(drives.array() >= d.low && drives.array() <= d.high).any()) continue;
        place.phase_error = std::isnan(place.phase_error) ? d.phase_error : std::max(place.phase_error, d.phase_error);
        place.settling_error = std::isnan(place.settling_error) ? d.settling_error : std::max(place.settling_error, d.settling_error);
    }
    place.inside = place.oscillators_outside == 0;
    if (place.inside) return place;
    const std::string who = fmt::format("{} of {} oscillators", place.oscillators_outside, drives.size());
    if (place.max_drive == 0.0)
        place.outside = fmt::format("injection {:.3g} is outside the validity range of the phase model: {}", injection, expected_errors(place));
    else if (strongest > place.max_drive || agreed.low > at->drives.front().low)
        place.outside =
            fmt::format("at injection {:.3g} the phase model is valid for drives of {:.2g} to {:.2g}; {} have others, {:.2g} to {:.2g}, and {}",
                        injection, place.min_drive, place.max_drive, who, weakest, strongest, expected_errors(place));
    else
        place.outside = fmt::format(
            "at injection {:.3g} the phase model was compared with circuits for drives down to {:.2g}; {} have less, down to {:.2g}, which settle "
            "more slowly than any that was compared",
            injection, place.min_drive, who, weakest);
    return place;
}

}  // namespace entrain::problem

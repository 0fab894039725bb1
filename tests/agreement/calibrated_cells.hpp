#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/engines.hpp"
#include "catalogue/substrates.hpp"
#include "study/calibrate.hpp"
#include "support/corner.hpp"

namespace entrain::test {

inline std::unique_ptr<substrates::Substrate> created(const std::string& kind) {
    for (const auto& entry : substrates::catalogue())
        if (entry.name == kind) return entry.create();
    return nullptr;
}

/// At its default options and corner, but for these parameters.
inline std::unique_ptr<substrates::Substrate> configured(const std::string& kind, const std::map<std::string, double>& numbers = {}) {
    auto substrate = created(kind);
    configure(*substrate, kind, numbers);
    return substrate;
}

inline std::unique_ptr<engines::Engine> ngspice() {
    for (const auto& entry : engines::catalogue())
        if (entry.name == std::string_view{"ngspice"}) return entry.create();
    return nullptr;
}

/// Out of the suite's cache, or measured.
inline problem::Calibration calibration_of(const substrates::Substrate& substrate) {
    const auto engine = ngspice();
    const study::CalibrationOptions options{substrate.default_points_per_period()};
    engines::RunOptions run;
    run.jobs = 2;
    return study::cached_calibration(study::calibration_key_text(substrate, *engine, options), study::cache_folder(),
                                     [&] { return study::calibrate(substrate, *engine, options, run); });
}

/// Technologies that have a circuit.
inline std::vector<std::string> circuits() {
    std::vector<std::string> names;
    for (const auto& entry : substrates::catalogue())
        if (entry.create()->supports(problem::Fidelity::circuit)) names.emplace_back(entry.name);
    return names;
}

}  // namespace entrain::test

#include <fmt/format.h>

#include <algorithm>
#include <complex>
#include <optional>

#include "cli/agreement.hpp"
#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "report/html.hpp"

namespace entrain::cli {

namespace {

io::Json text_or_null(const std::string& text) { return text.empty() ? io::Json(nullptr) : io::Json(text); }

/// [{order, magnitude, phase_rad}] of a series sum |c_k| cos(k x + arg c_k), k from `first`.
io::Json series(const std::vector<std::complex<double>>& harmonics, int first) {
    io::Json list = io::Json::array();
    for (std::size_t k = 0; k < harmonics.size(); ++k)
        list.push_back({{"order", first + static_cast<int>(k)}, {"magnitude", std::abs(harmonics[k])}, {"phase_rad", std::arg(harmonics[k])}});
    return list;
}

/// Interaction function for each standard anchor waveform; null without phase sensitivity.
io::Json interactions(const problem::Calibration& k, double current) {
    if (k.ppv.harmonics.empty()) return nullptr;
    const auto interaction = [&](const problem::Waveform& anchor) {
        return anchor.empty() ? io::Json(nullptr) : series(problem::InteractionFunction{k.ppv, anchor, current}.harmonics(), 1);
    };
    const int harmonics = static_cast<int>(k.ppv.harmonics.size()) - 1;
    return {{"unit", "rad/s"},
            {"current_a", current},
            {"sine", interaction(problem::sine_waveform())},
            {"square", interaction(problem::square_waveform(harmonics))},
            {"own", interaction(k.waveform)}};
}

/// Phase diffusion at `temperature` [K], source by source.
io::Json noise(const problem::Calibration& k, double temperature) {
    double total = 0.0;
    for (const problem::NoiseShare& share : k.noise) total += share.diffusion_per_kelvin;
    io::Json sources = io::Json::array();
    for (const problem::NoiseShare& share : k.noise)
        sources.push_back({{"name", share.name},
                           {"formula", share.formula},
                           {"phase_diffusion_rad2_per_s", share.diffusion_per_kelvin * temperature},
                           {"share", share.diffusion_per_kelvin / total}});
    return {{"sources", sources},
            {"phase_diffusion_rad2_per_s", k.noise.empty() ? io::Json(nullptr) : io::Json(total * temperature)},
            {"left_out", text_or_null(k.noise_missing)}};
}

}  // namespace

int characterize_command(const std::string& config, const CommonOptions& options, AgreementReport report) {
    const std::string started = utc_now("%Y-%m-%dT%H:%M:%SZ");
    const Progress progress = make_progress(options.quiet);
    Configuration c = load_configuration(config, overrides_of(options), Scope::substrate_only);
    if (c.substrate_plugin->dimensionless())
        throw UserError{c.places.at("substrate.kind"),
                        fmt::format("substrate.kind: {} is a textbook oscillator without a circuit: there is nothing to measure", c.substrate.kind)};
    OutputFolder folder{options, config, "characterize"};
    const problem::Calibration k = calibration_for(c, jobs_of(options), progress);
    const problem::CircuitProblem circuit =
        c.substrate_plugin->bench({}, k.frequency_at_step_hz, static_cast<int>(c.simulation.points_per_period), k);
    const bool has_ppv = !k.ppv.harmonics.empty();
    const double current = c.substrate_plugin->injection() * k.reference_current_a;  ///< [A] full scale
    const double temperature =
        c.nonidealities.temperature.value() > 0.0 ? c.nonidealities.temperature.value() : c.substrate_plugin->noise().temperature;
    const io::Json diffusion = noise(k, temperature);
    io::Json measured = {
        {"schema", "entrain.characterization/1"},
        {"substrate",
         {{"kind", c.substrate.kind},
          {"corner", c.substrate.corner},
          {"cell", c.substrate_plugin->cell()},
          {"injection", c.substrate_plugin->injection()}}},
        {"options",
         {{"method", circuit.integration.method}, {"points_per_period", c.simulation.points_per_period}, {"reltol", circuit.integration.reltol}}},
        {"frequency_hz", k.frequency_hz},
        {"frequency_at_step_hz", k.frequency_at_step_hz},
        {"amplitude", k.amplitude},
        {"amplitude_unit", k.amplitude_unit},
        {"power_w", k.power_w},
        {"reference_current_a", k.reference_current_a},
        {"coupling_rate_rad_per_s",
         {{"ppv", has_ppv ? io::Json(problem::coupling_rate(k.ppv, current)) : io::Json(nullptr)},
          {"lock_range", k.coupling_rate},
          {"return_rate", k.relaxation_rate}}},
        {"lock_range_hz", {k.lock_range_low_hz, k.lock_range_high_hz}},
        {"offset_rad", k.offset_rad},
        {"slope_rad", k.slope_rad},
        {"calibration_residual_rad", k.residual_rad},
        {"offset_ppv_rad", has_ppv ? io::Json(problem::offset(k.ppv)) : io::Json(nullptr)},
        {"ppv", has_ppv ? io::Json{{"harmonics", series(k.ppv.harmonics, 0)}, {"unit", "rad/C"}, {"floor", k.ppv.floor}} : io::Json(nullptr)},
        {"ppv_missing", text_or_null(k.ppv_missing)},
        {"waveform", series(k.waveform, 1)},
        {"interaction", interactions(k, current)},
        {"phase_diffusion_rad2_per_s", diffusion["phase_diffusion_rad2_per_s"]},
        {"noise", diffusion},
        {"temperature_k", temperature},
        {"provenance", provenance(c, started)}};
    const auto write = [&](const std::optional<study::Agreement>& compared) {
        add_agreement(measured, compared);
        io::write_json(folder.path() / "characterization.json", measured);
        write_file_atomically(
            folder.path() / "report.html",
            report::html_characterization(fmt::format("Characterization: {} cell {}", c.substrate.kind, c.substrate_plugin->cell()), measured));
        folder.keep();
    };
    std::optional<study::Agreement> agreement;
    write(agreement);  // whatever becomes of the minutes that follow
    if (report == AgreementReport::measured) {
        agreement = agreement_for(c, jobs_of(options), progress);
        write(agreement);
    }
    if (options.json) {
        fmt::print("{}\n", measured.dump(2));
        return done;
    }
    const auto row = [](std::string_view name, const std::string& value) { fmt::print("  {:<26} {}\n", name, value); };
    fmt::print("{} cell {} ({} corner), injection {:.3g}\n", c.substrate.kind, c.substrate_plugin->cell(), c.substrate.corner,
               c.substrate_plugin->injection());
    row("frequency", fmt::format("{:.9g} Hz (step -> 0), {:.9g} Hz at {} points per period", k.frequency_hz, k.frequency_at_step_hz,
                                 c.simulation.points_per_period));
    row("amplitude", fmt::format("{:.4g} {}", k.amplitude, k.amplitude_unit));
    row("power", fmt::format("{:.4g} W", k.power_w));
    row("reference current", fmt::format("{:.4g} A", k.reference_current_a));
    row("coupling rate K",
        fmt::format("{:.5g} rad/s from the lock range (K/w0 = {:.5g})", k.coupling_rate, k.coupling_rate / (turn * k.frequency_at_step_hz)));
    const double w0 = turn * k.frequency_at_step_hz;
    row("",
        fmt::format("{:.5g} rad/s from the rate at which weakly driven phases return (K/w0 = {:.5g})", k.relaxation_rate, k.relaxation_rate / w0));
    if (has_ppv) {
        const double rate = problem::coupling_rate(k.ppv, current);
        row("", fmt::format("{:.5g} rad/s from the phase sensitivity (K/w0 = {:.5g})", rate, rate / w0));
    }
    row("lock range", fmt::format("{:.9g} .. {:.9g} Hz", k.lock_range_low_hz, k.lock_range_high_hz));
    row("raw phase error", fmt::format("{:.4g} deg at drive 0.25, slope {:.4g} deg; largest residual {:.2g} deg", degrees(k.offset_rad),
                                       degrees(k.slope_rad), degrees(k.residual_rad)));
    if (has_ppv) {
        std::string ratios;
        for (std::size_t n = 0; n < std::min<std::size_t>(k.ppv.harmonics.size(), 6); ++n)
            ratios += fmt::format("{}{:.3g}", n == 0 ? "" : ", ", std::abs(k.ppv.harmonics[n]) / std::abs(k.ppv.harmonics[1]));
        row("phase sensitivity", fmt::format("{:.4g} rad/C; harmonics 0, 1, ... relative to it {}; floor {:.1g}", std::abs(k.ppv.harmonics[1]),
                                             ratios, k.ppv.floor / std::abs(k.ppv.harmonics[1])));
        row("  raw phase error from it", fmt::format("{:.4g} deg; measured, extrapolated to no drive: {:.4g} deg", degrees(problem::offset(k.ppv)),
                                                     degrees(k.offset_rad - problem::offset_drive * k.slope_rad)));
    } else {
        row("phase sensitivity", "not known: " + k.ppv_missing);
    }
    if (!k.noise.empty()) {
        row("phase diffusion", fmt::format("{:.4g} rad^2/s at {:.4g} K", diffusion["phase_diffusion_rad2_per_s"].get<double>(), temperature));
        for (const io::Json& source : diffusion["sources"])
            row("  " + source["name"].get<std::string>(), fmt::format("{:.3g} %", 100.0 * source["share"].get<double>()));
    }
    if (!k.noise_missing.empty()) row(k.noise.empty() ? "phase diffusion" : "  left out", k.noise_missing);
    if (agreement) fmt::print("{}", agreement_table(*agreement));
    fmt::print("  results in {}\n", folder.path().string());
    return done;
}

}  // namespace entrain::cli

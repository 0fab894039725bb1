#include <fmt/format.h>

#include <optional>

#include "cli/agreement.hpp"
#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "report/html.hpp"

namespace entrain::cli {

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
    std::optional<study::Agreement> agreement;
    if (report == AgreementReport::measured) agreement = agreement_for(c, jobs_of(options), progress);
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
        {"coupling_rate_rad_per_s", {{"ppv", nullptr}, {"lock_range", k.coupling_rate}}},
        {"lock_range_hz", {k.lock_range_low_hz, k.lock_range_high_hz}},
        {"offset_rad", k.offset_rad},
        {"slope_rad", k.slope_rad},
        {"calibration_residual_rad", k.residual_rad},
        {"ppv", nullptr},
        {"phase_diffusion_rad2_per_s", nullptr},
        {"temperature_k", nullptr},
        {"provenance", provenance(c, started)}};
    add_agreement(measured, agreement);
    io::write_json(folder.path() / "characterization.json", measured);
    write_file_atomically(
        folder.path() / "report.html",
        report::html_characterization(fmt::format("Characterization: {} cell {}", c.substrate.kind, c.substrate_plugin->cell()), measured));
    folder.keep();
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
    row("lock range", fmt::format("{:.9g} .. {:.9g} Hz", k.lock_range_low_hz, k.lock_range_high_hz));
    row("raw phase error", fmt::format("{:.4g} deg at drive 0.25, slope {:.4g} deg; largest residual {:.2g} deg", degrees(k.offset_rad),
                                       degrees(k.slope_rad), degrees(k.residual_rad)));
    if (agreement) fmt::print("{}", agreement_table(*agreement));
    fmt::print("  results in {}\n", folder.path().string());
    return done;
}

}  // namespace entrain::cli

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "report/number_text.hpp"
#include "report/result.hpp"

namespace entrain::report {

using io::Json;

std::string summary_table(const Json& r) {
    std::string text;
    const auto row = [&](std::string_view name, const std::string& value) { text += fmt::format("  {:<28} {}\n", name, value); };
    const Json& substrate = r["substrate"];
    const bool dimensionless = substrate["dimensionless"].get<bool>();
    const Json& layer = r["layer"];
    text += fmt::format("{} on {}, {} engine: {}\n", layer["mechanism"].get<std::string>(), substrate["kind"].get<std::string>(),
                        r["engine"]["kind"].get<std::string>(), r["status"].get<std::string>());
    row("layer",
        fmt::format("{} sequences, {} heads, {} tokens, d = {}: {} free oscillators, {} couplings", layer["sequences"].size(), layer["heads"].dump(),
                    layer["tokens"].dump(), layer["d_osc"].dump(), layer["free_oscillators"].dump(), layer["couplings"].dump()));
    row("drive r",
        fmt::format("min {}, p5 {}, median {}; below 0.02: {:.1f} %, below 0.05: {:.1f} %", number(layer["drive"]["min"]),
                    number(layer["drive"]["p5"]), number(layer["drive"]["median"]), 100.0 * layer["drive"]["fraction_below_0.02"].get<double>(),
                    100.0 * layer["drive"]["fraction_below_0.05"].get<double>()));
    if (!dimensionless) {
        row("cell", fmt::format("{} ({}), injection {}, {} at the step, {} per oscillator", substrate["cell"].get<std::string>(),
                                substrate["corner"].get<std::string>(), number(substrate["injection"]),
                                engineering(substrate["frequency_at_step_hz"], "Hz"), engineering(substrate["power_per_oscillator_w"], "W")));
        row("calibration", fmt::format("K {}, offset {:.3g} deg, slope {:.3g} deg", engineering(substrate["coupling_rate_rad_per_s"], "rad/s"),
                                       degrees(substrate["offset_rad"].get<double>()), degrees(substrate["slope_rad"].get<double>())));
    }
    if (const Json& temperature = substrate["temperature_k"]; temperature.is_number() && temperature.get<double>() > 0.0)
        row("thermal noise", fmt::format("{}, phase diffusion of a free cell {}", number(temperature, " K"),
                                         number(substrate["phase_diffusion_rad2_per_s"], " rad^2/s")));
    if (const Json& validity = substrate["validity"]; validity.is_object())
        row("phase model", validity["inside"].get<bool>()
                               ? fmt::format("valid here: within 1 deg and 10 % of the circuits it was compared with for drives of {} to {}",
                                             number(validity["min_drive"]), number(validity["max_drive"]))
                               : validity["outside"].get<std::string>());
    const auto error_row = [&](std::string_view name, const Json& e) {
        row(name, fmt::format("phase rms {} max {}; attention max {} (x T {}), top-1 {}; n {} of {}", number(e["phase_rms_deg"], " deg"),
                              number(e["phase_max_deg"], " deg"), number(e["attention_max_abs"]), number(e["attention_max_abs_times_tokens"]),
                              number(e["top1_agreement"]), e["n"].dump(), e["n_total"].dump()));
    };
    error_row("error at equilibrium", r["error"]);
    if (!dimensionless) error_row("  slope removed (model)", r["error_offset_slope"]);
    error_row("error at the read time", r["error_at_read"]);
    row("against softmax", fmt::format("attention max {}, rms {}, top-1 {}", number(r["softmax_error"]["attention_max_abs"]),
                                       number(r["softmax_error"]["attention_rms"]), number(r["softmax_error"]["top1_agreement"])));
    const Json& s = r["settling"];
    const auto time = [&](const Json& value) { return dimensionless ? number(value, " /W") : engineering(value, "s"); };
    row("settling to tolerance", fmt::format("median {}, p95 {}, max {} ({} deg){}; unsettled {}", time(s["time_s"]["median"]),
                                             time(s["time_s"]["p95"]), time(s["time_s"]["max"]), number(s["tolerance_deg"]),
                                             dimensionless ? ""
                                                           : fmt::format(", {} periods median, {} predicted", number(s["periods"]["median"]),
                                                                         number(s["predicted_periods"]["median"])),
                                             s["unsettled"].dump()));
    row("read time, latency", fmt::format("{}, {}", time(s["read_time_s"]), time(s["latency_s"])));
    const Json& e = r["energy"];
    if (!dimensionless) {
        row("energy per query",
            fmt::format("mean {}, median {}, max {}; gated {}; softmax stage {} FP32, {} INT8", engineering(e["per_query_j"]["mean"], "J"),
                        engineering(e["per_query_j"]["median"], "J"), engineering(e["per_query_j"]["max"], "J"),
                        engineering(e["per_query_gated_j"], "J"), engineering(e["digital_softmax_per_query_j"]["fp32"], "J"),
                        engineering(e["digital_softmax_per_query_j"]["int8"], "J")));
        if (e["caveat"].is_string()) row("", e["caveat"].get<std::string>());
        for (const Json& entry : e["entries"])
            row("  " + entry["part"].get<std::string>(),
                fmt::format("{} ({})", engineering(entry["joules_per_query"], "J"), entry["origin"].get<std::string>()));
    }
    row("operations per layer", fmt::format("softmax {}, oscillator digital {}, all physical {} (multiply-adds)", e["operations"]["softmax"].dump(),
                                            e["operations"]["oscillator_digital"].dump(), e["operations"]["all_physical"].dump()));
    row("cost", fmt::format("{:.3g} s wall, {:.3g} s simulating, {:.4g} periods", r["cost"]["wall_s"].get<double>(), r["cost"]["cpu_s"].get<double>(),
                            r["cost"]["simulated_periods"].get<double>()));
    if (!r["retries"].empty()) {
        std::map<std::string, std::pair<int, int>> by_change;  // tried, worked
        for (const Json& retry : r["retries"]) {
            auto& [tried, worked] = by_change[retry["change"].get<std::string>()];
            ++tried;
            if (retry["ok"].get<bool>()) ++worked;
        }
        std::string changes;
        for (const auto& [change, counts] : by_change)
            changes += fmt::format("{}{} ({} of {} worked)", changes.empty() ? "" : ", ", change, counts.second, counts.first);
        row("netlists tried again", changes);
    }
    if (!r["failures"].empty()) {
        constexpr std::size_t shown = 10;
        text += "  not settled or failed:\n";
        for (std::size_t i = 0; i < std::min(shown, r["failures"].size()); ++i) {
            const Json& f = r["failures"][i];
            if (f.contains("token"))
                text += fmt::format("    sequence {} head {} token {}: {} ({})\n", f["sequence"].dump(), f["head"].dump(), f["token"].dump(),
                                    f["category"].get<std::string>(), f["message"].get<std::string>());
            else
                text += fmt::format("    {}: {}\n", f["category"].get<std::string>(), f["message"].get<std::string>());
        }
        const std::size_t all = r["failures"].size() + r["failures_not_listed"].get<std::size_t>();
        if (all > shown) text += fmt::format("    and {} more (result.json lists {})\n", all - shown, r["failures"].size());
    }
    return text;
}

}  // namespace entrain::report

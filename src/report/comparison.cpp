#include "report/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "io/csv.hpp"
#include "report/number_text.hpp"

namespace entrain::report {
namespace {

using io::Json;

/// The value at a JSON pointer, null where the path ends early.
Json at(const Json& row, const std::string& pointer) {
    const Json::json_pointer path{pointer};
    return row.contains(path) ? row.at(path) : Json(nullptr);
}

struct CsvColumn {
    const char* name;
    const char* pointer;
};
constexpr CsvColumn csv_columns[] = {
    {"name", "/name"},
    {"status", "/status"},
    {"substrate", "/substrate/kind"},
    {"corner", "/substrate/corner"},
    {"cell", "/substrate/cell"},
    {"engine", "/engine/kind"},
    {"dimensionless", "/substrate/dimensionless"},
    {"attention_max_abs", "/error/attention_max_abs"},
    {"attention_rms", "/error/attention_rms"},
    {"attention_max_abs_at_read", "/error_at_read/attention_max_abs"},
    {"attention_rms_at_read", "/error_at_read/attention_rms"},
    {"attention_max_abs_times_tokens", "/error/attention_max_abs_times_tokens"},
    {"attention_kl_mean_nat", "/error/attention_kl_mean"},
    {"phase_rms_deg", "/error/phase_rms_deg"},
    {"phase_max_deg", "/error/phase_max_deg"},
    {"phase_rms_at_read_deg", "/error_at_read/phase_rms_deg"},
    {"phase_max_at_read_deg", "/error_at_read/phase_max_deg"},
    {"phase_rms_offset_slope_deg", "/error_offset_slope/phase_rms_deg"},
    {"phase_max_offset_slope_deg", "/error_offset_slope/phase_max_deg"},
    {"top1_agreement", "/error/top1_agreement"},
    {"top1_agreement_at_read", "/error_at_read/top1_agreement"},
    {"n", "/error/n"},
    {"n_total", "/error/n_total"},
    {"unsettled", "/settling/unsettled"},
    {"settling_median_s", "/settling/time_s/median"},
    {"settling_p95_s", "/settling/time_s/p95"},
    {"settling_max_s", "/settling/time_s/max"},
    {"settling_median_periods", "/settling/periods/median"},
    {"settling_p95_periods", "/settling/periods/p95"},
    {"settling_max_periods", "/settling/periods/max"},
    {"read_time_s", "/settling/read_time_s"},
    {"latency_s", "/settling/latency_s"},
    {"energy_per_query_j", "/energy/per_query_j/mean"},
    {"energy_per_query_p95_j", "/energy/per_query_j/p95"},
    {"energy_per_query_gated_j", "/energy/per_query_gated_j"},
    {"energy_per_layer_j", "/energy/per_layer_j"},
    {"frequency_hz", "/substrate/frequency_hz"},
    {"injection", "/substrate/injection"},
    {"coupling_rate_rad_per_s", "/substrate/coupling_rate_rad_per_s"},
    {"offset_rad", "/substrate/offset_rad"},
    {"slope_rad", "/substrate/slope_rad"},
    {"power_per_oscillator_w", "/substrate/power_per_oscillator_w"},
    {"predicted_phase_rms_at_read_deg", "/equal_error/predicted/phase_rms_deg"},
    {"predicted_energy_per_query_j", "/equal_error/predicted/energy_per_query_j"},
    {"wall_s", "/cost/wall_s"},
    {"cpu_s", "/cost/cpu_s"},
    {"simulated_periods", "/cost/simulated_periods"},
    {"first_failure", "/failures/0/message"},
};

std::string csv_cell(const Json& value) {
    if (value.is_null()) return "";
    return value.is_string() ? value.get<std::string>() : value.dump();
}

/// A column of a text table; neighbours with the same group stand under one heading.
struct Column {
    std::string group;
    std::string title;
    std::vector<std::string> cells;
};

/// Right-aligned columns, the first one left-aligned.
std::string aligned(const std::vector<Column>& columns) {
    constexpr std::size_t gap = 2;
    std::vector<std::size_t> width;
    for (const Column& column : columns) {
        width.push_back(column.title.size());
        for (const std::string& cell : column.cells) width.back() = std::max(width.back(), cell.size());
    }
    struct Span {
        std::size_t begin, end;
    };
    std::vector<Span> spans;
    for (std::size_t k = 0; k < columns.size(); ++k) {
        if (k > 0 && columns[k].group == columns[k - 1].group)
            spans.back().end = k + 1;
        else
            spans.push_back({k, k + 1});
    }
    std::string groups;
    for (const Span& span : spans) {
        const std::string& group = columns[span.begin].group;
        std::size_t room = gap * (span.end - span.begin - 1);
        for (std::size_t k = span.begin; k < span.end; ++k) room += width[k];
        if (group.size() > room) {  // the heading is wider than what it heads
            width[span.begin] += group.size() - room;
            room = group.size();
        }
        const std::string rule =
            group.empty() ? std::string(room, ' ') : group + std::string(room - group.size(), span.end - span.begin > 1 ? '.' : ' ');
        groups += fmt::format("{}{}", groups.empty() ? "  " : std::string(gap, ' '), rule);
    }
    while (groups.ends_with(' ')) groups.pop_back();
    std::string text = groups + "\n";
    const auto line = [&](const std::function<const std::string&(const Column&)>& cell) {
        std::string out = fmt::format("  {:<{}}", cell(columns.front()), width.front());
        for (std::size_t k = 1; k < columns.size(); ++k) out += fmt::format("  {:>{}}", cell(columns[k]), width[k]);
        text += out + "\n";
    };
    line([](const Column& c) -> const std::string& { return c.title; });
    for (std::size_t i = 0; i < columns.front().cells.size(); ++i) line([i](const Column& c) -> const std::string& { return c.cells[i]; });
    return text;
}

std::string word(const Json& value) { return value.is_string() ? value.get<std::string>() : std::string{"-"}; }

/// The `count` failures behind the first in a few words each, where they are oscillators with their drive.
std::string others(const Json& failures, std::size_t count) {
    constexpr std::size_t most = 12;
    std::string text;
    std::size_t told = 0;
    for (std::size_t i = 1; i < failures.size() && told < most && failures[i].contains("drive"); ++i, ++told) {
        const Json& f = failures[i];
        text += fmt::format("{}sequence {} head {} token {} {} (r = {})", told > 0 ? ", " : "", f["sequence"].dump(), f["head"].dump(),
                            f["token"].dump(), word(f["category"]), number(f["drive"]));
    }
    if (told == count) return text;
    return fmt::format("{}{}{} more in its result.json", text, told > 0 ? ", " : "", count - told);
}

}  // namespace

Json comparison_json(const ComparisonInfo& info) {
    const auto all = [&](const char* status) {
        return !info.rows.empty() && std::ranges::all_of(info.rows, [&](const Json& row) { return row.at("status") == status; });
    };
    const char* status = info.interrupted ? "partial" : all("ok") ? "ok" : all("failed") ? "failed" : "partial";
    return {{"schema", "entrain.compare/1"},
            {"status", status},
            {"rows", info.rows},
            {"skipped", info.skipped},
            {"not_run", info.not_run},
            {"held_equal", info.held_equal},
            {"free", info.free},
            {"equal", info.equal},
            {"cost", {{"wall_s", info.wall_s}}},
            {"provenance", info.provenance}};
}

std::string comparison_csv(const Json& comparison) {
    std::vector<std::string> cells;
    for (const CsvColumn& column : csv_columns) cells.emplace_back(column.name);
    std::string csv = io::csv_row(cells);
    for (const Json& row : comparison["rows"]) {
        cells.clear();
        for (const CsvColumn& column : csv_columns) cells.push_back(csv_cell(at(row, column.pointer)));
        csv += io::csv_row(cells);
    }
    return csv;
}

std::string comparison_table(const Json& comparison) {
    const Json& rows = comparison["rows"];
    using Cell = std::function<std::string(const Json& row)>;
    const auto column = [&](std::string group, std::string title, const Cell& cell) {
        Column c{std::move(group), std::move(title), {}};
        for (const Json& row : rows) c.cells.push_back(cell(row));
        return c;
    };
    const auto plain = [](std::string pointer) -> Cell { return [pointer](const Json& row) { return number(at(row, pointer)); }; };
    const auto quantity = [](std::string pointer, std::string unit) -> Cell {
        return [pointer, unit](const Json& row) { return engineering(at(row, pointer), unit); };
    };
    const auto time = [](std::string pointer) -> Cell {
        return [pointer](const Json& row) {
            return at(row, "/substrate/dimensionless") == true ? number(at(row, pointer), " /W") : engineering(at(row, pointer), "s");
        };
    };
    const Cell name = [](const Json& row) { return word(row["name"]); };

    std::string text = aligned(
        {column("", "row", name), column("attention error", "max", plain("/error/attention_max_abs")),
         column("attention error", "rms", plain("/error/attention_rms")),
         column("attention error", "max@read", plain("/error_at_read/attention_max_abs")),
         column("attention error", "rms@read", plain("/error_at_read/attention_rms")),
         column("phase error, offset [deg]", "rms", plain("/error/phase_rms_deg")),
         column("phase error, offset [deg]", "max", plain("/error/phase_max_deg")),
         column("phase error, offset [deg]", "rms@read", plain("/error_at_read/phase_rms_deg")),
         column("offset, slope [deg]", "rms", plain("/error_offset_slope/phase_rms_deg")),
         column("offset, slope [deg]", "max", plain("/error_offset_slope/phase_max_deg")), column("", "top-1", plain("/error/top1_agreement")),
         column("", "unsettled",
                [](const Json& row) {
                    const Json unsettled = at(row, "/settling/unsettled");
                    return unsettled.is_null() ? std::string{"-"}
                                               : fmt::format("{} of {}", unsettled.dump(), row["layer"]["free_oscillators"].dump());
                }),
         column("", "status", [](const Json& row) { return word(row["status"]); })});
    text += "\n";
    text += aligned({column("", "row", name), column("", "frequency", quantity("/substrate/frequency_hz", "Hz")),
                     column("", "injection", plain("/substrate/injection")), column("", "power", quantity("/substrate/power_per_oscillator_w", "W")),
                     column("settling time", "median", time("/settling/time_s/median")), column("settling time", "p95", time("/settling/time_s/p95")),
                     column("periods", "median", plain("/settling/periods/median")), column("periods", "p95", plain("/settling/periods/p95")),
                     column("", "read time", time("/settling/read_time_s")), column("", "latency", time("/settling/latency_s")),
                     column("", "energy/query", quantity("/energy/per_query_j/mean", "J")), column("", "wall", quantity("/cost/wall_s", "s"))});

    if (comparison["equal"]["mode"] == "error") {
        const auto measured_over_predicted = [](const std::string& key) -> Cell {
            return [key](const Json& row) {
                const Json measured = at(row, "/equal_error/measured/" + key);
                const Json predicted = at(row, "/equal_error/predicted/" + key);
                return measured.is_number() && predicted.is_number() ? fmt::format("{:.3f}", measured.get<double>() / predicted.get<double>())
                                                                     : std::string{"-"};
            };
        };
        text += "\n";
        text += aligned({column("", "row", name), column("chosen", "injection", plain("/equal_error/injection")),
                         column("chosen", "read time", time("/equal_error/read_time_s")),
                         column("predicted error at the read time [deg]", "settling", plain("/equal_error/predicted/settling_deg")),
                         column("predicted error at the read time [deg]", "calibration", plain("/equal_error/predicted/calibration_deg")),
                         column("predicted error at the read time [deg]", "noise", plain("/equal_error/predicted/noise_deg")),
                         column("predicted error at the read time [deg]", "total", plain("/equal_error/predicted/phase_rms_deg")),
                         column("measured", "[deg]", plain("/equal_error/measured/phase_rms_deg")),
                         column("measured", "/predicted", measured_over_predicted("phase_rms_deg")),
                         column("energy/query", "predicted", quantity("/equal_error/predicted/energy_per_query_j", "J")),
                         column("energy/query", "measured", quantity("/equal_error/measured/energy_per_query_j", "J")),
                         column("energy/query", "ratio", measured_over_predicted("energy_per_query_j"))});
        text += fmt::format("  injection and read time of least energy for {:.3g} deg: {}\n", comparison["equal"]["target_deg"].get<double>(),
                            word(comparison["equal"]["formula"]));
    }
    text += "\n  held equal:";
    for (const Json& held : comparison["held_equal"])
        text += fmt::format("{} {} {}", &held == &comparison["held_equal"].front() ? "" : ";", word(held["what"]), word(held["value"]));
    text += "\n  free:";
    for (const Json& free : comparison["free"]) text += fmt::format("{} {}", &free == &comparison["free"].front() ? "" : ",", word(free["what"]));
    text +=
        "\n  Errors are at equilibrium, with @read at the read time. Phase errors: with the constant offset removed (what hardware can do), and\n";
    text += "  with offset and slope removed (needs the digital answer: agreement with the phase model).\n";
    std::map<std::string, std::string> caveats;  // names by caveat
    for (const Json& row : rows)
        if (row["energy"].is_object() && row["energy"].contains("caveat") && row["energy"]["caveat"].is_string()) {
            std::string& names = caveats[row["energy"]["caveat"].get<std::string>()];
            names += (names.empty() ? "" : ", ") + word(row["name"]);
        }
    for (const auto& [caveat, names] : caveats) text += fmt::format("  energy of {}: {}\n", names, caveat);
    for (const Json& row : rows) {
        if (row["failures"].empty()) continue;
        const Json& first = row["failures"][0];
        const bool whole = row["status"] == "failed";
        const std::size_t more = row["failures"].size() + row["failures_not_listed"].get<std::size_t>() - 1;
        std::string where;
        if (first.contains("token"))
            where = fmt::format("sequence {} head {} token {} ", first["sequence"].dump(), first["head"].dump(), first["token"].dump());
        text += fmt::format("  {}{}: {}{}: {}\n", word(row["name"]), whole ? " failed" : "", where, word(first["category"]), word(first["message"]));
        if (more > 0) text += fmt::format("    and: {}\n", others(row["failures"], more));
    }
    for (const std::string& row : missing_rows(comparison)) text += fmt::format("  {}\n", row);
    return text;
}

std::vector<std::string> equal_error_notes(const Json& comparison) {
    std::vector<std::string> notes;
    if (comparison["equal"]["mode"] != "error") return notes;
    notes.push_back(fmt::format("Injection and read time of least energy per query for {:.3g} deg: {}.",
                                comparison["equal"]["target_deg"].get<double>(), word(comparison["equal"]["formula"])));
    for (const Json& row : comparison["rows"]) {
        const Json chosen = at(row, "/equal_error");
        if (!chosen.is_object()) continue;
        const auto value = [&](const char* pointer) { return number(at(row, pointer)); };
        const bool units = at(row, "/substrate/dimensionless") != true;
        notes.push_back(fmt::format("{}: injection {}, read after {}; predicted {} deg (settling {}, calibration {}), measured {} deg.",
                                    word(row["name"]), value("/equal_error/injection"),
                                    units ? engineering(chosen["read_time_s"], "s") : number(chosen["read_time_s"], " /W"),
                                    value("/equal_error/predicted/phase_rms_deg"), value("/equal_error/predicted/settling_deg"),
                                    value("/equal_error/predicted/calibration_deg"), value("/equal_error/measured/phase_rms_deg")));
    }
    return notes;
}

std::vector<std::string> missing_rows(const Json& comparison) {
    std::vector<std::string> notes;
    for (const Json& pair : comparison["skipped"]) notes.push_back(fmt::format("{} skipped: {}", word(pair["name"]), word(pair["reason"])));
    for (const Json& row : comparison["not_run"]) notes.push_back(fmt::format("{} not run: interrupted", word(row)));
    return notes;
}

std::string plans_table(const Json& plans) {
    std::vector<Column> columns;
    const auto column = [&](std::string group, std::string title, const std::function<std::string(const Json& row)>& cell) {
        columns.push_back({std::move(group), std::move(title), {}});
        for (const Json& row : plans["rows"]) columns.back().cells.push_back(cell(row));
    };
    const auto plain = [](std::string pointer) { return [pointer](const Json& row) { return number(at(row, pointer)); }; };
    column("", "row", [](const Json& row) { return word(row["name"]); });
    column("", "oscillators", [](const Json& row) { return row.contains("free_oscillators") ? row["free_oscillators"].dump() : "-"; });
    column("drive r", "min", plain("/drive/min"));
    column("drive r", "p5", plain("/drive/p5"));
    column("drive r", "median", plain("/drive/median"));
    column("predicted settling [s; ideal 1/W]", "median", plain("/predicted_settling_from_90_deg_s/median"));
    column("predicted settling [s; ideal 1/W]", "max", plain("/predicted_settling_from_90_deg_s/max"));
    column("", "netlists", plain("/netlists"));
    column("", "periods", plain("/simulated_periods"));
    column("estimated", "wall", [](const Json& row) { return engineering(at(row, "/wall_s"), "s"); });
    column("estimated", "memory", [](const Json& row) { return engineering(at(row, "/memory_bytes"), "B"); });
    std::string text = aligned(columns);
    for (const Json& row : plans["rows"])
        if (row.contains("failure")) text += fmt::format("  {} would fail: {}\n", word(row["name"]), word(row["failure"]));
    for (const Json& pair : plans["skipped"]) text += fmt::format("  {} skipped: {}\n", word(pair["name"]), word(pair["reason"]));
    return text;
}

}  // namespace entrain::report

#include <fmt/format.h>

#include <limits>

#include "core/sha256.hpp"
#include "io/json.hpp"
#include "problem/problem.hpp"
#include "study/agreement.hpp"

namespace entrain::study {
namespace {

/// Changes whenever compare_with_circuit() draws or compares differently.
constexpr std::string_view procedure = "entrain.agreement/1";

std::filesystem::path entry_of(const std::filesystem::path& folder, const std::string& key) {
    return folder / ("agreement-" + key.substr(0, 32) + ".json");
}

double number(const io::Json& json) { return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>(); }

/// One list of the stored numbers serves writing and reading.
template <class P, class Visit>
void fields_of_point(P& p, Visit&& visit) {
    visit("drive", p.drive);
    visit("start_angle_rad", p.start_angle);
    visit("phase_error_rad", p.phase_error);
    visit("settling_time_s", p.settling_time);
    visit("settling_ratio", p.settling_ratio);
}
template <class P, class Visit>
void fields_of_square(P& p, Visit&& visit) {
    visit("drive", p.drive);
    visit("phase_error_rad", p.phase_error);
    visit("sine_error_rad", p.sine_error);
}
template <class L, class Visit>
void fields_of_level(L& l, Visit&& visit) {
    visit("injection", l.injection);
    visit("rate_per_cycle", l.rate_per_cycle);
    visit("softening", l.softening);
    visit("lock_range_ratio", l.lock_range_ratio);
    visit("ppv_rate_ratio", l.ppv_rate_ratio);
}

io::Json to_json(const Agreement& agreement) {
    io::Json levels = io::Json::array();
    for (const AgreementLevel& l : agreement.levels) {
        io::Json level;
        fields_of_level(l, [&](const char* name, double value) { level[name] = io::number_or_null(value); });
        level["not_available"] = l.not_available;
        level["points"] = io::Json::array();
        for (const AgreementPoint& p : l.points) {
            io::Json point;
            fields_of_point(p, [&](const char* name, double value) { point[name] = io::number_or_null(value); });
            point["settled"] = p.settled;
            level["points"].push_back(std::move(point));
        }
        level["square"] = io::Json::array();
        for (const SquarePoint& p : l.square) {
            io::Json point;
            fields_of_square(p, [&](const char* name, double value) { point[name] = io::number_or_null(value); });
            point["settled"] = p.settled;
            level["square"].push_back(std::move(point));
        }
        levels.push_back(std::move(level));
    }
    return levels;
}

Agreement from_json(const io::Json& levels) {
    Agreement agreement;
    for (const io::Json& level : levels) {
        AgreementLevel l;
        fields_of_level(l, [&](const char* name, double& value) { value = number(level.at(name)); });
        l.not_available = level.at("not_available").get<std::string>();
        for (const io::Json& point : level.at("points")) {
            AgreementPoint p;
            fields_of_point(p, [&](const char* name, double& value) { value = number(point.at(name)); });
            p.settled = point.at("settled").get<bool>();
            l.points.push_back(p);
        }
        for (const io::Json& point : level.at("square")) {
            SquarePoint p;
            fields_of_square(p, [&](const char* name, double& value) { value = number(point.at(name)); });
            p.settled = point.at("settled").get<bool>();
            l.square.push_back(p);
        }
        agreement.levels.push_back(std::move(l));
    }
    return agreement;
}

}  // namespace

std::string agreement_key_text(const substrates::Substrate& substrate, const engines::Engine& circuit_engine, const CalibrationOptions& options) {
    return fmt::format("{}\nphase model {}\n{}", procedure, problem::phase_model_version,
                       calibration_key_text(substrate.cell_key(), circuit_engine, options));
}

std::optional<Agreement> stored_agreement(const std::string& key_text, const std::optional<std::filesystem::path>& folder) {
    if (!folder) return std::nullopt;
    try {
        const std::string key = sha256(key_text);
        const io::Json entry = io::read_json(entry_of(*folder, key));
        const io::Json& body = entry.at("agreement");
        if (entry.at("schema") != procedure || entry.at("key") != key || entry.at("sha256") != sha256(body.dump())) return std::nullopt;
        return from_json(body);
    } catch (const std::exception&) {
        return std::nullopt;  // missing or damaged: not characterised
    }
}

void store_agreement(const std::string& key_text, const std::optional<std::filesystem::path>& folder, const Agreement& agreement) {
    if (!folder) return;
    try {
        std::filesystem::create_directories(*folder);
        const std::string key = sha256(key_text);
        const io::Json body = to_json(agreement);
        io::write_json(entry_of(*folder, key), {{"schema", procedure}, {"key", key}, {"sha256", sha256(body.dump())}, {"agreement", body}});
    } catch (const std::exception&) {
        // A cache that cannot be written costs time, not the run.
    }
}

}  // namespace entrain::study

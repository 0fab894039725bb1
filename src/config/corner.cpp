#include "config/corner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "config/field_text.hpp"
#include "config/node.hpp"
#include "config/reader.hpp"

namespace entrain::config {
namespace {

/// `text` (a number with unit, or without for dimensionless) as SI value within the range of the spec, or nothing and a diagnostic.
std::optional<double> read_value(const std::string& text, const ModelParameterSpec& spec, const Location& where, Diagnostics& diagnostics) {
    double si = 0.0;
    try {
        si = parse_quantity(text, spec.unit);
    } catch (const std::invalid_argument& error) {
        diagnostics.add(where, fmt::format("{}: {}", spec.name, error.what()));
        return std::nullopt;
    }
    if (spec.range.contains(si)) return si;
    diagnostics.add(where, fmt::format("{} is {} (expected {})", spec.name, shown(text), range_text(spec.range, spec.unit)));
    return std::nullopt;
}

std::string with_unit(const std::string& number, const std::string& unit) { return unit == "1" ? number : fmt::format("{} {}", number, unit); }

}  // namespace

bool is_plain_name(std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    };
    return !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), allowed);
}

ModelFile read_model_file(const std::filesystem::path& path) {
    const Node root = parse_file(path);
    ModelFile file{{path.string(), 1, 1}, {}};
    Diagnostics diagnostics;
    Places places;
    for (const auto& [name, name_where, node] : root.entries) {
        if (name == "description") {
            if (node.kind != Node::Kind::scalar) diagnostics.add(node.where, "description is no text (expected text)");
            continue;
        }
        ModelEntry entry;
        entry.where = name_where;
        Reader reader{node, name, diagnostics, places};
        reader.require({"value", "unit", "source"});
        reader.number("value", entry.value, any_value, "the number, in its unit");
        reader.text("unit", entry.unit, "unit of the value, \"1\" for dimensionless");
        reader.text("source", entry.source, "where the value comes from");
        reader.finish();
        if (node.find("unit") != nullptr && entry.unit.empty())
            diagnostics.add(places.at(name + ".unit"), fmt::format("{}.unit is empty (expected a unit, \"1\" for dimensionless)", name));
        if (node.find("source") != nullptr && entry.source.empty())
            diagnostics.add(places.at(name + ".source"), fmt::format("{}.source is empty (expected where the value comes from)", name));
        file.entries.emplace(name, std::move(entry));
    }
    diagnostics.throw_if_any();
    return file;
}

std::map<std::string, ResolvedParameter> resolve_corner(const ModelFile& file, const std::vector<ModelParameterSpec>& specs,
                                                        const std::vector<RawEntry>& overrides, Diagnostics& diagnostics) {
    std::vector<std::string> names;
    for (const auto& spec : specs) names.push_back(spec.name);
    const auto refuse_unknown = [&](const std::string& name, const Location& where) {
        if (std::find(names.begin(), names.end(), name) == names.end())
            diagnostics.add(where, fmt::format("unknown parameter {} (expected {}).{}", shown(name), names.empty() ? "none" : joined(names, ", "),
                                               did_you_mean(name, names)));
    };
    for (const auto& [name, entry] : file.entries) refuse_unknown(name, entry.where);
    for (const RawEntry& entry : overrides) refuse_unknown(entry.key, entry.where);

    std::map<std::string, ResolvedParameter> resolved;
    for (const auto& spec : specs) {
        const auto in_file = file.entries.find(spec.name);
        if (in_file == file.entries.end()) {
            diagnostics.add(file.where, fmt::format("missing parameter '{}' (expected {}: {{value: ..., unit: \"{}\", source: ...}})", spec.name,
                                                    spec.name, spec.unit));
            continue;
        }
        const ModelEntry& entry = in_file->second;
        const auto value = read_value(with_unit(fmt::format("{}", entry.value), entry.unit), spec, entry.where, diagnostics);
        if (value) resolved[spec.name] = {*value, spec.unit, entry.source};
        const auto override_ = std::find_if(overrides.begin(), overrides.end(), [&](const RawEntry& raw) { return raw.key == spec.name; });
        if (override_ == overrides.end()) continue;
        if (const auto replaced = read_value(override_->text, spec, override_->where, diagnostics))
            resolved[spec.name] = {*replaced, spec.unit, "configuration"};
    }
    return resolved;
}

}  // namespace entrain::config

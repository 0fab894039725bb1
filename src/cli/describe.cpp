#include <fmt/format.h>

#include <algorithm>

#include "catalogue/engines.hpp"
#include "catalogue/mechanisms.hpp"
#include "catalogue/substrates.hpp"
#include "cli/commands.hpp"
#include "cli/configuration.hpp"
#include "config/field_text.hpp"
#include "core/error.hpp"
#include "embedded/version.hpp"

namespace entrain::cli {
namespace {

void print_table(const std::vector<config::ReferenceRow>& rows) {
    std::size_t key = 3;
    std::size_t type = 4;
    std::size_t preset = 7;
    for (const auto& row : rows) {
        key = std::max(key, row.key.size());
        type = std::max(type, row.type.size());
        preset = std::max(preset, row.preset.size());
    }
    fmt::print("  {:<{}}  {:<{}}  {:<{}}  {}\n", "key", key, "type", type, "default", preset, "meaning");
    for (const auto& row : rows)
        fmt::print("  {:<{}}  {:<{}}  {:<{}}  {}{}\n", row.key, key, row.type, type, row.preset, preset, row.doc,
                   row.range.empty() ? "" : " (" + row.range + ")");
    fmt::print("\n");
}

template <class Plugin>
void describe_plugin(std::string_view kind, std::string_view name, Plugin& plugin) {
    config::Reference reference;
    plugin.describe(reference);
    fmt::print("{} {}\n", kind, name);
    if (reference.rows().empty())
        fmt::print("  no options of its own\n\n");
    else
        print_table(reference.rows());
}

void describe_parameters(const substrates::Substrate& substrate) {
    const auto specs = substrate.parameters();
    if (specs.empty()) return;
    fmt::print("  parameters (models/<kind>/<corner>.yaml, substrate.parameters):\n");
    for (const auto& spec : specs) fmt::print("  {:<26} [{}] {} ({})\n", spec.name, spec.unit, spec.doc, config::range_text(spec.range, spec.unit));
    fmt::print("\n");
}

template <class Catalogue>
std::vector<std::string> names_of(const Catalogue& catalogue) {
    std::vector<std::string> names;
    for (const auto& entry : catalogue) names.emplace_back(entry.name);
    return names;
}

/// Describes those plug-ins of a kind that `wanted` names ("" = all); false if there is none.
template <class Catalogue, class Also>
bool describe_kind(std::string_view kind, const std::string& wanted, const Catalogue& catalogue, Also&& also) {
    bool any = false;
    for (const auto& entry : catalogue) {
        if (!wanted.empty() && entry.name != wanted) continue;
        const auto plugin = entry.create();
        describe_plugin(kind, entry.name, *plugin);
        also(*plugin);
        any = true;
    }
    return any;
}

}  // namespace

int describe_command(const std::string& kind, const std::string& name) {
    const std::vector<std::string> kinds = {"mechanism", "substrate", "engine", "config"};
    if (!kind.empty() && std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
        throw UserError{fmt::format("describe: there is no kind '{}' (expected {}).{}", kind, fmt::join(kinds, " | "), did_you_mean(kind, kinds))};
    const auto wants = [&](std::string_view k) { return kind.empty() || kind == k; };
    const auto nothing = [](const auto&) {};
    bool found = false;
    std::vector<std::string> candidates;
    const auto look = [&](std::string_view k, const auto& catalogue, auto&& also) {
        if (!wants(k)) return;
        found = describe_kind(k, name, catalogue, also) || found;
        candidates = names_of(catalogue);
    };
    look("mechanism", mechanisms::catalogue(), nothing);
    look("substrate", substrates::catalogue(), [](const substrates::Substrate& s) { describe_parameters(s); });
    look("engine", engines::catalogue(), nothing);
    if (wants("config") && name.empty()) {
        Configuration configuration;
        config::Reference reference;
        configuration.describe(reference);
        fmt::print(
            "config (keys of every experiment file; a plug-in's own keys stand beside its kind; compare also takes substrates: and engines:, lists "
            "of "
            "such maps)\n");
        print_table(reference.rows());
        found = true;
    }
    if (!found)
        throw UserError{
            fmt::format("describe: there is no {} '{}' (expected {}).{}", kind, name, fmt::join(candidates, " | "), did_you_mean(name, candidates))};
    return done;
}

int list_command() {
    fmt::print("mechanisms  {}\nsubstrates  {}\nengines     {}\n", fmt::join(names_of(mechanisms::catalogue()), ", "),
               fmt::join(names_of(substrates::catalogue()), ", "), fmt::join(names_of(engines::catalogue()), ", "));
    return done;
}

int version_command() {
    std::string simulators;
    for (const auto& entry : engines::catalogue()) {
        try {
            const std::string found = entry.create()->simulator_version();
            if (!found.empty()) simulators += found + "\n";
        } catch (const MissingComponent& missing) {
            simulators += fmt::format("{}: {}\n", entry.name, missing.what());
        }
    }
    fmt::print("entrain {} ({})\n{}{}\n", version, git_revision, simulators, library_versions);
    return done;
}

}  // namespace entrain::cli

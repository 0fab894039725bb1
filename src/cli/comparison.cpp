#include "cli/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "config/corner.hpp"
#include "core/error.hpp"
#include "embedded/version.hpp"

namespace entrain::cli {
namespace {

using config::Node;

/// The maps of `key` ("substrate"): those of the list `key`s, or the one map. Empty after a mistake.
std::vector<const Node*> maps_of(const Node& root, const std::string& key, Diagnostics& diagnostics) {
    const std::string list_key = key + "s";
    const Node* one = root.find(key);
    const Node* list = root.find(list_key);
    if (list == nullptr) {
        if (one == nullptr) diagnostics.add(root.where, fmt::format("missing key '{}' (expected a list of maps, or {}: one map)", list_key, key));
        return one != nullptr ? std::vector{one} : std::vector<const Node*>{};
    }
    if (one != nullptr) {
        diagnostics.add(one->where, fmt::format("{} stands beside {} (expected one of them)", key, list_key));
        return {};
    }
    if (list->kind != Node::Kind::sequence || list->items.empty()) {
        diagnostics.add(list->where,
                        fmt::format("{} is not a list with entries (expected a list of maps such as [{{kind: ...}}, {{kind: ...}}])", list_key));
        return {};
    }
    std::vector<const Node*> maps;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
        const Node& item = list->items[i];
        if (item.kind == Node::Kind::map)
            maps.push_back(&item);
        else
            diagnostics.add(item.where, fmt::format("{}.{} is not a map (expected keys and values such as {{kind: ...}})", list_key, i));
    }
    return maps;
}

/// `root` with one substrate and one engine instead of the lists.
Node row_root(const Node& root, const Node& substrate, const Node& engine) {
    Node row = root;
    std::erase_if(row.entries,
                  [](const Node::Entry& e) { return e.key == "substrates" || e.key == "engines" || e.key == "substrate" || e.key == "engine"; });
    row.entries.push_back({"substrate", substrate.where, substrate});
    row.entries.push_back({"engine", engine.where, engine});
    return row;
}

/// Adds what `diagnostics` does not hold yet: a mistake in a shared section, or of a substrate with several engines, is found once per row.
void add_new(Diagnostics& diagnostics, const std::vector<Diagnostic>& found) {
    for (const Diagnostic& d : found)
        if (std::ranges::none_of(diagnostics.found(), [&](const Diagnostic& k) { return k.where == d.where && k.message == d.message; }))
            diagnostics.add(d.where, d.message);
}

/// Where the row's name was given: the name, else the substrate.
Location place_of_name(const Configuration& c) { return c.places.at("substrate.name"); }

/// The row's name is that of a folder beside compare.json.
void check_names(const std::vector<std::vector<ComparisonRow>>& rows, Diagnostics& diagnostics) {
    static constexpr std::array<std::string_view, 5> files = {"compare.json", "compare.csv", "report.html", "resolved.yaml", "chunks"};
    constexpr std::size_t longest = 100;  // bytes; file systems end at 255, and temporary names are longer than names
    std::vector<Diagnostic> found;
    std::map<std::string, std::size_t> substrate_of;
    std::map<std::string, int> row_names;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Configuration& c = rows[i].front().configuration;
        const std::string& name = c.substrate.name;
        const bool is_file = std::ranges::find(files, name) != files.end();
        if (!config::is_plain_name(name) || name.size() > longest || is_file)
            found.push_back(
                {place_of_name(c), fmt::format("substrate.name: {} cannot be the name of the row's folder (expected letters, digits, -, _ and ., at "
                                               "most {}, not beginning with .{})",
                                               shown(name), longest, is_file ? ", and not that of a result file" : "")});
        else if (const auto [first, is_new] = substrate_of.emplace(name, i); !is_new)
            found.push_back({place_of_name(c),
                             fmt::format("substrate.name: '{}' is the name of substrates.{} already (expected unique names; give this one a name:)",
                                         name, first->second)});
    }
    if (found.empty())
        for (const auto& of_substrate : rows)
            for (const ComparisonRow& row : of_substrate)
                if (++row_names[row.name] == 2)
                    found.push_back(
                        {row.configuration.places.at("engine.kind"),
                         fmt::format("a row '{}' exists already (expected every pair of substrate name and engine kind once)", row.name)});
    add_new(diagnostics, found);
}

/// Collects resolved.yaml in three parts from one describe().
class PartsEcho final : public FieldVisitor {
 public:
    void visit(const Field& field) override {
        const auto* section = std::get_if<SectionField>(&field.value);
        config::Echo own;
        if (section != nullptr && field.name == "substrate") {
            section->describe(own);
            substrate = own.yaml();
        } else if (section != nullptr && field.name == "engine") {
            section->describe(own);
            engine = own.yaml();
        } else {
            own.visit(field);
            shared += own.yaml();
        }
    }
    std::string shared;
    std::string substrate;
    std::string engine;
};

PartsEcho parts_of(Configuration& c) {
    PartsEcho parts;
    c.describe(parts);
    return parts;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::string list_item(const std::vector<std::string>& lines) {
    std::string item;
    for (const std::string& line : lines) item += fmt::format("{}{}\n", item.empty() ? "  - " : "    ", line);
    return item;
}

std::string resolved_text(std::vector<std::vector<ComparisonRow>>& rows) {
    std::string substrates;
    std::string engines;
    for (auto& of_substrate : rows) substrates += list_item(lines_of(parts_of(of_substrate.front().configuration).substrate));
    for (std::size_t j = 0; j < rows.front().size(); ++j) {
        std::vector<std::string> lines = lines_of(parts_of(rows.front()[j].configuration).engine);
        for (auto& of_substrate : rows) {
            // A line that is not the same for every substrate is a default that depends on the substrate: left out, it is the same default again.
            const std::vector<std::string> others = lines_of(parts_of(of_substrate[j].configuration).engine);
            std::erase_if(lines, [&](const std::string& line) { return std::ranges::find(others, line) == others.end(); });
        }
        engines += list_item(lines);
    }
    return fmt::format(
        "# Written by entrain {} ({}): the comparison with its options spelled out. `entrain compare` on this file gives the same numbers.\n"
        "{}substrates:\n{}engines:\n{}",
        version, git_revision, parts_of(rows.front().front().configuration).shared, substrates, engines);
}

}  // namespace

bool lists_rows(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    const Node root = read_root(file, overrides);
    return root.find("substrates") != nullptr || root.find("engines") != nullptr;
}

Comparison load_comparison(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    const Node root = read_root(file, overrides);
    Diagnostics diagnostics;
    const std::vector<const Node*> substrates = maps_of(root, "substrate", diagnostics);
    const std::vector<const Node*> engines = maps_of(root, "engine", diagnostics);
    diagnostics.throw_if_any();

    std::vector<std::vector<ComparisonRow>> rows(substrates.size());  // [substrate][engine]
    for (std::size_t i = 0; i < substrates.size(); ++i)
        for (const Node* engine : engines) {
            Diagnostics of_row;
            try {
                Configuration c = read_configuration(file, row_root(root, *substrates[i], *engine), Scope::whole, of_row);
                const std::string name = engines.size() == 1 ? c.substrate.name : fmt::format("{}-{}", c.substrate.name, c.engine);
                rows[i].push_back({name, std::move(c)});
            } catch (const UserError& error) {
                add_new(diagnostics, error.diagnostics());
            }
            add_new(diagnostics, of_row.found());
        }
    if (diagnostics.empty()) check_names(rows, diagnostics);
    diagnostics.throw_if_any();

    Comparison comparison;
    Configuration& first = rows.front().front().configuration;
    comparison.inputs = load_inputs(first);
    comparison.digital = digital_costs(first);
    for (auto& of_substrate : rows)
        for (ComparisonRow& row : of_substrate) {
            row.configuration.layer = first.layer;
            row.configuration.checksums = first.checksums;
        }
    comparison.resolved = resolved_text(rows);
    for (auto& of_substrate : rows)
        for (ComparisonRow& row : of_substrate) {
            Configuration& c = row.configuration;
            if (c.unsupported.empty()) c.unsupported = dimension_limit(c, comparison.inputs.layer);
            if (c.unsupported.empty())
                comparison.rows.push_back(std::move(row));
            else
                comparison.skipped.push_back({row.name, c.substrate.kind, c.engine, c.unsupported});
        }
    if (comparison.rows.empty())
        throw UserError{root.where, fmt::format("no substrate can be simulated by any engine of this file: {}", comparison.skipped.front().reason)};
    return comparison;
}

}  // namespace entrain::cli

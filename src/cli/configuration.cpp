#include "cli/configuration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>
#include <stdexcept>

#include "catalogue/engines.hpp"
#include "catalogue/mechanisms.hpp"
#include "catalogue/substrates.hpp"
#include "config/corner.hpp"
#include "config/field_text.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/sha256.hpp"
#include "embedded/version.hpp"

namespace entrain::cli {
namespace {

/// A key whose feature comes later: present, with its default as the only value.
void reserved(FieldVisitor& v, std::string_view name, const std::string& preset, const std::string& doc) {
    const auto is_preset = [preset](const std::string& text) {
        if (text == preset) return true;
        try {
            return parse_quantity(text, "1") == parse_quantity(preset, "1");  // 0.0 is 0
        } catch (const std::invalid_argument&) {
            return false;
        }
    };
    v.word(name,
           {{preset},
            [preset, is_preset](const std::string& text) -> std::string {
                return is_preset(text) ? "" : fmt::format("'{}' is not available yet (expected {}, its default)", text, preset);
            },
            [preset] { return preset; }},
           doc);
}

/// The plug-in that `section.key` names, or a diagnostic with a suggestion.
template <class Catalogue>
auto choose(const config::Node& root, const std::string& section, const std::string& key, const Catalogue& catalogue, Diagnostics& diagnostics)
    -> decltype(catalogue.front().create()) {
    const config::Node* map = root.find(section);
    const config::Node* word = map != nullptr ? map->find(key) : nullptr;
    if (word == nullptr || word->kind != config::Node::Kind::scalar) return nullptr;  // the reader reports what is missing or of the wrong type
    if (auto plugin = create(catalogue, word->scalar)) return plugin;
    std::vector<std::string> names;
    for (const auto& entry : catalogue) names.emplace_back(entry.name);
    diagnostics.add(word->where, fmt::format("{}.{}: there is no '{}' (expected {}).{}", section, key, word->scalar, fmt::join(names, " | "),
                                             did_you_mean(word->scalar, names)));
    return nullptr;
}

/// sha256 of `file`, which must be `expected` unless that is empty.
std::string checked_sum(const std::string& expected, const std::filesystem::path& file, const Location& where, Diagnostics& diagnostics) {
    std::string found = sha256(read_file(file));
    if (!expected.empty() && found != expected)
        diagnostics.add(
            where,
            fmt::format(
                "{} has changed since this file was written (sha256 {:.12}..., expected {:.12}...). Restore it, or run the original configuration.",
                file.string(), found, expected));
    return found;
}

std::filesystem::path corner_file(const Configuration& c) { return models_folder() / c.substrate.kind / (c.substrate.corner + ".yaml"); }

/// Names of the corner files of a substrate, sorted.
std::vector<std::string> corners_of(const std::string& kind) {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator{models_folder() / kind, none})
        if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

/// Names of the engines that can solve a substrate.
std::vector<std::string> engines_for(const substrates::Substrate& substrate) {
    std::vector<std::string> names;
    for (const auto& entry : engines::catalogue())
        if (substrate.supports(entry.create()->fidelity())) names.emplace_back(entry.name);
    return names;
}

/// `file` as an absolute path; relative ones are relative to the configuration.
std::string absolute_path(const Configuration& c, const std::string& file) {
    return (std::filesystem::absolute(c.file).parent_path() / file).lexically_normal().string();
}

/// Reads the user's own files; substrate.parameters become the corner.
substrates::Corner read_user_files(Configuration& c, Diagnostics& diagnostics) {
    substrates::UserFiles files;
    files.folder = std::filesystem::absolute(c.file).parent_path();
    files.corner = c.substrate.corner;
    if (!c.pdk_root.empty()) files.pdk_root = c.pdk_root = absolute_path(c, c.pdk_root);
    for (std::size_t k = 0; k < c.models.size(); ++k) {
        Configuration::ModelFile& model = c.models[k];
        if (model.file.empty()) {
            diagnostics.add(c.places.at(fmt::format("models.{}", k)), fmt::format("missing key 'models.{}.file' (expected text: a SPICE file)", k));
            continue;
        }
        model.file = absolute_path(c, model.file);
        files.models.push_back({model.file, model.section});
    }
    substrates::Corner corner;
    if (!diagnostics.empty()) return corner;
    try {
        const substrates::UserFilesRead read = c.substrate_plugin->read_files(files);
        if (!c.substrate.files_sha256.empty() && c.substrate.files_sha256 != read.sha256)
            diagnostics.add(c.places.at("substrate.files_sha256"),
                            "the files of the cell have changed since this file was written. Restore them, or run the original configuration.");
        c.substrate.files_sha256 = read.sha256;
        for (const RawEntry& entry : c.substrate.parameters) {
            const std::optional<double> value = config::read_number(entry.text);
            if (std::ranges::find(read.parameters, entry.key) == read.parameters.end())
                diagnostics.add(entry.where,
                                fmt::format("substrate.parameters: subcircuit {} has no parameter '{}' (expected {}).{}", c.substrate_plugin->cell(),
                                            entry.key, fmt::join(read.parameters, ", "), did_you_mean(entry.key, read.parameters)));
            else if (!value)
                diagnostics.add(entry.where, fmt::format("substrate.parameters.{} is '{}' (expected a number in SI units, for example 1.5e-6)",
                                                         entry.key, entry.text));
            else
                corner[entry.key] = {*value, "1", "substrate.parameters"};
        }
    } catch (const UserError& error) {
        for (const Diagnostic& d : error.diagnostics()) diagnostics.add(d.where.file.empty() ? c.places.at("substrate") : d.where, d.message);
    }
    return corner;
}

/// Reads the corner file, applies substrate.parameters and configures the plug-in.
void configure_substrate(Configuration& c, Diagnostics& diagnostics) {
    const std::vector<substrates::ParameterSpec> specs = c.substrate_plugin->parameters();
    substrates::Corner corner;
    if (c.substrate_plugin->from_user_files()) {
        corner = read_user_files(c, diagnostics);
    } else if (!config::is_plain_name(c.substrate.corner)) {
        diagnostics.add(
            c.places.at("substrate.corner"),
            fmt::format(
                "substrate.corner: '{}' is not a corner name (expected the name of a file in models/{}/ without .yaml: letters, digits, - and _)",
                c.substrate.corner, c.substrate.kind));
        return;
    } else if (specs.empty()) {
        if (!c.substrate.parameters.empty())
            diagnostics.add(c.substrate.parameters.front().where, fmt::format("substrate.parameters: '{}' has no parameters", c.substrate.kind));
    } else {
        const std::filesystem::path file = corner_file(c);
        if (!std::filesystem::exists(file)) {
            const std::vector<std::string> corners = corners_of(c.substrate.kind);
            diagnostics.add(c.places.at("substrate.corner"),
                            fmt::format("substrate.corner: there is no {} (expected one of the corners of {}: {}).{}", file.string(),
                                        c.substrate.kind, fmt::join(corners, " | "), did_you_mean(c.substrate.corner, corners)));
            return;
        }
        std::vector<config::ModelParameterSpec> wanted;
        for (const auto& spec : specs) wanted.push_back({spec.name, spec.unit, spec.range});
        for (const auto& [name, p] : config::resolve_corner(config::read_model_file(file), wanted, c.substrate.parameters, diagnostics))
            corner[name] = {p.value, p.unit, p.source};
        c.substrate.corner_sha256 = checked_sum(c.substrate.corner_sha256, file, c.places.at("substrate.corner_sha256"), diagnostics);
    }
    if (!diagnostics.empty()) return;
    try {
        c.substrate_plugin->configure(corner);
    } catch (const ModelError& error) {
        c.impossible = error.what();
    } catch (const UserError& error) {  // options that exclude each other: the plug-in does not know where they stand
        for (const Diagnostic& d : error.diagnostics()) diagnostics.add(c.places.at("substrate"), d.message);
    }
}

}  // namespace

void Configuration::describe(FieldVisitor& v) {
    v.integer("version", version, 1, 1, "version of this file format");
    if (scope == Scope::whole) {
        v.section(
            "layer",
            [this](FieldVisitor& s) {
                s.text("mechanism", layer.mechanism, "attention mechanism, see entrain list");
                s.text("weights", layer.weights, "safetensors or npz file of the trained layer");
                s.text("inputs", layer.inputs, "safetensors or npz file with x [S, T, D] and padding [S, T]");
                s.text("prefix", layer.prefix, "picks the layer out of a whole state dict, e.g. layers.0.attn.");
                s.integer("heads", layer.heads, 1, 4095, "number of heads; must fit the tensors");
                s.integers("sequences", layer.sequences, 0, (1 << 20) - 1, "which sequences of the inputs file; default all");
                if (mechanism_plugin) mechanism_plugin->describe(s);
            },
            "the trained layer and its mechanism");
        v.section(
            "mapping", [this](FieldVisitor& s) { mapping.describe(s); }, "how weights reach the hardware's range");
    }
    v.section(
        "substrate",
        [this](FieldVisitor& s) {
            s.text("kind", substrate.kind, "technology, see entrain list");
            s.text("name", substrate.name, "row name in compare; default the kind");
            s.text("corner", substrate.corner, "models/<kind>/<corner>.yaml; kind user: section of the files in models");
            s.raw_map("parameters", substrate.parameters, "override keys of the corner file; kind user: parameters of the subcircuit");
            s.text("files_sha256", substrate.files_sha256, "written into resolved.yaml: sha256 over the user's own files; changed files are refused");
            s.text("corner_sha256", substrate.corner_sha256, "written into resolved.yaml: sha256 of the corner file; a changed file is refused");
            if (substrate_plugin) substrate_plugin->describe(s);
        },
        "the technology");
    v.sections("models", models, "device files for substrates of kind user");
    v.text("pdk_root", pdk_root, "folder below which the user's files may include others, besides their own folders");
    v.section(
        "engine",
        [this](FieldVisitor& s) {
            s.text("kind", engine, "exact | phase | ngspice");
            simulation.describe(s);
            if (engine_plugin) engine_plugin->describe(s);
        },
        "how it is solved");
    v.section(
        "nonidealities",
        [this](FieldVisitor& s) {
            nonidealities.describe(s);
            reserved(s, "coupling_mismatch", "0", "s of W exp(N(0, s^2))");
            reserved(s, "weight_bits", "null", "resolution of the couplings");
            reserved(s, "state_noise", "0", "s of z* <- normalize(z* + N(0, s^2 I))");
            reserved(s, "readout_noise", "0 deg", "sigma of the read phase");
            reserved(s, "readout_bits", "null", "resolution of the read phase");
        },
        "deviations of real hardware");
    if (scope == Scope::whole) {
        reserved(v, "hardware_calibration", "none", "what a chip may trim per device");
        start.describe(v);
        v.section(
            "readout", [this](FieldVisitor& s) { readout.describe(s); }, "when and how phases are read");
        v.section(
            "compare",
            [this](FieldVisitor& s) {
                using Equal = Compare::Equal;
                s.choice("equal", compare.equal, {{"none", Equal::nothing}, {"error", Equal::error}},
                         "error: choose each substrate's injection and read time of least energy for the target");
                s.quantity("target", compare.target, {1e-6, 1.0},
                           "with equal: error, the phase error to be bought (rms over tokens at the read time)");
            },
            "for the compare command");
    }
    v.integer("seed", seed, 0, std::numeric_limits<std::int64_t>::max(), "study seed: start phases and deviations");
    v.section(
        "checksums",
        [this](FieldVisitor& s) {
            s.text("weights", checksums.weights, "sha256 of layer.weights; a changed file is refused");
            s.text("inputs", checksums.inputs, "sha256 of layer.inputs");
            s.text("digital", checksums.digital, "sha256 of models/energy/digital.yaml");
        },
        "written into resolved.yaml");
}

config::Node read_root(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    config::Node root = config::parse_file(file);
    const auto has = [&](const char* key) { return root.find(key) != nullptr; };
    const bool one_substrate = has("substrate");
    const bool one_engine = has("engine");
    for (const std::string& assignment : overrides) config::apply_override(root, assignment);
    std::erase_if(root.entries, [&](const config::Node::Entry& e) {
        return (e.key == "substrates" && !one_substrate && has("substrate")) || (e.key == "engines" && !one_engine && has("engine"));
    });
    return root;
}

Configuration load_configuration(const std::filesystem::path& file, const std::vector<std::string>& overrides, Scope scope) {
    config::Node root = read_root(file, overrides);
    Diagnostics diagnostics;
    for (const std::string one : {"substrate", "engine"})
        if (const config::Node* list = root.find(one + "s"))
            diagnostics.add(list->where,
                            fmt::format("{0}s: a list of rows is for `entrain compare` (expected {0}: one map; --set {0}.kind=... on the "
                                        "command line replaces the list)",
                                        one));
    diagnostics.throw_if_any();
    Configuration c = read_configuration(file, std::move(root), scope, diagnostics);
    if (c.substrate_plugin && !c.substrate_plugin->from_user_files() && !c.models.empty())
        diagnostics.add(c.places.at("models"), fmt::format("models: {} has its own devices (expected substrate.kind: user)", c.substrate.kind));
    if (!c.impossible.empty()) diagnostics.add(c.places.at("substrate"), c.impossible);
    if (!c.unsupported.empty()) diagnostics.add(c.places.at("engine.kind"), "engine.kind: " + c.unsupported);
    diagnostics.throw_if_any();
    return c;
}

Configuration read_configuration(const std::filesystem::path& file, config::Node root, Scope scope, Diagnostics& diagnostics) {
    Configuration c;
    c.file = file;
    c.scope = scope;
    c.root = std::move(root);
    if (scope == Scope::whole) c.mechanism_plugin = choose(c.root, "layer", "mechanism", mechanisms::catalogue(), diagnostics);
    c.substrate_plugin = choose(c.root, "substrate", "kind", substrates::catalogue(), diagnostics);
    c.engine_plugin = choose(c.root, "engine", "kind", engines::catalogue(), diagnostics);
    if (!diagnostics.empty()) return c;  // without the plug-ins their options would all look unknown
    c.readout.dimensionless = c.substrate_plugin && c.substrate_plugin->dimensionless();
    if (c.substrate_plugin) c.simulation.points_per_period = c.substrate_plugin->default_points_per_period();
    if (c.substrate_plugin && c.substrate_plugin->from_user_files()) c.substrate.corner.clear();  // user files need not have corners

    if (scope == Scope::substrate_only)  // a whole experiment file serves too: what is not needed is not looked at
        std::erase_if(c.root.entries, [](const config::Node::Entry& e) {
            static const std::set<std::string> unused = {"layer", "mapping", "hardware_calibration", "start", "readout", "compare"};
            return unused.contains(e.key);
        });
    config::Reader reader{c.root, "", diagnostics, c.places};
    reader.require(scope == Scope::whole ? std::vector<std::string>{"version", "layer", "layer.mechanism", "layer.weights", "layer.inputs",
                                                                    "layer.heads", "substrate", "substrate.kind", "engine", "engine.kind"}
                                         : std::vector<std::string>{"version", "substrate", "substrate.kind", "engine", "engine.kind"});
    c.describe(reader);
    reader.finish();
    if (c.substrate.name.empty()) c.substrate.name = c.substrate.kind;
    if (c.substrate_plugin) configure_substrate(c, diagnostics);
    // "Settled" leaves up to 0.02 deg (problem::SettlingRule::remaining): a tolerance near it would have no settling time.
    if (const double least = radians(0.05); c.substrate_plugin && !c.substrate_plugin->dimensionless() && c.readout.settle_tolerance.value() < least)
        diagnostics.add(
            c.places.at("readout.settle_tolerance"),
            fmt::format(
                "readout.settle_tolerance: {} is too close to the 0.02 deg that a settled oscillator may still have to go (expected at least {})",
                format_quantity(c.readout.settle_tolerance.value(), unit::Radian::symbol), format_quantity(least, unit::Radian::symbol)));
    if (scope == Scope::whole && c.nonidealities.temperature.value() > 0.0 && c.readout.read_time.kind != study::ReadTime::Kind::fixed)
        diagnostics.add(
            c.places.at("nonidealities.temperature"),
            "nonidealities.temperature: a phase that jitters never stays within the tolerance, so that there is no slowest oscillator to wait "
            "for (expected readout.read_time: \"fixed: <time>\" with thermal noise)");
    if (c.substrate_plugin && c.engine_plugin && !c.substrate_plugin->supports(c.engine_plugin->fidelity()))
        c.unsupported =
            fmt::format("{} cannot be simulated by {} (expected {})", c.substrate.kind, c.engine, fmt::join(engines_for(*c.substrate_plugin), " | "));
    else if (diagnostics.empty() && c.impossible.empty() && c.simulation.crossbar == problem::Crossbar::full && !c.substrate_plugin->presets_start())
        c.unsupported =
            "the states of this cell cannot be preset, so that cells start with clocks of their own, and anchors of a full crossbar have one clock "
            "for all (expected engine.crossbar: reduced)";
    else if (scope == Scope::whole && c.substrate_plugin && c.engine_plugin && !c.substrate_plugin->sinusoidal_anchors() &&
             c.engine_plugin->fidelity() == problem::Fidelity::exact)
        c.unsupported = fmt::format(
            "{} has a closed form for sinusoidal anchors only (expected an engine that simulates circuits or phases, or "
            "substrate.anchor_waveform: sine)",
            c.engine);
    else if (scope == Scope::whole && c.nonidealities.temperature.value() > 0.0 && c.engine_plugin &&
             c.engine_plugin->fidelity() == problem::Fidelity::exact)
        c.unsupported = fmt::format(
            "{} has no closed form with thermal noise (expected an engine that simulates circuits or phases, or nonidealities.temperature: 0 K)",
            c.engine);
    if (c.nonidealities.temperature.value() > 0.0 && c.compare.equal == Configuration::Compare::Equal::error)
        diagnostics.add(c.places.at("nonidealities.temperature"),
                        "nonidealities.temperature: compare.equal: error does not predict thermal noise (expected 0 K, or compare.equal: none)");
    return c;
}

Inputs load_inputs(Configuration& c) {
    Inputs inputs;
    c.layer.weights = absolute_path(c, c.layer.weights);
    c.layer.inputs = absolute_path(c, c.layer.inputs);
    Diagnostics diagnostics;
    c.checksums.weights = checked_sum(c.checksums.weights, c.layer.weights, c.places.at("checksums.weights"), diagnostics);
    c.checksums.inputs = checked_sum(c.checksums.inputs, c.layer.inputs, c.places.at("checksums.inputs"), diagnostics);
    diagnostics.throw_if_any();
    inputs.layer = attention::load_layer(c.layer.weights, c.layer.prefix, static_cast<int>(c.layer.heads), c.places.at("layer.heads"));
    inputs.all = attention::load_sequences(c.layer.inputs, inputs.layer);

    if (const config::Node* layer = c.root.find("layer"); layer != nullptr && c.layer.sequences.empty()) {
        if (const config::Node* list = layer->find("sequences"))
            diagnostics.add(list->where, "layer.sequences is empty (expected at least one sequence, or no such key for all)");
        for (std::size_t i = 0; i < inputs.all.size(); ++i) c.layer.sequences.push_back(static_cast<std::int64_t>(i));
    }
    std::set<std::int64_t> seen;
    for (const std::int64_t index : c.layer.sequences) {
        if (index >= static_cast<std::int64_t>(inputs.all.size()))
            diagnostics.add(c.places.at("layer.sequences"), fmt::format("layer.sequences: {} is out of range (expected 0..{}: {} has {} sequences)",
                                                                        index, inputs.all.size() - 1, c.layer.inputs, inputs.all.size()));
        else if (!seen.insert(index).second)
            diagnostics.add(c.places.at("layer.sequences"), fmt::format("layer.sequences: {} is listed twice", index));
        else
            inputs.chosen.push_back(inputs.all[static_cast<std::size_t>(index)]);
    }
    diagnostics.throw_if_any();
    return inputs;
}

std::string dimension_limit(const Configuration& c, const attention::Layer& layer) {
    const int limit = c.substrate_plugin->max_dimension();
    if (limit == 0 || layer.oscillator_dimension <= limit) return "";
    return fmt::format("{} carries oscillators of dimension {} (one phase), but {} has anchors of dimension {}. Use substrate ideal.",
                       c.substrate.kind, limit, c.layer.weights, layer.oscillator_dimension);
}

Inputs load_inputs_for_substrate(Configuration& c) {
    Inputs inputs = load_inputs(c);
    if (const std::string limit = dimension_limit(c, inputs.layer); !limit.empty())
        throw UserError{c.places.at("substrate.kind"), "substrate.kind: " + limit};
    return inputs;
}

std::string resolved_yaml(Configuration& c) {
    config::Echo echo;
    c.describe(echo);
    return fmt::format("# Written by entrain {} ({}): the run with every option spelled out. `entrain run` on this file gives the same numbers.\n{}",
                       version, git_revision, echo.yaml());
}

std::unique_ptr<engines::Engine> circuit_engine() {
    for (const auto& entry : engines::catalogue()) {
        auto engine = entry.create();
        if (engine->fidelity() == problem::Fidelity::circuit) return engine;
    }
    throw MissingComponent{"this build has no engine that simulates circuits, which calibration needs"};
}

std::filesystem::path models_folder() {
    const char* variable = std::getenv("ENTRAIN_MODELS");
    return variable != nullptr && *variable != '\0' ? std::filesystem::path{variable} : std::filesystem::path{default_models_folder};
}

energy::DigitalCosts digital_costs(Configuration& c) {
    Diagnostics diagnostics;
    const std::filesystem::path file = models_folder() / "energy" / "digital.yaml";
    c.checksums.digital = checked_sum(c.checksums.digital, file, c.places.at("checksums.digital"), diagnostics);
    const auto found =
        config::resolve_corner(config::read_model_file(file), {{"mac_fp32", "J", positive}, {"mac_int8", "J", positive}}, {}, diagnostics);
    diagnostics.throw_if_any();
    const auto figure = [&](const std::string& name) { return energy::CitedFigure{found.at(name).value, found.at(name).source}; };
    return {figure("mac_fp32"), figure("mac_int8")};
}

}  // namespace entrain::cli

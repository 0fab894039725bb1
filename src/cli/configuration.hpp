#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "attention/layer.hpp"
#include "config/node.hpp"
#include "config/reader.hpp"
#include "energy/ledger.hpp"
#include "engines/engine.hpp"
#include "mechanisms/mechanism.hpp"
#include "study/options.hpp"
#include "substrates/substrate.hpp"

namespace entrain::cli {

/// Which sections a command needs: `characterize` looks at the substrate and the engine only.
enum class Scope { whole, substrate_only };

/// An experiment file as read: plug-ins chosen and configured, options plain. One describe() drives reading, resolved.yaml and the option tables.
struct Configuration {
    std::filesystem::path file;
    config::Node root;
    config::Places places;
    Scope scope = Scope::whole;

    std::int64_t version = 1;
    struct LayerFiles {
        std::string mechanism;
        std::string weights;
        std::string inputs;
        std::string prefix;
        std::int64_t heads = 1;
        std::vector<std::int64_t> sequences;  ///< empty: all
    } layer;
    struct SubstrateChoice {
        std::string kind;
        std::string name;
        std::string corner = "typical";
        std::vector<RawEntry> parameters;
        std::string corner_sha256;  ///< of resolved.yaml, like checksums
        std::string files_sha256;   ///< of resolved.yaml: over the user's own files
    } substrate;
    struct ModelFile {
        std::string file;
        std::string section;
        void describe(FieldVisitor& v) {
            v.text("file", file, "SPICE file; relative to the configuration");
            v.text("section", section, ".lib section of it; default substrate.corner, or the whole file if that is not given");
        }
    };
    std::vector<ModelFile> models;  ///< device files of the user's own
    std::string pdk_root;
    std::string engine;
    struct Checksums {
        std::string weights;
        std::string inputs;
        std::string digital;
    } checksums;  ///< of resolved.yaml: a changed input is refused; "" = not checked
    substrates::Mapping mapping;
    substrates::Nonidealities nonidealities;
    study::Start start;
    study::SimulationOptions simulation;
    study::ReadoutOptions readout;
    struct Compare {
        enum class Equal { nothing, error };
        Equal equal = Equal::nothing;  ///< error: injection and read time are chosen for a predicted phase error of `target`
        Radians target{radians(1.0)};
    } compare;  ///< for the compare command; run does not look at it
    std::int64_t seed = 1;

    std::unique_ptr<mechanisms::Mechanism> mechanism_plugin;  ///< null with Scope::substrate_only
    std::unique_ptr<substrates::Substrate> substrate_plugin;  ///< configured with its corner
    std::unique_ptr<engines::Engine> engine_plugin;

    // What keeps the experiment from being run though every key is good; "" = nothing. For `run` these are mistakes of the user.
    std::string impossible;   ///< the inequality the cell violates
    std::string unsupported;  ///< why this engine cannot solve this substrate

    /// Every key of the file in its order; plug-in options are included for the plug-ins that are set.
    void describe(FieldVisitor& visitor);
};

/// Reads a file and its --set overrides. A `substrate` (`engine`) given by --set replaces the file's list `substrates` (`engines`).
[[nodiscard]] config::Node read_root(const std::filesystem::path& file, const std::vector<std::string>& overrides);

/// Reads one experiment from `root`, which has one map `substrate` and one map `engine`: chooses plug-ins by name, reads strictly, loads and checks
/// the corner and configures the substrate. Mistakes go to `diagnostics`, empty before; after a mistake in a plug-in's name nothing else was read.
[[nodiscard]] Configuration read_configuration(const std::filesystem::path& file, config::Node root, Scope scope, Diagnostics& diagnostics);

/// The one experiment of a file with its --set overrides. All mistakes at once as UserError; an impossible cell and an engine that cannot solve the
/// substrate are mistakes.
[[nodiscard]] Configuration load_configuration(const std::filesystem::path& file, const std::vector<std::string>& overrides, Scope scope);

/// The layer and inputs a configuration names.
struct Inputs {
    attention::Layer layer;
    std::vector<attention::Sequence> all;     ///< every sequence of the inputs file
    std::vector<attention::Sequence> chosen;  ///< those of layer.sequences, in that order
};

/// Why the substrate cannot carry the layer's oscillators, "" if it can.
[[nodiscard]] std::string dimension_limit(const Configuration& configuration, const attention::Layer& layer);

/// Loads and checks what the configuration names, whatever its substrate; fills layer.sequences, absolute paths and checksums of `configuration` for
/// resolved.yaml.
[[nodiscard]] Inputs load_inputs(Configuration& configuration);

/// load_inputs; UserError if the substrate cannot carry the layer.
[[nodiscard]] Inputs load_inputs_for_substrate(Configuration& configuration);

/// The text of resolved.yaml.
[[nodiscard]] std::string resolved_yaml(Configuration& configuration);

/// The engine that simulates circuits, with its own defaults: calibrations are made with it whatever engine the run uses. MissingComponent if there
/// is none.
[[nodiscard]] std::unique_ptr<engines::Engine> circuit_engine();

/// Folder of models/: $ENTRAIN_MODELS, else the source tree's.
[[nodiscard]] std::filesystem::path models_folder();

/// models/energy/digital.yaml; fills its checksum in `configuration` for resolved.yaml.
[[nodiscard]] energy::DigitalCosts digital_costs(Configuration& configuration);

/// A plug-in by name from a generated catalogue; null if there is none.
template <class Catalogue>
[[nodiscard]] auto create(const Catalogue& catalogue, const std::string& name) -> decltype(catalogue.front().create()) {
    for (const auto& entry : catalogue)
        if (entry.name == name) return entry.create();
    return nullptr;
}

}  // namespace entrain::cli

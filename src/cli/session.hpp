#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/commands.hpp"
#include "cli/configuration.hpp"
#include "core/error.hpp"
#include "core/progress.hpp"
#include "io/json.hpp"
#include "problem/calibration.hpp"
#include "study/trial.hpp"

namespace entrain::cli {

/// Reports progress on standard error: a bar on a terminal, otherwise a line at every tenth; nothing when quiet. stop is set by Ctrl-C and SIGTERM.
[[nodiscard]] Progress make_progress(bool quiet);

/// The output folder of a run, claimed before any work: refused when it exists and is not empty (unless `force`), cannot be written, or is another
/// run's at this moment.
class OutputFolder {
 public:
    OutputFolder(const CommonOptions& options, const std::filesystem::path& config, const char* command);
    /// The folder of a run that is to be continued; refused when it is no folder of a `command`, cannot be written, or is in use.
    OutputFolder(const std::filesystem::path& of_a_run, const char* command);
    /// The folder of a row of a comparison, made if it is not there; refused when it cannot be written or is in use.
    explicit OutputFolder(const std::filesystem::path& of_a_row);
    OutputFolder(const OutputFolder&) = delete;
    OutputFolder& operator=(const OutputFolder&) = delete;
    ~OutputFolder();  ///< removes what the constructor made if keep() was never called: failed work leaves nothing behind

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    void keep() { kept_ = true; }

 private:
    [[nodiscard]] UserError refusal(const std::string& why) const;
    void lock();

    std::filesystem::path path_;
    std::filesystem::path made_;  ///< topmost folder that did not exist before; "" if none
    int lock_ = -1;               ///< descriptor of the folder, locked for the life of the object
    bool kept_ = false;
};

/// A configuration with its inputs, calibration and the trial they make. The trial refers to the other members: not movable.
struct Experiment {
    Experiment(Configuration configuration, Inputs inputs, energy::DigitalCosts digital, problem::Calibration calibration, int jobs,
               const Progress& progress);
    Experiment(const Experiment&) = delete;
    Experiment& operator=(const Experiment&) = delete;

    Configuration configuration;
    Inputs inputs;
    energy::DigitalCosts digital;
    problem::Calibration calibration;
    study::TrialInput trial;
};

/// Loads, checks and calibrates (from the cache if it can).
[[nodiscard]] std::unique_ptr<Experiment> load_experiment(const std::string& config, const CommonOptions& options, const Progress& progress);

/// What the calibration of a configured substrate with the run's step depends on: equal texts, equal calibrations. "" where nothing is measured.
[[nodiscard]] std::string calibration_key(const Configuration& configuration);

/// The calibration of a configured substrate with the run's step, from the cache if it can, with the validity of its phase model if that was ever
/// measured.
[[nodiscard]] problem::Calibration calibration_for(const Configuration& configuration, int jobs, const Progress& progress);

/// Says on standard error in one line if a run lies outside the validity range of its cell's phase model.
void warn_outside_validity(const std::string& name, const std::optional<problem::Place>& place);

/// The same progress with `name` before every stage.
[[nodiscard]] Progress named(const Progress& progress, const std::string& name);

/// UserError for what would make a continued run another one.
void require_resumable(const char* command, const std::string& config, const CommonOptions& options);

[[nodiscard]] int jobs_of(const CommonOptions& options);
[[nodiscard]] std::vector<std::string> overrides_of(const CommonOptions& options);

/// version, git, ngspice_version, seed, config_sha256, cpu, started_utc.
[[nodiscard]] io::Json provenance(Configuration& configuration, const std::string& started_utc);
[[nodiscard]] std::string utc_now(const char* format);

}  // namespace entrain::cli

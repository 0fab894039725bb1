#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "cli/commands.hpp"
#include "cli/plan.hpp"
#include "cli/run_folder.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "report/result.hpp"

namespace entrain::cli {

int run_command(const std::string& config, const CommonOptions& options) {
    if (!options.resume.empty()) throw UserError{"--resume is not available yet: run the configuration again"};
    if (config.empty()) throw UserError{"run: no CONFIG (expected an experiment file, for example configs/lc.yaml)"};
    const auto began = std::chrono::steady_clock::now();
    const std::string started = utc_now("%Y-%m-%dT%H:%M:%SZ");
    const Progress progress = make_progress(options.quiet);
    std::optional<OutputFolder> folder;
    if (!options.dry_run) folder.emplace(options, config, "run");
    const std::unique_ptr<Experiment> experiment = load_experiment(config, options, progress);
    if (options.dry_run) {
        const io::Json plan = plan_json(*experiment);
        fmt::print("{}", options.json ? plan.dump(2) + "\n" : plan_table(plan));
        return done;
    }
    if (!options.waves.empty()) {
        if (experiment->trial.engine.fidelity() != problem::Fidelity::circuit)
            throw UserError{experiment->configuration.places.at("engine.kind"),
                            fmt::format("engine.kind: {} has no nodes to record (--waves expects an engine that simulates circuits)",
                                        experiment->configuration.engine)};
        experiment->trial.run.waves = options.waves;
        experiment->trial.run.waves_folder = folder->path().string();
    }
    const study::TrialRecord record = study::run_trial(experiment->trial);

    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const io::Json result = write_run_folder(folder->path(), *experiment, record, {wall, started});
    folder->keep();
    if (options.json)
        fmt::print("{}\n", result.dump(2));
    else
        fmt::print("{}  results in {}\n", report::summary_table(result), folder->path().string());
    if (progress.stop_requested()) return interrupted;
    return result["status"] == "ok" ? done : incomplete;
}

}  // namespace entrain::cli

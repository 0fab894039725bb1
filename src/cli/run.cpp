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
namespace {

int show(const io::Json& result, const std::filesystem::path& folder, const CommonOptions& options) {
    if (options.json)
        fmt::print("{}\n", result.dump(2, ' ', false, io::Json::error_handler_t::replace));
    else
        fmt::print("{}  results in {}\n", report::summary_table(result), folder.string());
    return result["status"] == "ok" ? done : incomplete;
}

void record_waves(Experiment& experiment, const std::vector<std::string>& waves, const std::filesystem::path& folder) {
    if (waves.empty()) return;
    if (experiment.trial.engine.fidelity() != problem::Fidelity::circuit)
        throw UserError{experiment.configuration.places.at("engine.kind"),
                        fmt::format("engine.kind: {} has no nodes to record (--waves expects an engine that simulates circuits)",
                                    experiment.configuration.engine)};
    experiment.trial.run.waves = waves;
    experiment.trial.run.waves_folder = folder.string();
}

}  // namespace

int run_command(const std::string& config, const CommonOptions& options) {
    const bool resumes = !options.resume.empty();
    if (resumes) require_resumable("run", config, options);
    if (!resumes && config.empty()) throw UserError{"run: no CONFIG (expected an experiment file, for example configs/lc.yaml)"};
    const auto began = std::chrono::steady_clock::now();
    const std::string started_utc = utc_now("%Y-%m-%dT%H:%M:%SZ");
    const Progress progress = make_progress(options.quiet);
    std::optional<OutputFolder> folder;
    if (resumes) {
        folder.emplace(options.resume, "run");
        if (is_complete(folder->path(), "result.json")) {
            if (!options.quiet) fmt::print(stderr, "{}: nothing is missing, this is its result\n", folder->path().string());
            return show_stored(folder->path() / "result.json", [&](const io::Json& result) { return show(result, folder->path(), options); });
        }
    } else if (!options.dry_run) {
        folder.emplace(options, config, "run");
    }

    Configuration configuration =
        load_configuration(resumes ? (folder->path() / "resolved.yaml").string() : config, overrides_of(options), Scope::whole);
    Inputs inputs = load_inputs_for_substrate(configuration);
    energy::DigitalCosts digital = digital_costs(configuration);
    std::optional<StartedRun> started;
    if (folder) started.emplace(folder->path(), resolved_yaml(configuration), resumes ? Begin::again : Begin::anew);
    problem::Calibration calibration = calibration_for(configuration, jobs_of(options), progress);
    Experiment experiment{std::move(configuration), std::move(inputs), std::move(digital), std::move(calibration), jobs_of(options), progress};
    if (options.dry_run) {
        const io::Json plan = plan_json(experiment);
        fmt::print("{}", options.json ? plan.dump(2) + "\n" : plan_table(plan));
        return done;
    }
    record_waves(experiment, options.waves, folder->path());
    use_finished_netlists(folder->path(), experiment.trial);
    io::Json result;
    try {
        const study::TrialRecord record = study::run_trial(experiment.trial);
        const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        warn_outside_validity(experiment.configuration.substrate.name, record.place);
        result = write_run_folder(folder->path(), experiment, record, {wall, started_utc});
        if (record.failures.empty() && !progress.stop_requested()) discard_finished_netlists(folder->path());
    } catch (...) {
        if (started->has_finished_netlists()) folder->keep();  // --resume needs them
        throw;
    }
    started->keep();
    folder->keep();
    const int status = show(result, folder->path(), options);
    return progress.stop_requested() ? interrupted : status;
}

}  // namespace entrain::cli

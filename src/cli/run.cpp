#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "metrics/quantile.hpp"
#include "report/html.hpp"
#include "report/result.hpp"

namespace entrain::cli {
namespace {

/// What a run would do: printed by --dry-run, which simulates nothing but a missing calibration.
io::Json dry_run_json(const Experiment& experiment) {
    const study::Prepared prepared = study::prepare(experiment.trial, {});
    const engines::CostEstimate cost = experiment.trial.engine.estimate(prepared.problem, experiment.trial.run);
    std::vector<double> drive(prepared.instance.drive_ratio.begin(), prepared.instance.drive_ratio.end());
    std::vector<double> settling;
    for (const double rate : prepared.rule.rate)
        if (rate > 0.0) settling.push_back(problem::predicted_settling_time(rate, radians(90.0), prepared.rule.tolerance.value()));
    const auto quantile = [](const std::vector<double>& values, double q) { return io::number_or_null(metrics::quantile(values, q)); };
    return {{"free_oscillators", prepared.instance.network.size()},
            {"anchors", prepared.instance.network.anchors.rows()},
            {"couplings", prepared.instance.network.couplings.size()},
            {"drive", {{"min", quantile(drive, 0.0)}, {"p5", quantile(drive, 0.05)}, {"median", quantile(drive, 0.5)}}},
            {"predicted_settling_from_90_deg_s",
             {{"median", quantile(settling, 0.5)}, {"p95", quantile(settling, 0.95)}, {"max", quantile(settling, 1.0)}}},
            {"netlists", cost.netlists},
            {"simulated_periods", cost.simulated_periods},
            {"wall_s", cost.wall_s},
            {"memory_bytes", cost.memory_bytes}};
}

std::string plan_table(const io::Json& plan) {
    const auto number = [](const io::Json& value) { return value.is_number() ? fmt::format("{:.3g}", value.get<double>()) : std::string{"-"}; };
    const io::Json& drive = plan["drive"];
    const io::Json& settling = plan["predicted_settling_from_90_deg_s"];
    return fmt::format(
        "  free oscillators, anchors    {}, {} ({} couplings)\n"
        "  drive r                      min {}, p5 {}, median {}\n"
        "  predicted settling [s]       median {}, p95 {}, max {} (from 90 deg; units of 1/W for ideal)\n"
        "  netlists, simulated periods  {}, {}\n"
        "  estimated wall, memory       {} s, {} MB\n",
        plan["free_oscillators"].dump(), plan["anchors"].dump(), plan["couplings"].dump(), number(drive["min"]), number(drive["p5"]),
        number(drive["median"]), number(settling["median"]), number(settling["p95"]), number(settling["max"]), plan["netlists"].dump(),
        number(plan["simulated_periods"]), number(plan["wall_s"]), number(plan["memory_bytes"].get<double>() / 1e6));
}

}  // namespace

int run_command(const std::string& config, const CommonOptions& options) {
    if (!options.resume.empty()) throw UserError{"--resume is not available yet: run the configuration again"};
    if (config.empty()) throw UserError{"run: no CONFIG (expected an experiment file, for example configs/quickstart.yaml)"};
    const auto began = std::chrono::steady_clock::now();
    const std::string started = utc_now("%Y-%m-%dT%H:%M:%SZ");
    const Progress progress = make_progress(options.quiet);
    std::optional<OutputFolder> folder;
    if (!options.dry_run) folder.emplace(options, config, "run");
    const std::unique_ptr<Experiment> experiment = load_experiment(config, options, progress);
    if (options.dry_run) {
        const io::Json plan = dry_run_json(*experiment);
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

    Configuration& c = experiment->configuration;
    report::JsonEcho engine_options;
    c.simulation.describe(engine_options);
    c.engine_plugin->describe(engine_options);
    io::Json engine{{"kind", c.engine}};
    engine.update(engine_options.json());
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const io::Json result = report::result_json({progress.stop_requested() ? "partial" : report::status_of(record), c.layer.mechanism,
                                                 c.substrate.kind, c.substrate.corner, engine, wall, provenance(c, started)},
                                                experiment->trial, record);
    write_file_atomically(folder->path() / "resolved.yaml", resolved_yaml(c));
    io::write_hdf5(folder->path() / "arrays.h5", report::result_arrays(experiment->trial, record));
    io::write_json(folder->path() / "result.json", result);
    const std::string title = fmt::format("{} on {}, {} engine", c.layer.mechanism, c.substrate.kind, c.engine);
    write_file_atomically(folder->path() / "report.html",
                          report::html_report(title, {{c.substrate.kind, result, report::charts_json(experiment->trial, record)}}));
    folder->keep();
    if (options.json)
        fmt::print("{}\n", result.dump(2));
    else
        fmt::print("{}  results in {}\n", report::summary_table(result), folder->path().string());
    if (progress.stop_requested()) return interrupted;
    return result["status"] == "ok" ? done : incomplete;
}

}  // namespace entrain::cli

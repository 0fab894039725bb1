#include "cli/run_folder.hpp"

#include <fmt/format.h>

#include "core/file.hpp"
#include "report/html.hpp"
#include "report/result.hpp"

namespace entrain::cli {
namespace {

report::RunInfo run_info(Configuration& c, const std::string& status, const RunTimes& times) {
    report::JsonEcho engine_options;
    c.simulation.describe(engine_options);
    c.engine_plugin->describe(engine_options);
    io::Json engine{{"kind", c.engine}};
    engine.update(engine_options.json());
    return {status, c.layer.mechanism, c.substrate.kind, c.substrate.corner, engine, times.wall_s, provenance(c, times.started_utc)};
}

}  // namespace

io::Json write_run_folder(const std::filesystem::path& folder, Experiment& experiment, const study::TrialRecord& record, const RunTimes& times) {
    const std::string status = experiment.trial.run.progress.stop_requested() ? "partial" : report::status_of(record);
    const io::Json result = report::result_json(run_info(experiment.configuration, status, times), experiment.trial, record);
    std::filesystem::create_directories(folder);
    write_file_atomically(folder / "resolved.yaml", resolved_yaml(experiment.configuration));
    io::write_hdf5(folder / "arrays.h5", report::result_arrays(experiment.trial, record));
    const Configuration& c = experiment.configuration;
    write_file_atomically(folder / "report.html",
                          report::html_report(fmt::format("{} on {}, {} engine", c.layer.mechanism, c.substrate.name, c.engine),
                                              {{c.substrate.name, result, report::charts_json(experiment.trial, record)}}));
    io::write_json(folder / "result.json", result);
    return result;
}

io::Json write_failed_folder(const std::filesystem::path& folder, Experiment& experiment, const problem::Failure& failure, const RunTimes& times) {
    const io::Json result = report::failed_result_json(run_info(experiment.configuration, "failed", times), experiment.trial, failure);
    std::filesystem::create_directories(folder);
    for (const char* stale : {"arrays.h5", "report.html"}) std::filesystem::remove(folder / stale);  // of an earlier run, with --force
    write_file_atomically(folder / "resolved.yaml", resolved_yaml(experiment.configuration));
    io::write_json(folder / "result.json", result);
    return result;
}

}  // namespace entrain::cli

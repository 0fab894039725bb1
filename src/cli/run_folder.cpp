#include "cli/run_folder.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/file.hpp"
#include "embedded/version.hpp"
#include "report/html.hpp"
#include "report/result.hpp"

namespace entrain::cli {
namespace {

std::filesystem::path netlists_of(const std::filesystem::path& folder) { return folder / "chunks"; }

report::RunInfo run_info(Configuration& c, const std::string& status, const RunTimes& times) {
    report::JsonEcho engine_options;
    c.simulation.describe(engine_options);
    c.engine_plugin->describe(engine_options);
    io::Json engine{{"kind", c.engine}};
    engine.update(engine_options.json());
    return {status, c.layer.mechanism, c.substrate.kind, c.substrate.corner, engine, times.wall_s, provenance(c, times.started_utc)};
}

}  // namespace

StartedRun::StartedRun(const std::filesystem::path& folder, const std::string& resolved, Begin begin)
    : folder_{folder}, kept_{begin == Begin::again} {
    std::error_code none;
    const std::filesystem::path netlists = netlists_of(folder);
    for (const std::filesystem::path& leftovers : {folder, netlists}) remove_temporary_files(leftovers);
    for (const auto& entry : std::filesystem::directory_iterator{netlists, none})
        if (entry.path().extension() != ".chunk")
            throw UserError{Location{entry.path().string()}, "stands where a run keeps its finished netlists. Move it, or choose another --out."};
    if (begin == Begin::anew) discard_finished_netlists(folder);
    std::filesystem::create_directories(netlists);
    const std::filesystem::path file = folder / "resolved.yaml";
    if (std::filesystem::exists(file, none)) resolved_before_ = read_file(file);
    write_file_atomically(file, resolved);
}

StartedRun::~StartedRun() {
    if (kept_ || has_finished_netlists()) return;
    try {
        discard_finished_netlists(folder_);
        if (resolved_before_)
            write_file_atomically(folder_ / "resolved.yaml", *resolved_before_);
        else
            std::filesystem::remove(folder_ / "resolved.yaml");
    } catch (const std::exception&) {
        // The error that ends the run is the one to be told.
    }
}

bool StartedRun::has_finished_netlists() const {
    std::error_code none;
    return !std::filesystem::is_empty(netlists_of(folder_), none) && !none;
}

void use_finished_netlists(const std::filesystem::path& folder, study::TrialInput& trial) {
    trial.run.checkpoint_folder = netlists_of(folder).string();
    trial.run.program = fmt::format("entrain {} {}", version, git_revision);
}

bool is_complete(const std::filesystem::path& folder, const char* result) {
    return std::filesystem::exists(folder / result) && !std::filesystem::exists(netlists_of(folder));
}

int show_stored(const std::filesystem::path& file, const std::function<int(const io::Json&)>& show) {
    remove_temporary_files(file.parent_path());
    const io::Json result = io::read_json(file);
    try {
        return show(result);
    } catch (const std::exception& error) {
        throw UserError{Location{file.string()},
                        fmt::format("is no result of this version of the program ({}). Run the configuration again.", error.what())};
    }
}

void discard_finished_netlists(const std::filesystem::path& folder) {
    const std::filesystem::path netlists = netlists_of(folder);
    if (!std::filesystem::exists(netlists)) return;
    // Killed between two files, the rest would make a complete run look as if something were missing.
    const std::filesystem::path leaving = temporary_name(netlists);
    std::filesystem::rename(netlists, leaving);
    std::filesystem::remove_all(leaving);
}

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

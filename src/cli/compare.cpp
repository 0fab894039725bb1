#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "cli/commands.hpp"
#include "cli/comparison.hpp"
#include "cli/operating_point.hpp"
#include "cli/plan.hpp"
#include "cli/run_folder.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/sha256.hpp"
#include "report/comparison.hpp"
#include "report/html.hpp"
#include "report/result.hpp"

namespace entrain::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// A row with everything a report shows of it.
struct FinishedRow {
    std::string name;
    std::unique_ptr<Experiment> experiment;
    io::Json result;
    io::Json charts;  ///< null if the row failed
};

/// What every row has in common.
io::Json held_equal(const Configuration& c) {
    const auto echoed = [](auto& options) {
        report::JsonEcho echo;
        options.describe(echo);
        return echo.json();
    };
    Configuration::LayerFiles layer = c.layer;
    study::ReadoutOptions readout = c.readout;
    study::Start start = c.start;
    substrates::Mapping mapping = c.mapping;
    const io::Json read = echoed(readout);
    io::Json held = io::Json::array();
    const auto add = [&](const char* what, std::string value) { held.push_back({{"what", what}, {"value", std::move(value)}}); };
    add("layer", fmt::format("{} ({}, {} of its sequences)", layer.weights, layer.mechanism, layer.sequences.size()));
    add("start phases", fmt::format("{} (seed {})", echoed(start)["start"].get<std::string>(), c.seed));
    add("tolerance", read["settle_tolerance"].get<std::string>());
    if (c.compare.equal == Configuration::Compare::Equal::error)
        add("phase error", fmt::format("{:.3g} deg rms at the read time", degrees(c.compare.target.value())));
    else
        add("read rule", read["read_time"].get<std::string>());
    add("correction", read["correction"].get<std::string>());
    add("mapping", echoed(mapping)["normalisation"].get<std::string>());
    return held;
}

/// What each row has of its own.
io::Json free_quantities(const std::vector<FinishedRow>& rows) {
    io::Json free = io::Json::array();
    const auto add = [&](const char* what, const char* unit, auto&& value) {
        io::Json values = io::Json::object();
        for (const FinishedRow& row : rows) values[row.name] = value(row);
        free.push_back({{"what", what}, {"unit", unit}, {"values", values}});
    };
    const auto of_result = [](const char* key) { return [key](const FinishedRow& row) { return row.result["substrate"][key]; }; };
    add("frequency", "Hz", of_result("frequency_hz"));
    add("injection", "1", of_result("injection"));
    add("supply of the coupling currents", "V", [](const FinishedRow& row) {
        const problem::Calibration& c = row.experiment->calibration;
        const bool measured = !c.dimensionless && std::isfinite(c.amplitude);
        return measured ? io::number_or_null(row.experiment->trial.substrate.energy_model(c).drive_v) : io::Json(nullptr);
    });
    add("power per oscillator", "W", of_result("power_per_oscillator_w"));
    add("read time", "s",
        [](const FinishedRow& row) { return row.experiment->calibration.dimensionless ? io::Json(nullptr) : row.result["settling"]["read_time_s"]; });
    return free;
}

/// Prediction and measurement of a chosen operating point side by side.
io::Json equal_error_json(const study::OperatingPoint& point, const FinishedRow& row) {
    const bool noisy = row.experiment->configuration.nonidealities.temperature.value() > 0.0;  // simulated, but not predicted
    const auto in_degrees = [](double angle) { return io::number_or_null(degrees(angle)); };
    io::Json explored = io::Json::array();
    for (const study::CalibratedInjection& c : point.explored) explored.push_back(c.injection);
    return {{"injection", io::number_or_null(point.injection)},
            {"read_time_s", point.read_time},
            {"predicted",
             {{"settling_deg", in_degrees(point.predicted.settling)},
              {"calibration_deg", in_degrees(point.predicted.calibration)},
              {"noise_deg", noisy ? io::Json(nullptr) : in_degrees(point.predicted.noise)},
              {"phase_rms_deg", in_degrees(point.predicted.total())},
              {"energy_per_query_j", io::number_or_null(point.energy_j)}}},
            {"measured",
             {{"phase_rms_deg", row.result["error_at_read"]["phase_rms_deg"]}, {"energy_per_query_j", row.result["energy"]["per_query_j"]["mean"]}}},
            {"calibrated_injections", explored}};
}

io::Json skipped_json(const Comparison& comparison) {
    io::Json skipped = io::Json::array();
    for (const SkippedPair& pair : comparison.skipped)
        skipped.push_back({{"name", pair.name}, {"substrate", pair.substrate}, {"engine", pair.engine}, {"reason", pair.reason}});
    return skipped;
}

std::unique_ptr<Experiment> experiment_of(ComparisonRow& row, const Comparison& comparison, const Ready& ready, int jobs, const Progress& progress) {
    return std::make_unique<Experiment>(std::move(row.configuration), comparison.inputs, comparison.digital, ready.calibration, jobs,
                                        named(progress, row.name));
}

int show_plans(Comparison& comparison, const std::vector<Ready>& ready, int jobs, const Progress& progress, bool as_json) {
    io::Json plans{{"rows", io::Json::array()}, {"skipped", skipped_json(comparison)}};
    for (std::size_t i = 0; i < ready.size(); ++i) {
        io::Json plan{{"name", comparison.rows[i].name}};
        std::optional<problem::Failure> failure = ready[i].failure;
        if (!failure) failure = failure_of([&] { plan.update(plan_json(*experiment_of(comparison.rows[i], comparison, ready[i], jobs, progress))); });
        if (failure) plan["failure"] = failure->message;
        plans["rows"].push_back(plan);
    }
    fmt::print("{}", as_json ? plans.dump(2) + "\n" : report::plans_table(plans));
    return done;
}

/// The comparison's own files.
void write_comparison(const std::filesystem::path& folder, const Comparison& comparison, const std::vector<FinishedRow>& rows,
                      const io::Json& result) {
    std::vector<report::ReportRow> shown;
    for (const FinishedRow& row : rows) shown.push_back({row.name, row.result, row.charts});
    std::vector<std::string> notes = report::equal_error_notes(result);
    for (std::string& missing : report::missing_rows(result)) notes.push_back(std::move(missing));
    write_file_atomically(folder / "report.html", report::html_report("Comparison of substrates", shown, notes));
    write_file_atomically(folder / "resolved.yaml", comparison.resolved);
    write_file_atomically(folder / "compare.csv", report::comparison_csv(result));
    io::write_json(folder / "compare.json", result);
}

int show(const io::Json& result, const std::filesystem::path& folder, const CommonOptions& options) {
    if (options.json)
        fmt::print("{}\n", result.dump(2));
    else
        fmt::print("{}  results in {}\n", report::comparison_table(result), folder.string());
    return result["status"] == "ok" ? done : incomplete;
}

}  // namespace

int compare_command(const std::string& config, const CommonOptions& options) {
    const auto began = Clock::now();
    const std::string started = utc_now("%Y-%m-%dT%H:%M:%SZ");
    const bool resumes = !options.resume.empty();
    if (resumes) require_resumable("compare", config, options);
    if (!resumes && config.empty()) throw UserError{"compare: no CONFIG (expected an experiment file, for example configs/quickstart.yaml)"};
    const Progress progress = make_progress(options.quiet);
    std::optional<OutputFolder> folder;
    if (resumes) {
        folder.emplace(options.resume, "compare");
        if (is_complete(folder->path(), "compare.json")) {
            if (!options.quiet) fmt::print(stderr, "{}: nothing is missing, this is its result\n", folder->path().string());
            return show_stored(folder->path() / "compare.json", [&](const io::Json& result) { return show(result, folder->path(), options); });
        }
    } else if (!options.dry_run) {
        folder.emplace(options, config, "compare");
    }
    Comparison comparison = load_comparison(resumes ? (folder->path() / "resolved.yaml").string() : config, overrides_of(options));
    const Begin begin = resumes ? Begin::again : Begin::anew;
    std::optional<StartedRun> started_comparison;
    if (folder) started_comparison.emplace(folder->path(), comparison.resolved, begin);
    const int jobs = jobs_of(options);
    const Configuration::Compare mode = comparison.rows.front().configuration.compare;
    const bool equal_error = mode.equal == Configuration::Compare::Equal::error;
    const std::vector<Ready> ready = equal_error ? choose_operating_points(comparison, jobs, progress) : calibrate_rows(comparison, jobs, progress);
    if (options.dry_run) return show_plans(comparison, ready, jobs, progress, options.json);

    report::ComparisonInfo info;
    std::vector<FinishedRow> rows;
    bool missing = false;  // a netlist, or a row
    for (std::size_t i = 0; i < ready.size(); ++i) {
        ComparisonRow& row = comparison.rows[i];
        if (progress.stop_requested()) {
            info.not_run.push_back(row.name);
            missing = true;
            continue;
        }
        const auto row_began = Clock::now();
        const std::string row_started = utc_now("%Y-%m-%dT%H:%M:%SZ");
        const std::filesystem::path row_folder = folder->path() / row.name;
        FinishedRow finished{row.name, experiment_of(row, comparison, ready[i], jobs, progress), {{"name", row.name}}, {}};
        study::TrialRecord record;
        std::optional<problem::Failure> failure = ready[i].failure;
        std::optional<OutputFolder> claim;  // `run --resume` works on a row, too
        std::optional<StartedRun> started_row;
        if (!failure)
            failure = failure_of([&] {
                claim.emplace(row_folder);
                started_row.emplace(row_folder, resolved_yaml(finished.experiment->configuration), begin);
            });
        if (!failure) {
            use_finished_netlists(row_folder, finished.experiment->trial);
            try {
                failure = failure_of([&] { record = study::run_trial(finished.experiment->trial); });
            } catch (...) {
                if (started_row->has_finished_netlists()) {
                    started_comparison->keep();  // --resume needs both
                    folder->keep();
                }
                throw;
            }
            if (failure)
                started_row.reset();
            else
                started_row->keep();
        }
        const bool may_work_again = failure && failure->category == "error";  // not the physics: a full disk, for one
        warn_outside_validity(row.name, record.place);
        missing = missing || may_work_again || !record.failures.empty() || progress.stop_requested();
        const RunTimes times{seconds_since(row_began), row_started};
        finished.result.update(failure ? write_failed_folder(row_folder, *finished.experiment, *failure, times)
                                       : write_run_folder(row_folder, *finished.experiment, record, times));
        if (!failure) finished.charts = report::charts_json(finished.experiment->trial, record);
        if (ready[i].point) finished.result["equal_error"] = equal_error_json(*ready[i].point, finished);
        started_comparison->keep();
        folder->keep();  // what is finished stays, whatever becomes of the next row
        info.rows.push_back(finished.result);
        rows.push_back(std::move(finished));
    }
    if (rows.empty()) throw Interrupted{};
    const auto calibrated = std::ranges::find_if(rows, [](const FinishedRow& row) { return !row.experiment->trial.substrate.dimensionless(); });
    Configuration& example = (calibrated != rows.end() ? *calibrated : rows.front()).experiment->configuration;
    info.skipped = skipped_json(comparison);
    info.held_equal = held_equal(example);
    info.equal = {{"mode", equal_error ? "error" : "none"},
                  {"target_deg", equal_error ? io::Json(degrees(mode.target.value())) : io::Json(nullptr)},
                  {"formula", equal_error ? io::Json(study::error_formula) : io::Json(nullptr)}};
    info.free = free_quantities(rows);
    info.interrupted = progress.stop_requested();
    info.wall_s = seconds_since(began);
    info.provenance = provenance(example, started);
    info.provenance["config_sha256"] = sha256(comparison.resolved);
    const io::Json result = report::comparison_json(info);
    write_comparison(folder->path(), comparison, rows, result);
    if (!missing) {
        for (const FinishedRow& row : rows) discard_finished_netlists(folder->path() / row.name);
        discard_finished_netlists(folder->path());  // last: it says that the others may still be there
    }
    const int status = show(result, folder->path(), options);
    return info.interrupted ? interrupted : status;
}

}  // namespace entrain::cli

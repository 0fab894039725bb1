#pragma once
#include <filesystem>
#include <string>

#include "cli/session.hpp"
#include "io/json.hpp"

namespace entrain::cli {

/// When a run was made and what it took.
struct RunTimes {
    double wall_s = 0.0;
    std::string started_utc;
};

/// Writes the folder of a finished trial: resolved.yaml, arrays.h5, report.html, result.json. Makes the folder if it does not exist; returns what
/// result.json says.
io::Json write_run_folder(const std::filesystem::path& folder, Experiment& experiment, const study::TrialRecord& record, const RunTimes& times);

/// The same where nothing could be simulated, because of a failure of this category: resolved.yaml and a result.json with null for what was not
/// measured.
io::Json write_failed_folder(const std::filesystem::path& folder, Experiment& experiment, const problem::Failure& failure, const RunTimes& times);

}  // namespace entrain::cli

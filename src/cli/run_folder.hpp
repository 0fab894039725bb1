#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "cli/session.hpp"
#include "io/json.hpp"

namespace entrain::cli {

/// When a run was made and what it took.
struct RunTimes {
    double wall_s = 0.0;
    std::string started_utc;
};

/// Whether a run begins, or goes on where an earlier one was ended.
enum class Begin { anew, again };

/// The folder of a run, or of a comparison or one of its rows, from before it simulates: resolved.yaml, so that it can go on when it is ended, and
/// the folder of finished netlists. As long as that one exists, something is missing.
class StartedRun {
 public:
    /// Makes what is not there; anew: without the netlists of an earlier run. UserError if the folder of netlists holds something else.
    StartedRun(const std::filesystem::path& folder, const std::string& resolved, Begin begin);
    StartedRun(const StartedRun&) = delete;
    StartedRun& operator=(const StartedRun&) = delete;
    ~StartedRun();  ///< puts everything back if no netlist was finished and keep() was never called

    void keep() { kept_ = true; }
    [[nodiscard]] bool has_finished_netlists() const;

 private:
    std::filesystem::path folder_;
    std::optional<std::string> resolved_before_;
    bool kept_ = false;
};

/// Lets a trial store its finished netlists in the run's folder, and look for them there.
void use_finished_netlists(const std::filesystem::path& folder, study::TrialInput& trial);

/// Whether a folder has this result, with nothing missing.
[[nodiscard]] bool is_complete(const std::filesystem::path& folder, const char* result);

/// Shows the result in `file` of a folder that is complete; the exit status. UserError if it is none of this program's.
[[nodiscard]] int show_stored(const std::filesystem::path& file, const std::function<int(const io::Json&)>& show);

/// Removes the folder of finished netlists: result.json holds what they were for.
void discard_finished_netlists(const std::filesystem::path& folder);

/// Writes the folder of a finished trial: resolved.yaml, arrays.h5, report.html, result.json. Makes the folder if it does not exist; returns what
/// result.json says.
io::Json write_run_folder(const std::filesystem::path& folder, Experiment& experiment, const study::TrialRecord& record, const RunTimes& times);

/// The same where nothing could be simulated, because of a failure of this category: resolved.yaml and a result.json with null for what was not
/// measured.
io::Json write_failed_folder(const std::filesystem::path& folder, Experiment& experiment, const problem::Failure& failure, const RunTimes& times);

}  // namespace entrain::cli

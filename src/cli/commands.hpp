#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace entrain::cli {

/// Exit statuses of INTERFACE.md.
enum ExitStatus : int { done = 0, incomplete = 1, bad_input = 2, internal_error = 3, interrupted = 130 };

/// Options every command shares, as given on the command line.
struct CommonOptions {
    std::string out;  ///< "": runs/<config name>-<UTC time>
    bool force = false;
    std::vector<std::string> overrides;  ///< --set KEY=VALUE
    int jobs = 0;                        ///< 0: number of cores
    std::optional<std::int64_t> seed;
    bool quiet = false;
    bool json = false;
    bool dry_run = false;
    std::vector<std::string> waves;
    std::string resume;
};

int run_command(const std::string& config, const CommonOptions& options);
int compare_command(const std::string& config, const CommonOptions& options);
int netlist_command(const std::string& config, const CommonOptions& options, std::optional<int> head, std::optional<int> token);
/// Whether characterize compares the phase model with the circuit.
enum class AgreementReport { measured, left_out };
int characterize_command(const std::string& config, const CommonOptions& options, AgreementReport agreement);
int validate_command(const std::vector<std::string>& configs, const CommonOptions& options);
int describe_command(const std::string& kind, const std::string& name);
int list_command();
int version_command();

}  // namespace entrain::cli

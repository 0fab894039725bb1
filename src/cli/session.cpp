#include "cli/session.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "cli/agreement.hpp"
#include "core/error.hpp"
#include "core/sha256.hpp"
#include "embedded/version.hpp"
#include "study/calibrate.hpp"

namespace entrain::cli {
namespace {

std::atomic<bool> stop_flag{false};

extern "C" void on_signal(int signal) {
    stop_flag.store(true);
    std::signal(signal, SIG_DFL);  // a second Ctrl-C ends at once
}

/// What progress needs to remember between calls; calls come from several threads.
struct ProgressState {
    std::mutex mutex;
    std::map<std::string, int> shown;  ///< percent by stage: stages may run side by side
    bool terminal = ::isatty(STDERR_FILENO) == 1;
};

void show(ProgressState& state, const std::string& stage, double fraction) {
    constexpr int width = 30;
    const std::lock_guard lock{state.mutex};
    const double done = std::min(1.0, std::max(0.0, fraction));
    const int percent = static_cast<int>(100.0 * done);
    const int step = state.terminal ? 1 : 10;
    const auto [before, is_new] = state.shown.emplace(stage, percent);
    if (!is_new && percent / step <= before->second / step) return;
    before->second = percent;
    std::string line;
    if (state.terminal) {
        const auto filled = static_cast<std::size_t>(width * done);
        line = fmt::format("\r{:<28} [{:<30}] {:3d} %{}", stage, std::string(filled, '='), percent, percent == 100 ? "\n" : "");
    } else {
        line = fmt::format("{}: {} %\n", stage, percent);
    }
    std::fputs(line.c_str(), stderr);  // a full or closed standard error must not end a run
    std::fflush(stderr);
}

std::string cpu_name() {
    std::ifstream info{"/proc/cpuinfo"};
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    return "unknown";
}

}  // namespace

Progress make_progress(bool quiet) {
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    Progress progress;
    progress.stop = &stop_flag;
    if (!quiet)
        progress.report = [state = std::make_shared<ProgressState>()](const std::string& stage, double fraction) { show(*state, stage, fraction); };
    return progress;
}

OutputFolder::OutputFolder(const CommonOptions& options, const std::filesystem::path& config, const char* command) : path_{options.out} {
    namespace fs = std::filesystem;
    if (options.out.empty()) {
        const std::string name = fmt::format("{}-{}", config.stem().string(), utc_now("%Y%m%dT%H%M%SZ"));
        std::error_code none;
        path_ = fs::path{"runs"} / name;
        for (int n = 2; fs::exists(path_, none); ++n) path_ = fs::path{"runs"} / fmt::format("{}-{}", name, n);  // two runs within a second
    }
    std::error_code error;
    const fs::file_status status = fs::status(path_, error);
    if (status.type() == fs::file_type::not_found) {
        for (fs::path folder = fs::absolute(path_); !fs::exists(folder, error) && folder.has_relative_path(); folder = folder.parent_path())
            made_ = folder;
        fs::create_directories(path_, error);
        if (error) throw refusal(fmt::format("cannot be created: {} (expected a new or empty folder for {})", error.message(), command));
    } else if (!error && !fs::is_directory(status)) {
        throw refusal(fmt::format("is not a folder (expected a new or empty folder for {})", command));
    }
    const bool empty = !error && fs::is_empty(path_, error);
    if (error) throw refusal(fmt::format("cannot be used as output folder: {}", error.message()));
    if (!empty && !options.force) throw refusal("the output folder is not empty. Choose another with --out, or overwrite it with --force.");
    lock();
}

OutputFolder::OutputFolder(const std::filesystem::path& of_a_run, const char* command) : path_{of_a_run} {
    std::error_code none;
    if (!std::filesystem::is_directory(path_, none)) throw refusal(fmt::format("is not a folder (--resume expects that of an earlier {})", command));
    if (!std::filesystem::is_regular_file(path_ / "resolved.yaml", none))
        throw refusal(
            fmt::format("has no resolved.yaml (--resume expects the folder of an earlier {}, which writes it before it simulates)", command));
    lock();
}

OutputFolder::OutputFolder(const std::filesystem::path& of_a_row) : path_{of_a_row} {
    std::error_code error;
    std::filesystem::create_directories(path_, error);
    if (error) throw refusal(fmt::format("cannot be created: {}", error.message()));
    lock();
}

void OutputFolder::lock() {
    if (::access(path_.c_str(), W_OK | X_OK) != 0) throw refusal(fmt::format("cannot be written: {}", std::strerror(errno)));
    lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        ::close(lock_);
        throw refusal("the folder is in use by another run. Wait for it, or choose another folder.");
    }
}

UserError OutputFolder::refusal(const std::string& why) const { return {Location{path_.string()}, why}; }

OutputFolder::~OutputFolder() {
    std::error_code ignored;
    if (!kept_ && !made_.empty()) std::filesystem::remove_all(made_, ignored);
    if (lock_ >= 0) ::close(lock_);
}

void require_resumable(const char* command, const std::string& config, const CommonOptions& options) {
    if (!config.empty())
        throw UserError{fmt::format(
            "{}: CONFIG and --resume are both given (expected one: --resume takes the configuration from the folder's resolved.yaml)", command)};
    const std::pair<bool, const char*> excluded[] = {{!options.out.empty(), "--out"},
                                                     {options.force, "--force"},
                                                     {!options.overrides.empty(), "--set"},
                                                     {options.seed.has_value(), "--seed"},
                                                     {options.dry_run, "--dry-run"}};
    for (const auto& [given, name] : excluded)
        if (given)
            throw UserError{
                fmt::format("{}: {} does not go with --resume (a {} goes on in its folder as it was configured)", command, name, command)};
}

int jobs_of(const CommonOptions& options) {
    return options.jobs > 0 ? options.jobs : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

std::vector<std::string> overrides_of(const CommonOptions& options) {
    std::vector<std::string> overrides = options.overrides;
    if (options.seed) overrides.push_back(fmt::format("seed={}", *options.seed));
    return overrides;
}

Progress named(const Progress& progress, const std::string& name) {
    Progress with_name = progress;
    with_name.report = [report = progress.report, name](const std::string& stage, double done) { report(name + ": " + stage, done); };
    return with_name;
}

std::string calibration_key(const Configuration& c) {
    if (c.substrate_plugin->dimensionless()) return "";
    return study::calibration_key_text(*c.substrate_plugin, *circuit_engine(), {static_cast<int>(c.simulation.points_per_period)});
}

problem::Calibration calibration_for(const Configuration& c, int jobs, const Progress& progress) {
    if (c.substrate_plugin->dimensionless()) return {};
    // The run's own engine if it simulates circuits: its deadline holds here, too.
    const bool own = c.engine_plugin && c.engine_plugin->fidelity() == problem::Fidelity::circuit;
    const std::unique_ptr<engines::Engine> other = own ? nullptr : circuit_engine();
    const engines::Engine& engine = own ? *c.engine_plugin : *other;
    const study::CalibrationOptions options{static_cast<int>(c.simulation.points_per_period)};
    engines::RunOptions run;
    run.jobs = jobs;
    run.progress = progress;
    problem::Calibration calibration = study::cached_calibration(
        study::calibration_key_text(*c.substrate_plugin, engine, options), study::cache_folder(),
        [&] { return study::calibrate(*c.substrate_plugin, engine, options, run); }, progress);
    calibration.validity = stored_validity(c);
    return calibration;
}

Experiment::Experiment(Configuration c, Inputs i, energy::DigitalCosts d, problem::Calibration k, int jobs, const Progress& progress)
    : configuration{std::move(c)},
      inputs{std::move(i)},
      digital{std::move(d)},
      calibration{std::move(k)},
      trial{.layer = inputs.layer,
            .sequences = inputs.chosen,
            .mechanism = *configuration.mechanism_plugin,
            .substrate = *configuration.substrate_plugin,
            .engine = *configuration.engine_plugin,
            .calibration = calibration,
            .digital = digital,
            .mapping = configuration.mapping,
            .nonidealities = configuration.nonidealities,
            .start = configuration.start,
            .readout = configuration.readout,
            .simulation = configuration.simulation,
            .streams = RandomStreams{static_cast<std::uint64_t>(configuration.seed)},
            .run = {.jobs = jobs, .progress = progress, .waves = {}, .waves_folder = {}, .checkpoint_folder = {}, .program = {}}} {
    if (trial.mapping.normalisation == network::Normalisation::full_scale)
        trial.mapping.head_full_scale = study::head_full_scale(inputs.layer, inputs.all, trial.mechanism);
}

std::unique_ptr<Experiment> load_experiment(const std::string& config, const CommonOptions& options, const Progress& progress) {
    Configuration configuration = load_configuration(config, overrides_of(options), Scope::whole);
    Inputs inputs = load_inputs_for_substrate(configuration);
    energy::DigitalCosts digital = digital_costs(configuration);
    problem::Calibration calibration = calibration_for(configuration, jobs_of(options), progress);
    return std::make_unique<Experiment>(std::move(configuration), std::move(inputs), std::move(digital), std::move(calibration), jobs_of(options),
                                        progress);
}

void warn_outside_validity(const std::string& name, const std::optional<problem::Place>& place) {
    if (!place || place->inside) return;
    std::fputs(fmt::format("entrain: {}: {}\n", name, place->outside).c_str(), stderr);  // a full or closed standard error must not end a run
}

io::Json provenance(Configuration& c, const std::string& started_utc) {
    // A calibration is measured on a circuit whatever engine the run uses.
    const std::string simulator = c.substrate_plugin->dimensionless() ? c.engine_plugin->simulator_version() : circuit_engine()->simulator_version();
    return {{"version", version},
            {"git", git_revision},
            {"ngspice_version", simulator.empty() ? io::Json(nullptr) : io::Json(simulator)},
            {"seed", c.seed},
            {"config_sha256", sha256(resolved_yaml(c))},
            {"cpu", cpu_name()},
            {"started_utc", started_utc}};
}

std::string utc_now(const char* format) {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char text[64];
    std::strftime(text, sizeof text, format, &utc);
    return text;
}

}  // namespace entrain::cli

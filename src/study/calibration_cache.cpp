#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <complex>
#include <cstdlib>
#include <thread>

#include "core/error.hpp"
#include "core/progress.hpp"
#include "core/sha256.hpp"
#include "io/json.hpp"
#include "study/calibrate.hpp"

namespace entrain::study {
namespace {

using problem::Calibration;

/// Changes whenever calibrate() measures differently: entries of older programs are then not found.
constexpr std::string_view procedure = "entrain.calibration/13";

/// One list of the stored numbers serves writing and reading.
template <class C, class Visit>
void fields(C& c, Visit&& visit) {
    visit("frequency_hz", c.frequency_hz);
    visit("frequency_at_step_hz", c.frequency_at_step_hz);
    visit("frequency_at_half_step_hz", c.frequency_at_half_step_hz);
    visit("amplitude", c.amplitude);
    visit("power_w", c.power_w);
    visit("reference_current_a", c.reference_current_a);
    visit("coupling_rate_rad_per_s", c.coupling_rate);
    visit("relaxation_rate_rad_per_s", c.relaxation_rate);
    visit("relaxation_softening", c.relaxation_softening);
    visit("lock_range_low_hz", c.lock_range_low_hz);
    visit("lock_range_high_hz", c.lock_range_high_hz);
    visit("offset_rad", c.offset_rad);
    visit("slope_rad", c.slope_rad);
    visit("residual_rad", c.residual_rad);
    visit("relaxation_time_s", c.relaxation_time_s);
    visit("free_phase_rad", c.free_phase);
    visit("ppv_floor_rad_per_c", c.ppv.floor);
}

io::Json complex_list(const std::vector<std::complex<double>>& values) {
    io::Json list = io::Json::array();
    for (const std::complex<double>& value : values) list.push_back({value.real(), value.imag()});
    return list;
}

std::vector<std::complex<double>> complex_list(const io::Json& list) {
    std::vector<std::complex<double>> values;
    for (const io::Json& value : list) values.emplace_back(value.at(0).get<double>(), value.at(1).get<double>());
    return values;
}

io::Json to_json(const Calibration& c) {
    io::Json json;
    fields(c, [&](const char* name, double value) { json[name] = io::number_or_null(value); });
    json["warm_up_periods"] = c.warm_up_periods;
    json["amplitude_unit"] = c.amplitude_unit;
    json["phase_terms"] = io::Json::array();
    for (const problem::PhaseTerm& term : c.phase_terms)
        json["phase_terms"].push_back({{"order", term.order}, {"factor", term.factor}, {"reference_rad", term.reference}});
    json["ppv_rad_per_c"] = complex_list(c.ppv.harmonics);
    json["ppv_missing"] = c.ppv_missing;
    json["waveform"] = complex_list(c.waveform);
    json["noise"] = io::Json::array();
    for (const problem::NoiseShare& share : c.noise)
        json["noise"].push_back({{"name", share.name}, {"formula", share.formula}, {"diffusion_rad2_per_s_per_k", share.diffusion_per_kelvin}});
    json["noise_missing"] = c.noise_missing;
    json["limit_cycle"] = io::Json::array();
    for (const auto& sample : c.limit_cycle.rowwise()) json["limit_cycle"].push_back(std::vector<double>(sample.begin(), sample.end()));
    return json;
}

std::optional<Calibration> load(const std::filesystem::path& file, const std::string& key) {
    try {
        const io::Json entry = io::read_json(file);
        const io::Json& body = entry.at("calibration");
        if (entry.at("schema") != procedure || entry.at("key") != key || entry.at("sha256") != sha256(body.dump())) return std::nullopt;
        Calibration c;
        c.dimensionless = false;
        fields(c, [&](const char* name, double& value) {
            if (!body.at(name).is_null()) value = body.at(name).get<double>();
        });
        c.warm_up_periods = body.at("warm_up_periods").get<int>();
        c.amplitude_unit = body.at("amplitude_unit").get<std::string>();
        for (const io::Json& term : body.at("phase_terms"))
            c.phase_terms.push_back({term.at("order").get<int>(), term.at("factor").get<double>(), term.at("reference_rad").get<double>()});
        c.ppv.harmonics = complex_list(body.at("ppv_rad_per_c"));
        c.ppv_missing = body.at("ppv_missing").get<std::string>();
        c.waveform = complex_list(body.at("waveform"));
        for (const io::Json& share : body.at("noise"))
            c.noise.push_back(
                {share.at("name").get<std::string>(), share.at("formula").get<std::string>(), share.at("diffusion_rad2_per_s_per_k").get<double>()});
        c.noise_missing = body.at("noise_missing").get<std::string>();
        const io::Json& cycle = body.at("limit_cycle");
        for (std::size_t k = 0; k < cycle.size(); ++k) {
            const auto sample = cycle[k].get<std::vector<double>>();
            if (k > 0 && static_cast<Eigen::Index>(sample.size()) != c.limit_cycle.cols()) return std::nullopt;
            if (k == 0) c.limit_cycle.resize(static_cast<Eigen::Index>(cycle.size()), static_cast<Eigen::Index>(sample.size()));
            for (std::size_t s = 0; s < sample.size(); ++s) c.limit_cycle(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(s)) = sample[s];
        }
        return c;
    } catch (const std::exception&) {
        return std::nullopt;  // missing or damaged: measured again
    }
}

/// Exclusive lock on a file for the life of the object; without a lock (read-only folder) work goes on: the worst case is a measurement made twice.
class FileLock {
 public:
    FileLock(const std::filesystem::path& path, const Progress& progress)
        : fd_{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644)} {
        while (fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            if (progress.stop_requested()) {
                ::close(fd_);
                throw Interrupted{};
            }
            progress.report("waiting for a calibration", 0.0);
            std::this_thread::sleep_for(std::chrono::milliseconds{50});
        }
    }
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;
    ~FileLock() {
        if (fd_ >= 0) ::close(fd_);
    }

 private:
    int fd_;
};

}  // namespace

std::optional<std::filesystem::path> cache_folder() {
    const auto variable = [](const char* name) -> std::optional<std::filesystem::path> {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == '\0') return std::nullopt;
        return std::filesystem::path{value};
    };
    if (const auto own = variable("ENTRAIN_CACHE")) return own;
    if (const auto xdg = variable("XDG_CACHE_HOME")) return *xdg / "entrain";
    if (const auto home = variable("HOME")) return *home / ".cache" / "entrain";
    return std::nullopt;
}

std::string calibration_key_text(const std::string& cell, const engines::Engine& circuit_engine, const CalibrationOptions& options) {
    return fmt::format("{}\nsimulator {}\npoints_per_period {}\n{}", procedure, circuit_engine.simulator_version(), options.points_per_period, cell);
}

std::string calibration_key_text(const substrates::Substrate& substrate, const engines::Engine& circuit_engine, const CalibrationOptions& options) {
    return calibration_key_text(substrate.calibration_key(), circuit_engine, options);
}

Calibration cached_calibration(const std::string& key_text, const std::optional<std::filesystem::path>& folder,
                               const std::function<Calibration()>& measure, const Progress& progress) {
    const std::string key = sha256(key_text);
    const auto measured = [&] {
        Calibration c = measure();
        c.key = key;
        return c;
    };
    if (!folder) return measured();
    std::error_code error;
    std::filesystem::create_directories(*folder, error);
    const std::filesystem::path file = *folder / ("calibration-" + key.substr(0, 32) + ".json");
    const FileLock lock{*folder / ("calibration-" + key.substr(0, 32) + ".lock"), progress};
    if (auto found = load(file, key)) {
        found->key = key;
        return *found;
    }
    const Calibration c = measured();
    const io::Json body = to_json(c);
    try {
        io::write_json(file, {{"schema", procedure}, {"key", key}, {"sha256", sha256(body.dump())}, {"calibration", body}});
    } catch (const std::exception&) {
        // A cache that cannot be written costs time, not the run.
    }
    return c;
}

}  // namespace entrain::study

#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "core/quantity.hpp"
#include "io/hdf5.hpp"
#include "io/json.hpp"
#include "support/program.hpp"

namespace entrain::test {

/// A finished run: its result.json and its arrays.
struct Finished {
    int status = -1;
    std::string err;
    io::Json result;
    std::vector<double> drive, phase, reference_phase, raw_phase, settling_time, verdict, attention, reference_attention;
};

/// The shipped layer, these sentences.
inline std::string sva_experiment(const std::vector<int>& sentences, const std::string& substrate, const std::string& engine,
                                  const std::string& rest = "") {
    std::string list;
    for (const int i : sentences) list += (list.empty() ? "" : ", ") + std::to_string(i);
    return "version: 1\nlayer:\n  mechanism: fixed_query\n  weights: " + source_file("models/attention/sva/layer.safetensors") +
           "\n  inputs: " + source_file("models/attention/sva/inputs.safetensors") + "\n  heads: 1\n  sequences: [" + list +
           "]\nsubstrate: " + substrate + "\nengine: " + engine + "\n" + rest;
}

/// The first `count` sentences of it.
inline std::string sva_experiment(int count, const std::string& substrate, const std::string& engine, const std::string& rest = "") {
    std::vector<int> sentences(static_cast<std::size_t>(count));
    std::iota(sentences.begin(), sentences.end(), 0);
    return sva_experiment(sentences, substrate, engine, rest);
}

inline Finished finish(const std::string& yaml, std::vector<std::string> extra = {}) {
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", yaml);
    const std::filesystem::path out = folder.path() / "out";
    std::vector<std::string> arguments = {"run", config, "--out", out.string(), "--quiet"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    const ProgramResult ran = entrain(arguments);
    Finished f;
    f.status = ran.status;
    f.err = ran.err;
    if (ran.status > 1) {
        ADD_FAILURE() << "exit " << ran.status << ": " << ran.err;
        return f;
    }
    f.result = io::read_json(out / "result.json");
    const auto array = [&](const char* name) { return io::read_hdf5(out / "arrays.h5", name).values; };
    f.drive = array("/drive");
    f.phase = array("/phase_rad");
    f.reference_phase = array("/reference/phase_rad");
    f.raw_phase = array("/phase_raw_rad");
    f.settling_time = array("/settling_time_s");
    f.verdict = array("/verdict");
    f.attention = array("/attention");
    f.reference_attention = array("/reference/attention");
    return f;
}

/// Spread of the phase error over settled tokens with drive in [low, high).
struct PhaseError {
    double rms_deg = 0.0;
    double max_deg = 0.0;
    int n = 0;
};

inline PhaseError phase_error(const Finished& f, const std::vector<double>& against, double low, double high) {
    PhaseError e;
    double squares = 0.0;
    for (std::size_t i = 0; i < f.phase.size(); ++i) {
        if (f.verdict[i] != 0.0 || !(f.drive[i] >= low && f.drive[i] < high)) continue;
        const double d = degrees(std::abs(wrap(f.phase[i] - against[i])));
        squares += d * d;
        e.max_deg = std::max(e.max_deg, d);
        ++e.n;
    }
    e.rms_deg = e.n > 0 ? std::sqrt(squares / e.n) : 0.0;
    return e;
}

/// Simulated tokens with at least this drive that did not settle. Verdicts as in arrays.h5.
inline int unsettled_above(const Finished& f, double drive) {
    constexpr double settled = 0.0;
    constexpr double masked = 6.0;
    int count = 0;
    for (std::size_t i = 0; i < f.verdict.size(); ++i) count += f.verdict[i] != masked && f.verdict[i] != settled && f.drive[i] >= drive;
    return count;
}

}  // namespace entrain::test

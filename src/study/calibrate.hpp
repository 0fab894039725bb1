#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "engines/engine.hpp"
#include "problem/calibration.hpp"
#include "substrates/substrate.hpp"

namespace entrain::study {

/// What a calibration depends on besides the substrate: measured with the same step, method and tolerance as the run it is for.
struct CalibrationOptions {
    int points_per_period = 50;
};

/// Measures a free cell with the substrate's own netlist on a circuit engine, per (substrate, corner, cell, injection, options):
///   1. frequency at the step, first from crossings, then iterated until step and frequency agree to 1e-9 (a trapezoidal step h warps it by
///   -(w h)^2/12); amplitude and power of the free cell; its states over one period, to start others anywhere on the limit cycle;
///   2. physical frequency: the same at 1.5 and 2 times the points, extrapolated to h -> 0;
///   3. single cells driven on frequency at five drives, started 60 degrees ahead of each of three directions: the rate at which the phase returns,
///   K/(1 + softening drive); factors of the harmonics that make the phase independent of the drive (substrates that read harmonics); raw phase error
///   against the direction: offset at 0.25, least-squares slope, largest residual;
///   4. lock range at full scale, looked for around that rate: cells driven off frequency; just outside it the beat grows as the square root of the
///   excess (Adler 1946), so its square is extrapolated to 0 on both sides; K = half the range;
///   5. phase sensitivity from charge impulses, and with it the phase diffusion under the cell's noise: study/ppv.hpp. A cell for which that is not
///   possible is calibrated without.
/// Throws ModelError if the cell does not oscillate or does not lock, and std::runtime_error with the simulator's words if a bench run fails.
/// A dimensionless substrate needs no measurement.
[[nodiscard]] problem::Calibration calibrate(const substrates::Substrate& substrate, const engines::Engine& circuit_engine,
                                             const CalibrationOptions& options, const engines::RunOptions& run);

/// Where calibrations are kept: $ENTRAIN_CACHE, else $XDG_CACHE_HOME/entrain, else ~/.cache/entrain; nothing if none of them is set (then nothing is
/// cached).
[[nodiscard]] std::optional<std::filesystem::path> cache_folder();

/// The calibration from the cache, or measured and stored. One file per content hash of everything the numbers depend on; its own checksum is
/// verified, so a stale, damaged or foreign entry is measured again, never trusted. A lock file keeps two processes from measuring the same thing;
/// the entry appears by atomic rename. Throws
/// Interrupted when progress asks to stop while another process measures.
[[nodiscard]] problem::Calibration cached_calibration(const std::string& key_text, const std::optional<std::filesystem::path>& folder,
                                                      const std::function<problem::Calibration()>& measure, const Progress& progress = {});

/// Everything the numbers of calibrate() depend on, as one text: substrate, options, simulator version and the version of this procedure.
[[nodiscard]] std::string calibration_key_text(const substrates::Substrate& substrate, const engines::Engine& circuit_engine,
                                               const CalibrationOptions& options);
/// The same for the text `cell`, which stands for the substrate.
[[nodiscard]] std::string calibration_key_text(const std::string& cell, const engines::Engine& circuit_engine, const CalibrationOptions& options);

}  // namespace entrain::study

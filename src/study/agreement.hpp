#pragma once
#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engines/engine.hpp"
#include "problem/calibration.hpp"
#include "problem/validity.hpp"
#include "study/calibrate.hpp"
#include "substrates/substrate.hpp"

namespace entrain::study {

/// Injections at which phase model and circuit are compared.
inline constexpr std::array<double, 6> compared_injections = {0.02, 0.05, 0.1, 0.2, 0.5, 1.0};

/// One oscillator of a random network, as circuit and as phase model.
struct AgreementPoint {
    double drive = 0.0;           ///< r, fraction of full scale
    double start_angle = 0.0;     ///< [rad] signed, from where the model settles
    bool settled = false;         ///< in the circuit and in the model; else the rest is NaN
    double phase_error = 0.0;     ///< [rad] raw phase in equilibrium, circuit minus model: calibrated offset and slope are part of the model
    double settling_time = 0.0;   ///< [s] of the circuit, to settle_tolerance
    double settling_ratio = 0.0;  ///< circuit over model
};

/// An oscillator driven by square-ish anchors, tanh(8 cos x) with the fundamental of a full-scale sinusoid: circuit and phase model with the
/// interaction function that follows from the cell's phase sensitivity.
struct SquarePoint {
    double drive = 0.0;        ///< r of the fundamental
    bool settled = false;      ///< in the circuit and in the model; else the rest is NaN
    double phase_error = 0.0;  ///< [rad] raw phase in equilibrium, circuit minus model
    double sine_error = 0.0;   ///< [rad] the same for a model of sinusoidal anchors: what the other harmonics do
};

/// What was seen at one injection.
struct AgreementLevel {
    double injection = 0.0;
    std::string not_available;       ///< why the cell cannot be driven so; "" = it can
    bool simulation_failed = false;  ///< the reason is the simulator's, and may be gone next time
    double rate_per_cycle = 0.0;     ///< K/w0 for weak drives
    double softening = 0.0;          ///< relative fall of K at full scale
    double lock_range_ratio = 0.0;   ///< half the lock range at full scale, measured over model
    double ppv_rate_ratio = 0.0;     ///< K from the phase sensitivity over K for weak drives as phases return; NaN where that is not known
    std::vector<AgreementPoint> points;
    std::vector<SquarePoint> square;  ///< empty where the cell's phase sensitivity is not known
};

struct Agreement {
    std::vector<AgreementLevel> levels;  ///< in the order of compared_injections
};

/// A cell configured for an injection, and calibrated there.
struct CellAtInjection {
    std::shared_ptr<const substrates::Substrate> substrate;  ///< with sinusoidal anchors
    std::shared_ptr<const substrates::Substrate> square;     ///< the same with square-ish anchors
    problem::Calibration calibration;
};

/// What is compared, and with what. References must outlive it.
struct AgreementStudy {
    /// ModelError or UserError where the cell cannot be configured so or does not lock. Called from several threads.
    std::function<CellAtInjection(double injection, int jobs, const Progress& progress)> cell_at;
    const engines::Engine& circuit;
    const engines::Engine& phase_model;
    int points_per_period = 50;
    engines::RunOptions run;
    std::vector<double> injections{compared_injections.begin(), compared_injections.end()};
};

/// Compares phase model and circuit of one cell on fresh random networks, one per injection: free oscillators on eight anchors with uniform random
/// phases and lognormal weights, drawn until their drives are spread log-evenly: 16 over 0.05 .. 1, and 3 below, down to 0.01, as far as they do not
/// take more than some 10,000 periods. They start 20 to 170 deg to either side of where the model says they settle. Both sides take the path of every
/// run: map, problem, engine, readout. The draws have a seed of their own, so that every run finds the same comparison. What physically counts is
/// injection times drive: the weakest injections take most of the time, since their calibration and networks run for a multiple of 1/injection.
/// Interrupted on Ctrl-C. An injection at which a simulation fails is not available.
[[nodiscard]] Agreement compare_with_circuit(const AgreementStudy& study);

/// Where they agree within the limits of Validity.
[[nodiscard]] problem::Validity validity_of(const Agreement& agreement);

/// How well they agree where they do.
struct AgreementStatistics {
    int oscillators = 0;
    double phase_rms = 0.0;  ///< [rad]
    double phase_max = 0.0;  ///< [rad]
    double settling_median = 0.0;
    double settling_p5 = 0.0;
    double settling_p95 = 0.0;
};
/// Over all points up to the validity's max_injection; NaN if there are none.
[[nodiscard]] AgreementStatistics statistics_inside(const Agreement& agreement);
[[nodiscard]] AgreementStatistics statistics_of(const std::vector<AgreementPoint>& points);

/// How well equilibria under square-ish anchors are predicted.
struct SquareStatistics {
    int oscillators = 0;  ///< that settled
    int unsettled = 0;
    double phase_rms = 0.0;  ///< [rad]
    double phase_max = 0.0;  ///< [rad]
    double sine_rms = 0.0;   ///< [rad] of the prediction with sinusoidal anchors
};
/// Over the points up to the validity's max_injection.
[[nodiscard]] SquareStatistics square_statistics_inside(const Agreement& agreement);
[[nodiscard]] SquareStatistics statistics_of(const std::vector<SquarePoint>& points);

/// Everything the comparison depends on, as one text: the cell without its injection, options, versions of simulator, procedures and phase model.
[[nodiscard]] std::string agreement_key_text(const substrates::Substrate& substrate, const engines::Engine& circuit_engine,
                                             const CalibrationOptions& options);

/// The agreement of that key, if it was ever stored there; damaged entries are not found.
[[nodiscard]] std::optional<Agreement> stored_agreement(const std::string& key_text, const std::optional<std::filesystem::path>& folder);
/// Stores it; a folder that cannot be written costs time later, not the run.
void store_agreement(const std::string& key_text, const std::optional<std::filesystem::path>& folder, const Agreement& agreement);

}  // namespace entrain::study

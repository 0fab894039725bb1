#pragma once
#include <Eigen/Core>
#include <complex>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/fields.hpp"
#include "core/random.hpp"
#include "network/oscillator_network.hpp"
#include "problem/calibration.hpp"
#include "problem/energy_model.hpp"
#include "problem/instance.hpp"
#include "problem/problem.hpp"

namespace entrain::substrates {

/// One parameter of a corner file: SI value, unit, source.
struct ModelParameter {
    double value = 0.0;
    std::string unit;
    std::string source;
};
/// models/<substrate>/<corner>.yaml after substrate.parameters were applied, by name.
using Corner = std::map<std::string, ModelParameter>;

/// A parameter a substrate reads from its corner file.
struct ParameterSpec {
    std::string name;
    std::string unit;  ///< "1" for dimensionless
    Interval range;
    std::string doc;
};

/// How a layer is brought onto the hardware.
struct Mapping {
    network::Normalisation normalisation = network::Normalisation::row;
    Eigen::VectorXd head_full_scale;  ///< [H] largest row sum per head over the inputs file
    void describe(FieldVisitor& visitor) {
        visitor.choice("normalisation", normalisation, {{"row", network::Normalisation::row}, {"full_scale", network::Normalisation::full_scale}},
                       "row: each row sums to full scale; full_scale: one constant per head found offline");
    }
};

/// Files of the user's own, for a substrate that is made of them.
struct UserFiles {
    struct Models {
        std::filesystem::path file;
        std::string section;  ///< "" = `corner`, or the whole file if that is empty too
    };
    std::filesystem::path folder;    ///< relative names are relative to it
    std::vector<Models> models;      ///< device files
    std::filesystem::path pdk_root;  ///< "" = none
    std::string corner;
};

/// What a substrate took from them.
struct UserFilesRead {
    std::string sha256;                   ///< over the contents of all files
    std::vector<std::string> parameters;  ///< of the cell, which substrate.parameters may set
};

/// Deviations of real hardware. All off by default.
struct Nonidealities {
    double frequency_disorder = 0.0;  ///< sigma of df/f (ideal: of the detuning in units of |h|)
    Kelvin temperature{0.0};          ///< of thermal noise; 0 = none
    void describe(FieldVisitor& visitor) {
        visitor.number("frequency_disorder", frequency_disorder, fraction, "sigma of df/f between cells (ideal: of the detuning in units of |h|)");
        visitor.quantity("temperature", temperature, {0.0, 1e4}, "of thermal noise, 0 K = none; needs readout.read_time: fixed");
    }
};

/// A source of white current noise in a cell, proportional to temperature.
struct NoiseSource {
    std::string name;
    std::string plus;  ///< pins between which its current flows, into `plus`; "0" is ground
    std::string minus;
    /// [A^2/Hz] one-sided, at 1 K, in a cell whose read voltage and states (CellInterface::states) have these values in netlist units.
    std::function<double(double read, std::span<const double> states)> density;
    std::string formula;  ///< with its origin
    int count = 1;        ///< of equal sources that turn the phase alike, by symmetry of the cell
};

/// What is known of a cell's noise.
struct CellNoise {
    std::vector<NoiseSource> sources;
    std::string missing;         ///< why there are none, or what they leave out; "" = nothing known
    double temperature = 300.0;  ///< [K] at which the technology works
};

/// A cell on a test bench: start phase, injection as a fraction of full scale (phasor), and how far its drive is off the reference frequency.
struct BenchCell {
    double start_phase = 0.0;    ///< [rad]
    std::complex<double> drive;  ///< fraction of full scale
    double drive_offset_hz = 0.0;
    std::vector<problem::Kick> kicks{};
};

/// Rough figures before anything is measured: first guess of the calibration, durations of its runs. From formulas, not from simulation; NaN where no
/// formula says anything: the calibration then looks for them.
struct Estimate {
    double frequency_hz = 0.0;       ///< within a factor of three
    double coupling_rate = 0.0;      ///< [rad/s] K at full scale, within a factor of two
    double relaxation_time_s = 0.0;  ///< amplitude relaxation
};

/// A technology: limits, mapping of networks to as-built hardware, and its statement as exact, phase or circuit problem. Knows no engine.
class Substrate {
 public:
    virtual ~Substrate() = default;

    /// The options of `substrate:` that belong to this substrate (cell, injection, coupling_rate, summing, ...), without kind, name, corner,
    /// parameters.
    virtual void describe(FieldVisitor& visitor) = 0;

    /// Parameters of the corner file; empty if the substrate has none.
    [[nodiscard]] virtual std::vector<ParameterSpec> parameters() const { return {}; }

    /// Whether the substrate is made of the user's own files instead of a corner file of models/.
    [[nodiscard]] virtual bool from_user_files() const { return false; }
    /// Reads them, before configure(). UserError at their lines, or without a place for an option that does not fit them.
    [[nodiscard]] virtual UserFilesRead read_files(const UserFiles& /*files*/) { return {}; }

    /// Takes options as read and the corner's parameters (those of substrate.parameters for user files). ModelError naming the inequality that fails,
    /// with its numbers, if the cell cannot oscillate.
    virtual void configure(const Corner& corner) = 0;

    [[nodiscard]] virtual bool dimensionless() const { return false; }
    [[nodiscard]] virtual bool supports(problem::Fidelity fidelity) const = 0;
    /// Largest oscillator dimension d it can carry; 0 = any.
    [[nodiscard]] virtual int max_dimension() const { return 2; }

    /// Everything the calibration depends on but the engine's options: options, parameters, cell text, as one canonical text. "" for ideal (nothing
    /// to measure).
    [[nodiscard]] virtual std::string calibration_key() const { return ""; }
    /// The same without the injection: what all injections of a cell have in common.
    [[nodiscard]] virtual std::string cell_key() const { return ""; }
    [[nodiscard]] virtual Estimate estimate() const { return {}; }
    /// Whether cells can be started at any phase of their limit cycle; if not, circuits warm up first (CircuitProblem::warm_up_periods).
    [[nodiscard]] virtual bool presets_start() const { return true; }
    /// Full-scale reference current [A], NaN if only a measurement can tell (then it makes K/w0 the injection), of a cell whose free amplitude at the
    /// read port is `amplitude` and whose frequency is `frequency_hz`.
    [[nodiscard]] virtual double reference_current(double amplitude, double frequency_hz) const;
    /// Injected full-scale current over reference current.
    [[nodiscard]] virtual double injection() const { return 0.0; }
    [[nodiscard]] virtual std::string cell() const { return ""; }
    [[nodiscard]] virtual std::string amplitude_unit() const { return "V"; }
    /// What engine.points_per_period is if the configuration does not say.
    [[nodiscard]] virtual int default_points_per_period() const { return 50; }
    /// Harmonics of the read voltage whose phases tell how far the waveform is deformed: their factors are calibrated.
    [[nodiscard]] virtual std::vector<int> read_harmonics() const { return {}; }

    /// Whether anchors are sines; else they have harmonics (problem::Waveform).
    [[nodiscard]] virtual bool sinusoidal_anchors() const { return true; }

    /// What the ledger needs to know of a calibrated cell.
    [[nodiscard]] virtual problem::EnergyModel energy_model(const problem::Calibration& /*calibration*/) const { return {}; }

    /// Noise of a cell, for its phase diffusion.
    [[nodiscard]] virtual CellNoise noise() const { return {{}, "no noise source is modelled"}; }

    /// The cells of a test bench at `reference_hz` with the same netlist that `problem` states; no couplings, fixed_time set by the caller.
    /// `calibration` holds what has been measured so far (reference current).
    [[nodiscard]] virtual problem::CircuitProblem bench(std::span<const BenchCell> cells, double reference_hz, int points_per_period,
                                                        const problem::Calibration& calibration) const;

    /// As-built hardware for a network: normalised, quantised, mismatched. The only place where disorder enters. ModelError outside the limits.
    [[nodiscard]] virtual problem::Instance map(const network::OscillatorNetwork& network, const problem::Calibration& calibration,
                                                const Mapping& mapping, const Nonidealities& nonidealities, const RandomStreams& streams) const = 0;

    /// States the instance as a problem of the given fidelity. `options` carries step and crossbar for circuits.
    struct ProblemOptions {
        problem::SettlingRule rule;
        int points_per_period = 50;
        problem::Crossbar crossbar = problem::Crossbar::reduced;
    };
    [[nodiscard]] virtual problem::Problem problem(const problem::Instance& instance, problem::Fidelity fidelity,
                                                   const ProblemOptions& options) const = 0;
};

/// Steps of map() that every substrate shares: normalises, computes drive and drive ratio, applies the calibration's raw shift. Deviations are left
/// at zero.
[[nodiscard]] problem::Instance map_without_disorder(const network::OscillatorNetwork& network, const problem::Calibration& calibration,
                                                     const Mapping& mapping);

/// The exact and phase problems of an instance: the same for every calibrated substrate.
[[nodiscard]] problem::ExactProblem exact_problem(const problem::Instance& instance, const problem::SettlingRule& rule);
[[nodiscard]] problem::PhaseProblem phase_problem(const problem::Instance& instance, const problem::SettlingRule& rule);

}  // namespace entrain::substrates

#pragma once
#include <complex>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "substrates/substrate.hpp"

namespace entrain::substrates {

/// A cell sized from the parameters of a corner: what its netlist needs and what its formulas predict. Netlist numbers are in netlist units.
struct CellDesign {
    std::string netlist;  ///< text of the cell file, with the device cards it needs
    problem::Dialect dialect;
    problem::CellInterface interface;
    std::vector<problem::Parameter> parameters;  ///< the same for every instance: all but deviation and start
    problem::Integration integration;
    problem::PointCost point_cost;  ///< at the default number of points per period; `tools/bench point_cost` measures it
    double volt_scale = 1.0;
    double ampere_scale = 1.0;

    // Estimates; NaN where nothing is known, see Estimate.
    double frequency_hz = 0.0;                ///< free-running, within a factor of three
    double relaxation_time_s = 0.0;           ///< amplitude relaxation
    double amplitude = 0.0;                   ///< [V] of the fundamental at the read port
    double rate_per_injection = 0.0;          ///< K/w0 at full scale over injection, to first order
    std::optional<double> largest_injection;  ///< of this design, where it follows from its parameters; injection must be below it
    std::string largest_injection_doc;        ///< what happens there
    std::string amplitude_unit = "V";
    std::vector<int> read_harmonics;  ///< see Substrate::read_harmonics()

    /// [A] reference current of a cell with this amplitude [V] at the read port and this frequency [Hz].
    std::function<double(double amplitude, double frequency_hz)> reference_current;
    /// Instance parameters that make the cell run `deviation` = df/f fast. ModelError if no such cell can be built; must be exact in time: states
    /// pass the same values, faster.
    std::function<std::vector<problem::Parameter>(double deviation)> deviated;
    /// Instance parameters that start the cell at `phase` [rad] on its limit cycle of this amplitude [V]. Empty: CellInterface::states are set from
    /// the sampled limit cycle of the calibration (the netlist's own defaults while there is none); without states the cell warms up and its clock
    /// is shifted.
    std::function<std::vector<problem::Parameter>(double phase, double deviation, double amplitude)> start;
    /// What the energy of a noiseless run leaves out, "" where thermal noise is far below the other errors.
    std::string noiseless_caveat;
    /// What every energy of the cell leaves out, "" = nothing known.
    std::string energy_caveat;
    /// [A^2/Hz] one-sided density of the white current noise of the cell at this temperature [K]. Empty: not modelled.
    std::function<double(double temperature)> noise_density;
    CellNoise noise;  ///< for the phase diffusion of a free cell

    /// Resistive summing: the cell carries `row_conductance` [S] from its injection pin to `anchor_mean_v` [V], given to the instance as the
    /// parameter `load_parameter`. Anchors swing around that level by at most `largest_anchor_v`.
    double row_conductance = 0.0;
    double anchor_mean_v = 0.0;
    double largest_anchor_v = 0.0;
    std::string load_parameter;
};

/// One kind of cell of a technology.
struct CellKind {
    std::string name;  ///< "" of the only cell: there is nothing to choose
    std::string doc;
    /// Sizes the cell; ModelError naming the inequality that fails, with its numbers, if it cannot oscillate.
    std::function<CellDesign(const Corner& corner, problem::Summing summing)> design;
};

/// What distinguishes a technology from the others.
struct Technology {
    std::string name;
    std::vector<CellKind> cells;        ///< the first is the default
    std::string reference_current_doc;  ///< "A/Rp"
    std::string rate_doc;               ///< how K/w0 follows from injection to first order: "injection/(2 Q)"
    std::optional<double> default_injection;
    std::optional<double> default_coupling_rate;  ///< K/w0 at full scale; one of the two defaults is given
    Interval injection_range;
    std::string injection_limit_doc;  ///< what happens above injection_range
    std::vector<ParameterSpec> parameters;
    int points_per_period = 50;
    bool resistive = false;        ///< cells can carry resistive summing
    std::string no_resistive_doc;  ///< why not
};

/// Free oscillators of one technology, each driven by anchors through real weights: everything that technologies have in common. A cell that runs
/// faster than the anchors has a positive detuning. The phase is raw, of the read port as CellDesign states it.
class CellArray : public Substrate {
 public:
    explicit CellArray(Technology technology);

    void describe(FieldVisitor& visitor) override;
    [[nodiscard]] std::vector<ParameterSpec> parameters() const override { return technology_.parameters; }
    void configure(const Corner& corner) override;
    [[nodiscard]] bool supports(problem::Fidelity) const override { return true; }
    [[nodiscard]] std::string calibration_key() const override;
    [[nodiscard]] std::string cell_key() const override;
    [[nodiscard]] Estimate estimate() const override;
    [[nodiscard]] double reference_current(double amplitude, double frequency_hz) const override;
    [[nodiscard]] bool presets_start() const override { return design_.start || !design_.interface.states.empty(); }
    [[nodiscard]] double injection() const override { return full_scale_; }
    [[nodiscard]] std::string cell() const override { return cell_; }
    [[nodiscard]] std::string amplitude_unit() const override { return design_.amplitude_unit; }
    [[nodiscard]] int default_points_per_period() const override { return technology_.points_per_period; }
    [[nodiscard]] std::vector<int> read_harmonics() const override { return design_.read_harmonics; }
    [[nodiscard]] bool sinusoidal_anchors() const override { return anchor_shape_ == AnchorShape::sine; }
    [[nodiscard]] CellNoise noise() const override { return design_.noise; }
    [[nodiscard]] problem::EnergyModel energy_model(const problem::Calibration& calibration) const override;
    [[nodiscard]] problem::CircuitProblem bench(std::span<const BenchCell> cells, double reference_hz, int points_per_period,
                                                const problem::Calibration& calibration) const override;
    [[nodiscard]] problem::Instance map(const network::OscillatorNetwork& network, const problem::Calibration& calibration, const Mapping& mapping,
                                        const Nonidealities& nonidealities, const RandomStreams& streams) const override;
    [[nodiscard]] problem::Problem problem(const problem::Instance& instance, problem::Fidelity fidelity,
                                           const ProblemOptions& options) const override;
    [[nodiscard]] const CellDesign& design() const { return design_; }

 private:
    /// The circuit without oscillators.
    [[nodiscard]] problem::CircuitProblem circuit(const problem::Calibration& calibration, double reference_hz, int points_per_period) const;
    /// An oscillator started at `phase`, running `deviation` (df/f) fast, driven by `drive` (fraction of full scale).
    [[nodiscard]] problem::Cell oscillator(double phase, double deviation, std::complex<double> drive, const problem::Calibration& calibration) const;
    [[nodiscard]] std::string key_with(const std::string& injection) const;
    /// [A] full-scale current.
    [[nodiscard]] double full_scale_current(const problem::Calibration& calibration) const;
    [[nodiscard]] double amplitude(const problem::Calibration& calibration) const;  ///< [V] measured, else estimated
    void require_carried(const network::OscillatorNetwork& network) const;
    /// Of the anchors, as far as a run with this step can carry its harmonics.
    [[nodiscard]] problem::Waveform anchor_waveform(const problem::Calibration& calibration, int points_per_period) const;

    Technology technology_;
    std::string cell_;
    problem::Summing summing_ = problem::Summing::current;
    bool dummy_conductance_ = false;
    enum class AnchorShape { sine, square, own } anchor_shape_ = AnchorShape::sine;
    std::optional<double> injection_;      ///< as configured
    std::optional<double> coupling_rate_;  ///< as configured: K/w0 at full scale
    double full_scale_ = 0.0;              ///< full-scale current over reference current
    CellDesign design_;
};

}  // namespace entrain::substrates

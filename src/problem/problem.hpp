#pragma once
#include <Eigen/Core>
#include <complex>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "network/oscillator_network.hpp"
#include "problem/settling.hpp"

namespace entrain::problem {

/// How much physics an engine simulates; decides which problem a substrate must state.
enum class Fidelity { exact, phase, circuit };

/// Independent oscillators under constant drive, solved in closed form. dz_i/dt = (I - z_i z_i^T) h_i, for d = 2 with detuning.
struct ExactProblem {
    int dimension = 2;
    Eigen::MatrixXd drive;      ///< [N x d] h_i as a rate [rad/s] (dimensionless problems: 1)
    Eigen::VectorXd detuning;   ///< [N] [rad/s], d = 2 only, else 0
    Eigen::VectorXd raw_shift;  ///< [N] [rad] added to the direction of the drive: the calibrated cell's raw phase error; 0 for ideal
    Eigen::MatrixXd start;      ///< [N x d] unit vectors, raw
    SettlingRule rule;
};

/// Changes whenever the phase model predicts differently: a comparison of it with circuits then has to be made again.
inline constexpr int phase_model_version = 1;

/// The reduced phase model of a calibrated array, general couplings included. Same dynamics as OscillatorNetwork with rates, but that a pull H at the
/// angle x from the phase turns it at |H| sin(x) (1 + s)/(1 + s cos(x)), s its softening: the injected current adds cos(x) of itself to the current
/// that sustains the oscillation, the amplitude follows, and what it turns grows. Quasi-static: amplitudes follow faster than phases.
struct PhaseProblem {
    network::OscillatorNetwork network;     ///< weights as fractions of full scale (ideal: as given)
    Eigen::VectorXd coupling_rate;          ///< [N] [rad/s] per unit weight
    Eigen::VectorXd softening;              ///< [N] in [0, 1), d = 2: see dynamics; empty = 0
    Eigen::VectorXd detuning;               ///< [N] [rad/s]; stands for network.detuning, which is not used
    Eigen::VectorXd raw_shift;              ///< [N] [rad] as in ExactProblem
    Eigen::VectorXd diffusion;              ///< [N] [rad^2/s] d = 2: of the phase, var[theta(t) - theta(0)] = D t without drive; empty = no noise
    std::vector<std::uint64_t> noise_seed;  ///< [N] with diffusion: of each oscillator's random stream
    SettlingRule rule;
};

struct Parameter {
    std::string name;
    double value;
};

/// A state of a cell whose start value presets the phase.
struct StateNode {
    std::string pin;        ///< carries the state as a voltage
    std::string parameter;  ///< of the instance: its value at t = 0
    double winding = 0.0;   ///< by which the state grows in a period (a junction's phase: 2 pi)
};

/// Where the power of a cell is taken from.
enum class Origin { simulated, modelled, cited };

/// The port contract of a cell: the pins of its .subckt in order and what they are for. "0" is ground.
struct CellInterface {
    std::string subcircuit;
    std::vector<std::string> pins;
    std::string inject_plus;  ///< pin into which injected current flows
    std::string inject_minus;
    std::string read_plus;  ///< phase is read on v(read_plus) - v(read_minus)
    std::string read_minus;
    std::string supply_pin;     ///< "" if the cell has no rail; each cell gets its own ideal source, so that its current is measured
    double supply_v = 0.0;      ///< [V]
    std::string active_branch;  ///< without a rail: a 0 V source inside the cell that carries the current of its active element out of read_plus's
                                ///< node; power taken is -v(read) i(active_branch)
    Origin power_origin = Origin::simulated;
    std::string power_source;       ///< how the power was obtained, for the ledger
    std::vector<StateNode> states;  ///< sampled over a period of the free cell, to start others anywhere on the limit cycle
};

/// How a harmonic of the read voltage enters the phase that is read,
///     theta = arg V1 + sum over terms of factor * wrap(arg V_order - order arg V1 - reference),
/// where the bracket does not depend on where time begins: a measure of how the waveform is deformed.
struct PhaseTerm {
    int order = 2;
    double factor = 0.0;
    double reference = 0.0;  ///< [rad] the bracket's value in the free cell
};

/// Test benches: a triangular pulse of current between two pins of a cell. On a circuit's grid its half base becomes a whole number of steps, at
/// least two: then the sum over the grid is the charge, wherever the pulse falls between two points. Not within the first steps of a run, which are
/// shorter.
struct Kick {
    double charge = 0.0;     ///< [C] physical, that flows into `plus`
    double time = 0.0;       ///< [s] of its peak, after time 0 of the run
    double half_base = 0.0;  ///< [s]
    std::string plus;        ///< pin; "0" is ground
    std::string minus;
};

/// One oscillator in the circuit.
struct Cell {
    network::TokenId id;
    std::vector<Parameter> parameters;  ///< of the instance: device deviations and initial conditions that preset the start phase
    std::complex<double> injection;     ///< [A] phasor of the summed anchor currents, of cos(w t + arg): what a full crossbar would inject
    std::vector<std::complex<double>> injection_harmonics{};  ///< [A] phasors of harmonics 2, 3, ... of the injected current
    std::vector<Kick> kicks{};                                ///< test benches
    double clock_shift = 0.0;      ///< [rad] by which the phase of this cell's clock runs ahead: see CircuitProblem::warm_up_periods
    double drive_offset_hz = 0.0;  ///< test benches: this cell's injection is off the reference frequency by this much
    double noise_density = 0.0;    ///< [A^2/Hz] one-sided density of white current noise at the injection pins
    std::uint64_t noise_seed = 0;  ///< of its random stream, one deviate per time step
};

/// A periodic waveform without mean: harmonics 1, 2, ... relative to the first, a = sum over k of |a_k| cos(k x + arg a_k), a_1 = 1.
using Waveform = std::vector<std::complex<double>>;

/// How anchors act on cells.
enum class Summing {
    current,   ///< a transconductance from a unit-amplitude anchor to the cell's injection pins
    resistive  ///< a conductance from the anchor's node to the injection pin
};

/// A coupling of the full crossbar.
struct Crosspoint {
    std::uint32_t anchor = 0;
    std::uint32_t cell = 0;
    double siemens = 0.0;  ///< current summing: [A/V] of a unit-amplitude anchor; resistive: conductance [S]
};

/// An anchor as a source: mean + amplitude times its waveform at w t + phase, see CircuitProblem.
struct AnchorSource {
    network::AnchorId id;
    double phase = 0.0;  ///< [rad]
};

/// Integration rule and Newton's tolerances, in netlist units.
struct Integration {
    std::string method = "trap";
    double reltol = 1e-6;   ///< decides when Newton stops: with ngspice's 1e-3 it stops early enough to be seen in the phase
    double abstol = 1e-12;  ///< [A] ngspice's own; 1e-9 of a milliampere cell
    double vntol = 1e-6;    ///< [V] ngspice's own; 1e-6 of a one-volt cell
};

/// What an accepted time point of a netlist of n cells costs a worker, fixed_s + per_cell_s n, measured: it decides which cells share a netlist, and
/// what a run is expected to take. Never part of a result.
struct PointCost {
    double fixed_s = 3e-6;     ///< [s] of any cell: time step control, the way to the demodulator
    double per_cell_s = 3e-6;  ///< [s] unknown cells: as a transistor cell of a few nodes
};

enum class Crossbar {
    reduced,  ///< one current per free oscillator, summed outside the simulator: the same circuit when anchors are ideal
    full      ///< every anchor and crosspoint is in the netlist
};

/// How the simulator is to read the netlist.
struct Dialect {
    std::string behavior;         ///< compatibility mode of ngspice (`ngbehavior`), "" = none
    double geometry_scale = 1.0;  ///< of device widths, lengths and areas (`.options scale`)
};

/// A circuit, typed. One writer turns it into simulator text; nothing here is simulator syntax but `netlist`, the cell's own file.
struct CircuitProblem {
    std::string title;
    std::string netlist;  ///< text of the cell file: .subckt and .model cards
    Dialect dialect;
    CellInterface cell;
    double volt_scale = 1.0;    ///< physical volts per netlist volt; parameters and supply_v are in netlist units, what engines return is physical
    double ampere_scale = 1.0;  ///< physical amperes per netlist ampere
    std::vector<Parameter> parameters;  ///< given to every instance before Cell::parameters
    std::vector<Cell> cells;
    std::vector<AnchorSource> anchors;
    std::vector<Crosspoint> crosspoints;  ///< of a full crossbar only
    Crossbar crossbar = Crossbar::reduced;
    Summing summing = Summing::current;
    double anchor_mean_v = 0.0;       ///< [V] resistive summing: level around which the anchors swing
    double anchor_amplitude_v = 1.0;  ///< [V] of the fundamental; current summing: 1
    Waveform anchor_waveform = {1.0};
    double reference_hz = 0.0;  ///< anchors' frequency
    double half_step_hz = 0.0;  ///< measured for at_half_step(); 0 = unknown, as in benches, where another step would measure another thing
    /// Whole periods before time 0 in which cells run free: for cells whose states cannot be preset. They all start alike, and a cell is brought to a
    /// start phase by shifting its clock: a cell that is ahead by some angle, among sources that are ahead by the same, is the same circuit later.
    int warm_up_periods = 0;
    int points_per_period = 50;  ///< fixed step: see step_s()
    Integration integration;
    PointCost point_cost;
    double start_amplitude = 0.0;        ///< read-port amplitude [V] of a healthy cell; 0 = unknown (no amplitude verdicts)
    std::vector<PhaseTerm> phase_terms;  ///< harmonics that the phase is read with besides the fundamental
    SettlingRule rule;
    std::optional<double> fixed_time;  ///< [s] test benches: run exactly this long, every oscillator, no stop rule
    int recorded_periods = 0;          ///< test benches: keep the waveforms of the last so many periods
};

/// Fraction of a step by which a period is longer than `points_per_period` steps. With a whole number of steps the grid is locked to the waveform,
/// and a locked phase depends on where it falls between two points: 0.4 deg std for lc mos1 at 50 points and r * injection = 0.01, 7e-5 deg with a
/// fraction (measured). With 3/8 the grid comes round after eight periods, so that means over eight periods are exact.
inline constexpr double grid_fraction = 0.375;
inline constexpr int grid_periods = 8;  ///< grid_fraction times this is whole

/// Steps in one period of a circuit simulated at `points_per_period`.
[[nodiscard]] constexpr double steps_per_period(int points_per_period) { return points_per_period + grid_fraction; }

/// Fixed time step of a circuit [s].
[[nodiscard]] inline double step_s(const CircuitProblem& circuit) {
    return 1.0 / (circuit.reference_hz * steps_per_period(circuit.points_per_period));
}

/// The same circuit at half the time step: twice the points per period, with anchors at the frequency that a free cell has at that step. A fixed step
/// h lowers the numerical frequency of a cell by about (w h)^2/12, so that anchors of the full step would be off by 3/4 of that: at 50 points a
/// thousandth of the frequency, a fifth of the lock range of a cell driven at K/w0 = 0.005. Needs half_step_hz.
[[nodiscard]] inline CircuitProblem at_half_step(CircuitProblem circuit) {
    circuit.reference_hz = circuit.half_step_hz;
    circuit.points_per_period *= 2;
    circuit.half_step_hz = 0.0;
    return circuit;
}

using Problem = std::variant<ExactProblem, PhaseProblem, CircuitProblem>;

}  // namespace entrain::problem

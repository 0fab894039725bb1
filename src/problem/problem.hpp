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

/// The reduced phase model of a calibrated array, general couplings included. Same dynamics as OscillatorNetwork with rates.
struct PhaseProblem {
    network::OscillatorNetwork network;  ///< weights as fractions of full scale (ideal: as given)
    double coupling_rate = 1.0;          ///< [rad/s] per unit weight
    Eigen::VectorXd detuning;            ///< [N] [rad/s]; stands for network.detuning, which is not used
    Eigen::VectorXd raw_shift;           ///< [N] [rad] as in ExactProblem
    SettlingRule rule;
};

struct Parameter {
    std::string name;
    double value;
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
    std::string power_source;  ///< how the power was obtained, for the ledger
};

/// One oscillator in the circuit.
struct Cell {
    network::TokenId id;
    std::vector<Parameter> parameters;  ///< of the instance: device deviations and initial conditions that preset the start phase
    std::complex<double> injection;     ///< [A] phasor of the summed anchor currents, of cos(w t + arg): what a full crossbar would inject
    double drive_offset_hz = 0.0;       ///< test benches: this cell's injection is off the reference frequency by this much
};

/// A coupling of the full crossbar: a transconductance from anchor node to the cell's injection pins.
struct Crosspoint {
    std::uint32_t anchor = 0;
    std::uint32_t cell = 0;
    double siemens = 0.0;  ///< [A/V] of a unit-amplitude anchor
};

/// An anchor as a unit-amplitude source cos(w t + phase).
struct AnchorSource {
    network::AnchorId id;
    double phase = 0.0;  ///< [rad]
};

enum class Crossbar {
    reduced,  ///< one current per free oscillator, summed outside the simulator: the same circuit when anchors are ideal
    full      ///< every anchor and crosspoint is in the netlist
};

/// A circuit, typed. One writer turns it into simulator text; nothing here is simulator syntax but `netlist`, the cell's own file.
struct CircuitProblem {
    std::string title;
    std::string netlist;  ///< text of the cell file: .subckt and .model cards
    CellInterface cell;
    std::vector<Parameter> parameters;  ///< given to every instance before Cell::parameters
    std::vector<Cell> cells;
    std::vector<AnchorSource> anchors;
    std::vector<Crosspoint> crosspoints;
    Crossbar crossbar = Crossbar::reduced;
    double reference_hz = 0.0;   ///< anchors' frequency
    int points_per_period = 50;  ///< fixed step: see step_s()
    std::string method = "trap";
    double reltol = 1e-6;
    double start_amplitude = 0.0;  ///< read-port amplitude [V] of a healthy cell; 0 = unknown (no amplitude verdicts)
    SettlingRule rule;
    std::optional<double> fixed_time;  ///< [s] test benches: run exactly this long, every oscillator, no stop rule
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

using Problem = std::variant<ExactProblem, PhaseProblem, CircuitProblem>;

}  // namespace entrain::problem

#include "substrates/lc/lc.hpp"

#include <fmt/format.h>

#include <Eigen/Core>
#include <cmath>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "network/oscillator_network.hpp"
#include "substrates/lc/plugin.hpp"

namespace entrain::substrates::lc {

namespace {

constexpr double default_injection = 0.2;
constexpr Interval injection_range{0.0, 2.0, true};  // lock holds up to 2; above, the injected current is the oscillator

struct CellKind {
    std::string name;
    Design (*design)(const Corner&);
};
const std::vector<CellKind>& cell_kinds() {
    static const std::vector<CellKind> kinds{{"behavioural", &behavioural}, {"mos1", &mos1}};
    return kinds;
}

/// ModelError unless the array can carry the network: phases (d = 2), driven by anchors through real weights without lag or delay.
void require_carried(const network::OscillatorNetwork& network) {
    if (network.dimension != 2)
        throw ModelError{
            fmt::format("lc: an LC oscillator has one phase and carries states of 2 dimensions, the layer's have {}. Use substrate ideal with engine "
                        "exact or phase.",
                        network.dimension)};
    for (const network::Coupling& c : network.couplings) {
        if (c.kind != network::Coupling::From::anchor)
            throw ModelError{"lc: couplings between free oscillators are not available (their phases are not known before the run)."};
        if (c.harmonic != 1 || c.weight.imag() != 0.0 || c.phase_lag != 0.0 || c.delay != 0.0)
            throw ModelError{
                "lc: a crosspoint is a real transconductance; couplings with harmonics, complex weights, lags or delays are not available."};
    }
}

}  // namespace

std::unique_ptr<Substrate> create() { return std::make_unique<Lc>(); }

void Lc::describe(FieldVisitor& visitor) {
    std::vector<std::pair<std::string, std::string>> words;
    for (const CellKind& kind : cell_kinds()) words.emplace_back(kind.name, kind.name);
    visitor.choice("cell", cell_, words, "behavioural: tank and saturating transconductor; mos1: cross-coupled level-1 pair with a mirror tail");
    visitor.number("injection", injection_, injection_range,
                   "full-scale injected current over reference current A/Rp; 0.2 unless coupling_rate is given");
    visitor.number("coupling_rate", coupling_rate_, {0.0, 1.0, true}, "K/w0 at full scale to first order, injection/(2 Q): instead of injection");
    visitor.word(
        "summing",
        {{"current"},
         [this](const std::string& text) -> std::string {
             if (text == "resistive")
                 return "resistive summing is not available for lc: its conductances load the tanks, which the calibration does not include yet";
             if (text != "current") return "unknown word";
             summing_ = text;
             return "";
         },
         [this] { return summing_; }},
        "how crosspoints add up: currents into the tank");
}

void Lc::configure(const Corner& corner) {
    if (injection_ && coupling_rate_)
        throw UserError{
            "substrate: injection and coupling_rate are both given (expected one: either follows from the other by K/w0 = injection/(2 Q))"};
    for (const CellKind& kind : cell_kinds())
        if (kind.name == cell_) design_ = kind.design(corner);
    full_scale_ = coupling_rate_ ? *coupling_rate_ * 2.0 * design_.quality() : injection_.value_or(default_injection);
    if (!injection_range.contains(full_scale_))
        throw ModelError{
            fmt::format("lc: coupling_rate {:.4g} at Q = {:.4g} needs injection {:.4g}, above {:.4g} (the injected current would be the oscillator). "
                        "Lower coupling_rate or tank_q.",
                        *coupling_rate_, design_.quality(), full_scale_, injection_range.high)};
    if (!coupling_rate_) injection_ = full_scale_;
}

std::string Lc::calibration_key() const {
    std::string key = fmt::format("substrate=lc\ncell={}\nsumming={}\ninjection={}\nsupply_v={}\nctank={}\n", cell_, summing_, full_scale_,
                                  design_.interface.supply_v, design_.capacitance - design_.fixed_capacitance);
    for (const problem::Parameter& p : design_.parameters) key += fmt::format("{}={}\n", p.name, p.value);
    key += design_.netlist;
    return key;
}

Estimate Lc::estimate() const {
    const double half_bandwidth = 1.0 / (2.0 * design_.resistance * design_.capacitance);  ///< [rad/s] w0/2Q
    return {design_.frequency_hz(), full_scale_ * half_bandwidth, 1.0 / half_bandwidth};
}

double Lc::reference_current(double amplitude, double /*frequency_hz*/) const { return amplitude / design_.resistance; }

problem::EnergyModel Lc::energy_model(const problem::Calibration& calibration) const {
    const problem::CellInterface& port = design_.interface;
    const bool rail = port.supply_v > 0.0;
    return {port.power_origin, port.power_source, rail ? port.supply_v : start_amplitude(calibration),
            rail ? "the cell's supply" : "tank amplitude: the least supply a current driver into the swinging tank needs"};
}

double Lc::start_amplitude(const problem::Calibration& calibration) const {
    return std::isfinite(calibration.amplitude) ? calibration.amplitude : design_.amplitude;
}

double Lc::full_scale_current(const problem::Calibration& calibration) const {
    const double reference = std::isfinite(calibration.reference_current_a) ? calibration.reference_current_a
                                                                            : reference_current(start_amplitude(calibration), design_.frequency_hz());
    return full_scale_ * reference;
}

problem::CircuitProblem Lc::circuit(const problem::Calibration& calibration, double reference_hz, int points_per_period) const {
    problem::CircuitProblem circuit;
    circuit.title = "lc " + cell_;
    circuit.netlist = std::string{design_.netlist};
    circuit.cell = design_.interface;
    circuit.parameters = design_.parameters;
    circuit.reference_hz = reference_hz;
    circuit.points_per_period = points_per_period;
    circuit.start_amplitude = std::isfinite(calibration.amplitude) ? calibration.amplitude : 0.0;
    return circuit;
}

problem::Cell Lc::oscillator(double phase, double deviation, std::complex<double> drive, const problem::Calibration& calibration) const {
    const double capacitance = design_.capacitance / ((1.0 + deviation) * (1.0 + deviation));  ///< [F] f ~ 1/sqrt(C)
    const double amplitude = start_amplitude(calibration);
    problem::Cell cell;
    cell.parameters = {{"ctank", capacitance - design_.fixed_capacitance},
                       {"v0", amplitude * std::cos(phase)},
                       {"i0", amplitude * std::sqrt(capacitance / design_.inductance) * std::sin(phase)}};
    cell.injection = full_scale_current(calibration) * drive;
    return cell;
}

problem::CircuitProblem Lc::bench(std::span<const BenchCell> cells, double reference_hz, int points_per_period,
                                  const problem::Calibration& calibration) const {
    problem::CircuitProblem circuit = this->circuit(calibration, reference_hz, points_per_period);
    for (const BenchCell& bench : cells) {
        problem::Cell cell = oscillator(bench.start_phase, 0.0, bench.drive, calibration);
        cell.id.token = static_cast<std::int32_t>(circuit.cells.size());
        cell.drive_offset_hz = bench.drive_offset_hz;
        circuit.cells.push_back(std::move(cell));
    }
    return circuit;
}

problem::Instance Lc::map(const network::OscillatorNetwork& network, const problem::Calibration& calibration, const Mapping& mapping,
                          const Nonidealities& nonidealities, const RandomStreams& streams) const {
    require_carried(network);
    problem::Instance instance = map_without_disorder(network, calibration, mapping);
    const double w = angular(Hertz{calibration.frequency_at_step_hz}).value();  ///< [rad/s] of a cell without deviation, and of the anchors
    for (Eigen::Index i = 0; i < instance.deviation.size(); ++i) {
        const network::TokenId& id = network.free[static_cast<std::size_t>(i)];
        const double disorder =
            nonidealities.frequency_disorder * streams.normal(Stream::frequency_disorder, element(id.sequence, id.head, id.token));
        const double deviation = instance.detuning(i) / w + disorder;  // what the mechanism asks for is built into the tank, too
        const double capacitor = design_.capacitance / ((1.0 + deviation) * (1.0 + deviation)) - design_.fixed_capacitance;
        if (1.0 + deviation <= 0.0 || capacitor <= 0.0)
            throw ModelError{
                fmt::format("lc: sequence {} head {} token {}: a frequency deviation df/f = {:.4g} cannot be built (no tank capacitor does it). "
                            "Lower frequency_disorder.",
                            id.sequence, id.head, id.token, deviation)};
        instance.deviation(i) = deviation;
        instance.detuning(i) = w * deviation;
    }
    return instance;
}

problem::Problem Lc::problem(const problem::Instance& instance, problem::Fidelity fidelity, const ProblemOptions& options) const {
    if (fidelity == problem::Fidelity::exact) return exact_problem(instance, options.rule);
    if (fidelity == problem::Fidelity::phase) return phase_problem(instance, options.rule);

    const network::OscillatorNetwork& network = instance.network;
    problem::CircuitProblem circuit = this->circuit(instance.calibration, instance.calibration.frequency_at_step_hz, options.points_per_period);
    circuit.crossbar = options.crossbar;
    circuit.rule = options.rule;
    for (Eigen::Index i = 0; i < network.size(); ++i) {
        const double phase = std::atan2(network.start(i, 1), network.start(i, 0));
        problem::Cell cell = oscillator(phase, instance.deviation(i), {instance.drive(i, 0), instance.drive(i, 1)}, instance.calibration);
        cell.id = network.free[static_cast<std::size_t>(i)];
        circuit.cells.push_back(std::move(cell));
    }
    // Anchors are unit-amplitude sources; the length of an anchor vector is a gain of its weights.
    for (Eigen::Index j = 0; j < network.anchors.rows(); ++j)
        circuit.anchors.push_back({network.anchor_ids[static_cast<std::size_t>(j)], std::atan2(network.anchors(j, 1), network.anchors(j, 0))});
    const double full_scale = full_scale_current(instance.calibration);
    for (const network::Coupling& c : network.couplings)
        if (c.weight.real() != 0.0) circuit.crosspoints.push_back({c.from, c.to, full_scale * c.weight.real() * network.anchors.row(c.from).norm()});
    return circuit;
}

}  // namespace entrain::substrates::lc

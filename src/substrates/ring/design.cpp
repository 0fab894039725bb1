#include "substrates/ring/design.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <sstream>
#include <stdexcept>
#include <string>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "embedded/ring.hpp"
#include "substrates/ring/inverter_ring.hpp"

namespace entrain::substrates::ring {

namespace {

/// ModelError unless the ring starts by itself.
void require_oscillation(const std::string& cell, const InverterRing& ring) {
    const double thresholds = ring.nmos.threshold + ring.pmos.threshold;
    if (ring.supply <= thresholds)
        throw ModelError{
            fmt::format("ring: {}: the supply {:.4g} V is not above the sum of the thresholds {:.4g} V + {:.4g} V = {:.4g} V (both transistors of an "
                        "inverter are off at its switching point: it has no gain, the ring does not start). Raise supply_voltage.",
                        cell, ring.supply, ring.nmos.threshold, ring.pmos.threshold, thresholds)};
    if (const double gain = loop_gain(ring); gain <= 1.0)
        throw ModelError{fmt::format(
            "ring: {}: the gain around the ring at its switching point, where {} stages turn by 180 degrees, is {:.4g}, not above 1, with "
            "a load of {:.4g} S on the injected node (the cell cannot oscillate). Lower row_conductance or raise widths or supply_voltage.",
            cell, ring.stages, gain, ring.load)};
}

/// What all cells have in common; `ring` with its total node capacitance, of which `load_capacitance` is explicit.
CellDesign design_of(const std::string& cell, const Corner& corner, problem::Summing summing, InverterRing ring) {
    const double load_capacitance = corner.at("load_capacitance").value;
    const bool resistive = summing == problem::Summing::resistive;
    const double row_conductance = corner.at("row_conductance").value;
    if (resistive) ring.load = row_conductance;
    require_oscillation(cell, ring);
    const LimitCycle cycle = limit_cycle(ring);

    CellDesign design;
    design.frequency_hz = cycle.frequency_hz;
    design.relaxation_time_s = 1.0 / cycle.frequency_hz;  // a stage forgets its past when it reaches a rail: less than a period
    design.amplitude = cycle.amplitude;
    design.rate_per_injection = cycle.rate_per_injection * load_capacitance / ring.capacitance;  // the reference current is the explicit capacitor's
    design.reference_current = [load_capacitance](double amplitude, double frequency_hz) {
        return angular(Hertz{frequency_hz}).value() * load_capacitance * amplitude;
    };
    if (resistive) {
        design.row_conductance = row_conductance;
        design.anchor_mean_v = 0.5 * ring.supply;
        design.largest_anchor_v = 0.5 * ring.supply;
        design.load_parameter = "gload";
    }

    problem::CellInterface& port = design.interface;
    port.subcircuit = "ring_" + cell;
    for (int k = 0; k < ring.stages; ++k) {
        port.pins.push_back(fmt::format("s{}", k));
        port.states.push_back({port.pins.back(), fmt::format("v{}", k), 0.0});
        // Until the limit cycle is sampled: alternating nodes with one on its way.
        design.parameters.push_back({fmt::format("v{}", k), ring.supply * (k == 0 ? 0.5 : k % 2)});
    }
    port.pins.push_back("vdd");
    port.inject_plus = "s0";
    port.inject_minus = "0";
    port.read_plus = "s0";
    port.read_minus = "0";
    port.supply_pin = "vdd";
    port.supply_v = ring.supply;
    port.power_origin = problem::Origin::simulated;
    port.power_source = "integrated current of the cell's own ideal supply source";

    const std::vector<problem::Parameter> geometry = {{"vsup", ring.supply},
                                                      {"wn", corner.at("nmos_width").value},
                                                      {"wp", corner.at("pmos_width").value},
                                                      {"lch", corner.at("channel_length").value}};
    design.parameters.insert(design.parameters.end(), geometry.begin(), geometry.end());
    return design;
}

/// Channel noise of every transistor, and of the conductance `load` [S] at the injected node. Without it the stages are alike.
CellNoise channel_noise(const InverterRing& ring, double gamma, double load) {
    const auto stages = static_cast<std::size_t>(ring.stages);
    CellNoise noise;
    for (std::size_t stage = 0; stage < (load > 0.0 ? stages : 1U); ++stage) {
        const std::string pin = fmt::format("s{}", stage);
        const std::size_t gate = (stage + stages - 1) % stages;
        const int count = load > 0.0 ? 1 : ring.stages;
        const std::string where = load > 0.0 ? " at " + pin : " of all stages";
        const std::string formula =
            "4 k T gamma g_d0 (1 + e + e^2)/(1 + e), e = 1 - vds/vdsat in triode and 0 in saturation, gamma 2/3 of a long channel (van der Ziel "
            "1962)";
        noise.sources.push_back(
            {.name = "NMOS" + where,
             .plus = pin,
             .minus = "0",
             .density = [=](double, std::span<const double> v) { return 4.0 * boltzmann * gamma * ring.nmos.noise_conductance(v[gate], v[stage]); },
             .formula = formula,
             .count = count});
        noise.sources.push_back({.name = "PMOS" + where,
                                 .plus = pin,
                                 .minus = "0",
                                 .density =
                                     [=](double, std::span<const double> v) {
                                         return 4.0 * boltzmann * gamma * ring.pmos.noise_conductance(ring.supply - v[gate], ring.supply - v[stage]);
                                     },
                                 .formula = formula,
                                 .count = count});
    }
    if (load > 0.0)
        noise.sources.push_back({.name = "row conductance",
                                 .plus = "s0",
                                 .minus = "0",
                                 .density = [load](double, std::span<const double>) { return 4.0 * boltzmann * load; },
                                 .formula = "4 k T G (Johnson 1928, Nyquist 1928)"});
    return noise;
}

CellDesign mos1(const std::string& cell, int stages, std::string_view netlist, const Corner& corner, problem::Summing summing) {
    const double kpn = corner.at("nmos_transconductance").value;
    const double kpp = corner.at("pmos_transconductance").value;
    const double lambda = corner.at("channel_length_modulation").value;
    const double length = corner.at("channel_length").value;
    const double capacitance = corner.at("load_capacitance").value;
    InverterRing ring{.stages = stages, .supply = corner.at("supply_voltage").value, .capacitance = capacitance, .nmos = {}, .pmos = {}};
    ring.nmos = {.gain_factor = kpn * corner.at("nmos_width").value / length, .threshold = corner.at("nmos_threshold").value, .lambda = lambda};
    ring.pmos = {.gain_factor = kpp * corner.at("pmos_width").value / length, .threshold = corner.at("pmos_threshold").value, .lambda = lambda};

    CellDesign design = design_of(cell, corner, summing, ring);
    design.netlist = netlist;
    design.point_cost = {.fixed_s = 2.7e-6, .per_cell_s = stages == 3 ? 3.6e-6 : 5.5e-6};
    const std::vector<problem::Parameter> cards = {
        {"vthn", ring.nmos.threshold}, {"vthp", ring.pmos.threshold}, {"kpn", kpn}, {"kpp", kpp}, {"lambda", lambda}};
    design.parameters.insert(design.parameters.end(), cards.begin(), cards.end());
    design.noise = channel_noise(ring, corner.at("noise_gamma").value, design.row_conductance);
    design.deviated = [capacitance](double deviation) -> std::vector<problem::Parameter> {
        if (1.0 + deviation <= 0.0) throw ModelError{"no load capacitor does it"};
        return {{"cload", capacitance / (1.0 + deviation)}};  // the only capacitance: time scales with it
    };
    return design;
}

constexpr double oxide_permittivity = 3.9 * 8.8541878128e-12;  // [F/m] silicon dioxide

/// A parameter of a transistor of models/devices/generic_bsim4.lib.
double card(std::string_view device, std::string_view name) { return subcircuit_default(embedded::ring_generic_bsim4, device, name); }

/// Estimate of a BSIM4 transistor of models/devices/generic_bsim4.lib: mobility at full gate voltage, velocity saturation; series resistance left
/// out.
Transistor estimated(std::string_view device, double width, double length, double supply) {
    constexpr double roughness = 1e-9;          // [m/V] BSIM4's default ua: mobility u0/(1 + ua (vgs + vth)/toxe)
    constexpr double output_conductance = 0.1;  // [1/V] of the order of a short channel's
    const double threshold = card(device, "vth0");
    const double mobility = card(device, "u0") / (1.0 + roughness * (supply + threshold) / card(device, "toxe"));  ///< [m^2/(V s)]
    return {.gain_factor = mobility * oxide_permittivity / card(device, "toxe") * width / length,
            .threshold = threshold,
            .lambda = output_conductance,
            .critical_voltage = 2.0 * card(device, "vsat") / mobility * length};
}

}  // namespace

std::vector<ParameterSpec> parameters() {
    return {
        {"supply_voltage", "V", positive, "supply"},
        {"nmos_width", "m", positive, "width of an inverter's NMOS"},
        {"pmos_width", "m", positive, "width of an inverter's PMOS"},
        {"channel_length", "m", positive, "length of both"},
        {"load_capacitance", "F", positive, "explicit capacitance of each stage node to ground"},
        {"row_conductance", "S", positive, "resistive summing: what all crosspoints of a row and its dummy conductance add up to"},
        {"nmos_threshold", "V", positive, "mos1 cells: threshold voltage of the NMOS"},
        {"pmos_threshold", "V", positive, "mos1 cells: magnitude of the PMOS' threshold voltage"},
        {"nmos_transconductance", "A/V^2", positive, "mos1 cells: kp of the NMOS, mobility times gate capacitance per area"},
        {"pmos_transconductance", "A/V^2", positive, "mos1 cells: kp of the PMOS"},
        {"channel_length_modulation", "1/V", non_negative, "mos1 cells: lambda of both"},
        {"noise_gamma", "1", positive, "mos1 cells: thermal noise of a saturated channel is 4 k T noise_gamma gm"},
    };
}

double subcircuit_default(std::string_view netlist, std::string_view subcircuit, std::string_view parameter) {
    std::istringstream lines{std::string{netlist}};
    bool inside = false;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::string first;
        words >> first;
        if (first == ".subckt") {
            std::string name;
            words >> name;
            inside = name == subcircuit;
        } else if (!first.starts_with("+")) {
            inside = false;
        }
        if (!inside) continue;
        for (std::string word; words >> word;)
            if (const std::size_t equals = word.find('='); equals != std::string::npos && word.substr(0, equals) == parameter)
                return std::stod(word.substr(equals + 1));
    }
    throw std::logic_error{fmt::format("no parameter {} of subcircuit {}", parameter, subcircuit)};
}

CellDesign mos1_3(const Corner& corner, problem::Summing summing) { return mos1("mos1_3", 3, embedded::ring_mos1_3, corner, summing); }

CellDesign mos1_5(const Corner& corner, problem::Summing summing) { return mos1("mos1_5", 5, embedded::ring_mos1_5, corner, summing); }

CellDesign bsim4_3(const Corner& corner, problem::Summing summing) {
    const double supply = corner.at("supply_voltage").value;
    const double length = corner.at("channel_length").value;
    const double nmos_width = corner.at("nmos_width").value;
    const double pmos_width = corner.at("pmos_width").value;
    const double capacitance = corner.at("load_capacitance").value;
    InverterRing ring{.stages = 3, .supply = supply, .capacitance = capacitance, .nmos = {}, .pmos = {}};
    ring.nmos = estimated("generic_nmos", nmos_width, length, supply);
    ring.pmos = estimated("generic_pmos", pmos_width, length, supply);
    // Each node carries the gate oxide of the next inverter, its gate-source overlap, and two gate-drain overlaps across which the voltage moves by
    // twice the swing.
    constexpr double overlaps = 5.0;
    const auto gate = [length](std::string_view device, double width) {
        return width * (length * oxide_permittivity / card(device, "toxe") + overlaps * card(device, "cgo"));
    };
    ring.capacitance += gate("generic_nmos", nmos_width) + gate("generic_pmos", pmos_width);

    CellDesign design = design_of("bsim4_3", corner, summing, ring);
    design.point_cost = {.fixed_s = 2.0e-6, .per_cell_s = 20e-6};
    design.netlist = std::string{embedded::ring_bsim4_3} + std::string{embedded::ring_generic_bsim4};
    design.parameters.push_back({"cload", capacitance});
    design.noise.missing =
        "BSIM4's noise depends on charges and transconductances inside the model, which the netlist does not show; a square-law estimate would miss "
        "its "
        "velocity saturation";
    design.deviated = [](double deviation) -> std::vector<problem::Parameter> {
        if (1.0 + deviation <= 0.0) throw ModelError{"no drain current does it"};
        return {{"speed", 1.0 + deviation}};
    };
    return design;
}

}  // namespace entrain::substrates::ring

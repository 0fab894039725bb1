#include "substrates/lc/design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "embedded/lc.hpp"
#include "substrates/lc/active_element.hpp"

namespace entrain::substrates::lc {

namespace {

/// The tank of both cells, between the terminals of the port.
struct Tank {
    [[nodiscard]] NoiseSource noise(const std::string& plus, const std::string& minus) const {
        return {.name = "tank loss",
                .plus = plus,
                .minus = minus,
                .density = [rp = resistance](double, std::span<const double>) { return 4.0 * boltzmann / rp; },
                .formula = "4 k T/Rp (Johnson 1928, Nyquist 1928)"};
    }

    double inductance = 0.0;         ///< [H]
    double capacitance = 0.0;        ///< [F] total
    double fixed_capacitance = 0.0;  ///< [F] part of it that is not the tank capacitor
    double resistance = 0.0;         ///< [ohm]
};

/// The capacitor resonates at `frequency`, what the active element adds lowers it.
Tank tank_of(const Corner& corner, double added_capacitance) {
    const double w = angular(Hertz{corner.at("frequency").value}).value();  ///< [rad/s]
    const double inductance = corner.at("tank_inductance").value;
    return {inductance, 1.0 / (w * w * inductance) + added_capacitance, added_capacitance, corner.at("tank_q").value * w * inductance};
}

/// What follows from the tank and the amplitude alone. A frequency deviation is realised in the tank capacitor.
CellDesign design_of(const Tank& tank, double amplitude) {
    const auto capacitance = [tank](double deviation) { return tank.capacitance / ((1.0 + deviation) * (1.0 + deviation)); };  // f ~ 1/sqrt(C)
    CellDesign design;
    design.frequency_hz = 1.0 / (turn * std::sqrt(tank.inductance * tank.capacitance));
    design.relaxation_time_s = 2.0 * tank.resistance * tank.capacitance;  // 2Q/w0
    design.amplitude = amplitude;
    design.rate_per_injection = 0.5 / (tank.resistance * std::sqrt(tank.capacitance / tank.inductance));  // 1/(2 Q)
    design.reference_current = [tank](double at, double /*frequency_hz*/) { return at / tank.resistance; };
    design.deviated = [tank, capacitance](double deviation) -> std::vector<problem::Parameter> {
        const double capacitor = capacitance(deviation) - tank.fixed_capacitance;
        if (1.0 + deviation <= 0.0 || capacitor <= 0.0) throw ModelError{"no tank capacitor does it"};
        return {{"ctank", capacitor}};
    };
    design.start = [tank, capacitance](double phase, double deviation, double at) -> std::vector<problem::Parameter> {
        return {{"v0", at * std::cos(phase)}, {"i0", at * std::sqrt(capacitance(deviation) / tank.inductance) * std::sin(phase)}};
    };
    return design;
}

}  // namespace

std::vector<ParameterSpec> parameters() {
    return {
        {"frequency", "Hz", {1e6, 1e12}, "resonance of the bare tank"},
        {"tank_inductance", "H", positive, "tank inductance; mos1: between the drains, centre tap at the supply"},
        {"tank_q", "1", {0.0, 1e6, true}, "quality factor of the bare tank; parallel loss = Q w L"},
        {"transconductance", "A/V", positive, "behavioural: small-signal transconductance of the active element"},
        {"saturation_current", "A", positive, "behavioural: current at which the active element saturates"},
        {"supply_voltage", "V", positive, "mos1: supply"},
        {"reference_current", "A", positive, "mos1: reference current of the mirror; tail current = it times tail_width/reference_width"},
        {"reference_width", "m", positive, "mos1: width of the mirror's reference transistor"},
        {"tail_width", "m", positive, "mos1: width of the tail transistor"},
        {"mirror_length", "m", positive, "mos1: length of both mirror transistors"},
        {"pair_width", "m", positive, "mos1: width of a transistor of the cross-coupled pair"},
        {"pair_length", "m", positive, "mos1: length of a transistor of the cross-coupled pair"},
        {"threshold_voltage", "V", positive, "mos1: threshold voltage"},
        {"transconductance_parameter", "A/V^2", positive, "mos1: kp, mobility times gate capacitance per area"},
        {"channel_length_modulation", "1/V", non_negative, "mos1: lambda"},
        {"pair_capacitance", "F", positive, "mos1: capacitance to ground at each side of the tank"},
        {"tail_capacitance", "F", positive, "mos1: capacitance of the tail node to ground"},
        {"noise_gamma", "1", positive, "thermal noise of a transconductance g is 4 k T noise_gamma g"},
    };
}

CellDesign behavioural(const Corner& corner, problem::Summing /*summing*/) {
    const Tank tank = tank_of(corner, 0.0);
    const double transconductance = corner.at("transconductance").value;
    const double saturation_current = corner.at("saturation_current").value;
    if (const double gain = transconductance * tank.resistance; gain <= 1.0)
        throw ModelError{
            fmt::format("lc: loop gain gm Rp = {:.4g} is not above 1 (the cell cannot oscillate). Raise transconductance or tank_q.", gain)};
    CellDesign design =
        design_of(tank, limit_cycle_amplitude(saturating_transconductor(transconductance, saturation_current), tank.resistance, saturation_current));
    design.netlist = embedded::lc_behavioural;
    design.point_cost = {.fixed_s = 2.5e-6, .per_cell_s = 1.4e-6};
    design.interface = {.subcircuit = "lc_behavioural",
                        .pins = {"osc"},
                        .inject_plus = "osc",
                        .inject_minus = "0",
                        .read_plus = "osc",
                        .read_minus = "0",
                        .supply_pin = "",
                        .supply_v = 0.0,
                        .active_branch = "vact",
                        .power_origin = problem::Origin::modelled,
                        .power_source =
                            "power the active element puts into the tank, integrated from its voltage and current: on average what the tank burns. "
                            "The cell has no supply "
                            "rail; what a real element loses itself comes on top",
                        .states = {}};
    design.parameters = {{"ltank", tank.inductance}, {"rtank", tank.resistance}, {"gm", transconductance}, {"imax", saturation_current}};
    const double gamma = corner.at("noise_gamma").value;
    design.noise.sources = {tank.noise("osc", "0"),
                            {.name = "active element",
                             .plus = "osc",
                             .minus = "0",
                             .density =
                                 [=](double v, std::span<const double>) {
                                     const double saturation = std::tanh(transconductance * v / saturation_current);
                                     return 4.0 * boltzmann * gamma * transconductance * (1.0 - saturation * saturation);
                                 },
                             .formula = "4 k T gamma g(v), g the element's slope at the instantaneous voltage: a pair that saturates makes no noise "
                                        "(Hajimiri and Lee, IEEE JSSC 34, 1999)"}};
    return design;
}

CellDesign mos1(const Corner& corner, problem::Summing /*summing*/) {
    const double supply = corner.at("supply_voltage").value;                                         ///< [V]
    const double threshold = corner.at("threshold_voltage").value;                                   ///< [V]
    const double lambda = corner.at("channel_length_modulation").value;                              ///< [1/V]
    const double kp = corner.at("transconductance_parameter").value;                                 ///< [A/V^2]
    const double reference_current = corner.at("reference_current").value;                           ///< [A]
    const double mirror_length = corner.at("mirror_length").value;                                   ///< [m]
    const double reference_width = corner.at("reference_width").value;                               ///< [m]
    const double tail_width = corner.at("tail_width").value;                                         ///< [m]
    const double tail_current = reference_current * tail_width / reference_width;                    ///< [A]
    const double pair_factor = kp * corner.at("pair_width").value / corner.at("pair_length").value;  ///< [A/V^2]

    const Tank tank = tank_of(corner, 0.5 * corner.at("pair_capacitance").value);  // two capacitances to ground in series

    // Balanced pair, each transistor at half the tail current: gm = sqrt(2 b It/2), output conductance lambda It/2; half of each between the drains.
    const double pair_gm = std::sqrt(pair_factor * tail_current);  ///< [A/V]
    const double pair_gds = 0.5 * lambda * tail_current;           ///< [A/V]
    const double gain = 0.5 * (pair_gm - pair_gds) * tank.resistance;
    if (gain <= 1.0)
        throw ModelError{
            fmt::format("lc: mos1: loop gain (gm - gds) Rp/2 = ({:.4g} - {:.4g}) A/V * {:.4g} ohm / 2 = {:.4g} is not above 1 (the cell cannot "
                        "oscillate). Raise pair_width, "
                        "reference_current or tank_q.",
                        pair_gm, pair_gds, tank.resistance, gain)};
    // Overdrive sqrt(2 I/b) of a saturated square-law transistor is the least drain-source voltage that keeps it saturated.
    const double mirror_overdrive = std::sqrt(2.0 * reference_current * mirror_length / (kp * reference_width));  ///< [V] of both mirror transistors
    if (threshold + mirror_overdrive >= supply)
        throw ModelError{
            fmt::format("lc: mos1: the mirror's reference transistor needs {:.4g} V, the supply is {:.4g} V (no tail current). Raise supply_voltage "
                        "or tail and reference "
                        "widths.",
                        threshold + mirror_overdrive, supply)};
    const double tail_voltage = supply - threshold - std::sqrt(tail_current / pair_factor);  ///< [V] balanced: its lowest value over the swing
    if (tail_voltage <= mirror_overdrive)
        throw ModelError{
            fmt::format("lc: mos1: the supply leaves {:.4g} V for the tail transistor, which needs {:.4g} V to stay saturated (the tail current "
                        "would collapse). Raise "
                        "supply_voltage, pair_width or tail and reference widths.",
                        tail_voltage, mirror_overdrive)};

    CellDesign design = design_of(tank, limit_cycle_amplitude(square_law_pair(pair_factor, tail_current), tank.resistance, 0.5 * tail_current));
    design.netlist = embedded::lc_mos1;
    design.point_cost = {.fixed_s = 2.4e-6, .per_cell_s = 2.9e-6};
    design.interface = {.subcircuit = "lc_mos1",
                        .pins = {"p", "n", "vdd"},
                        .inject_plus = "p",
                        .inject_minus = "n",
                        .read_plus = "p",
                        .read_minus = "n",
                        .supply_pin = "vdd",
                        .supply_v = supply,
                        .active_branch = "",
                        .power_origin = problem::Origin::simulated,
                        .power_source = "integrated current of the cell's own ideal supply source: tail and mirror reference",
                        .states = {}};
    design.parameters = {{"vsup", supply},
                         {"ltank", tank.inductance},
                         {"rtank", tank.resistance},
                         {"cpair", corner.at("pair_capacitance").value},
                         {"ctail", corner.at("tail_capacitance").value},
                         {"iref", reference_current},
                         {"wref", reference_width},
                         {"wtail", tail_width},
                         {"lmir", mirror_length},
                         {"wpair", corner.at("pair_width").value},
                         {"lpair", corner.at("pair_length").value},
                         {"vth", threshold},
                         {"kp", kp},
                         {"lambda", lambda}};
    const double gamma = corner.at("noise_gamma").value;
    const double tail_gm = std::sqrt(2.0 * kp * tail_width / mirror_length * tail_current);  ///< [A/V]
    const double mirror_ratio = tail_width / reference_width;
    design.noise.sources = {
        tank.noise("p", "n"),
        {.name = "cross-coupled pair",
         .plus = "p",
         .minus = "n",
         .density =
             [=](double v, std::span<const double>) {
                 const PairOverdrive o = pair_overdrive(pair_factor, tail_current, v);
                 const double share = o.low / (o.low + o.high);  // of the current from the tail node that goes to the weaker transistor's side
                 const double triode = std::clamp((std::abs(v) - threshold) / o.high, 0.0, 1.0);
                 const double stronger = pair_factor * o.high * (1.0 + triode + triode * triode) / (1.0 + triode);
                 return 4.0 * boltzmann * gamma * (stronger * share * share + pair_factor * o.low * (1.0 - share) * (1.0 - share));
             },
         .formula = "4 k T gamma (g1 s2^2 + g2 s1^2), g the transistors' transconductances, s = g/(g1 + g2) the shares of the tail node's current, "
                    "which follows at once (Hegazi, Rael and Abidi, 2004); the channel's noise grows to 4 k T g_d0 3 gamma/2 in triode"},
        {.name = "tail and mirror",
         .plus = "p",
         .minus = "n",
         .density =
             [=](double v, std::span<const double>) {
                 const PairOverdrive o = pair_overdrive(pair_factor, tail_current, v);
                 const double steering = 0.5 * (o.high - o.low) / (o.high + o.low);
                 return 4.0 * boltzmann * gamma * tail_gm * (1.0 + mirror_ratio) * steering * steering;
             },
         .formula = "4 k T gamma g_tail (1 + mirror ratio) ((s1 - s2)/2)^2: noise of the tail and of the mirror's reference, steered by the pair"}};
    design.noise.missing = "tail_capacitance at the noise of the tail node, and what that node does to the common mode: it is no pin";
    return design;
}

}  // namespace entrain::substrates::lc

#include "substrates/cdw/design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "embedded/cdw.hpp"

namespace entrain::substrates::cdw {

namespace {}  // namespace

std::vector<ParameterSpec> parameters() {
    return {
        {"supply_voltage", "V", positive, "supply"},
        {"load_resistance", "ohm", positive, "between supply and device"},
        {"insulating_resistance", "ohm", positive, "of the device in its insulating phase"},
        {"metallic_resistance", "ohm", positive, "of the device in its metallic phase"},
        {"upper_threshold", "V", positive, "voltage at which the device turns metallic"},
        {"lower_threshold", "V", positive, "voltage at which it turns insulating"},
        {"latch_sharpness", "1", {1e-3, 0.9}, "width of the latch between the phases over its hysteresis half width"},
        {"capacitance", "F", positive, "across the device"},
        {"latch_time", "s", positive, "time constant of the device's switching"},
    };
}

RelaxationOscillator oscillator(const Corner& corner) {
    const auto value = [&](const char* name) { return corner.at(name).value; };
    const RelaxationOscillator o{.supply = value("supply_voltage"),
                                 .load = value("load_resistance"),
                                 .insulating = value("insulating_resistance"),
                                 .metallic = value("metallic_resistance"),
                                 .upper_threshold = value("upper_threshold"),
                                 .lower_threshold = value("lower_threshold"),
                                 .sharpness = value("latch_sharpness"),
                                 .capacitance = value("capacitance"),
                                 .latch_time = value("latch_time")};
    if (o.metallic >= o.insulating)
        throw ModelError{
            fmt::format("cdw: metallic_resistance {:.4g} ohm is not below insulating_resistance {:.4g} ohm (the device would not "
                        "discharge the capacitor when it switches).",
                        o.metallic, o.insulating)};
    if (o.lower_threshold >= o.upper_threshold)
        throw ModelError{fmt::format("cdw: lower_threshold {:.4g} V is not below upper_threshold {:.4g} V (the device has no hysteresis).",
                                     o.lower_threshold, o.upper_threshold)};
    if (o.divider(-1.0) <= o.upper_threshold)
        throw ModelError{
            fmt::format("cdw: insulating divider supply Ri/(Rs + Ri) = {:.4g} V * {:.4g} ohm / ({:.4g} ohm + {:.4g} ohm) = {:.4g} V is not above "
                        "upper_threshold {:.4g} V (the device stays insulating). Raise supply_voltage or lower upper_threshold.",
                        o.supply, o.insulating, o.load, o.insulating, o.divider(-1.0), o.upper_threshold)};
    if (o.divider(1.0) >= o.lower_threshold)
        throw ModelError{
            fmt::format("cdw: metallic divider supply Rm/(Rs + Rm) = {:.4g} V * {:.4g} ohm / ({:.4g} ohm + {:.4g} ohm) = {:.4g} V is not below "
                        "lower_threshold {:.4g} V (the device stays metallic). Lower supply_voltage or raise lower_threshold.",
                        o.supply, o.metallic, o.load, o.metallic, o.divider(1.0), o.lower_threshold)};
    // A latch of finite width has left its pure phases where it folds: the load line must pass the folds there.
    const double fold = o.fold_state();
    if (o.divider(-fold) <= o.upper_threshold || o.divider(fold) >= o.lower_threshold)
        throw ModelError{fmt::format(
            "cdw: at the edges of the latch, where the device is {:.4g} instead of 1 on its way, the dividers {:.4g} V and {:.4g} V do not pass "
            "upper_threshold {:.4g} V and lower_threshold {:.4g} V (the device stays there). Lower latch_sharpness or move the thresholds apart "
            "from the dividers.",
            fold, o.divider(-fold), o.divider(fold), o.upper_threshold, o.lower_threshold)};
    if (o.latch_time >= o.largest_latch_time())
        throw ModelError{fmt::format(
            "cdw: latch_time {:.4g} s is not below {:.4g} s (at the fixed point between the thresholds the capacitor, discharging faster than the "
            "device switches, damps the oscillation). Lower latch_time or raise capacitance.",
            o.latch_time, o.largest_latch_time())};
    if (o.latch_time * o.sharpness * most_steps < o.rc_period())
        throw ModelError{fmt::format(
            "cdw: latch_time * latch_sharpness = {:.4g} s is below {:.4g} s, {:.2g} of the period (next to no fixed step resolves the switching). "
            "Raise latch_time.",
            o.latch_time * o.sharpness, o.rc_period() / most_steps, 1.0 / most_steps)};
    return o;
}

CellDesign relaxation(const Corner& corner, problem::Summing /*summing*/) {
    const RelaxationOscillator o = oscillator(corner);
    const LimitCycle cycle = limit_cycle(o);

    CellDesign design;
    design.netlist = embedded::cdw_relaxation;
    design.interface = {.subcircuit = "cdw_relaxation",
                        .pins = {"n", "u", "vdd"},
                        .inject_plus = "n",
                        .inject_minus = "0",
                        .read_plus = "u",
                        .read_minus = "0",
                        .supply_pin = "vdd",
                        .supply_v = o.supply,
                        .active_branch = "",
                        .power_origin = problem::Origin::simulated,
                        .power_source = "integrated current of the cell's own ideal supply source: load resistor, device and capacitor",
                        .states = {{"n", "v0"}, {"u", "u0"}}};
    design.parameters = {{"rs", o.load},        {"ri", o.insulating}, {"rm", o.metallic}, {"vh", o.upper_threshold}, {"vl", o.lower_threshold},
                         {"sharp", o.sharpness}};
    // At equal cost trap has a third of gear's error of the frequency, and one that is even in the step. Newton's remainder at 1e-6 lags behind the
    // waveform and moves the frequency by -1e-5 for each doubling of the steps; 1e-7 costs nothing. The latch's current is of the order of 1 A.
    design.integration = {.method = "trap", .reltol = 1e-7, .abstol = 1e-9, .vntol = 1e-9};
    design.point_cost = {.fixed_s = 1.3e-6, .per_cell_s = 2.6e-6};
    design.frequency_hz = 1.0 / cycle.period;
    design.relaxation_time_s = cycle.relaxation_time;
    design.amplitude = cycle.amplitude;
    design.amplitude_unit = std::string{"1"};    // u is a number
    const double reference = o.supply / o.load;  ///< [A]
    design.rate_per_injection = cycle.pull(reference) * cycle.period / turn;
    // At its peaks the current must not hold the device in a phase: (1 - x) divider(-1) above the upper and (1 + x) divider(1) below the lower
    // threshold.
    design.largest_injection = std::min(1.0 - o.upper_threshold / o.divider(-1.0), o.lower_threshold / o.divider(1.0) - 1.0);
    design.largest_injection_doc = fmt::format(
        "the injected current alone would keep the device in a phase: the dividers' {:.4g} V and {:.4g} V, "
        "which it lowers and raises by that fraction, would not pass the thresholds {:.4g} V and {:.4g} V",
        o.divider(-1.0), o.divider(1.0), o.upper_threshold, o.lower_threshold);
    design.reference_current = [reference](double, double) { return reference; };
    design.noise = {{{.name = "load resistor",
                      .plus = "n",
                      .minus = "0",
                      .density = [o](double, std::span<const double>) { return 4.0 * boltzmann / o.load; },
                      .formula = "4 k T/Rs (Johnson 1928, Nyquist 1928)"},
                     {.name = "device",
                      .plus = "n",
                      .minus = "0",
                      .density =
                          [o](double u, std::span<const double>) {
                              return 4.0 * boltzmann *
                                     (0.5 * (1.0 / o.insulating + 1.0 / o.metallic) + 0.5 * u * (1.0 / o.metallic - 1.0 / o.insulating));
                          },
                      .formula = "4 k T G(u), G between 1/Ri and 1/Rm: both phases as ohmic resistances at the temperature of their surroundings"}},
                    "the device's own switching noise and excess noise, which are not modelled",
                    300.0};
    design.deviated = [o](double deviation) -> std::vector<problem::Parameter> {
        if (1.0 + deviation <= 0.0) throw ModelError{"no capacitor does it"};
        return {{"cap", o.capacitance / (1.0 + deviation)}, {"ts", o.latch_time / (1.0 + deviation)}};
    };
    return design;
}

}  // namespace entrain::substrates::cdw

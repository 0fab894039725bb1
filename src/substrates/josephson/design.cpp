#include "substrates/josephson/design.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "embedded/josephson.hpp"

namespace entrain::substrates::josephson {

namespace {

constexpr double flux_quantum = 2.067833848461929e-15;  // [V s] h/2e, exact (SI 2019)

// Netlist units (netlists/josephson/README.md): signals of order 1, ohms, farads and seconds as they are.
constexpr double volt_scale = 1e-4;    // [V]
constexpr double ampere_scale = 1e-4;  // [A]

// Above about 0.8 a running junction stays running below Ic (McCumber 1968; with 0.8 it retraps at 0.99 Ic), and K of C -> 0 is off by a third.
constexpr double largest_damping = 0.8;
// A shunt that discharges the capacitance in far less than a step leaves the trapezoidal rule ringing: its ripple falls by 4 w0 R C/0.125 a step
// (0.125 rad at 50 steps a period), here by 3 %.
constexpr double least_discharge = 1e-3;  // of w0 R C

}  // namespace

std::vector<ParameterSpec> parameters() {
    return {
        {"critical_current", "A", positive, "critical current Ic"},
        {"shunt_resistance", "ohm", positive, "shunt, with the junction's own resistance in parallel"},
        {"capacitance", "F", positive, "capacitance of the junction"},
        {"bias_ratio", "1", positive, "bias current over critical current, i; oscillates above 1"},
    };
}

CellDesign rcsj(const Corner& corner, problem::Summing /*summing*/) {
    const double critical_current = corner.at("critical_current").value;        ///< [A]
    const double resistance = corner.at("shunt_resistance").value;              ///< [ohm]
    const double capacitance = corner.at("capacitance").value;                  ///< [F]
    const double bias = corner.at("bias_ratio").value;                          ///< i
    const double plasma = turn * critical_current * resistance / flux_quantum;  ///< [rad/s] 2 pi Ic R/Phi0
    const double damping = plasma * resistance * capacitance;                   ///< beta_c
    if (bias <= 1.0)
        throw ModelError{
            fmt::format("josephson: bias_ratio Ib/Ic = {:.6g} is not above 1 (the junction carries {:.4g} A without voltage and does not oscillate). "
                        "Raise bias_ratio.",
                        bias, bias * critical_current)};
    if (damping > largest_damping)
        throw ModelError{
            fmt::format("josephson: beta_c = 2 pi Ic R^2 C/Phi0 = {:.4g} is above {:g} (the current-voltage curve is hysteretic and the junction no "
                        "longer the overdamped one that the model describes). Lower shunt_resistance or capacitance.",
                        damping, largest_damping)};
    const double speed = std::sqrt(bias * bias - 1.0);  ///< mean voltage over Ic R, frequency over Ic R/Phi0, for C -> 0
    if (speed * damping < least_discharge)
        throw ModelError{
            fmt::format("josephson: w0 R C = sqrt(i^2 - 1) beta_c = {:.4g} * {:.4g} = {:.4g} is below {:g} (the fixed time step cannot follow the "
                        "discharge of the capacitance). Raise capacitance, shunt_resistance or bias_ratio.",
                        speed, damping, speed * damping, least_discharge)};

    CellDesign design;
    design.netlist = embedded::josephson_rcsj;
    design.interface = {.subcircuit = "josephson_rcsj",
                        .pins = {"n", "ph"},
                        .inject_plus = "n",
                        .inject_minus = "0",
                        .read_plus = "n",
                        .read_minus = "0",
                        .supply_pin = "",
                        .supply_v = 0.0,
                        .active_branch = "vbias",
                        .power_origin = problem::Origin::simulated,
                        .power_source =
                            "bias current times the junction's voltage, integrated: Ib Phi0 a period. A resistive bias costs the ratio of "
                            "its rail to the junction's mean voltage more, refrigeration hundreds of times more",
                        .states = {{"n", "v0", 0.0}, {"ph", "ph0", turn}}};
    design.parameters = {
        {"ic", critical_current / ampere_scale}, {"ibias", bias * critical_current / ampere_scale}, {"phi0", flux_quantum / volt_scale}};
    design.integration.abstol = 1e-9;  // 1e-9 of the junction's currents, which are of order 1 in netlist units
    design.point_cost = {.fixed_s = 2.4e-6, .per_cell_s = 0.95e-6};
    design.volt_scale = volt_scale;
    design.ampere_scale = ampere_scale;
    design.frequency_hz = plasma * speed / turn;
    design.relaxation_time_s = resistance * capacitance;
    // Harmonic k of the voltage for C -> 0 is 2 Ic R speed (i - speed)^k (Aslamazov and Larkin 1969).
    design.amplitude = 2.0 * critical_current * resistance * speed * (bias - speed);
    design.rate_per_injection = 0.5 / (bias * bias - 1.0);
    design.read_harmonics = {2};
    design.reference_current = [critical_current](double, double) { return critical_current; };
    // All rates of a junction with given i and beta_c scale with Ic R.
    design.deviated = [resistance, capacitance](double deviation) -> std::vector<problem::Parameter> {
        const double faster = 1.0 + deviation;
        if (faster <= 0.0) throw ModelError{"no shunt resistance is negative"};
        return {{"rshunt", resistance * faster}, {"cshunt", capacitance / (faster * faster)}};
    };
    design.noiseless_caveat = "without thermal noise, which at 4.2 K turns the phase of one period by tens of degrees: a bound that no array reaches";
    design.energy_caveat = "without refrigeration, which takes hundreds of watts for a watt at 4.2 K";
    design.noise_density = [resistance](double temperature) { return 4.0 * boltzmann * temperature / resistance; };
    design.noise = {{{.name = "shunt",
                      .plus = "n",
                      .minus = "0",
                      .density = [resistance](double, std::span<const double>) { return 4.0 * boltzmann / resistance; },
                      .formula = "4 k T/R (Johnson 1928, Nyquist 1928)"}},
                    "quantum noise, which counts below temperatures of about h f/(2 k)",
                    4.2};
    return design;
}

}  // namespace entrain::substrates::josephson

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/quantity.hpp"
#include "junctions.hpp"
#include "support/subcircuit.hpp"

namespace entrain::substrates::josephson {
namespace {

using testing::HasSubstr;

/// What configure says about a corner that cannot work.
std::string refusal(const std::map<std::string, double>& parameter) {
    try {
        (void)configured({}, parameter);
    } catch (const ModelError& error) {
        return error.what();
    }
    return "accepted";
}

double value(const std::vector<problem::Parameter>& parameter, const std::string& name) {
    const auto found = std::find_if(parameter.begin(), parameter.end(), [&](const auto& p) { return p.name == name; });
    return found == parameter.end() ? std::nan("") : found->value;
}

/// One oscillator that follows one anchor, detuned by `detuning` in units of its weight.
network::OscillatorNetwork one_follower(double detuning) {
    network::OscillatorNetwork network;
    network.anchors = Eigen::RowVector2d{1.0, 0.0};
    network.anchor_ids = {{0, 0}};
    network.free = {{0, 0, 0}};
    network.start = Eigen::RowVector2d{1.0, 0.0};
    network.detuning = Eigen::VectorXd::Constant(1, detuning);
    network.couplings.resize(1);
    network.couplings[0].weight = 1.0;
    return network;
}

problem::Calibration calibration() {
    problem::Calibration c;
    c.dimensionless = false;
    c.frequency_at_step_hz = 64e9;
    c.amplitude = 1.4e-4;
    c.reference_current_a = 1e-4;
    c.coupling_rate = 2e10;
    c.relaxation_rate = 2e10;
    return c;
}

TEST(JosephsonCell, GivesItsNetlistOnlyParametersThatItHasAndAllOfThem) {
    problem::Calibration measured = calibration();
    measured.limit_cycle = Eigen::MatrixXd::Ones(4, 2);
    const std::vector<BenchCell> one(1);
    const problem::CircuitProblem bench = configured()->bench(one, 64e9, 50, measured);
    const test::SubcircuitCard declared = test::subcircuit_card(bench.netlist, bench.cell.subcircuit);
    EXPECT_EQ(declared.pins, bench.cell.pins);
    std::vector<std::string> given;
    for (const auto& p : bench.parameters) given.push_back(p.name);
    for (const auto& p : bench.cells.front().parameters) given.push_back(p.name);
    EXPECT_THAT(given, testing::UnorderedElementsAreArray(declared.parameters));
}

TEST(JosephsonCell, IsStatedInUnitsOf100MicrovoltsAnd100Microamperes) {
    const auto junctions = configured({}, {{"critical_current", 250e-6}, {"shunt_resistance", 0.8}, {"bias_ratio", 1.3}});
    const std::vector<BenchCell> one(1);
    const problem::CircuitProblem bench = junctions->bench(one, 64e9, 50, {});
    EXPECT_DOUBLE_EQ(value(bench.parameters, "ic"), 2.5);
    EXPECT_DOUBLE_EQ(value(bench.parameters, "ibias"), 3.25);
    EXPECT_NEAR(value(bench.parameters, "phi0") / 2.067833848461929e-11, 1.0, 1e-15);  // 100 uV s
    EXPECT_DOUBLE_EQ(value(bench.cells.front().parameters, "rshunt"), 0.8);            // ohm, as 100 uV/100 uA
    EXPECT_DOUBLE_EQ(value(bench.cells.front().parameters, "cshunt"), 70e-15);
    EXPECT_DOUBLE_EQ(bench.volt_scale, 1e-4);
    EXPECT_DOUBLE_EQ(bench.ampere_scale, 1e-4);
    EXPECT_DOUBLE_EQ(junctions->reference_current(1e-4, 64e9), 250e-6);  // Ic, whatever the amplitude
}

TEST(JosephsonCell, MustBeBiasedAboveItsCriticalCurrent) {
    EXPECT_THAT(refusal({{"bias_ratio", 1.0}}), HasSubstr("Ib/Ic = 1 is not above 1"));
    EXPECT_THAT(refusal({{"bias_ratio", 0.85}, {"critical_current", 2e-4}}),
                HasSubstr("Ib/Ic = 0.85 is not above 1 (the junction carries 0.00017 A"));
    EXPECT_EQ(refusal({{"bias_ratio", 1.02}}), "accepted");
}

TEST(JosephsonCell, MustBeOverdampedButNotWithoutCapacitance) {
    // beta_c = 2 pi Ic R^2 C/Phi0 = 0.085079 at the corner's 2 ohm and 70 fF
    EXPECT_THAT(refusal({{"shunt_resistance", 7.0}}), HasSubstr("beta_c = 2 pi Ic R^2 C/Phi0 = 1.042 is above 0.8"));
    EXPECT_EQ(refusal({{"shunt_resistance", 6.0}}), "accepted");  // 0.766
    // w0 R C = 0.6633 beta_c
    EXPECT_THAT(refusal({{"capacitance", 0.7e-15}}), HasSubstr("0.6633 * 0.0008508 = 0.0005644 is below 0.001"));
    EXPECT_EQ(refusal({{"capacitance", 1.4e-15}}), "accepted");
}

TEST(JosephsonOptions, InjectionFollowsFromCouplingRateAndTheBias) {
    EXPECT_NEAR(configured()->injection(), 0.044, 1e-15);                          // K/w0 = 0.05 unless given: 2 (1.44 - 1) 0.05
    EXPECT_NEAR(configured({{"coupling_rate", 0.1}})->injection(), 0.088, 1e-15);  // twice
    EXPECT_NEAR(configured({}, {{"bias_ratio", 2.0}})->injection(), 0.3, 1e-15);   // 2 (4 - 1) 0.05
    EXPECT_DOUBLE_EQ(configured({{"injection", 0.02}})->injection(), 0.02);
    EXPECT_THROW((void)configured({{"injection", 0.02}, {"coupling_rate", 0.05}}), UserError);
    EXPECT_THROW((void)configured({{"coupling_rate", 0.2}}, {{"bias_ratio", 2.0}}), ModelError);  // injection 1.2
}

TEST(JosephsonEstimate, IsTheOverdampedJunctions) {
    const Estimate estimate = configured()->estimate();
    EXPECT_NEAR(estimate.frequency_hz, 64.156e9, 1e6);  // 200 uV/Phi0 = 96.7196 GHz, times sqrt(0.44)
    EXPECT_NEAR(estimate.coupling_rate / (turn * estimate.frequency_hz), 0.05, 1e-12);
    EXPECT_NEAR(estimate.relaxation_time_s, 140e-15, 1e-25);  // R C
}

TEST(JosephsonCalibrationKey, ChangesWithEverythingTheCellDependsOn) {
    const std::string key = configured()->calibration_key();
    EXPECT_EQ(key, configured()->calibration_key());
    EXPECT_NE(key, configured({{"injection", 0.03}})->calibration_key());
    for (const char* parameter : {"critical_current", "shunt_resistance", "capacitance", "bias_ratio"})
        EXPECT_NE(key, configured({}, {{parameter, typical().at(parameter).value * (1.0 + 1e-12)}})->calibration_key()) << parameter;
}

TEST(JosephsonMap, BuildsAFasterJunctionOfTheSameDamping) {
    const auto junctions = configured();
    const auto instance = junctions->map(one_follower(0.4), calibration(), Mapping{}, Nonidealities{}, RandomStreams{1});
    const double deviation = 0.4 * 2e10 / (turn * 64e9);
    EXPECT_NEAR(instance.deviation(0), deviation, 1e-15);
    const auto circuit = std::get<problem::CircuitProblem>(junctions->problem(instance, problem::Fidelity::circuit, {}));
    const double resistance = value(circuit.cells.front().parameters, "rshunt");
    const double capacitance = value(circuit.cells.front().parameters, "cshunt");
    EXPECT_NEAR(resistance / 2.0, 1.0 + deviation, 1e-14);                            // Ic R sets the pace
    EXPECT_NEAR(resistance * resistance * capacitance / (4.0 * 70e-15), 1.0, 1e-14);  // beta_c
    network::OscillatorNetwork impossible = one_follower(-1.1 * turn * 64e9 / 2e10);
    EXPECT_THROW((void)junctions->map(impossible, calibration(), Mapping{}, Nonidealities{}, RandomStreams{1}), ModelError);
}

TEST(JosephsonMap, HasTheJohnsonNoiseOfItsShunt) {
    Nonidealities warm;
    warm.temperature = Kelvin{4.2};
    const auto junctions = configured();
    const auto instance = junctions->map(one_follower(0.0), calibration(), Mapping{}, warm, RandomStreams{1});
    EXPECT_NEAR(instance.noise_density, 4.0 * 1.380649e-23 * 4.2 / 2.0, 1e-30);  // 4 k T/R, one-sided
    EXPECT_THROW((void)junctions->problem(instance, problem::Fidelity::phase, {}), ModelError);
    const auto circuit = std::get<problem::CircuitProblem>(junctions->problem(instance, problem::Fidelity::circuit, {}));
    EXPECT_EQ(circuit.cells.front().noise_density, instance.noise_density);
}

TEST(JosephsonCircuit, StartsOnTheSampledCycleWithThePhaseDifferenceWoundOn) {
    problem::Calibration measured = calibration();
    measured.limit_cycle.resize(8, 2);  // states v0, ph0 at phases k turn/8
    for (int k = 0; k < 8; ++k) measured.limit_cycle.row(k) << 1.0 + k, 5.0 + turn * k / 8.0;
    const std::vector<BenchCell> cells = {{turn / 8.0, 0.0, 0.0}, {-turn / 16.0, 0.0, 0.0}};
    const problem::CircuitProblem bench = configured()->bench(cells, 64e9, 50, measured);
    EXPECT_NEAR(value(bench.cells[0].parameters, "v0"), 2.0, 1e-12);
    EXPECT_NEAR(value(bench.cells[0].parameters, "ph0"), 5.0 + turn / 8.0, 1e-12);
    EXPECT_NEAR(value(bench.cells[1].parameters, "v0"), 4.5, 1e-12);                      // between the last sample and the first
    EXPECT_NEAR(value(bench.cells[1].parameters, "ph0"), 5.0 + turn * 7.5 / 8.0, 1e-12);  // and not between 7/8 of a turn and 0
}

}  // namespace
}  // namespace entrain::substrates::josephson

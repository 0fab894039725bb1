#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "substrates/lc/design.hpp"
#include "substrates/lc/plugin.hpp"
#include "support/corner.hpp"
#include "support/subcircuit.hpp"

namespace entrain::substrates::lc {
namespace {

using testing::HasSubstr;

Corner typical(const std::map<std::string, double>& overrides = {}) { return test::corner_of("lc", "typical", parameters(), overrides); }

std::unique_ptr<Substrate> configured(const std::map<std::string, double>& numbers = {}, const std::map<std::string, std::string>& words = {},
                                      const std::map<std::string, double>& parameter = {}) {
    std::unique_ptr<Substrate> lc = create();
    test::Setter setter{numbers, words};
    lc->describe(setter);
    lc->configure(typical(parameter));
    return lc;
}

/// What configure says about a corner that cannot work.
std::string refusal(const std::string& cell, const std::map<std::string, double>& parameter) {
    try {
        (void)configured({}, {{"cell", cell}}, parameter);
    } catch (const ModelError& error) {
        return error.what();
    }
    return "accepted";
}

double value(const std::vector<problem::Parameter>& parameter, const std::string& name) {
    const auto found = std::find_if(parameter.begin(), parameter.end(), [&](const auto& p) { return p.name == name; });
    return found == parameter.end() ? std::nan("") : found->value;
}

problem::Calibration calibration() {
    problem::Calibration c;
    c.dimensionless = false;
    c.frequency_at_step_hz = 0.998e9;
    c.amplitude = 0.77;
    c.reference_current_a = 1.2e-3;
    c.coupling_rate = 6e7;
    c.relaxation_rate = 6e7;
    c.offset_rad = 0.007;
    c.slope_rad = 0.001;
    return c;
}

Nonidealities disordered(double sigma) {
    Nonidealities nonidealities;
    nonidealities.frequency_disorder = sigma;
    return nonidealities;
}

/// Two oscillators, three anchors of different lengths and directions.
network::OscillatorNetwork small_network() {
    network::OscillatorNetwork network;
    network.anchors.resize(3, 2);
    network.anchors << 2.0, 0.0, 0.0, 0.5, -0.6, -0.8;
    network.anchor_ids = {{0, 0}, {0, 1}, {0, 2}};
    network.free = {{4, 0, 0}, {4, 0, 1}};
    network.start.resize(2, 2);
    network.start << 0.6, 0.8, -1.0, 0.0;
    network.detuning = Eigen::VectorXd::Zero(2);
    const auto couple = [&](std::uint32_t from, std::uint32_t to, double weight) {
        network::Coupling c;
        c.from = from;
        c.to = to;
        c.weight = weight;
        network.couplings.push_back(c);
    };
    couple(0, 0, 1.0);
    couple(1, 0, 3.0);
    couple(2, 0, 0.5);
    couple(0, 1, 0.0);
    couple(1, 1, 2.0);
    couple(2, 1, 4.0);
    return network;
}

/// n oscillators that each follow one anchor.
network::OscillatorNetwork array(int n) {
    network::OscillatorNetwork network;
    network.anchors = Eigen::RowVector2d{1.0, 0.0};
    network.anchor_ids = {{0, 0}};
    network.start = Eigen::MatrixXd::Zero(n, 2);
    network.start.col(0).setOnes();
    network.detuning = Eigen::VectorXd::Zero(n);
    for (int i = 0; i < n; ++i) {
        network.free.push_back({i / 100, 0, i % 100});
        network::Coupling c;
        c.to = static_cast<std::uint32_t>(i);
        c.weight = 1.0;
        network.couplings.push_back(c);
    }
    return network;
}

TEST(LcCell, IsTheTankOfItsQualityFactor) {
    const CellDesign tank = behavioural(typical(), problem::Summing::current);
    EXPECT_NEAR(value(tank.parameters, "rtank"), 628.3185307, 1e-7);          // Q w L
    EXPECT_NEAR(value(tank.deviated(0.0), "ctank"), 2.533029591e-12, 1e-21);  // 1/(w^2 L)
    EXPECT_NEAR(tank.rate_per_injection, 0.05, 1e-12);                        // 1/(2 Q)
    EXPECT_NEAR(tank.frequency_hz, 1e9, 1e-3);
    EXPECT_NEAR(tank.amplitude, 0.774, 1e-3);
    EXPECT_NEAR(mos1(typical(), problem::Summing::current).frequency_hz, 0.995101428e9, 1e3);  // 25 fF more: 1/sqrt(1 + 25/2533.03)
}

TEST(LcCell, GivesItsNetlistOnlyParametersThatItHas) {
    for (const std::string cell : {"behavioural", "mos1"}) {
        const auto lc = configured({}, {{"cell", cell}});
        const std::vector<BenchCell> one(1);
        const problem::CircuitProblem bench = lc->bench(one, 1e9, 50, problem::Calibration{});
        // names of the .subckt card, with its continuation lines
        const test::SubcircuitCard declared = test::subcircuit_card(bench.netlist, bench.cell.subcircuit);
        EXPECT_EQ(declared.pins, bench.cell.pins) << cell;
        std::vector<std::string> given;
        for (const auto& p : bench.parameters) given.push_back(p.name);
        for (const auto& p : bench.cells.front().parameters) given.push_back(p.name);
        EXPECT_THAT(given, testing::UnorderedElementsAreArray(declared.parameters)) << cell;
    }
}

TEST(LcCell, MustOscillate) {
    EXPECT_THAT(refusal("behavioural", {{"tank_q", 2.0}}), HasSubstr("loop gain gm Rp = 0.6 is not above 1"));  // gm w L Q = 0.3 Q
    EXPECT_EQ(refusal("behavioural", {{"tank_q", 3.4}}), "accepted");                                           // 1.02
    // gm = sqrt(kp W/L It) = sqrt(300e-6 * 20/0.13 * 1e-3) = 6.794e-3, gds = 5e-5: (gm - gds)/2 * 62.83 Q = 0.2119 Q
    EXPECT_THAT(refusal("mos1", {{"tank_q", 4.6}}), HasSubstr("0.9745 is not above 1"));
    EXPECT_EQ(refusal("mos1", {{"tank_q", 4.8}}), "accepted");
}

TEST(LcCell, NeedsHeadroom) {
    // Below the pair: vdd - vth - sqrt(It/b) = vdd - 0.4 - 0.1472; the tail needs sqrt(2 It L/(kp W)) = 0.2887 V.
    EXPECT_THAT(refusal("mos1", {{"supply_voltage", 0.8}}), HasSubstr("leaves 0.2528 V for the tail transistor, which needs 0.2887 V"));
    EXPECT_EQ(refusal("mos1", {{"supply_voltage", 0.85}}), "accepted");
    EXPECT_THAT(refusal("mos1", {{"supply_voltage", 0.6}}), HasSubstr("reference transistor needs 0.6887 V"));
}

TEST(LcOptions, InjectionFollowsFromCouplingRateAndBothTogetherAreAMistake) {
    EXPECT_DOUBLE_EQ(configured()->injection(), 0.2);
    EXPECT_DOUBLE_EQ(configured({{"injection", 0.5}})->injection(), 0.5);
    EXPECT_NEAR(configured({{"coupling_rate", 0.01}})->injection(), 0.2, 1e-12);  // 2 Q K/w0
    EXPECT_THROW((void)configured({{"injection", 0.5}, {"coupling_rate", 0.01}}), UserError);
    EXPECT_THROW((void)configured({{"coupling_rate", 0.2}}), ModelError);  // injection 4
}

TEST(LcOptions, ResistiveSummingIsRefusedWithTheReason) {
    const std::unique_ptr<Substrate> lc = create();
    test::Setter setter{{}, {{"summing", "resistive"}}};
    lc->describe(setter);
    EXPECT_THAT(setter.answer, HasSubstr("load the tanks"));
}

TEST(LcEstimate, IsAdlersRateAndTheTanksRelaxation) {
    const auto lc = configured();
    const double w0 = 2.0 * std::numbers::pi * 1e9;
    EXPECT_NEAR(lc->estimate().frequency_hz, 1e9, 1e-3);
    EXPECT_NEAR(lc->estimate().coupling_rate / w0, 0.2 / 20.0, 1e-12);
    EXPECT_NEAR(lc->estimate().relaxation_time_s * w0, 20.0, 1e-9);
    EXPECT_NEAR(lc->reference_current(0.774, 1e9), 1.2319e-3, 1e-7);  // 0.774 V over 628.3 ohm
}

TEST(LcCalibrationKey, ChangesWithEverythingTheCellDependsOn) {
    const std::string key = configured()->calibration_key();
    EXPECT_EQ(key, configured()->calibration_key());
    EXPECT_NE(key, configured({{"injection", 0.3}})->calibration_key());
    EXPECT_NE(key, configured({}, {{"cell", "mos1"}})->calibration_key());
    for (const char* parameter : {"frequency", "tank_inductance", "tank_q", "transconductance", "saturation_current"})
        EXPECT_NE(key, configured({}, {}, {{parameter, typical().at(parameter).value * (1.0 + 1e-12)}})->calibration_key()) << parameter;
    EXPECT_NE(configured({}, {{"cell", "mos1"}})->calibration_key(),
              configured({}, {{"cell", "mos1"}}, {{"supply_voltage", 1.1}})->calibration_key());
}

TEST(LcMap, FoldsAnchorLengthsIntoFractionsOfFullScale) {
    const auto lc = configured();
    const auto instance = lc->map(small_network(), calibration(), Mapping{}, Nonidealities{}, RandomStreams{1});
    // Row 0: 1*2, 3*0.5, 0.5*1 -> sum 4; h = (2 - 0.3, 1.5 - 0.4)/4. Row 1: 2*0.5, 4*1 -> 5; h = (-2.4, 1 - 3.2)/5.
    EXPECT_NEAR(instance.row_scale(0), 4.0, 1e-15);
    EXPECT_NEAR(instance.row_scale(1), 5.0, 1e-15);
    EXPECT_NEAR(instance.drive(0, 0), 0.425, 1e-15);
    EXPECT_NEAR(instance.drive(0, 1), 0.275, 1e-15);
    EXPECT_NEAR(instance.drive(1, 0), -0.48, 1e-15);
    EXPECT_NEAR(instance.drive(1, 1), -0.44, 1e-15);
    EXPECT_NEAR(instance.nominal_raw_shift(0), 0.007 + 0.001 * (std::hypot(0.425, 0.275) - 0.25), 1e-15);
    EXPECT_EQ(instance.deviation.cwiseAbs().maxCoeff(), 0.0);
    EXPECT_EQ(instance.detuning.cwiseAbs().maxCoeff(), 0.0);
}

TEST(LcMap, SpreadsFrequenciesWithoutChangingOneTokensWhenOthersAreLeftOut) {
    const auto lc = configured();
    constexpr int n = 4000;
    constexpr double sigma = 1e-3;
    const auto instance = lc->map(array(n), calibration(), Mapping{}, disordered(sigma), RandomStreams{7});
    const double mean = instance.deviation.mean();
    const double spread = std::sqrt((instance.deviation.array() - mean).square().mean());
    EXPECT_NEAR(mean, 0.0, 5.0 * sigma / std::sqrt(n));            // five standard errors
    EXPECT_NEAR(spread, sigma, 5.0 * sigma / std::sqrt(2.0 * n));  // five standard errors
    // A cell that is faster than the anchors has a positive detuning: it runs ahead of them.
    for (int i = 0; i < 10; ++i) EXPECT_NEAR(instance.detuning(i), turn * 0.998e9 * instance.deviation(i), 1e-6);
    const auto fewer = lc->map(array(150), calibration(), Mapping{}, disordered(sigma), RandomStreams{7});
    EXPECT_EQ(fewer.deviation, instance.deviation.head(150));
}

TEST(LcMap, BuildsTheDetuningAMechanismAsksForIntoTheTank) {
    network::OscillatorNetwork network = small_network();
    network.detuning << 0.8, 0.0;  // in units of the weights: 0.8/4 of K
    const auto instance = configured()->map(network, calibration(), Mapping{}, Nonidealities{}, RandomStreams{1});
    EXPECT_NEAR(instance.detuning(0), 0.2 * 6e7, 1e-6);
    EXPECT_NEAR(instance.deviation(0), 0.2 * 6e7 / (turn * 0.998e9), 1e-15);
}

TEST(LcMap, RefusesWhatAnLcArrayCannotCarry) {
    const auto lc = configured();
    const auto map = [&](const network::OscillatorNetwork& network, double disorder = 0.0) {
        return lc->map(network, calibration(), Mapping{}, disordered(disorder), RandomStreams{1});
    };
    network::OscillatorNetwork network = small_network();
    network.dimension = 8;
    EXPECT_THROW((void)map(network), ModelError);
    network = small_network();
    network.couplings[0].kind = network::Coupling::From::free;
    EXPECT_THROW((void)map(network), ModelError);
    network = small_network();
    network.couplings[0].weight = {1.0, 0.5};
    EXPECT_THROW((void)map(network), ModelError);
    EXPECT_THROW((void)map(array(100), 1.0), ModelError);  // df/f < -1 somewhere among 100 draws
}

TEST(LcCircuit, InjectsWhatAFullCrossbarWouldInject) {
    for (const std::string cell : {"behavioural", "mos1"}) {
        const auto lc = configured({{"injection", 0.3}}, {{"cell", cell}});
        const auto instance = lc->map(small_network(), calibration(), Mapping{}, Nonidealities{}, RandomStreams{1});
        Substrate::ProblemOptions options;
        options.crossbar = problem::Crossbar::full;
        const auto circuit = std::get<problem::CircuitProblem>(lc->problem(instance, problem::Fidelity::circuit, options));
        ASSERT_EQ(circuit.cells.size(), 2U);
        ASSERT_EQ(circuit.anchors.size(), 3U);
        EXPECT_EQ(circuit.crosspoints.size(), 5U);  // a weight of zero is no crosspoint
        std::vector<std::complex<double>> sum(2);
        std::vector<double> total(2);
        for (const problem::Crosspoint& x : circuit.crosspoints) {
            sum[x.cell] += std::polar(x.siemens, circuit.anchors[x.anchor].phase);  // siemens times 1 V
            total[x.cell] += x.siemens;
        }
        for (std::size_t i = 0; i < 2; ++i) {
            EXPECT_NEAR(std::abs(circuit.cells[i].injection - sum[i]), 0.0, 1e-18);
            EXPECT_NEAR(total[i], 0.3 * 1.2e-3, 1e-18);  // every row uses the full scale
        }
        EXPECT_NEAR(circuit.cells[0].injection.real(), 0.3 * 1.2e-3 * 0.425, 1e-18);
        EXPECT_NEAR(circuit.anchors[2].phase, std::atan2(-0.8, -0.6), 1e-15);
        EXPECT_EQ(circuit.reference_hz, 0.998e9);
        EXPECT_EQ(circuit.start_amplitude, 0.77);
        EXPECT_EQ(circuit.cells[1].id, (network::TokenId{4, 0, 1}));
    }
}

TEST(LcCircuit, StartsOnTheLimitCycleAtTheStartPhase) {
    for (const std::string cell : {"behavioural", "mos1"}) {
        const auto lc = configured({}, {{"cell", cell}});
        const auto instance = lc->map(small_network(), calibration(), Mapping{}, disordered(1e-2), RandomStreams{1});
        const auto circuit = std::get<problem::CircuitProblem>(lc->problem(instance, problem::Fidelity::circuit, {}));
        const double inductance = value(circuit.parameters, "ltank");
        const double fixed = cell == "mos1" ? 0.5 * value(circuit.parameters, "cpair") : 0.0;
        for (std::size_t i = 0; i < 2; ++i) {
            const auto& p = circuit.cells[i].parameters;
            const double capacitance = value(p, "ctank") + fixed;
            // v = A cos, i = A sqrt(C/L) sin: the phase from the quotient, the amplitude from the stored energy
            const double phase = std::atan2(value(p, "i0") * std::sqrt(inductance / capacitance), value(p, "v0"));
            EXPECT_NEAR(std::abs(std::polar(1.0, phase) - std::complex<double>{instance.network.start(i, 0), instance.network.start(i, 1)}), 0.0,
                        1e-12);
            EXPECT_NEAR(0.5 * capacitance * std::pow(value(p, "v0"), 2) + 0.5 * inductance * std::pow(value(p, "i0"), 2),
                        0.5 * capacitance * 0.77 * 0.77, 1e-25);
            // and the deviation is the resonance's
            const double nominal = cell == "mos1" ? 0.995101428346e9 : 1e9;
            EXPECT_NEAR(1.0 / (turn * std::sqrt(inductance * capacitance)) / nominal - 1.0, instance.deviation(static_cast<Eigen::Index>(i)), 1e-9);
            EXPECT_NE(instance.deviation(static_cast<Eigen::Index>(i)), 0.0);
        }
    }
}

TEST(LcBench, TakesTheEstimateUntilSomethingIsMeasured) {
    const auto lc = configured();
    const std::vector<BenchCell> cells = {{0.3, {}, 0.0}, {-1.0, std::polar(0.5, 2.0), 1e6}};
    const auto unmeasured = lc->bench(cells, 1.01e9, 40, problem::Calibration{});
    EXPECT_EQ(unmeasured.start_amplitude, 0.0);  // unknown
    EXPECT_EQ(unmeasured.reference_hz, 1.01e9);
    EXPECT_EQ(unmeasured.points_per_period, 40);
    EXPECT_NEAR(value(unmeasured.cells[0].parameters, "v0"), 0.774 * std::cos(0.3), 1e-3);
    EXPECT_EQ(unmeasured.cells[0].injection, std::complex<double>{});
    EXPECT_NEAR(std::abs(unmeasured.cells[1].injection), 0.5 * 0.2 * 0.774 / 628.3, 1e-6);
    EXPECT_EQ(unmeasured.cells[1].drive_offset_hz, 1e6);
    const auto measured = lc->bench(cells, 1e9, 50, calibration());
    EXPECT_NEAR(std::abs(measured.cells[1].injection), 0.5 * 0.2 * 1.2e-3, 1e-15);
    EXPECT_NEAR(std::arg(measured.cells[1].injection), 2.0, 1e-15);
}

TEST(LcCell, SaysWhereItsPowerIsTaken) {
    const CellDesign behaves = behavioural(typical(), problem::Summing::current);
    EXPECT_EQ(behaves.interface.supply_pin, "");
    EXPECT_EQ(behaves.interface.active_branch, "vact");
    EXPECT_EQ(behaves.interface.power_origin, problem::Origin::modelled);
    const CellDesign transistors = mos1(typical(), problem::Summing::current);
    EXPECT_EQ(transistors.interface.supply_pin, "vdd");
    EXPECT_EQ(transistors.interface.supply_v, 1.0);
    EXPECT_EQ(transistors.interface.power_origin, problem::Origin::simulated);
}

}  // namespace
}  // namespace entrain::substrates::lc

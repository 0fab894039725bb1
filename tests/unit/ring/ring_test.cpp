#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "substrates/ring/design.hpp"
#include "substrates/ring/plugin.hpp"
#include "support/corner.hpp"
#include "support/subcircuit.hpp"

namespace entrain::substrates::ring {
namespace {

using problem::Summing;
using testing::HasSubstr;

Corner typical(const std::map<std::string, double>& overrides = {}) { return test::corner_of("ring", "typical", parameters(), overrides); }

std::unique_ptr<Substrate> configured(const std::map<std::string, std::string>& words = {}, const std::map<std::string, double>& numbers = {},
                                      const std::map<std::string, double>& parameter = {}) {
    std::unique_ptr<Substrate> ring = create();
    test::Setter setter{numbers, words};
    ring->describe(setter);
    ring->configure(typical(parameter));
    return ring;
}

std::string refusal(CellDesign (*design)(const Corner&, Summing), Summing summing, const std::map<std::string, double>& parameter) {
    try {
        (void)design(typical(parameter), summing);
    } catch (const ModelError& error) {
        return error.what();
    }
    return "accepted";
}

const std::map<std::string, CellDesign (*)(const Corner&, Summing)> cells = {{"mos1_3", &mos1_3}, {"mos1_5", &mos1_5}, {"bsim4_3", &bsim4_3}};

double value(const std::vector<problem::Parameter>& parameter, const std::string& name) {
    const auto found = std::find_if(parameter.begin(), parameter.end(), [&](const auto& p) { return p.name == name; });
    return found == parameter.end() ? std::nan("") : found->value;
}

TEST(RingCell, NeedsASupplyAboveItsThresholds) {
    for (const auto& [name, design] : cells) {
        EXPECT_THAT(refusal(design, Summing::current, {{"supply_voltage", 0.8}}),
                    HasSubstr("the supply 0.8 V is not above the sum of the thresholds 0.4 V + 0.4 V = 0.8 V"))
            << name;
        EXPECT_EQ(refusal(design, Summing::current, {{"supply_voltage", 0.9}}), "accepted") << name;
    }
    EXPECT_THAT(refusal(&mos1_3, Summing::current, {{"nmos_threshold", 0.7}, {"pmos_threshold", 0.6}}), HasSubstr("0.7 V + 0.6 V = 1.3 V"));
}

TEST(RingCell, OscillatesOnlyIfItsLoadLeavesGain) {
    // Without load an inverter has gain 2 (1 + 0.1*0.6)/(0.1*0.2) = 106 at its switching point, a ring of three needs 2. With a load of many times
    // the stages' output conductance a = lambda b o^2 = 2.77 uS the loaded pole is far above the others and the ring needs gm^3 > 2 a load^2 (Routh),
    // gm = 293 uS: load < 2.13 mS. At 2.2 mS the gain is about (2.13/2.2)^2.
    EXPECT_EQ(refusal(&mos1_3, Summing::resistive, {{"row_conductance", 2.1e-3}}), "accepted");
    EXPECT_THAT(refusal(&mos1_3, Summing::resistive, {{"row_conductance", 2.2e-3}}), HasSubstr("is 0.93"));
    EXPECT_THAT(refusal(&mos1_3, Summing::resistive, {{"row_conductance", 2.2e-3}}), HasSubstr("not above 1, with a load of 0.0022 S"));
    EXPECT_EQ(refusal(&mos1_3, Summing::current, {{"row_conductance", 2.2e-3}}), "accepted");
}

TEST(RingCell, IsEstimatedWellEnoughToCalibrateIt) {
    // Converged ngspice runs, netlists/ring/README.md: frequency within a factor of three, K within a factor of two.
    struct Measured {
        double frequency_hz, rate_per_injection;
    };
    const std::map<std::string, Measured> measured = {
        {"mos1_3", {1.69489e9, 0.363}}, {"mos1_5", {1.00991e9, 0.1785}}, {"bsim4_3", {0.98668e9, 0.299}}};
    for (const auto& [name, design] : cells) {
        const CellDesign cell = design(typical(), Summing::current);
        const bool closed_form = name != "bsim4_3";
        EXPECT_NEAR(cell.frequency_hz / measured.at(name).frequency_hz, 1.0, closed_form ? 1e-3 : 1.0) << name;
        EXPECT_GT(cell.frequency_hz / measured.at(name).frequency_hz, 0.5) << name;
        EXPECT_NEAR(cell.rate_per_injection / measured.at(name).rate_per_injection, 1.0, closed_form ? 0.01 : 0.25) << name;
    }
}

TEST(RingCell, RunsFasterByExactlyWhatItsNetlistIsTold) {
    // C dv/dt = i(v): time scales with the capacitance, or inversely with the currents.
    EXPECT_DOUBLE_EQ(value(mos1_3(typical(), Summing::current).deviated(0.25), "cload"), 16e-15);
    EXPECT_DOUBLE_EQ(value(mos1_5(typical(), Summing::current).deviated(0.0), "cload"), 20e-15);
    EXPECT_DOUBLE_EQ(value(bsim4_3(typical(), Summing::current).deviated(0.25), "speed"), 1.25);
    for (const auto& [name, design] : cells) EXPECT_THROW((void)design(typical(), Summing::current).deviated(-1.0), ModelError) << name;
}

TEST(RingCell, RefersItsCurrentToTheLoadCapacitor) {
    // w C |V1|
    EXPECT_NEAR(mos1_3(typical(), Summing::current).reference_current(0.65, 1.7e9), turn * 1.7e9 * 20e-15 * 0.65, 1e-18);
}

TEST(RingCell, GivesItsNetlistOnlyParametersThatItHas) {
    for (const auto& [name, design] : cells) {
        const auto ring = configured({{"cell", name}, {"summing", "resistive"}, {"dummy_conductance", "true"}});
        const std::vector<BenchCell> one(1);
        const problem::CircuitProblem bench = ring->bench(one, 1e9, 50, problem::Calibration{});
        // words of the .subckt card, with its continuation lines
        const test::SubcircuitCard declared = test::subcircuit_card(bench.netlist, bench.cell.subcircuit);
        EXPECT_EQ(declared.pins, bench.cell.pins) << name;
        std::vector<std::string> given;
        for (const auto& p : bench.parameters) given.push_back(p.name);
        for (const auto& p : bench.cells.front().parameters) given.push_back(p.name);
        EXPECT_THAT(given, testing::UnorderedElementsAreArray(declared.parameters)) << name;
        EXPECT_EQ(bench.netlist.find(".include"), std::string::npos) << name;
    }
}

TEST(RingCell, ReadsTheDefaultsOfItsDeviceCards) {
    const std::string text = "* .subckt other a=3\n.subckt other d g a=1 b=2\n.ends\n.subckt device d g s\n+ a=5e-1 ab=7\nR1 d g a=4\n.ends\n";
    EXPECT_DOUBLE_EQ(subcircuit_default(text, "device", "a"), 0.5);
    EXPECT_DOUBLE_EQ(subcircuit_default(text, "device", "ab"), 7.0);
    EXPECT_DOUBLE_EQ(subcircuit_default(text, "other", "a"), 1.0);
    EXPECT_THROW((void)subcircuit_default(text, "device", "b"), std::logic_error);
}

TEST(RingOptions, ResistiveSummingNeedsADummyConductance) {
    try {
        (void)configured({{"summing", "resistive"}});
        ADD_FAILURE() << "accepted";
    } catch (const UserError& error) {
        EXPECT_THAT(error.what(), HasSubstr("needs dummy_conductance: true"));
        EXPECT_THAT(error.what(), HasSubstr("rows load their cells differently"));
    }
    EXPECT_NO_THROW((void)configured({{"summing", "resistive"}, {"dummy_conductance", "true"}}));
}

TEST(RingOptions, AnchorsOfResistiveSummingStayWithinTheRails) {
    // 0.2 w C |V1| of some 25 uA through 30 uS needs more than 0.6 V.
    const auto ring = configured({{"summing", "resistive"}, {"dummy_conductance", "true"}}, {}, {{"row_conductance", 30e-6}});
    const std::vector<BenchCell> one(1);
    EXPECT_THROW((void)ring->bench(one, 1.7e9, 50, problem::Calibration{}), ModelError);
    EXPECT_NO_THROW((void)configured({{"summing", "resistive"}, {"dummy_conductance", "true"}})->bench(one, 1.7e9, 50, problem::Calibration{}));
}

TEST(RingOptions, InjectionFollowsFromCouplingRate) {
    EXPECT_DOUBLE_EQ(configured()->injection(), 0.2);
    EXPECT_NEAR(configured({}, {{"coupling_rate", 0.0726}})->injection(), 0.2, 2e-3);  // K/w0 = 0.363 injection
    EXPECT_THROW((void)configured({}, {{"coupling_rate", 0.4}}), ModelError);          // injection 1.1
}

TEST(RingCalibrationKey, ChangesWithEverythingTheCellDependsOn) {
    const std::string key = configured()->calibration_key();
    EXPECT_EQ(key, configured()->calibration_key());
    for (const ParameterSpec& p : parameters()) {
        if (p.name == "row_conductance") continue;
        EXPECT_NE(key, configured({}, {}, {{p.name, typical().at(p.name).value * (1.0 + 1e-12)}})->calibration_key()) << p.name;
    }
    const auto resistive = [](double conductance) {
        return configured({{"summing", "resistive"}, {"dummy_conductance", "true"}}, {}, {{"row_conductance", conductance}})->calibration_key();
    };
    EXPECT_NE(key, resistive(60e-6));
    EXPECT_NE(resistive(60e-6), resistive(61e-6));
    for (const char* p : {"nmos_width", "channel_length", "load_capacitance", "supply_voltage"})
        EXPECT_NE(configured({{"cell", "bsim4_3"}})->calibration_key(),
                  configured({{"cell", "bsim4_3"}}, {}, {{p, typical().at(p).value * (1.0 + 1e-12)}})->calibration_key())
            << p;
}

}  // namespace
}  // namespace entrain::substrates::ring

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>

#include "cells.hpp"
#include "core/quantity.hpp"
#include "substrates/cdw/relaxation_oscillator.hpp"
#include "support/subcircuit.hpp"

namespace entrain::substrates::cdw {
namespace {

using testing::HasSubstr;

/// What configure says about a corner or options that cannot work.
std::string refusal(const std::map<std::string, double>& parameter, const std::map<std::string, double>& numbers = {}) {
    try {
        (void)configured(numbers, parameter);
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
    c.frequency_at_step_hz = 1.4425e6;
    c.amplitude = 1.256;
    c.reference_current_a = 3.83e-3;
    c.coupling_rate = 9e5;
    c.limit_cycle = Eigen::MatrixXd::Ones(4, 2);
    return c;
}

TEST(CdwCell, GivesItsNetlistOnlyParametersThatItHasAndAllOfThem) {
    const std::vector<BenchCell> one(1);
    const problem::CircuitProblem bench = configured()->bench(one, 1.4e6, 400, calibration());
    const test::SubcircuitCard declared = test::subcircuit_card(bench.netlist, bench.cell.subcircuit);
    EXPECT_EQ(declared.pins, bench.cell.pins);
    std::vector<std::string> given;
    for (const auto& p : bench.parameters) given.push_back(p.name);
    for (const auto& p : bench.cells.front().parameters) given.push_back(p.name);
    EXPECT_THAT(given, testing::UnorderedElementsAreArray(declared.parameters));
}

TEST(CdwCell, FoldsItsLatchAtTheThresholds) {
    for (const double sharpness : {0.02, 0.1875, 0.5}) {
        RelaxationOscillator o = oscillator(corner("typical"));
        o.sharpness = sharpness;
        const double h = o.half_hysteresis();
        // Static latch u = tanh((v - 2.05 + h u)/(q h)) solved for v: its extremes are the folds. 1e-6 of a grid of 2e-6: the extremes are flat.
        double lowest = 9.0;
        double highest = 0.0;
        for (int k = -499999; k < 500000; ++k) {
            const double u = k / 500000.0;
            const double v = 2.05 - h * u + sharpness * h * std::atanh(u);
            if (u < 0.0) highest = std::max(highest, v);
            if (u > 0.0) lowest = std::min(lowest, v);
        }
        EXPECT_NEAR(highest, 2.2, 1e-6) << sharpness;
        EXPECT_NEAR(lowest, 1.9, 1e-6) << sharpness;
    }
}

TEST(CdwCell, MustPassBothThresholds) {
    EXPECT_THAT(refusal({{"supply_voltage", 3.2}}),
                HasSubstr("3.2 V * 2000 ohm / (1000 ohm + 2000 ohm) = 2.133 V is not above upper_threshold 2.2 V"));
    EXPECT_THAT(refusal({{"supply_voltage", 4.5}}), HasSubstr("4.5 V * 800 ohm / (1000 ohm + 800 ohm) = 2 V is not below lower_threshold 1.9 V"));
    EXPECT_THAT(refusal({{"upper_threshold", 1.85}}), HasSubstr("lower_threshold 1.9 V is not below upper_threshold 1.85 V"));
    EXPECT_THAT(refusal({{"metallic_resistance", 2500.0}}), HasSubstr("metallic_resistance 2500 ohm is not below insulating_resistance 2000 ohm"));
    // 3.32 V: the insulating divider passes with 2.213 V, but at the fold a latch of this width conducts more, G = 0.875 mS - 0.9014 * 0.375 mS
    EXPECT_THAT(refusal({{"supply_voltage", 3.32}}), HasSubstr("where the device is 0.9014 instead of 1 on its way, the dividers 2.16 V"));
    EXPECT_EQ(refusal({{"supply_voltage", 3.7}}), "accepted");
    EXPECT_EQ(refusal({{"supply_voltage", 4.0}}), "accepted");
}

TEST(CdwCell, MustSwitchFasterThanItDischarges) {
    // Fixed point: u near 0, capacitor's rate (1/Rs + G)/C, latch's growth (1/q - 1)/ts. The bound is the Hopf bifurcation of the two equations:
    // integration with nothing refused finds a cycle below it and none above.
    RelaxationOscillator o = oscillator(corner("typical"));
    const double bound = o.largest_latch_time();
    EXPECT_NEAR(bound, 0.68e-9 / 1.875e-3 * (1.0 / 0.1875 - 1.0), 0.01 * bound);  // u = 0.004 instead of 0
    o.latch_time = 0.9 * bound;
    EXPECT_GT(limit_cycle(o).amplitude, 0.05);
    o.latch_time = 1.1 * bound;
    EXPECT_THROW((void)limit_cycle(o), ModelError);
    EXPECT_THAT(refusal({{"latch_time", 1.6e-6}}), HasSubstr("latch_time 1.6e-06 s is not below 1.5"));
    EXPECT_THAT(refusal({{"latch_time", 1e-15}}), HasSubstr("latch_time * latch_sharpness = 1.875e-16 s is below 1.394e-13 s"));
}

TEST(CdwCell, HasThePeriodAndResponseOfItsEquations) {
    // The same two equations with an 8th-order Runge-Kutta method at 1e-11 and charges of 1e-4 V C at 128 phases (Python, scipy), see
    // netlists/cdw/README.md. Period within 1e-6 as stated, response within 1e-3.
    struct Expected {
        const char* name;
        double frequency, amplitude, share, response, offset;
    };
    for (const Expected& e : {Expected{"typical", 1441819.25, 1.256347, 0.50282, 1.66194007e10, -86.8115},
                              Expected{"small_capacitor", 177804161.4, 1.233863, 0.50386, 2.01657522e12, -91.5566}}) {
        const LimitCycle cycle = limit_cycle(oscillator(corner(e.name)));
        EXPECT_NEAR(1.0 / cycle.period / e.frequency, 1.0, 1e-6) << e.name;
        EXPECT_NEAR(cycle.amplitude, e.amplitude, 1e-4) << e.name;
        EXPECT_NEAR(cycle.metallic_share, e.share, 2e-4) << e.name;
        EXPECT_NEAR(std::abs(cycle.response) / e.response, 1.0, 1e-3) << e.name;
        EXPECT_NEAR(degrees(cycle.locked_offset()), e.offset, 0.06) << e.name;  // 1e-3 rad
    }
}

TEST(CdwCell, HasThePeriodOfChargeAndDischargeWithASharpLatch) {
    // T = ti ln((vi - vl)/(vi - vh)) + tm ln((vh - vm)/(vl - vm)), with vi = 3.83 * 2/3 V, vm = 3.83 * 0.8/1.8 V, ti = 0.68 nF * 2/3 kohm, tm = 0.68
    // nF * 0.8/1.8 kohm: 557.607 ns, metallic for 0.50027 of it. 0.2 %: the latch leaves a fold (T/ts)^(1/3) ts late, 5e-4 T each.
    const RelaxationOscillator o = oscillator(corner("typical", {{"latch_time", 5.576e-12}, {"latch_sharpness", 0.03}}));
    EXPECT_NEAR(o.rc_period(), 557.60696e-9, 1e-13);
    const LimitCycle cycle = limit_cycle(o);
    EXPECT_NEAR(cycle.period / 557.60696e-9, 1.0, 2e-3);
    EXPECT_NEAR(cycle.metallic_share, 0.50027, 1e-3);
    // A charge q moves v by q/C, the time to the threshold by that over dv/dt: Z = w/(C dv/dt), C dv/dt = 3.83 mA - 1.5 mS v while it charges and
    // 3.83 mA - 2.25 mS v while it discharges. Its first harmonic by sums over the exponentials. 2 %: before it turns at
    // a fold the state has come 1.5 % of its way, which takes 2.5 % off the current there.
    std::complex<double> sum;
    constexpr int points = 20000;
    const double period = 557.60696e-9;
    const double charging = (1.0 - 0.500270) * period;
    for (int k = 0; k < points; ++k) {
        const double t = (k + 0.5) * period / points;
        const bool insulating = t < charging;
        const double conductance = insulating ? 1.5e-3 : 2.25e-3;
        const double goal = 3.83e-3 / conductance;
        const double since = insulating ? t : t - charging;
        const double v = goal + ((insulating ? 1.9 : 2.2) - goal) * std::exp(-since * conductance / 0.68e-9);
        sum += turn / period / (3.83e-3 - conductance * v) * std::polar(2.0 / points, -turn * t / period);
    }
    EXPECT_NEAR(std::abs(cycle.response) / std::abs(sum), 1.0, 0.02);
}

TEST(CdwCell, ReturnsToItsCycleInALatchTime) {
    const RelaxationOscillator o = oscillator(corner("typical"));
    const LimitCycle cycle = limit_cycle(o);
    EXPECT_GT(cycle.relaxation_time, 0.5 * o.latch_time);  // away from the switchings the latch is all there is, and at them it runs away for a while
    EXPECT_LT(cycle.relaxation_time, 2.0 * o.latch_time);
}

TEST(CdwCell, RunsFasterExactly) {
    const CellDesign design = relaxation(corner("typical"), problem::Summing::current);
    RelaxationOscillator o = oscillator(corner("typical"));
    const double period = limit_cycle(o).period;
    for (const double deviation : {-0.3, 0.02, 0.5}) {
        const auto built = design.deviated(deviation);
        o.capacitance = value(built, "cap");
        o.latch_time = value(built, "ts");
        EXPECT_NEAR(period / limit_cycle(o).period, 1.0 + deviation, 1e-9) << deviation;
    }
    EXPECT_THROW((void)design.deviated(-1.0), ModelError);
}

TEST(CdwOptions, InjectionFollowsFromCouplingRateAndTheResponse) {
    EXPECT_NEAR(configured()->injection(), 0.1 / (0.9172647 * 3.83), 1e-5);  // K/w0 = 0.1 unless given; 0.917 per mA, reference current 3.83 mA
    EXPECT_NEAR(configured({{"coupling_rate", 0.05}})->injection(), 0.05 / (0.9172647 * 3.83), 1e-5);
    EXPECT_DOUBLE_EQ(configured({{"injection", 0.02}})->injection(), 0.02);
    EXPECT_DOUBLE_EQ(configured()->reference_current(1.2, 1e6), 3.83e-3);
    EXPECT_THROW((void)configured({{"injection", 0.02}, {"coupling_rate", 0.05}}), UserError);
    // vl/vm - 1 = 1.9 * 1.8/(3.83 * 0.8) - 1 = 0.1162: with more, the metallic device does not come down to its threshold
    EXPECT_THAT(refusal({}, {{"injection", 0.12}}), HasSubstr("injection 0.12 (as configured, K/w0 = 0.4216) is not below 0.1162"));
    EXPECT_THAT(refusal({}, {{"coupling_rate", 0.42}}), HasSubstr("is not below 0.1162"));
    EXPECT_EQ(refusal({}, {{"injection", 0.11}}), "accepted");
}

TEST(CdwEstimate, IsThatOfTheEquations) {
    const Estimate estimate = configured()->estimate();
    EXPECT_NEAR(estimate.frequency_hz, 1441819.25, 10.0);
    EXPECT_NEAR(estimate.coupling_rate / (turn * estimate.frequency_hz), 0.1, 1e-12);
}

TEST(CdwCalibrationKey, ChangesWithEverythingTheCellDependsOn) {
    const std::string key = configured()->calibration_key();
    EXPECT_EQ(key, configured()->calibration_key());
    EXPECT_NE(key, configured({{"injection", 0.03}})->calibration_key());
    for (const ParameterSpec& p : parameters())
        EXPECT_NE(key, configured({}, {{p.name, corner("typical").at(p.name).value * (1.0 + 1e-12)}})->calibration_key()) << p.name;
}

}  // namespace
}  // namespace entrain::substrates::cdw

#include "substrates/ring/inverter_ring.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace entrain::substrates::ring {
namespace {

/// The level-1 ring of the typical corner: symmetric, switching at 0.6 V with 0.2 V of overdrive.
InverterRing typical(int stages, double load = 0.0) {
    const double gain_factor = 300e-6 * 0.3 / 0.13;
    InverterRing ring{.stages = stages, .supply = 1.2, .capacitance = 20e-15, .nmos = {}, .pmos = {}, .load = load};
    ring.nmos = {.gain_factor = gain_factor, .threshold = 0.4, .lambda = 0.1};
    ring.pmos = ring.nmos;
    return ring;
}

TEST(Transistor, IsTheSquareLawOfLevelOne) {
    const Transistor m{.gain_factor = 2e-3, .threshold = 0.4, .lambda = 0.1};
    EXPECT_EQ(m.current(0.39, 1.0), 0.0);
    EXPECT_DOUBLE_EQ(m.current(1.0, 0.8), 1e-3 * 0.36 * 1.08);       // saturated: (b/2) o^2 (1 + lambda vds)
    EXPECT_DOUBLE_EQ(m.current(1.0, 0.2), 2e-3 * 0.5 * 0.2 * 1.02);  // triode: b (o - vds/2) vds (1 + lambda vds)
    EXPECT_DOUBLE_EQ(m.current(0.8, -0.2), -m.current(1.0, 0.2));    // source and drain exchanged
}

TEST(Transistor, SaturatesAtTheSaturationVelocity) {
    // Toh, Ko and Meyer: carriers enter the saturated part of the channel at the saturation velocity, i = W Cox vsat (o - u) = b (V/2) (o - u) at
    // u = o V/(o + V), whatever V.
    for (const double critical : {0.1, 0.5, 3.0}) {
        const Transistor m{.gain_factor = 2e-3, .threshold = 0.4, .lambda = 0.0, .critical_voltage = critical};
        const double o = 0.7;
        const double u = o * critical / (o + critical);
        EXPECT_NEAR(m.current(0.4 + o, 1.2), 2e-3 * 0.5 * critical * (o - u), 1e-15);
        EXPECT_DOUBLE_EQ(m.current(0.4 + o, u), m.current(0.4 + o, 1.2));
    }
}

TEST(InverterRing, SwitchesWhereBothTransistorsCarryTheSameCurrent) {
    EXPECT_NEAR(switching_voltage(typical(3)), 0.6, 1e-12);
    // Square law without output conductance: vm = (vdd - vtp + x vtn)/(1 + x), x = sqrt(bn/bp).
    InverterRing ring = typical(3);
    ring.nmos = {.gain_factor = 4e-3, .threshold = 0.3};
    ring.pmos = {.gain_factor = 1e-3, .threshold = 0.5};
    EXPECT_NEAR(switching_voltage(ring), (1.2 - 0.5 + 2.0 * 0.3) / 3.0, 1e-9);
}

TEST(LoopGain, OfEqualStagesIsThatOfTheTextbook) {
    // Square law at overdrive o and drain voltage v: gm = b o (1 + lambda v), gds = lambda b o^2/2 each. N equal poles turn by 180/N degrees each,
    // where a stage has cos(pi/N) of its gain.
    const double stage = 2.0 * (1.0 + 0.1 * 0.6) / (0.1 * 0.2);
    EXPECT_NEAR(loop_gain(typical(3)) / std::pow(0.5 * stage, 3), 1.0, 1e-6);
    EXPECT_NEAR(loop_gain(typical(5)) / std::pow(std::cos(std::numbers::pi / 5.0) * stage, 5), 1.0, 1e-6);
    InverterRing ideal = typical(3);
    ideal.nmos.lambda = ideal.pmos.lambda = 0.0;
    EXPECT_EQ(loop_gain(ideal), std::numeric_limits<double>::infinity());
}

TEST(LoopGain, OfALoadedRingIsOneWhereItsCharacteristicPolynomialSaysSo) {
    // (s + a)^2 (s + b) + g^3 = 0, conductances in units of the capacitance, crosses the imaginary axis at (2a + b)(a^2 + 2ab) = a^2 b + g^3 (Routh).
    InverterRing ring = typical(3);
    ring.nmos.lambda = ring.pmos.lambda = 1.0;
    const double factor = ring.nmos.gain_factor;
    const double a = 1.0 * factor * 0.2 * 0.2;
    const double g = 2.0 * factor * 0.2 * 1.6;
    double low = a;
    double high = 1e4 * g;
    for (int n = 0; n < 200; ++n) {
        const double b = 0.5 * (low + high);
        ((2.0 * a + b) * (a * a + 2.0 * a * b) < a * a * b + g * g * g ? low : high) = b;
    }
    ring.load = low - a;
    EXPECT_NEAR(loop_gain(ring), 1.0, 1e-6);
    ring.load *= 1.01;
    EXPECT_LT(loop_gain(ring), 1.0);
    ring.load /= 1.02;
    EXPECT_GT(loop_gain(ring), 1.0);
}

TEST(LimitCycle, IsThatOfTheRingsDifferentialEquations) {
    // scipy, DOP853 with relative tolerance 1e-11 (frequency, amplitude) and kicks of 0.1 % of the supply (sensitivity).
    struct Case {
        InverterRing ring;
        double frequency_hz, amplitude, rate;
    };
    for (const Case& c : {Case{typical(3), 1.69488661e9, 0.650855, 0.362944}, Case{typical(5), 1.00990753e9, 0.722067, 0.179058},
                          Case{typical(3, 6e-5), 1.73044832e9, 0.579412, 0.323386}}) {
        const LimitCycle cycle = limit_cycle(c.ring);
        EXPECT_NEAR(cycle.frequency_hz / c.frequency_hz, 1.0, 1e-3);  // crossings are interpolated linearly over a few percent of a period
        EXPECT_NEAR(cycle.amplitude / c.amplitude, 1.0, 1e-3);
        EXPECT_NEAR(cycle.rate_per_injection / c.rate, 1.0, 5e-3);
    }
}

TEST(LimitCycle, ScalesAsItsEquationsDo) {
    // Twice the capacitance: half as fast, the same waveform. All currents three times as strong: three times as fast.
    const LimitCycle one = limit_cycle(typical(3));
    InverterRing slow = typical(3);
    slow.capacitance *= 2.0;
    EXPECT_NEAR(limit_cycle(slow).frequency_hz * 2.0 / one.frequency_hz, 1.0, 1e-9);  // the steps scale with it: rounding
    EXPECT_NEAR(limit_cycle(slow).rate_per_injection / one.rate_per_injection, 1.0, 1e-6);
    InverterRing strong = typical(3);
    strong.nmos.gain_factor = strong.pmos.gain_factor = 3.0 * strong.nmos.gain_factor;
    EXPECT_NEAR(limit_cycle(strong).frequency_hz / 3.0 / one.frequency_hz, 1.0, 1e-9);
}

}  // namespace
}  // namespace entrain::substrates::ring

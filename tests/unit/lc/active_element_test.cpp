#include "substrates/lc/active_element.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace entrain::substrates::lc {
namespace {

constexpr double tank_loss = 628.3185307;  ///< [ohm] Q = 10 with 10 nH at 1 GHz
constexpr double imax = 1e-3;              ///< [A]

TEST(SaturatingTransconductor, SettlesAtTheAmplitudeOfItsDescribingFunction) {
    // Loop gain 3. Root of a = R F(a) by scipy (brentq, 4096-point quadrature); 0.774 V in a 50-points-per-period ngspice run.
    const double amplitude = limit_cycle_amplitude(saturating_transconductor(3.0 / tank_loss, imax), tank_loss, imax);
    EXPECT_NEAR(amplitude, 0.7737793611957879, 1e-9);  // both quadratures are exact far below this
}

TEST(SaturatingTransconductor, BecomesASquareWaveWhenDrivenHard) {
    const double amplitude = limit_cycle_amplitude(saturating_transconductor(1e4 / tank_loss, imax), tank_loss, imax);
    EXPECT_NEAR(amplitude, 4.0 / std::numbers::pi * imax * tank_loss, 1e-5);  // the quadrature sees the step with 1024 points
}

TEST(SaturatingTransconductor, StartsSoftlyJustAboveUnityGain) {
    // tanh x = x - x^3/3: F(a) = gm a (1 - (gm a/imax)^2/4), so a = 2 (imax/gm) sqrt(1 - 1/gain)
    const double gain = 1.001;
    const double gm = gain / tank_loss;
    const double amplitude = limit_cycle_amplitude(saturating_transconductor(gm, imax), tank_loss, imax);
    EXPECT_NEAR(amplitude / (2.0 * imax / gm * std::sqrt(1.0 - 1.0 / gain)), 1.0, 2e-3);  // next order in gain - 1
}

TEST(SquareLawPair, SplitsTheTailCurrentAsTwoTransistorsDo) {
    const double b = 0.046;    // [A/V^2]
    const double tail = 1e-3;  // [A]
    const Characteristic pair = square_law_pair(b, tail);
    // i1 = (b/2) u1^2, i2 = (b/2) u2^2 with overdrives u1 - u2 = v: choose the overdrives, compute voltage and tail current forwards.
    const double u1 = 0.18;
    const double u2 = std::sqrt(2.0 * tail / b - u1 * u1);
    EXPECT_NEAR(pair(u1 - u2), 0.25 * b * (u1 * u1 - u2 * u2), 1e-15);
    EXPECT_NEAR(pair(u2 - u1), -0.25 * b * (u1 * u1 - u2 * u2), 1e-15);
    EXPECT_DOUBLE_EQ(pair(1.0), 0.5 * tail);
    EXPECT_DOUBLE_EQ(pair(-1.0), -0.5 * tail);
}

TEST(SquareLawPair, SettlesAtTheAmplitudeOfItsDescribingFunction) {
    const double b = 300e-6 * 20.0 / 0.13;
    const double amplitude = limit_cycle_amplitude(square_law_pair(b, 1e-3), tank_loss, 0.5e-3);
    EXPECT_NEAR(amplitude, 0.38715321536943476, 1e-6);  // scipy, as above; kinks of the characteristic limit both quadratures
    EXPECT_NEAR(amplitude, 0.383, 0.02 * 0.383);        // ngspice at 0.986 mA of tail current, with channel-length modulation
}

}  // namespace
}  // namespace entrain::substrates::lc

#include "engines/ngspice/demodulator.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/quantity.hpp"

namespace entrain::engines::ngspice {
namespace {

constexpr double frequency = 1e9;  ///< [Hz]
constexpr double period = 1e-9;    ///< [s]

/// A signal with mean, fundamental and third harmonic.
double wave(double t) { return 0.7 + 1.3 * std::cos(turn * frequency * t + 0.4) + 0.2 * std::cos(3.0 * turn * frequency * t - 1.1); }

TEST(Demodulator, IsExactForPeriodicSignalsOnAUniformGridWhereverItLies) {
    for (const double shift : {0.0, 0.3, 0.96}) {
        Demodulator demodulator{frequency, 1, {1, 3}};
        for (int k = 0; k <= 200; ++k) {
            const double t = (k + shift) * period / 50;
            demodulator.add(t, std::vector{wave(t)}, std::vector{2.0 * wave(t)});
        }
        const Periods periods = demodulator.take();
        ASSERT_GE(periods.count, 3U);
        const double* second = &periods.values[7];  // the first begins with the signal held constant
        EXPECT_NEAR(std::hypot(second[0], second[1]), 1.3, 1e-12);
        EXPECT_NEAR(std::atan2(second[1], second[0]), 0.4, 1e-12);
        EXPECT_NEAR(std::hypot(second[2], second[3]), 0.2, 1e-12);
        EXPECT_NEAR(std::atan2(second[3], second[2]), -1.1, 1e-12);
        EXPECT_NEAR(second[4], 0.7, 1e-12);
        EXPECT_NEAR(second[5], 0.5 * (1.3 * 1.3 + 0.2 * 0.2), 1e-12);  // Parseval, without the mean
        EXPECT_NEAR(second[6], 1.4, 1e-12);
    }
}

TEST(Demodulator, CutStepsDisturbTheirOwnPeriodOnlyLittle) {
    Demodulator demodulator{frequency, 1, {1}};
    double t = 0.0;
    while (t < 4.03 * period) {
        demodulator.add(t, std::vector{wave(t)}, std::vector{0.0});
        t += (t > 1.5 * period && t < 1.6 * period) ? 0.3 * period / 50 : period / 50;  // as after a step that did not converge
    }
    const Periods periods = demodulator.take();
    ASSERT_EQ(periods.count, 4U);
    // Trapezoidal error of a tenth of a period on its own, at most (4 w h)^2/12 of it for the product of clock and third harmonic.
    EXPECT_NEAR(std::atan2(periods.values[6], periods.values[5]), 0.4, 1e-3);
    EXPECT_NEAR(std::atan2(periods.values[16], periods.values[15]), 0.4, 1e-12);
}

TEST(Demodulator, HandsOutEachPeriodOnce) {
    Demodulator demodulator{frequency, 2, {1}};
    const auto run = [&](double from, double to) {
        for (double k = from; k < to; ++k) demodulator.add(k * period / 20, std::vector{wave(k * period / 20), 0.0}, std::vector{0.0, 0.0});
    };
    run(0, 45);
    const Periods first = demodulator.take();
    EXPECT_EQ(first.first, 0U);
    EXPECT_EQ(first.count, 2U);
    EXPECT_EQ(first.values.size(), 2U * 2U * 5U);
    run(45, 61);
    const Periods second = demodulator.take();
    EXPECT_EQ(second.first, 2U);
    EXPECT_EQ(second.count, 1U);
}

}  // namespace
}  // namespace entrain::engines::ngspice

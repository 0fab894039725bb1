#include "kernels/trigonometry.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/rates.hpp"
#include "unit/kernels/sets.hpp"

namespace entrain::kernels {
namespace {

class Trigonometry : public EachInstructionSet {};

/// Largest error of cosine and sine against the C library in extended precision.
double error(const std::vector<double>& angles, InstructionSet set) {
    std::vector<double> cosine(angles.size());
    std::vector<double> sine(angles.size());
    sincos(angles.size(), angles.data(), cosine.data(), sine.data(), set);
    long double largest = 0.0L;
    for (std::size_t i = 0; i < angles.size(); ++i) {
        const long double x = angles[i];
        const long double e = std::max(std::abs(cosine[i] - std::cos(x)), std::abs(sine[i] - std::sin(x)));
        if (!(e <= largest)) largest = e;
    }
    return static_cast<double>(largest);
}

TEST_P(Trigonometry, HasSineAndCosineOfTheLibrary) {
    Draw draw{1};
    for (const double range : {1e-300, 1e-8, 0.8, 3.2, 20.0, 1e3, 1e4})
        EXPECT_LE(error(draw.many(20'000, -range, range), GetParam()), 4e-16) << range;
    for (const double range : {1e6, 1e8}) EXPECT_LE(error(draw.many(20'000, -range, range), GetParam()), 4e-16 * range / 1e4) << range;
}

TEST_P(Trigonometry, HasSineAndCosineNextToMultiplesOfAnEighthTurn) {
    std::vector<double> angles;
    for (int n = -12'000; n <= 12'000; ++n) {  // to 9425
        const double x = n * 0.78539816339744830962;
        angles.insert(angles.end(), {x, std::nextafter(x, -1e9), std::nextafter(x, 1e9)});
    }
    EXPECT_LE(error(angles, GetParam()), 4e-16);
}

TEST_P(Trigonometry, KeepsRelativePrecisionOfSmallSines) {
    Draw draw{2};
    std::vector<double> angles = {std::numeric_limits<double>::denorm_min(), -std::numeric_limits<double>::denorm_min(), 0x1p-1060, 0x1p-1022, 0.0};
    for (int e = -300; e < 0; ++e) angles.push_back(std::pow(10.0, e) * draw.between(-1.0, 1.0));
    std::vector<double> cosine(angles.size());
    std::vector<double> sine(angles.size());
    sincos(angles.size(), angles.data(), cosine.data(), sine.data(), GetParam());
    for (std::size_t i = 0; i < angles.size(); ++i) {
        EXPECT_NEAR(sine[i], std::sin(angles[i]), 2.3e-16 * std::abs(angles[i])) << angles[i];  // one unit in the last place
        EXPECT_NEAR(cosine[i], std::cos(angles[i]), 2.3e-16) << angles[i];
    }
}

TEST_P(Trigonometry, HasNoSineOfWhatItCannotReduce) {
    const double infinite = std::numeric_limits<double>::infinity();
    const std::vector<double> angles = {infinite, -infinite, std::nan(""), 1.1e8, -1.1e8, 1e300, -std::numeric_limits<double>::max(), 1.0, 1e8};
    std::vector<double> cosine(angles.size());
    std::vector<double> sine(angles.size());
    sincos(angles.size(), angles.data(), cosine.data(), sine.data(), GetParam());
    for (std::size_t i = 0; i < angles.size(); ++i) {
        EXPECT_EQ(std::isnan(cosine[i]), i < 7) << angles[i];
        EXPECT_EQ(std::isnan(sine[i]), i < 7) << angles[i];
    }
}

TEST_P(Trigonometry, WritesExactlyAsManySinesAsAsked) {
    for (std::size_t n = 0; n <= 40; ++n) {
        const std::vector<double> angles = Draw{3}.many(n, -10.0, 10.0);
        std::vector<double> cosine(n + 8, 7.0);
        std::vector<double> sine(n + 8, 7.0);
        sincos(n, angles.data(), cosine.data(), sine.data(), GetParam());
        for (std::size_t i = 0; i < n + 8; ++i) {
            EXPECT_NEAR(cosine[i], i < n ? std::cos(angles[i]) : 7.0, 4e-16);
            EXPECT_NEAR(sine[i], i < n ? std::sin(angles[i]) : 7.0, 4e-16);
        }
    }
}

TEST_P(Trigonometry, TurnsThePullIntoTheFrameOfEachPhase) {
    for (std::size_t n = 0; n <= 20; ++n) {
        Draw draw{4};
        const std::vector<double> angle = draw.many(n, -3.0, 3.0);
        const std::vector<double> length = draw.many(n, 0.0, 2.0);
        const std::vector<double> direction = draw.many(n, -3.0, 3.0);
        const std::vector<double> detuning = draw.many(n, -1.0, 1.0);
        std::vector<double> cosine, sine, re, im;
        for (std::size_t i = 0; i < n; ++i) {
            cosine.push_back(std::cos(angle[i]));
            sine.push_back(std::sin(angle[i]));
            re.push_back(length[i] * std::cos(direction[i]));
            im.push_back(length[i] * std::sin(direction[i]));
        }
        std::vector<double> rate(n + 8, 7.0);
        rates(n, cosine.data(), sine.data(), re.data(), im.data(), detuning.data(), rate.data(), GetParam());
        for (std::size_t i = 0; i < n + 8; ++i)  // a handful of roundings of numbers up to 2
            EXPECT_NEAR(rate[i], i < n ? detuning[i] + length[i] * std::sin(direction[i] - angle[i]) : 7.0, 4e-15);
    }
}

TEST(InstructionSets, EndWithTheBest) {
    ASSERT_FALSE(supported().empty());
    EXPECT_EQ(supported().front(), InstructionSet::baseline);
    EXPECT_EQ(supported().back(), best());
    EXPECT_TRUE(std::ranges::is_sorted(supported()));
}

INSTANTIATE_TEST_SUITE_P(Each, Trigonometry, each_set, set_name);

}  // namespace
}  // namespace entrain::kernels

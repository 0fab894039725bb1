#include "core/quantity.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>

namespace entrain {
namespace {

constexpr double pi = std::numbers::pi;

std::string refusal(std::string_view text, std::string_view symbol) {
    try {
        return "accepted as " + std::to_string(parse_quantity(text, symbol));
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
}

TEST(ParseQuantity, GivesTheDoubleNearestToTheDecimalNumber) {
    EXPECT_EQ(parse_quantity("5 GHz", "Hz"), 5e9);
    EXPECT_EQ(parse_quantity("40 ns", "s"), 40e-9);
    EXPECT_EQ(parse_quantity("1 fF", "F"), 1e-15);
    EXPECT_EQ(parse_quantity("3 pF", "F"), 3e-12);
    EXPECT_EQ(parse_quantity("7 uA", "A"), 7e-6);
    EXPECT_EQ(parse_quantity("1 THz", "Hz"), 1e12);
    EXPECT_EQ(parse_quantity("300 K", "K"), 300.0);
    EXPECT_EQ(parse_quantity("2 krad/s", "rad/s"), 2000.0);
    EXPECT_EQ(parse_quantity("1.5 mA/V^2", "A/V^2"), 1.5e-3);
    EXPECT_EQ(parse_quantity("-0.5e-3 V", "V"), -0.5e-3);
    EXPECT_EQ(parse_quantity("20", "1"), 20.0);
    EXPECT_EQ(parse_quantity("20", ""), 20.0);
}

TEST(ParseQuantity, TakesSpacesAndOneSign) {
    EXPECT_EQ(parse_quantity("  +5GHz ", "Hz"), 5e9);
    EXPECT_EQ(parse_quantity("-5   GHz", "Hz"), -5e9);
    EXPECT_EQ(refusal("+-5 GHz", "Hz").substr(0, 27), "'+-5 GHz' is not a quantity");
}

TEST(ParseQuantity, ReadsDegreesAsRadians) {
    EXPECT_EQ(parse_quantity("180 deg", "rad"), pi);
    EXPECT_EQ(parse_quantity("1 rad", "rad"), 1.0);
    EXPECT_EQ(parse_quantity("10 mrad", "rad"), 0.01);
}

TEST(ParseQuantity, TellsMegaFromMilliAndIsNotSpice) {
    EXPECT_EQ(parse_quantity("1 MHz", "Hz"), 1e6);
    EXPECT_EQ(parse_quantity("1 mHz", "Hz"), 1e-3);
    EXPECT_EQ(refusal("1M", "Hz"), "'M' is not a unit of Hz (expected a quantity in Hz, for example '1 GHz').");
    EXPECT_EQ(refusal("1 MEGHz", "Hz").substr(0, 26), "'MEGHz' is not a unit of H");
    EXPECT_EQ(refusal("1 f", "F").substr(0, 22), "'f' is not a unit of F");
    EXPECT_EQ(refusal("1 kk", "1"), "'1 kk' is not a finite number (expected a number without a unit)");
}

TEST(ParseQuantity, SaysThatTheUnitIsMissing) {
    EXPECT_EQ(refusal("5", "Hz"), "'5' has no unit (expected a quantity in Hz, for example '5 GHz').");
    EXPECT_EQ(refusal("0", "K"), "'0' has no unit (expected a quantity in K, for example '0 K').");
    EXPECT_EQ(refusal("2.5", "rad"), "'2.5' has no unit (expected a quantity in rad, for example '2.5 deg').");
}

TEST(ParseQuantity, SuggestsTheUnitMeant) {
    EXPECT_EQ(refusal("5 ghz", "Hz"), "'ghz' is not a unit of Hz (expected a quantity in Hz, for example '5 GHz'). Did you mean 'GHz'?");
    EXPECT_EQ(refusal("5 ns", "Hz"), "'ns' is not a unit of Hz (expected a quantity in Hz, for example '5 GHz').") << "nHz is as near, but not meant";
}

TEST(ParseQuantity, RefusesWhatIsNoFiniteNumber) {
    for (const char* text : {"", " ", "Hz", "nan Hz", ".nan Hz", "inf Hz", "-inf Hz", "1e999 Hz", "1e308 THz", "five Hz", "+ Hz", "-"})
        EXPECT_NE(refusal(text, "Hz").find("is not a quantity (expected a finite number with a unit of Hz, for example '5 GHz')"), std::string::npos)
            << text;
    for (const char* text : {"", "nan", "inf", "1e999", "0x10", "1,5", "1 2", "1_000"})
        EXPECT_NE(refusal(text, "1").find("is not a finite number"), std::string::npos) << text;
    EXPECT_NE(refusal("0x10 Hz", "Hz").find("'x10 Hz' is not a unit"), std::string::npos);
}

TEST(FormatQuantity, IsShortWhereThatIsExact) {
    EXPECT_EQ(format_quantity(5e9, "Hz"), "5 GHz");
    EXPECT_EQ(format_quantity(1e6, "Hz"), "1 MHz");
    EXPECT_EQ(format_quantity(40e-9, "s"), "40 ns");
    EXPECT_EQ(format_quantity(0.0, "K"), "0 K");
    EXPECT_EQ(format_quantity(radians(1.0), "rad"), "1 deg");
    EXPECT_EQ(format_quantity(1.0, "rad"), "1 rad");
    EXPECT_EQ(format_quantity(0.1, "1"), "0.1");
    EXPECT_EQ(format_quantity(-2.5e-12, "F"), "-2.5 pF");
}

TEST(FormatQuantity, ReadsBackToTheSameBits) {
    std::mt19937_64 bits{7};
    int checked = 0;
    while (checked < 20'000) {
        const auto x = std::bit_cast<double>(std::uint64_t{bits()});
        if (!std::isfinite(x) || std::abs(x) < std::numeric_limits<double>::min()) continue;
        const std::string_view symbol = (checked % 3 == 0) ? "Hz" : (checked % 3 == 1) ? "rad" : "1";
        ASSERT_EQ(parse_quantity(format_quantity(x, symbol), symbol), x) << format_quantity(x, symbol);
        ++checked;
    }
    for (int i = -999; i <= 999; ++i) {  // the round numbers people write
        ASSERT_EQ(parse_quantity(format_quantity(i * 1e-10, "s"), "s"), i * 1e-10);
        ASSERT_EQ(parse_quantity(format_quantity(radians(i), "rad"), "rad"), radians(i));
    }
}

TEST(Angular, IsTwoPiTimesTheFrequency) { EXPECT_DOUBLE_EQ(angular(Hertz{1e9}).value(), 6.283185307179586e9); }

TEST(Wrap, KeepsAnglesInTheHalfOpenTurn) {
    EXPECT_EQ(wrap(0.0), 0.0);
    EXPECT_EQ(wrap(1.0), 1.0);
    EXPECT_EQ(wrap(-pi), -pi);
    EXPECT_EQ(wrap(pi), -pi);
    EXPECT_EQ(wrap(std::nextafter(pi, 0.0)), std::nextafter(pi, 0.0));
    EXPECT_EQ(wrap(std::nextafter(-pi, -4.0)), std::nextafter(pi, 0.0));  // one unit in the last place below -pi
    EXPECT_NEAR(wrap(4.0), 4.0 - 2.0 * pi, 1e-15);
    EXPECT_TRUE(std::isnan(wrap(std::numeric_limits<double>::infinity())));
}

TEST(Wrap, KeepsTheDirection) {
    for (int i = -10'000; i <= 10'000; ++i) {
        const double angle = 0.37 * i;
        const double wrapped = wrap(angle);
        ASSERT_GE(wrapped, -pi);
        ASSERT_LT(wrapped, pi);
        // turn is 2 pi within 2.5e-16; 600 turns of it shift the angle by 1.5e-13.
        ASSERT_NEAR(std::cos(wrapped), std::cos(angle), 2e-13);
        ASSERT_NEAR(std::sin(wrapped), std::sin(angle), 2e-13);
    }
}

}  // namespace
}  // namespace entrain

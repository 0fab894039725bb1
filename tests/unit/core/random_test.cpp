#include "core/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace entrain {
namespace {

struct KnownAnswer {
    std::array<std::uint32_t, 4> counter;
    std::array<std::uint32_t, 2> key;
    std::array<std::uint32_t, 4> words;
};

/// Published vectors "philox4x32 10" of the Random123 distribution (kat_vectors; Salmon et al., SC 2011).
constexpr std::array<KnownAnswer, 3> known = {{
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
}};

std::uint64_t pair(std::uint32_t high, std::uint32_t low) { return (std::uint64_t{high} << 32U) | low; }

/// The centre of the 2^-52 wide cell that 64 random bits fall into.
double open_unit(std::uint32_t high, std::uint32_t low) { return std::ldexp(static_cast<double>(pair(high, low) / 4096) + 0.5, -52); }

TEST(RandomStreams, MatchesThePublishedVectors) {
    for (const auto& [counter, key, words] : known) {
        const RandomStreams streams{pair(key[1], key[0]), counter[3]};
        const auto stream = static_cast<Stream>(counter[2]);
        const std::uint64_t i = pair(counter[1], counter[0]);
        const double u = open_unit(words[0], words[1]);
        const double v = open_unit(words[2], words[3]);
        EXPECT_EQ(streams.uniform(stream, i), u);
        // Two correctly rounded libraries may differ in the last place of log and cos.
        EXPECT_NEAR(streams.normal(stream, i), std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * 3.14159265358979323846 * v), 1e-15);
    }
}

std::vector<double> draw(int n, double (RandomStreams::*kind)(Stream, std::uint64_t) const) {
    const RandomStreams streams{42};
    std::vector<double> values;
    for (int i = 0; i < n; ++i) values.push_back((streams.*kind)(Stream::start_phase, static_cast<std::uint64_t>(i)));
    return values;
}

double mean_of(const std::vector<double>& values, int power) {
    return std::accumulate(values.begin(), values.end(), 0.0, [&](double sum, double x) { return sum + std::pow(x, power); }) /
           static_cast<double>(values.size());
}

// Tolerances are five standard errors of the mean of x^k over n draws, sqrt((E x^2k - (E x^k)^2) / n): the seed is fixed, so the test cannot flicker.
constexpr int n = 200'000;
double five_standard_errors(double variance) { return 5.0 * std::sqrt(variance / n); }

TEST(RandomStreams, UniformMomentsAreThoseOfTheUnitInterval) {
    const auto values = draw(n, &RandomStreams::uniform);
    for (int k = 1; k <= 4; ++k) {
        const double moment = 1.0 / (k + 1);
        EXPECT_NEAR(mean_of(values, k), moment, five_standard_errors(1.0 / (2 * k + 1) - moment * moment)) << k;
    }
    EXPECT_GT(*std::min_element(values.begin(), values.end()), 0.0);
    EXPECT_LT(*std::max_element(values.begin(), values.end()), 1.0);
}

TEST(RandomStreams, NormalMomentsAreThoseOfTheStandardNormal) {
    const auto values = draw(n, &RandomStreams::normal);
    const std::array<double, 9> moments = {1, 0, 1, 0, 3, 0, 15, 0, 105};
    for (std::size_t k = 1; k <= 4; ++k)
        EXPECT_NEAR(mean_of(values, static_cast<int>(k)), moments[k], five_standard_errors(moments[2 * k] - moments[k] * moments[k])) << k;
}

TEST(RandomStreams, DoesNotDependOnTheOrderOfUse) {
    const RandomStreams one{7, 3};
    const RandomStreams other{7, 3};
    std::vector<double> forward;
    for (std::uint64_t i = 0; i < 100; ++i) forward.push_back(one.normal(Stream::state_noise, i));
    for (std::uint64_t i = 100; i-- > 0;) EXPECT_EQ(other.normal(Stream::state_noise, i), forward[i]);
}

TEST(RandomStreams, EveryPartOfTheKeyMatters) {
    const double base = RandomStreams{1, 0}.uniform(Stream::start_phase, 0);
    EXPECT_NE(RandomStreams(2, 0).uniform(Stream::start_phase, 0), base);
    EXPECT_NE(RandomStreams(1ULL << 32U | 1U, 0).uniform(Stream::start_phase, 0), base);
    EXPECT_NE(RandomStreams(1, 1).uniform(Stream::start_phase, 0), base);
    EXPECT_NE(RandomStreams(1, 0).uniform(Stream::readout_noise, 0), base);
    EXPECT_NE(RandomStreams(1, 0).uniform(Stream::start_phase, 1), base);
    EXPECT_NE(RandomStreams(1, 0).uniform(Stream::start_phase, 1ULL << 32U), base);
}

TEST(Element, IsUniqueWithinItsLimits) {
    std::vector<std::uint64_t> all;
    for (const std::uint64_t sequence : {0U, 1U, (1U << 20U) - 1})
        for (const std::uint64_t head : {0U, 1U, (1U << 12U) - 1})
            for (const std::uint64_t token : {0U, 1U, (1U << 20U) - 1})
                for (const std::uint64_t component : {0U, 1U, (1U << 12U) - 1}) all.push_back(element(sequence, head, token, component));
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

}  // namespace
}  // namespace entrain

#include "engines/ngspice/chunks.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace entrain::engines::ngspice {
namespace {

using ::testing::ElementsAre;

constexpr problem::PointCost cost{.fixed_s = 2.0, .per_cell_s = 0.5};

double cost_of(const std::vector<double>& periods, const std::vector<std::uint32_t>& chunk, const problem::PointCost& point) {
    double longest = 0.0;
    for (const std::uint32_t i : chunk) longest = std::max(longest, periods[i]);
    return longest * (point.fixed_s + point.per_cell_s * static_cast<double>(chunk.size()));
}

TEST(Chunks, NoNetlistIsLargerThanTheLimit) {
    const auto chunks = split(std::vector<double>(1000, 500.0), cost, 64);
    std::size_t oscillators = 0;
    for (const auto& chunk : chunks) {
        EXPECT_LE(chunk.size(), 64U);
        oscillators += chunk.size();
    }
    EXPECT_EQ(oscillators, 1000U);
}

TEST(Chunks, SlowOscillatorGetsANetlistOfItsOwn) {
    // Together: 1000 (2 + 3/2) = 3500. Apart: 1000 (2 + 1/2) + 10 (2 + 1) = 2530.
    EXPECT_THAT(split(std::vector{10.0, 1000.0, 10.0}, cost, 64), ElementsAre(ElementsAre(1U), ElementsAre(0U, 2U)));
    // Together: 12 (2 + 3/2) = 42. Apart: 12 (2 + 1/2) + 10 (2 + 1) = 60.
    EXPECT_THAT(split(std::vector{10.0, 12.0, 10.0}, cost, 64), ElementsAre(ElementsAre(1U, 0U, 2U)));
}

TEST(Chunks, MoreExpensiveCellsShareLess) {
    // 30 next to 20: together 30 (a + 2 b), apart 30 (a + b) + 20 (a + b).
    const std::vector<double> periods{30.0, 20.0};
    EXPECT_EQ(split(periods, {.fixed_s = 2.0, .per_cell_s = 0.5}, 64).size(), 1U);   // 90 together, 125 apart
    EXPECT_EQ(split(periods, {.fixed_s = 0.1, .per_cell_s = 10.0}, 64).size(), 2U);  // 603 together, 505 apart
}

/// Smallest sum of costs over all partitions of a list sorted slowest first into contiguous parts, by trying all of them.
double least(const std::vector<double>& sorted, const problem::PointCost& point) {
    double best = std::numeric_limits<double>::infinity();
    for (unsigned cuts = 0; cuts < 1U << (sorted.size() - 1); ++cuts) {
        double sum = 0.0;
        std::size_t begin = 0;
        for (std::size_t end = 1; end <= sorted.size(); ++end) {
            if (end < sorted.size() && (cuts >> (end - 1) & 1U) == 0) continue;
            sum += sorted[begin] * (point.fixed_s + point.per_cell_s * static_cast<double>(end - begin));
            begin = end;
        }
        best = std::min(best, sum);
    }
    return best;
}

TEST(Chunks, SplitIsTheBestOfAllSplits) {
    std::vector<double> periods;
    for (int k = 0; k < 12; ++k) periods.push_back(1000.0 * std::exp(-0.3 * k));
    const auto chunks = split(periods, cost, 64);
    double sum = 0.0;
    for (const auto& chunk : chunks) sum += cost_of(periods, chunk, cost);
    EXPECT_NEAR(sum, least(periods, cost), 1e-9 * sum);  // rounding
    EXPECT_GT(chunks.size(), 1U);
    for (std::size_t k = 1; k < chunks.size(); ++k)  // most expensive first, whatever their size
        EXPECT_GE(cost_of(periods, chunks[k - 1], cost), cost_of(periods, chunks[k], cost));
}

TEST(Chunks, NothingToDoIsNoNetlist) { EXPECT_TRUE(split({}, cost, 64).empty()); }

}  // namespace
}  // namespace entrain::engines::ngspice

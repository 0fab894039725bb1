#include "metrics/quantile.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace entrain::metrics {
namespace {

TEST(Quantile, InterpolatesLinearlyBetweenOrderStatistics) {
    // Position p (n - 1) in 10, 20, 40, 80: 0.5 -> 1.5, 0.95 -> 2.85.
    EXPECT_DOUBLE_EQ(quantile({40, 10, 80, 20}, 0.5), 30.0);
    EXPECT_DOUBLE_EQ(quantile({40, 10, 80, 20}, 0.95), 74.0);
    EXPECT_DOUBLE_EQ(quantile({40, 10, 80, 20}, 0.0), 10.0);
    EXPECT_DOUBLE_EQ(quantile({40, 10, 80, 20}, 1.0), 80.0);
    EXPECT_DOUBLE_EQ(quantile({7}, 0.3), 7.0);
}

TEST(Quantile, IsNotANumberWithoutValues) { EXPECT_TRUE(std::isnan(quantile({}, 0.5))); }

TEST(Quantile, AnInfiniteValueSpoilsOnlyQuantilesThatUseIt) {
    const double infinite = std::numeric_limits<double>::infinity();
    EXPECT_DOUBLE_EQ(quantile({1, 2, infinite}, 0.5), 2.0);
    EXPECT_EQ(quantile({1, 2, infinite}, 0.9), infinite);
}

TEST(Quantiles, SummariseByMedianNinetyFifthPercentileAndMaximum) {
    const Quantiles q = quantiles({3, 1, 2, 5, 4});
    EXPECT_DOUBLE_EQ(q.median, 3.0);
    EXPECT_DOUBLE_EQ(q.p95, 4.8);
    EXPECT_DOUBLE_EQ(q.max, 5.0);
}

}  // namespace
}  // namespace entrain::metrics

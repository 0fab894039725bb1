#pragma once
#include <vector>

namespace entrain::metrics {

/// Quantile by linear interpolation between order statistics: position p (n - 1), numpy's default. `p` in [0, 1]; values must be numbers. NaN without
/// values.
[[nodiscard]] double quantile(std::vector<double> values, double p);

/// The summary printed for times, periods and energies.
struct Quantiles {
    double median;
    double p95;
    double max;
};
[[nodiscard]] Quantiles quantiles(std::vector<double> values);

}  // namespace entrain::metrics

#include "metrics/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace entrain::metrics {

namespace {

double of_sorted(const std::vector<double>& sorted, double p) {
    if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
    const double position = p * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    const double weight = position - static_cast<double>(below);
    return weight == 0.0 ? sorted[below] : std::lerp(sorted[below], sorted[above], weight);  // weight 0: no 0 * infinity
}

}  // namespace

double quantile(std::vector<double> values, double p) {
    std::sort(values.begin(), values.end());
    return of_sorted(values, p);
}

Quantiles quantiles(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return {of_sorted(values, 0.5), of_sorted(values, 0.95), of_sorted(values, 1.0)};
}

}  // namespace entrain::metrics

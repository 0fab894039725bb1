#include "engines/ngspice/chunks.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace entrain::engines::ngspice {

std::vector<std::vector<std::uint32_t>> split(std::span<const double> periods, std::size_t largest) {
    std::vector<std::uint32_t> order(periods.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) { return periods[a] > periods[b]; });

    // cheapest[i]: cost of the first i oscillators; begins[i]: where their last netlist begins.
    std::vector<double> cheapest(order.size() + 1, std::numeric_limits<double>::infinity());
    std::vector<std::size_t> begins(order.size() + 1, 0);
    cheapest[0] = 0.0;
    for (std::size_t i = 1; i <= order.size(); ++i) {
        for (std::size_t n = 1; n <= std::min(i, largest); ++n) {
            const double cost = cheapest[i - n] + periods[order[i - n]] * (fixed_point_cost + oscillator_point_cost * static_cast<double>(n));
            if (cost < cheapest[i]) {
                cheapest[i] = cost;
                begins[i] = i - n;
            }
        }
    }
    std::vector<std::vector<std::uint32_t>> chunks;
    for (std::size_t end = order.size(); end > 0; end = begins[end])
        chunks.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(begins[end]), order.begin() + static_cast<std::ptrdiff_t>(end));
    std::ranges::reverse(chunks);
    return chunks;
}

}  // namespace entrain::engines::ngspice

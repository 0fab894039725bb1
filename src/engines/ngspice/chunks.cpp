#include "engines/ngspice/chunks.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace entrain::engines::ngspice {

std::vector<std::vector<std::uint32_t>> split(std::span<const double> periods, const problem::PointCost& cost, std::size_t largest) {
    std::vector<std::uint32_t> order(periods.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) { return periods[a] > periods[b]; });
    const auto netlist_cost = [&](std::size_t begin, std::size_t end) {
        return periods[order[begin]] * (cost.fixed_s + cost.per_cell_s * static_cast<double>(end - begin));
    };

    // cheapest[i]: cost of the first i oscillators; begins[i]: where their last netlist begins.
    std::vector<double> cheapest(order.size() + 1, std::numeric_limits<double>::infinity());
    std::vector<std::size_t> begins(order.size() + 1, 0);
    cheapest[0] = 0.0;
    for (std::size_t i = 1; i <= order.size(); ++i) {
        for (std::size_t n = 1; n <= std::min(i, largest); ++n) {
            const double sum = cheapest[i - n] + netlist_cost(i - n, i);
            if (sum < cheapest[i]) {
                cheapest[i] = sum;
                begins[i] = i - n;
            }
        }
    }
    struct Netlist {
        double cost;
        std::vector<std::uint32_t> oscillators;
    };
    std::vector<Netlist> netlists;
    for (std::size_t end = order.size(); end > 0; end = begins[end])
        netlists.push_back({netlist_cost(begins[end], end),
                            {order.begin() + static_cast<std::ptrdiff_t>(begins[end]), order.begin() + static_cast<std::ptrdiff_t>(end)}});
    std::ranges::reverse(netlists);
    std::ranges::stable_sort(netlists, std::ranges::greater{}, &Netlist::cost);
    std::vector<std::vector<std::uint32_t>> chunks;
    for (Netlist& netlist : netlists) chunks.push_back(std::move(netlist.oscillators));
    return chunks;
}

}  // namespace entrain::engines::ngspice

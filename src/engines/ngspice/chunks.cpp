#include "engines/ngspice/chunks.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace entrain::engines::ngspice {

namespace {

/// Contiguous parts of the sorted list, by where they end, with what they cost.
struct Partition {
    std::vector<std::size_t> begins;  ///< [N + 1] where the part that ends at i begins, in the cheapest partition of the first i
    double sum = std::numeric_limits<double>::infinity();
    double longest = 0.0;
};

/// The cheapest partition of `periods`, slowest first, into parts of at most `largest` that cost at most `bound` each; single oscillators may cost
/// more.
Partition cheapest_partition(std::span<const double> periods, const problem::PointCost& cost, std::size_t largest, double bound) {
    const auto part_cost = [&](std::size_t begin, std::size_t end) {
        return periods[begin] * (cost.fixed_s + cost.per_cell_s * static_cast<double>(end - begin));
    };
    std::vector<double> cheapest(periods.size() + 1, std::numeric_limits<double>::infinity());  // of the first i
    Partition partition{std::vector<std::size_t>(periods.size() + 1, 0)};
    cheapest[0] = 0.0;
    for (std::size_t i = 1; i <= periods.size(); ++i)
        for (std::size_t n = 1; n <= std::min(i, largest); ++n) {
            const double part = part_cost(i - n, i);
            if (n > 1 && part > bound) break;  // more oscillators, and slower ones, cost more
            if (cheapest[i - n] + part < cheapest[i]) {
                cheapest[i] = cheapest[i - n] + part;
                partition.begins[i] = i - n;
            }
        }
    partition.sum = cheapest.back();
    for (std::size_t end = periods.size(); end > 0; end = partition.begins[end])
        partition.longest = std::max(partition.longest, part_cost(partition.begins[end], end));
    return partition;
}

}  // namespace

std::vector<std::vector<std::uint32_t>> split(std::span<const double> periods, const problem::PointCost& cost, std::size_t largest) {
    constexpr int bounds = 5;  // halves: beyond a 32nd of the sum, the longest netlist is no longer what a run waits for
    std::vector<std::uint32_t> order(periods.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) { return periods[a] > periods[b]; });
    std::vector<double> sorted;
    for (const std::uint32_t oscillator : order) sorted.push_back(periods[oscillator]);

    Partition best = cheapest_partition(sorted, cost, largest, std::numeric_limits<double>::infinity());
    double bound = best.sum;
    for (int k = 0; k < bounds; ++k) {
        bound *= 0.5;
        Partition bounded = cheapest_partition(sorted, cost, largest, bound);
        if (bounded.sum + bounded.longest < best.sum + best.longest) best = std::move(bounded);
    }

    struct Netlist {
        double cost;
        std::vector<std::uint32_t> oscillators;
    };
    std::vector<Netlist> netlists;
    for (std::size_t end = order.size(); end > 0; end = best.begins[end]) {
        const std::size_t begin = best.begins[end];
        netlists.push_back({sorted[begin] * (cost.fixed_s + cost.per_cell_s * static_cast<double>(end - begin)),
                            {order.begin() + static_cast<std::ptrdiff_t>(begin), order.begin() + static_cast<std::ptrdiff_t>(end)}});
    }
    std::ranges::reverse(netlists);
    std::ranges::stable_sort(netlists, std::ranges::greater{}, &Netlist::cost);
    std::vector<std::vector<std::uint32_t>> chunks;
    for (Netlist& netlist : netlists) chunks.push_back(std::move(netlist.oscillators));
    return chunks;
}

}  // namespace entrain::engines::ngspice

// Measures the loops of src/kernels and prints {figure: {value, unit, better, note}} as JSON. Processor time of this thread, everything that is
// compared in turns (medians of rounds); no argument.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/coupling_matrix.hpp"
#include "kernels/fixed_query_pass.hpp"
#include "kernels/loops.hpp"
#include "kernels/trigonometry.hpp"

namespace {

using namespace entrain::kernels;

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Seconds {
    double median = 0.0;
    double lower = 0.0;  ///< quartiles
    double upper = 0.0;
};

/// Time of one call of each, measured in turns: `rounds` times all of them, each repeated for at least a millisecond.
std::vector<Seconds> time_in_turns(int rounds, const std::vector<std::function<void()>>& calls) {
    constexpr double shortest = 1e-3;  ///< [s] a thousand times the clock's own cost
    std::vector<int> repeats;
    for (const auto& call : calls) {
        call();
        int n = 1;
        for (;; n *= 2) {
            const double began = thread_seconds();
            for (int i = 0; i < n; ++i) call();
            if (thread_seconds() - began >= shortest) break;
        }
        repeats.push_back(n);
    }
    std::vector<std::vector<double>> times(calls.size());
    for (int round = 0; round < rounds; ++round)
        for (std::size_t c = 0; c < calls.size(); ++c) {
            const double began = thread_seconds();
            for (int i = 0; i < repeats[c]; ++i) calls[c]();
            times[c].push_back((thread_seconds() - began) / repeats[c]);
        }
    std::vector<Seconds> seconds;
    for (std::vector<double>& t : times) {
        std::ranges::sort(t);
        seconds.push_back({t[t.size() / 2], t[t.size() / 4], t[3 * t.size() / 4]});
    }
    return seconds;
}

std::string spread(const Seconds& s) { return fmt::format("{:.3g} us, quartiles {:.3g}..{:.3g}", 1e6 * s.median, 1e6 * s.lower, 1e6 * s.upper); }

class Report {
 public:
    void add(const std::string& name, double value, const char* unit, const char* better, const std::string& note) {
        text_ += fmt::format(R"({}"{}": {{"value": {:.6g}, "unit": "{}", "better": "{}", "note": "{}"}})", text_.empty() ? "" : ",\n ", name, value,
                             unit, better, note);
    }
    void print() const { fmt::print("{{{}}}\n", text_); }

 private:
    std::string text_;
};

std::vector<double> drawn(std::size_t n, double low, double high) {
    static std::mt19937_64 engine{1};
    std::uniform_real_distribution<double> distribution{low, high};
    std::vector<double> numbers(n);
    for (double& x : numbers) x = distribution(engine);
    return numbers;
}

/// Right-hand side dtheta_i/dt = w_i + sum_j A_ij sin(theta_j - theta_i) of a network.
struct Network {
    explicit Network(std::size_t size, const std::vector<Entry>& entries)
        : matrix{coupling_matrix(size, entries)}, angle{drawn(size, -3.0, 3.0)}, detuning{drawn(size, -0.3, 0.3)} {
        work.resize(4 * size);
        rate.resize(size);
    }
    void right_hand_side() { matrix->rates(angle.data(), detuning.data(), work.data(), rate.data()); }
    std::unique_ptr<CouplingMatrix> matrix;
    std::vector<double> angle, detuning, work, rate;
};

volatile double sink = 0.0;  // so that sums are needed

void measure_dense(Report& report) {
    for (const std::size_t n : {98U, 512U, 1024U, 2048U}) {
        std::vector<Entry> entries;
        const std::vector<double> weights = drawn(n * n, 0.0, 2.0 / static_cast<double>(n));
        for (std::uint32_t i = 0; i < n; ++i)
            for (std::uint32_t j = 0; j < n; ++j) entries.push_back({i, j, weights[i * n + j]});
        Network network{n, entries};
        const std::span<const double> stored = network.matrix->stored();
        const auto read = loops(best()).read;
        const auto t = time_in_turns(41, {[&] { sink = read(stored.size(), stored.data()); }, [&] { network.right_hand_side(); },
                                          [&] { sincos(n, network.angle.data(), network.work.data(), network.work.data() + n); }});
        report.add(
            fmt::format("rhs_floor_{}", n), 100.0 * t[0].median / t[1].median, "%", "higher",
            fmt::format("floor: reading {} bytes once takes {} ({:.3g} GB/s); right-hand side {}, of it sincos {:.3g} us; {}", stored.size_bytes(),
                        spread(t[0]), 1e-9 * static_cast<double>(stored.size_bytes()) / t[0].median, spread(t[1]), 1e6 * t[2].median, name(best())));
    }
}

constexpr std::size_t sparse_nodes = 1'000'000;
constexpr std::size_t degree = 8;

/// Each node with 4 neighbours on either side of a ring: what is near in the network is near in memory.
std::vector<std::uint32_t> ring() {
    std::vector<std::uint32_t> column;
    for (std::size_t i = 0; i < sparse_nodes; ++i)
        for (const int step : {-4, -3, -2, -1, 1, 2, 3, 4})
            column.push_back(static_cast<std::uint32_t>((i + sparse_nodes + static_cast<std::size_t>(step)) % sparse_nodes));
    return column;
}

/// Each node with any 8: every entry is a cache line from far away, for both sides of the ratio.
std::vector<std::uint32_t> at_random() {
    std::vector<std::uint32_t> column;
    for (const double x : drawn(sparse_nodes * degree, 0.0, static_cast<double>(sparse_nodes))) column.push_back(static_cast<std::uint32_t>(x));
    return column;
}

void measure_sparse(Report& report, const char* figure, const char* graph, const std::vector<std::uint32_t>& column) {
    const std::vector<double> weights = drawn(sparse_nodes * degree, 0.0, 1.0);
    std::vector<Entry> entries;
    for (std::size_t k = 0; k < column.size(); ++k) entries.push_back({static_cast<std::uint32_t>(k / degree), column[k], weights[k]});
    Network network{sparse_nodes, entries};
    std::vector<double> rate(sparse_nodes);
    const auto textbook = [&] {
        for (std::size_t i = 0; i < sparse_nodes; ++i) {
            rate[i] = network.detuning[i];
            for (std::size_t k = i * degree; k < (i + 1) * degree; ++k) rate[i] += weights[k] * std::sin(network.angle[column[k]] - network.angle[i]);
        }
    };
    const auto t = time_in_turns(9, {textbook, [&] { network.right_hand_side(); }});
    double difference = 0.0;
    for (std::size_t i = 0; i < sparse_nodes; ++i) difference = std::max(difference, std::abs(rate[i] - network.rate[i]));
    if (!(difference < 1e-13)) throw std::runtime_error{fmt::format("the two right-hand sides differ by {:.3g}", difference)};
    report.add(figure, t[0].median / t[1].median, "x", "higher",
               fmt::format("1e6 nodes of degree 8, {}: double loop with std::sin {}; right-hand side {}; {}", graph, spread(t[0]), spread(t[1]),
                           name(best())));
}

void measure_passes(Report& report) {
    constexpr std::size_t n = 98;
    constexpr std::size_t depth = 64;
    constexpr std::size_t model = 64;
    const std::vector<double> phase = drawn(n, -3.0, 3.0);
    std::vector<double> cosine(n), sine(n), x(n), y(n), attention(n * n);
    sincos(n, phase.data(), cosine.data(), sine.data());
    const PlanarPoints anchors{cosine.data(), sine.data()};
    const std::vector<double> detuning = drawn(n, -0.2, 0.2);  // some of the oscillators drift
    const FreeOscillators free{detuning.data(), sine.data(), cosine.data(), 40.0};

    const std::vector<double> weights = drawn(n * n, 0.0, 2.0 / n);
    WeightedPass weighted{n, n, weights.data()};
    const std::vector<double> q = drawn(n * depth, -1.0, 1.0);
    const std::vector<double> k = drawn(n * depth, -1.0, 1.0);
    ScoredPass scored{n, n, depth};
    const std::vector<double> inputs = drawn(n * model, -1.0, 1.0);
    const std::vector<double> w_q = drawn(depth * model, -0.2, 0.2);
    const std::vector<double> w_k = drawn(depth * model, -0.2, 0.2);
    AttentionPass attending{n, model, depth, w_q.data(), w_k.data()};

    const auto t = time_in_turns(41, {[&] { weighted.states(anchors, free, x.data(), y.data()); },
                                      [&] { scored.states(q.data(), k.data(), anchors, free, x.data(), y.data()); },
                                      [&] { attending.rows(inputs.data(), anchors, attention.data()); }});
    report.add("fixed_query_pass_us", 1e6 * t[0].median, "us", "lower",
               fmt::format("N = M = 98, packed weights to states after a given time, locked and drifting: {}; {}", spread(t[0]), name(best())));
    report.add("settled_passes_per_s", 1.0 / t[1].median, "1/s", "higher",
               fmt::format("N = M = 98, d_head = 64, from q and k with exponential coupling: {}; {}", spread(t[1]), name(best())));
    report.add("attention_rows_us", 1e6 * t[2].median, "us", "lower",
               fmt::format("N = M = 98, d_model = d_head = 64, from X with softplus coupling to rows: {}; {}", spread(t[2]), name(best())));
}

}  // namespace

int main() {
    Report report;
    measure_dense(report);
    measure_sparse(report, "sparse_ratio", "a ring of 4 neighbours on either side", ring());
    measure_sparse(report, "sparse_random_ratio", "neighbours at random", at_random());
    measure_passes(report);
    report.print();
    return 0;
}

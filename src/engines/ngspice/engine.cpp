#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numbers>
#include <optional>
#include <thread>

#include "core/error.hpp"
#include "engines/ngspice/checkpoints.hpp"
#include "engines/ngspice/chunk_run.hpp"
#include "engines/ngspice/chunks.hpp"
#include "engines/ngspice/deck_writer.hpp"
#include "engines/ngspice/plugin.hpp"
#include "engines/ngspice/retry_ladder.hpp"
#include "engines/ngspice/worker_client.hpp"

namespace entrain::engines::ngspice {

namespace {

constexpr double start_angle = 0.9 * std::numbers::pi;  // [rad] from equilibrium for predicted times: only one random start in ten is farther

/// UserError for a wanted node that no cell has: it would be missing without a word.
void require_waves(const RunOptions& run, const problem::CircuitProblem& problem) {
    for (const std::string& wave : run.waves)
        if (std::ranges::none_of(problem.cells, [&](const problem::Cell& cell) { return asks_for(wave, cell); }))
            throw UserError{fmt::format("--waves: there is no node '{}' (expected all, or osc_<head>_<token> of a token that is not padded)", wave)};
}

/// Settling time of each oscillator as its rate predicts it, at most its limit, in periods: orders the work and nothing else.
std::vector<double> predicted_periods(const problem::CircuitProblem& problem) {
    std::vector<double> periods;
    for (std::size_t i = 0; i < problem.cells.size(); ++i) {
        double time = 0.0;
        if (problem.fixed_time) {
            time = *problem.fixed_time;
        } else {
            const auto k = static_cast<Eigen::Index>(i);
            time = std::min(problem::predicted_settling_time(problem.rule.rate(k), start_angle, problem.rule.remaining.value()),
                            problem.rule.max_time(k));
        }
        periods.push_back(std::max(std::ceil(time * problem.reference_hz), 1.0));
    }
    return periods;
}

/// The circuit in `stated`, fit to be simulated.
const problem::CircuitProblem& circuit(const problem::Problem& stated) {
    const auto* found = std::get_if<problem::CircuitProblem>(&stated);
    if (found == nullptr) throw std::invalid_argument{"the ngspice engine solves circuits only"};
    const problem::CircuitProblem& problem = *found;
    if (!(problem.reference_hz > 0.0) || problem.points_per_period < 4)
        throw std::logic_error{"a circuit problem needs a reference frequency and at least 4 points per period"};
    if (problem.fixed_time) return problem;
    const auto n = static_cast<Eigen::Index>(problem.cells.size());
    if (problem.rule.rate.size() != n || problem.rule.max_time.size() != n || !problem.rule.max_time.allFinite())
        throw std::logic_error{"a circuit problem needs a rate and a finite time limit per oscillator"};
    return problem;
}

class NgspiceEngine final : public Engine {
 public:
    void describe(FieldVisitor& visitor) override {
        visitor.quantity("deadline", deadline_, {0.0, 1e9, true}, "wall time one netlist may take before its worker is killed");
        visitor.integer("oscillators_per_netlist", oscillators_per_netlist_, 1, 1024,
                        "largest netlist: an accepted point has a fixed cost, but a slow oscillator holds its netlist");
    }

    [[nodiscard]] problem::Fidelity fidelity() const override { return problem::Fidelity::circuit; }

    [[nodiscard]] problem::Solution solve(const problem::Problem& stated, const RunOptions& run) const override;
    [[nodiscard]] CostEstimate estimate(const problem::Problem& stated, const RunOptions& run) const override;

    [[nodiscard]] std::string simulator_version() const override { return Worker{}.version(); }

    [[nodiscard]] std::string deck(const problem::CircuitProblem& problem, const DeckReadout& readout) const override {
        return stand_alone_deck(problem, readout);
    }

 private:
    Seconds deadline_{3600.0};                   // far beyond any netlist of the default size: 1e5 periods of 64 oscillators take some 3 minutes
    std::int64_t oscillators_per_netlist_ = 64;  // 32 to 128 are equally good, larger ones lose to the cache and to their slowest member
};

problem::Solution NgspiceEngine::solve(const problem::Problem& stated, const RunOptions& run) const {
    const problem::CircuitProblem& problem = circuit(stated);
    require_waves(run, problem);
    problem::Solution solution;
    solution.oscillators.resize(problem.cells.size());
    const std::vector<double> periods = predicted_periods(problem);
    const auto chunks = split(periods, problem.point_cost, static_cast<std::size_t>(oscillators_per_netlist_));

    std::optional<Checkpoints> checkpoints;
    if (!run.checkpoint_folder.empty()) checkpoints.emplace(run.checkpoint_folder, run.program, simulator_version());

    std::vector<ChunkOutcome> outcomes(chunks.size());
    std::vector<std::atomic<double>> fractions(chunks.size());
    std::atomic<std::size_t> next{0};
    std::atomic<double> cpu_s{0.0};
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t busy = 0;
    std::exception_ptr error;

    const auto work = [&] {
        try {
            std::unique_ptr<Worker> worker;
            for (std::size_t c = next++; c < chunks.size(); c = next++) {
                const Chunk chunk{static_cast<int>(c), chunks[c]};
                if (checkpoints)
                    if (std::optional<ChunkOutcome> stored = checkpoints->find(ChunkRun{problem, chunk, run})) {
                        outcomes[c] = *std::move(stored);
                        fractions[c] = 1.0;
                        continue;
                    }
                if (run.progress.stop_requested()) {
                    outcomes[c].failure = problem::Failure{"interrupted", "interrupted", chunk.number, chunks[c]};
                    continue;
                }
                outcomes[c] = simulate_with_retries(problem, chunk, run, deadline_, worker, fractions[c], cpu_s);
                if (checkpoints && !outcomes[c].failure) checkpoints->store(ChunkRun{problem, chunk, run}, outcomes[c]);
                fractions[c] = 1.0;
            }
            if (worker) cpu_s += worker->stop();
        } catch (...) {
            const std::lock_guard lock{mutex};
            if (!error) error = std::current_exception();
            next = chunks.size();
        }
        const std::lock_guard lock{mutex};
        --busy;
        changed.notify_all();
    };
    {
        std::vector<std::jthread> threads;
        busy = std::min(static_cast<std::size_t>(std::max(run.jobs, 1)), chunks.size());
        for (std::size_t j = busy; j > 0; --j) threads.emplace_back(work);
        std::unique_lock lock{mutex};
        while (!changed.wait_for(lock, std::chrono::milliseconds{200}, [&] { return busy == 0; })) {
            double done = 0.0;
            double all = 0.0;
            for (std::size_t c = 0; c < chunks.size(); ++c) {
                const double weight = periods[chunks[c].front()] * static_cast<double>(chunks[c].size());
                done += weight * fractions[c];
                all += weight;
            }
            lock.unlock();
            run.progress.report("ngspice", done / all);
            lock.lock();
        }
    }
    if (error) std::rethrow_exception(error);
    run.progress.report("ngspice", 1.0);

    for (std::size_t c = 0; c < chunks.size(); ++c) {
        ChunkOutcome& outcome = outcomes[c];
        if (outcome.failure) {
            std::ranges::sort(outcome.failure->oscillators);
            solution.failures.push_back(std::move(*outcome.failure));
        } else {
            for (std::size_t k = 0; k < chunks[c].size(); ++k) solution.oscillators[chunks[c][k]] = std::move(outcome.oscillators[k]);
        }
        solution.retries.insert(solution.retries.end(), outcome.retries.begin(), outcome.retries.end());
        solution.cost.simulated_periods += outcome.periods;
        solution.cost.points += outcome.points;
        solution.cost.newton_iterations += outcome.newton_iterations;
        solution.cost.oscillator_periods += outcome.periods * static_cast<double>(chunks[c].size());
        solution.cost.longest_periods = std::max(solution.cost.longest_periods, outcome.periods);
    }
    solution.cost.cpu_s = cpu_s;
    return solution;
}

CostEstimate NgspiceEngine::estimate(const problem::Problem& stated, const RunOptions& run) const {
    const problem::CircuitProblem& problem = circuit(stated);
    const std::vector<double> periods = predicted_periods(problem);
    const auto chunks = split(periods, problem.point_cost, static_cast<std::size_t>(oscillators_per_netlist_));
    CostEstimate estimate;
    estimate.netlists = static_cast<int>(chunks.size());
    double work = 0.0;
    double longest = 0.0;
    for (const auto& chunk : chunks) {
        estimate.simulated_periods += periods[chunk.front()];
        const double seconds = periods[chunk.front()] * problem::steps_per_period(problem.points_per_period) *
                               (problem.point_cost.fixed_s + problem.point_cost.per_cell_s * static_cast<double>(chunk.size()));
        work += seconds;
        longest = std::max(longest, seconds);
    }
    const double workers = std::min(std::max(run.jobs, 1), estimate.netlists);
    estimate.wall_s = std::max(work / std::max(workers, 1.0), longest);
    constexpr double bytes_per_sample = 3 * sizeof(double);  // time, phase, energy
    constexpr double bytes_per_worker = 15e6;                // resident size of a worker with a netlist of the default size
    for (const double p : periods) estimate.memory_bytes += bytes_per_sample * std::min(p, static_cast<double>(problem::Trajectory::capacity));
    estimate.memory_bytes += workers * bytes_per_worker;
    return estimate;
}

}  // namespace

std::unique_ptr<Engine> create() { return std::make_unique<NgspiceEngine>(); }

}  // namespace entrain::engines::ngspice

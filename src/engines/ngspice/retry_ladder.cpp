#include "engines/ngspice/retry_ladder.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace entrain::engines::ngspice {

namespace {

bool is_one_of(std::span<const std::string_view> words, const std::string& word) { return std::ranges::find(words, word) != words.end(); }

constexpr std::array<std::string_view, 2> out_of_time = {"interrupted", "timeout"};
/// What happens between the first step and the last: a netlist that is refused when it is loaded is refused at any step.
constexpr std::array<std::string_view, 5> of_the_integration = {"operating_point", "timestep", "not_finite", "incomplete", "crash"};

}  // namespace

ChunkOutcome simulate_with_retries(const problem::CircuitProblem& problem, const Chunk& chunk, const RunOptions& run, Seconds deadline,
                                   std::unique_ptr<Worker>& worker, std::atomic<double>& fraction, std::atomic<double>& cpu_s) {
    ChunkOutcome outcome;
    bool killed = false;
    const auto simulate = [&](const problem::CircuitProblem& circuit) {
        if (!worker) worker = std::make_unique<Worker>();
        killed = false;
        try {
            outcome = ChunkRun{circuit, chunk, run}.simulate(*worker, deadline, fraction);
        } catch (const WorkerLost& lost) {
            killed = lost.killed_from_outside();
            outcome = {};
            outcome.failure = problem::Failure{lost.category(), lost.what(), chunk.number, {chunk.cells.begin(), chunk.cells.end()}};
        }
        if (!outcome.failure && !worker->worn_out()) return;
        cpu_s += worker->stop();
        worker.reset();
    };
    std::vector<problem::Retry> retries;
    const auto simulate_again = [&](const problem::CircuitProblem& circuit, const char* change) {
        retries.push_back({chunk.number, outcome.failure->category, outcome.failure->message, change, false});
        simulate(circuit);
        retries.back().ok = !outcome.failure;
    };
    simulate(problem);
    if (outcome.failure && !is_one_of(out_of_time, outcome.failure->category)) simulate_again(problem, "fresh worker");
    if (outcome.failure && !killed && is_one_of(of_the_integration, outcome.failure->category) && problem.half_step_hz > 0.0)
        simulate_again(problem::at_half_step(problem), "half step");
    outcome.retries = std::move(retries);
    return outcome;
}

}  // namespace entrain::engines::ngspice

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <limits>
#include <mutex>
#include <numbers>
#include <numeric>
#include <optional>
#include <thread>

#include "core/error.hpp"
#include "engines/ngspice/chunks.hpp"
#include "engines/ngspice/deck_writer.hpp"
#include "engines/ngspice/oscillator_log.hpp"
#include "engines/ngspice/plugin.hpp"
#include "engines/ngspice/worker_client.hpp"
#include "io/rawfile.hpp"

namespace entrain::engines::ngspice {

namespace {

constexpr double start_angle = 0.9 * std::numbers::pi;  // [rad] from equilibrium for predicted times: only one random start in ten is farther
constexpr double shortest_run = 4.0;                    // periods: ngspice's first step depends on the stop time when that is below 100 steps
constexpr double judge_interval = 0.25;                 // in contraction times of the slowest oscillator: an overrun of a few percent
constexpr double least_judge_periods = final_periods;
constexpr double most_judge_periods = 2000.0;  // bounds the worker's memory and the time between two progress reports
constexpr int attempts = 2;

std::chrono::steady_clock::time_point after(Seconds wait) {
    return std::chrono::steady_clock::now() +
           std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(wait.value()));
}

bool waves_wanted(const RunOptions& run, const problem::Cell& cell) {
    const std::string name = fmt::format("osc_{}_{}", cell.id.head, cell.id.token);
    return std::ranges::any_of(run.waves, [&](const std::string& wave) { return wave == name || wave == "all"; });
}

/// UserError for a wanted node that no cell has: it would be missing without a word.
void require_waves(const RunOptions& run, const problem::CircuitProblem& problem) {
    for (const std::string& wave : run.waves) {
        RunOptions one;
        one.waves = {wave};
        if (std::ranges::none_of(problem.cells, [&](const problem::Cell& cell) { return waves_wanted(one, cell); }))
            throw UserError{fmt::format("--waves: there is no node '{}' (expected all, or osc_<head>_<token> of a token that is not padded)", wave)};
    }
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

/// A netlist's result.
struct ChunkOutcome {
    std::vector<problem::OscillatorSolution> oscillators;
    std::optional<problem::Failure> failure;
    double periods = 0.0;
    double points = 0.0;
    double newton_iterations = 0.0;
};

/// One netlist from load to finish.
class ChunkRun {
 public:
    ChunkRun(const problem::CircuitProblem& problem, std::span<const std::uint32_t> cells, int number, const RunOptions& run,
             std::atomic<double>& fraction)
        : problem_{problem}, cells_{cells}, number_{number}, run_{run}, fraction_{fraction}, period_{1.0 / problem.reference_hz} {}

    /// WorkerLost if the worker is of no more use; a simulation that failed is in the outcome.
    [[nodiscard]] ChunkOutcome simulate(Worker& worker, Seconds deadline) const {
        const Patience patience{after(deadline), run_.progress.stop};
        std::vector<OscillatorLog> logs(cells_.size(), OscillatorLog{period_, problem_.start_amplitude, problem_.phase_terms});
        std::vector<std::int32_t> harmonics{1};
        for (const problem::PhaseTerm& term : problem_.phase_terms) harmonics.push_back(term.order);
        const double limit = periods_limit();
        Netlist netlist = worker_netlist(problem_, cells_, std::max(limit + 1.0, shortest_run) * period_);
        Load load{std::move(netlist.lines),
                  std::move(netlist.signals),
                  std::move(netlist.sources),
                  problem_.reference_hz,
                  std::max(limit + 1.0, shortest_run) * period_,
                  problem::step_s(problem_),
                  std::move(harmonics),
                  {}};
        const std::unique_ptr<io::RawWriter> waves = open_waves(load);
        std::vector<double> recorded;
        if (problem_.recorded_periods > 0) {
            load.waves.resize(load.signals.size());
            std::iota(load.waves.begin(), load.waves.end(), 0U);
        }
        const double recorded_from = (limit - problem_.recorded_periods) * period_;

        ChunkOutcome outcome;
        Status status = worker.load(load, patience);
        double done = 0.0;
        double next = judge_periods(std::vector<bool>(cells_.size(), false));
        while (status.category.empty()) {
            done = std::min(done + next, limit);
            status = worker.advance({done * period_, {}}, patience, [&](std::span<const double> points) {
                const std::size_t width = load.waves.size() + 1;
                for (std::size_t begin = 0; begin + width <= points.size(); begin += width) {
                    const auto point = points.subspan(begin, width);
                    if (waves) waves->append(in_volts(point));
                    if (problem_.recorded_periods > 0 && point.front() >= recorded_from && point.front() <= limit * period_)
                        recorded.insert(recorded.end(), point.begin(), point.end());
                }
            });
            take(worker.read(patience), load, logs, done);
            fraction_ = std::max(fraction_.load(), done / limit);
            if (!status.category.empty() || done >= limit) break;
            if (problem_.fixed_time) continue;
            std::vector<bool> over;
            for (std::size_t k = 0; k < cells_.size(); ++k) over.push_back(judge(logs[k], k));
            if (std::ranges::all_of(over, [](bool b) { return b; })) break;
            next = judge_periods(over);
        }
        outcome.periods = done;
        outcome.points = static_cast<double>(status.points);
        outcome.newton_iterations = static_cast<double>(status.newton_iterations);
        if (!status.category.empty()) {
            outcome.failure = problem::Failure{status.category, status.message, number_, {cells_.begin(), cells_.end()}};
            return outcome;
        }
        static_cast<void>(worker.finish(patience));
        if (waves) waves->finish();
        for (std::size_t k = 0; k < cells_.size(); ++k) {
            if (!problem_.fixed_time) judge(logs[k], k);
            outcome.oscillators.push_back(problem_.fixed_time ? logs[k].bench_solution() : logs[k].solution());
            if (problem_.recorded_periods > 0) outcome.oscillators.back().recording = recording(recorded, k);
        }
        return outcome;
    }

 private:
    /// Periods after which the netlist ends in any case.
    [[nodiscard]] double periods_limit() const {
        if (problem_.fixed_time) return std::max(std::round(*problem_.fixed_time * problem_.reference_hz), 1.0);
        double longest = 0.0;
        for (const std::uint32_t c : cells_) longest = std::max(longest, problem_.rule.max_time(c));
        return std::max(std::ceil(longest * problem_.reference_hz), least_judge_periods);
    }

    bool judge(OscillatorLog& log, std::size_t k) const {
        return log.judge(problem_.rule.rate(cells_[k]), problem_.rule.max_time(cells_[k]), problem_.rule);
    }

    /// Periods to the next look at the trajectories.
    [[nodiscard]] double judge_periods(const std::vector<bool>& over) const {
        if (problem_.fixed_time) return most_judge_periods;
        double slowest = std::numeric_limits<double>::infinity();
        for (std::size_t k = 0; k < cells_.size(); ++k)
            if (!over[k]) slowest = std::min(slowest, problem_.rule.rate(cells_[k]));
        return std::clamp(std::floor(judge_interval * problem_.reference_hz / slowest), least_judge_periods, most_judge_periods);
    }

    /// Appends whole periods up to `limit`; the pause comes a point or two later and may complete none beyond it.
    void take(const Periods& periods, const Load& load, std::vector<OscillatorLog>& logs, double limit) const {
        const std::size_t orders = load.harmonics.size();
        const std::size_t width = 2 * orders + 3;  // phasors (re, im), mean, mean square, power
        const double volts = problem_.volt_scale;
        for (std::uint64_t p = 0; p < periods.count && static_cast<double>(periods.first + p) < limit; ++p) {
            for (std::size_t k = 0; k < logs.size(); ++k) {
                const double* v = &periods.values[(p * load.signals.size() + k) * width];
                PeriodSample sample{
                    {volts * v[0], volts * v[1]}, {}, volts * volts * v[2 * orders + 1], volts * problem_.ampere_scale * v[2 * orders + 2]};
                for (std::size_t h = 1; h < orders; ++h) sample.harmonics.emplace_back(volts * v[2 * h], volts * v[2 * h + 1]);
                logs[k].append(sample);
            }
        }
    }

    /// A point of the waves, time first, in physical volts.
    [[nodiscard]] std::vector<double> in_volts(std::span<const double> point) const {
        std::vector<double> values{point.begin(), point.end()};
        for (std::size_t k = 1; k < values.size(); ++k) values[k] *= problem_.volt_scale;
        return values;
    }

    /// Waveforms of cell k out of points that hold time, the read port of every cell and the states of every cell.
    [[nodiscard]] problem::Recording recording(const std::vector<double>& points, std::size_t k) const {
        const std::size_t states = problem_.cell.states.size();
        const std::size_t width = 1 + cells_.size() * (1 + states);
        problem::Recording result;
        result.states.resize(states);
        for (std::size_t begin = 0; begin + width <= points.size(); begin += width) {
            result.time.push_back(points[begin]);
            result.read.push_back(points[begin + 1 + k]);
            for (std::size_t s = 0; s < states; ++s) result.states[s].push_back(points[begin + 1 + cells_.size() + k * states + s]);
        }
        return result;
    }

    std::unique_ptr<io::RawWriter> open_waves(Load& load) const {
        io::RawHeader header{fmt::format("entrain netlist {}", number_), "", "Transient Analysis", {{"time", "time"}}};
        for (std::size_t k = 0; k < cells_.size(); ++k) {
            const problem::Cell& cell = problem_.cells[cells_[k]];
            if (!waves_wanted(run_, cell)) continue;
            load.waves.push_back(static_cast<std::uint32_t>(k));
            header.variables.push_back({fmt::format("v(seq{}_osc_{}_{})", cell.id.sequence, cell.id.head, cell.id.token), "voltage"});
        }
        if (load.waves.empty()) return nullptr;
        return std::make_unique<io::RawWriter>(std::filesystem::path{run_.waves_folder} / fmt::format("chunk{}.raw", number_), header);
    }

    const problem::CircuitProblem& problem_;
    std::span<const std::uint32_t> cells_;
    int number_;
    const RunOptions& run_;
    std::atomic<double>& fraction_;
    double period_;
};

class NgspiceEngine final : public Engine {
 public:
    void describe(FieldVisitor& visitor) override {
        visitor.quantity("deadline", deadline_, positive, "wall time one netlist may take before its worker is killed");
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
    /// Simulates one netlist, a second time in a fresh worker if the first ended badly (not for want of time). `worker` is kept for the next netlist
    /// or emptied.
    [[nodiscard]] ChunkOutcome solve_chunk(const ChunkRun& chunk, std::span<const std::uint32_t> cells, int number, std::unique_ptr<Worker>& worker,
                                           std::atomic<double>& cpu_s) const;

    Seconds deadline_{3600.0};                   // far beyond any netlist of the default size: 1e5 periods of 64 oscillators take some 3 minutes
    std::int64_t oscillators_per_netlist_ = 64;  // 32 to 128 are equally good, larger ones lose to the cache and to their slowest member
};

ChunkOutcome NgspiceEngine::solve_chunk(const ChunkRun& chunk, std::span<const std::uint32_t> cells, int number, std::unique_ptr<Worker>& worker,
                                        std::atomic<double>& cpu_s) const {
    ChunkOutcome outcome;
    for (int attempt = 1; attempt <= attempts; ++attempt) {
        if (!worker) worker = std::make_unique<Worker>();
        bool lost = false;
        try {
            outcome = chunk.simulate(*worker, deadline_);
            if (!outcome.failure) return outcome;
        } catch (const WorkerLost& e) {
            outcome.failure = problem::Failure{e.category(), e.what(), number, {cells.begin(), cells.end()}};
            lost = true;
        }
        cpu_s += worker->stop();
        worker.reset();
        // The same netlist would take as long again.
        if (lost && (outcome.failure->category == "interrupted" || outcome.failure->category == "timeout")) break;
    }
    return outcome;
}

problem::Solution NgspiceEngine::solve(const problem::Problem& stated, const RunOptions& run) const {
    const problem::CircuitProblem& problem = circuit(stated);
    require_waves(run, problem);
    problem::Solution solution;
    solution.oscillators.resize(problem.cells.size());
    const std::vector<double> periods = predicted_periods(problem);
    const auto chunks = split(periods, problem.point_cost, static_cast<std::size_t>(oscillators_per_netlist_));

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
                const int number = static_cast<int>(c);
                if (run.progress.stop_requested()) {
                    outcomes[c].failure = problem::Failure{"interrupted", "interrupted", number, chunks[c]};
                    continue;
                }
                outcomes[c] = solve_chunk(ChunkRun{problem, chunks[c], number, run, fractions[c]}, chunks[c], number, worker, cpu_s);
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

#include "engines/ngspice/chunk_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "engines/ngspice/deck_writer.hpp"

namespace entrain::engines::ngspice {

namespace {

constexpr double shortest_run = 4.0;     // periods: ngspice's first step depends on the stop time when that is below 100 steps
constexpr double judge_interval = 0.25;  // in contraction times of the slowest oscillator: an overrun of a few percent
constexpr double least_judge_periods = final_periods;
constexpr double most_judge_periods = 2000.0;  // bounds the worker's memory and the time between two progress reports

std::chrono::steady_clock::time_point after(Seconds wait) {
    return std::chrono::steady_clock::now() +
           std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(wait.value()));
}

}  // namespace

bool asks_for(const std::string& wave, const problem::Cell& cell) {
    return wave == "all" || wave == fmt::format("osc_{}_{}", cell.id.head, cell.id.token);
}

ChunkRun::ChunkRun(const problem::CircuitProblem& problem, const Chunk& chunk, const RunOptions& run)
    : problem_{problem}, chunk_{chunk}, run_{run}, period_{1.0 / problem.reference_hz} {
    const double stop_time = std::max(periods_limit() + 1.0, shortest_run) * period_;
    Netlist netlist = worker_netlist(problem_, chunk_.cells, stop_time);
    std::vector<std::int32_t> harmonics{1};
    for (const problem::PhaseTerm& term : problem_.phase_terms) harmonics.push_back(term.order);
    load_ = {std::move(netlist.lines),
             std::move(netlist.signals),
             std::move(netlist.sources),
             problem_.reference_hz,
             stop_time,
             problem::step_s(problem_),
             std::move(harmonics),
             {},
             problem_.warm_up_periods * period_,
             problem_.dialect.behavior};
    for (std::size_t k = 0; k < chunk_.cells.size(); ++k) {
        const problem::Cell& cell = problem_.cells[chunk_.cells[k]];
        if (std::ranges::none_of(run_.waves, [&](const std::string& wave) { return asks_for(wave, cell); })) continue;
        load_.waves.push_back(static_cast<std::uint32_t>(k));
        waves_.push_back(fmt::format("v(seq{}_osc_{}_{})", cell.id.sequence, cell.id.head, cell.id.token));
    }
    if (problem_.recorded_periods > 0) {
        load_.waves.resize(load_.signals.size());
        std::iota(load_.waves.begin(), load_.waves.end(), 0U);
    }
}

ChunkOutcome ChunkRun::simulate(Worker& worker, Seconds deadline, std::atomic<double>& fraction) const {
    const Patience patience{after(deadline), run_.progress.stop};
    std::vector<OscillatorLog> logs(chunk_.cells.size(), OscillatorLog{period_, problem_.start_amplitude, problem_.phase_terms});
    const double limit = periods_limit();
    const std::unique_ptr<io::RawWriter> waves = open_waves();
    std::vector<double> recorded;
    std::uint64_t streamed = 0;
    const double recorded_from = (limit - problem_.recorded_periods) * period_;

    ChunkOutcome outcome;
    Status status = worker.load(load_, patience);
    double done = 0.0;
    double next = judge_periods(std::vector<bool>(chunk_.cells.size(), false));
    while (!failed(status)) {
        done = std::min(done + next, limit);
        status = worker.advance({done * period_, {}}, patience, [&](std::span<const double> points) {
            const std::size_t width = load_.waves.size() + 1;
            streamed += points.size() / width;
            if (streamed > most_points(load_)) throw WorkerLost{"crash", "the simulator sends points without end"};
            for (std::size_t begin = 0; begin + width <= points.size(); begin += width) {
                const auto point = points.subspan(begin, width);
                if (waves) waves->append(in_volts(point));
                if (problem_.recorded_periods > 0 && point.front() >= recorded_from && point.front() <= limit * period_)
                    recorded.insert(recorded.end(), point.begin(), point.end());
            }
        });
        take(worker.read(patience), logs, done);
        fraction = std::max(fraction.load(), done / limit);
        if (failed(status) || done >= limit) break;
        if (problem_.fixed_time) continue;
        std::vector<bool> over;
        for (std::size_t k = 0; k < chunk_.cells.size(); ++k) over.push_back(judge(logs[k], k));
        if (std::ranges::all_of(over, [](bool b) { return b; })) break;
        next = judge_periods(over);
    }
    outcome.periods = done;
    outcome.points = static_cast<double>(status.points);
    outcome.newton_iterations = static_cast<double>(status.newton_iterations);
    if (failed(status)) {
        outcome.failure = problem::Failure{status.category, status.message, chunk_.number, {chunk_.cells.begin(), chunk_.cells.end()}};
        return outcome;
    }
    static_cast<void>(worker.finish(patience));
    if (waves) waves->finish();
    for (std::size_t k = 0; k < chunk_.cells.size(); ++k) {
        if (!problem_.fixed_time) judge(logs[k], k);
        outcome.oscillators.push_back(problem_.fixed_time ? logs[k].bench_solution() : logs[k].solution());
        if (problem_.recorded_periods > 0) outcome.oscillators.back().recording = recording(recorded, k);
    }
    return outcome;
}

double ChunkRun::periods_limit() const {
    if (problem_.fixed_time) return std::max(std::round(*problem_.fixed_time * problem_.reference_hz), 1.0);
    double longest = 0.0;
    for (const std::uint32_t c : chunk_.cells) longest = std::max(longest, problem_.rule.max_time(c));
    return std::max(std::ceil(longest * problem_.reference_hz), least_judge_periods);
}

bool ChunkRun::judge(OscillatorLog& log, std::size_t k) const {
    return log.judge(problem_.rule.rate(chunk_.cells[k]), problem_.rule.max_time(chunk_.cells[k]), problem_.rule);
}

/// Periods to the next look at the trajectories.
double ChunkRun::judge_periods(const std::vector<bool>& over) const {
    if (problem_.fixed_time) return most_judge_periods;
    double slowest = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < chunk_.cells.size(); ++k)
        if (!over[k]) slowest = std::min(slowest, problem_.rule.rate(chunk_.cells[k]));
    return std::clamp(std::floor(judge_interval * problem_.reference_hz / slowest), least_judge_periods, most_judge_periods);
}

/// Appends whole periods up to `limit`; the pause comes a point or two later and may complete none beyond it.
void ChunkRun::take(const Periods& periods, std::vector<OscillatorLog>& logs, double limit) const {
    const std::size_t orders = load_.harmonics.size();
    const std::size_t width = 2 * orders + 3;  // phasors (re, im), mean, mean square, power
    const double volts = problem_.volt_scale;
    for (std::uint64_t p = 0; p < periods.count && static_cast<double>(periods.first + p) < limit; ++p) {
        for (std::size_t k = 0; k < logs.size(); ++k) {
            const double* v = &periods.values[(p * load_.signals.size() + k) * width];
            PeriodSample sample{
                {volts * v[0], volts * v[1]}, {}, volts * volts * v[2 * orders + 1], volts * problem_.ampere_scale * v[2 * orders + 2]};
            for (std::size_t h = 1; h < orders; ++h) sample.harmonics.emplace_back(volts * v[2 * h], volts * v[2 * h + 1]);
            logs[k].append(sample);
        }
    }
}

/// A point of the waves, time first, in physical volts.
std::vector<double> ChunkRun::in_volts(std::span<const double> point) const {
    std::vector<double> values{point.begin(), point.end()};
    for (std::size_t k = 1; k < values.size(); ++k) values[k] *= problem_.volt_scale;
    return values;
}

/// Waveforms of cell k out of points that hold time, the read port of every cell and the states of every cell.
problem::Recording ChunkRun::recording(const std::vector<double>& points, std::size_t k) const {
    const std::size_t states = problem_.cell.states.size();
    const std::size_t width = 1 + chunk_.cells.size() * (1 + states);
    problem::Recording result;
    result.states.resize(states);
    for (std::size_t begin = 0; begin + width <= points.size(); begin += width) {
        result.time.push_back(points[begin]);
        result.read.push_back(points[begin + 1 + k]);
        for (std::size_t s = 0; s < states; ++s) result.states[s].push_back(points[begin + 1 + chunk_.cells.size() + k * states + s]);
    }
    return result;
}

std::filesystem::path ChunkRun::rawfile() const { return std::filesystem::path{run_.waves_folder} / fmt::format("chunk{}.raw", chunk_.number); }

std::unique_ptr<io::RawWriter> ChunkRun::open_waves() const {
    if (waves_.empty()) return nullptr;
    io::RawHeader header{fmt::format("entrain netlist {}", chunk_.number), "", "Transient Analysis", {{"time", "time"}}};
    for (const std::string& name : waves_) header.variables.push_back({name, "voltage"});
    return std::make_unique<io::RawWriter>(rawfile(), header);
}

}  // namespace entrain::engines::ngspice

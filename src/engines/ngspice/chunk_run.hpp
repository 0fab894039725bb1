#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/quantity.hpp"
#include "engines/engine.hpp"
#include "engines/ngspice/oscillator_log.hpp"
#include "engines/ngspice/protocol.hpp"
#include "engines/ngspice/worker_client.hpp"
#include "io/rawfile.hpp"
#include "problem/problem.hpp"
#include "problem/solution.hpp"

namespace entrain::engines::ngspice {

/// Oscillators of a problem that share a netlist.
struct Chunk {
    int number = 0;
    std::span<const std::uint32_t> cells;
};

/// What became of a chunk.
struct ChunkOutcome {
    std::vector<problem::OscillatorSolution> oscillators;  ///< in the order of its cells; empty when it failed
    std::optional<problem::Failure> failure;
    std::vector<problem::Retry> retries;
    double periods = 0.0;
    double points = 0.0;
    double newton_iterations = 0.0;
};

/// Whether `wave`, one of RunOptions::waves, asks for the cell's read port.
[[nodiscard]] bool asks_for(const std::string& wave, const problem::Cell& cell);

/// One netlist from load to finish. What it refers to must outlive it.
class ChunkRun {
 public:
    ChunkRun(const problem::CircuitProblem& problem, const Chunk& chunk, const RunOptions& run);

    [[nodiscard]] const problem::CircuitProblem& problem() const { return problem_; }
    [[nodiscard]] const Chunk& chunk() const { return chunk_; }
    /// What the worker is given.
    [[nodiscard]] const Load& load() const { return load_; }
    /// Periods after which the netlist ends in any case.
    [[nodiscard]] double periods_limit() const;
    /// Read ports that the rawfile holds, by name; none = no rawfile.
    [[nodiscard]] const std::vector<std::string>& waves() const { return waves_; }
    [[nodiscard]] std::filesystem::path rawfile() const;

    /// WorkerLost if the worker is of no more use; a simulation that failed is in the outcome. `fraction` grows to the share that is done.
    [[nodiscard]] ChunkOutcome simulate(Worker& worker, Seconds deadline, std::atomic<double>& fraction) const;

 private:
    bool judge(OscillatorLog& log, std::size_t k) const;
    [[nodiscard]] double judge_periods(const std::vector<bool>& over) const;
    void take(const Periods& periods, std::vector<OscillatorLog>& logs, double limit) const;
    [[nodiscard]] std::vector<double> in_volts(std::span<const double> point) const;
    [[nodiscard]] problem::Recording recording(const std::vector<double>& points, std::size_t k) const;
    [[nodiscard]] std::unique_ptr<io::RawWriter> open_waves() const;

    const problem::CircuitProblem& problem_;
    Chunk chunk_;
    const RunOptions& run_;
    double period_;  ///< [s]
    Load load_;
    std::vector<std::string> waves_;
};

}  // namespace entrain::engines::ngspice

#pragma once
#include <atomic>
#include <memory>

#include "core/quantity.hpp"
#include "engines/ngspice/chunk_run.hpp"

namespace entrain::engines::ngspice {

/// Simulates a chunk. What fails is tried again, each step once and recorded in the outcome's retries:
/// 1. the same again in a fresh worker: a process may die of something else than its netlist;
/// 2. at half the time step (problem::at_half_step), where the failure is one that a step can change and the frequency at that step is known;
/// 3. given up: the last failure is the outcome's.
/// Not after "interrupted", nor after "timeout": the same would take as long again, and half the step twice as long. Not at half the step after a
/// worker that was killed from outside: its netlist is not at fault. `worker` is kept for the next
/// chunk, or emptied after any failure and when it is worn out; the CPU time of emptied ones is added to `cpu_s`.
[[nodiscard]] ChunkOutcome simulate_with_retries(const problem::CircuitProblem& problem, const Chunk& chunk, const RunOptions& run, Seconds deadline,
                                                 std::unique_ptr<Worker>& worker, std::atomic<double>& fraction, std::atomic<double>& cpu_s);

}  // namespace entrain::engines::ngspice

#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/fields.hpp"
#include "core/progress.hpp"
#include "problem/problem.hpp"
#include "problem/solution.hpp"

namespace entrain::engines {

/// How to run, as opposed to what: never changes a number of the result.
struct RunOptions {
    int jobs = 1;
    Progress progress;
    std::vector<std::string> waves;  ///< nodes to record as a rawfile (circuits); empty = none
    std::string waves_folder;        ///< where the rawfiles go
    std::string checkpoint_folder;   ///< where finished parts are stored at once and looked for first; "" = nowhere (calibrations)
    std::string program;             ///< version that writes them: parts of another one are not used
};

/// What a run would cost, before running it.
struct CostEstimate {
    double simulated_periods = 0.0;  ///< sum over netlists
    double wall_s = 0.0;
    double memory_bytes = 0.0;
    int netlists = 0;
};

/// What the stand-alone deck must tell its reader beyond the circuit.
struct DeckReadout {
    double offset_rad = 0.0;
    double slope_rad = 0.0;
    int sign = 1;
    double stop_time_s = 0.0;  ///< length of the run
    bool all_waves = false;    ///< save every node
};

/// Solves problems of one fidelity.
class Engine {
 public:
    virtual ~Engine() = default;

    /// The options of `engine:` that belong to this engine alone (tolerances, deadlines). points_per_period and crossbar are common to all.
    virtual void describe(FieldVisitor& visitor) = 0;
    [[nodiscard]] virtual problem::Fidelity fidelity() const = 0;

    /// Solves a problem whose variant matches fidelity(); std::invalid_argument for another variant. Simulations that fail are listed in
    /// Solution::failures, not thrown. Throws MissingComponent when a part of the installation is missing; on Progress::stop returns what it has with
    /// failures of category "interrupted".
    [[nodiscard]] virtual problem::Solution solve(const problem::Problem& problem, const RunOptions& run) const = 0;

    [[nodiscard]] virtual CostEstimate estimate(const problem::Problem& problem, const RunOptions& run) const = 0;

    /// Version of the simulator behind it, "" if there is none.
    [[nodiscard]] virtual std::string simulator_version() const { return ""; }

    /// The circuit as a stand-alone full-crossbar deck; UserError for engines without netlists.
    [[nodiscard]] virtual std::string deck(const problem::CircuitProblem& problem, const DeckReadout& readout) const;
};

}  // namespace entrain::engines

#include "engines/phase/plugin.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <ctime>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <variant>

#include "core/error.hpp"
#include "engines/phase/dynamics.hpp"
#include "engines/phase/integration.hpp"

namespace entrain::engines::phase {
namespace {

using problem::PhaseProblem;
using problem::Stop;

constexpr double least_drive = 1e-3;               // drive below which a token is degenerate (INTERFACE.md)
constexpr double farthest_start = radians(179.9);  // 1e-3 of random starts are farther
constexpr double stationary_angle = 1e-8;          // [rad] what a run waits for
constexpr double slips_waited = 8.0;               // an oscillator that is only detuned is told after two turns
constexpr double past_limit = 4.0;                 // who settles just in time still shows its limit: 0.02 deg to 1e-8 rad takes 10.5 time constants
constexpr double samples_in_all = 4e6;             // 100 MB of trajectories
constexpr double most_samples = 2000.0;
constexpr double fewest_samples = 50.0;
constexpr double drift_window = 0.05;  // [stop time] for the drift of an oscillator that is still moving

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

const PhaseProblem& phase_problem(const problem::Problem& problem) {
    const auto* phase = std::get_if<PhaseProblem>(&problem);
    if (phase == nullptr) throw std::invalid_argument{"the phase engine solves phase problems only"};
    return *phase;
}

/// How long oscillators are followed [N] [s]: past max_time by so much that the limit of those that settle in time is known, or, where that is
/// infinite (dimensionless problems), what drive 1e-3 of the row sum takes from 179.9 deg to the final state.
Eigen::VectorXd horizons(const PhaseProblem& problem) {
    const Eigen::VectorXd bound = rate_bound(problem);
    Eigen::VectorXd horizon = Eigen::VectorXd::Zero(bound.size());
    for (Eigen::Index i = 0; i < bound.size(); ++i) {
        if (std::isfinite(problem.rule.max_time(i))) {
            horizon(i) = past_limit * problem.rule.max_time(i);
            continue;
        }
        if (bound(i) > 0.0) horizon(i) = problem::predicted_settling_time(least_drive * bound(i), farthest_start, stationary_angle);
        if (problem.detuning(i) != 0.0) horizon(i) = std::max(horizon(i), slips_waited * turn / std::abs(problem.detuning(i)));
    }
    return horizon;
}

problem::OscillatorSolution solution_of(const Dynamics& dynamics, const Run& run, Record& record, std::size_t local, double max_time) {
    const std::size_t c = dynamics.components();
    problem::OscillatorSolution result;
    result.trajectory = std::move(record.trajectories[local]);
    result.stop_time = std::min(run.time, max_time);
    if (run.slips[local]) {
        result.stop = Stop::unlocked;
        // Alone it repeats itself every turn; in a network the mean over the last half of the run is all there is.
        const bool periodic = run.slips.size() == 1 && record.slip_period[local];
        result.frequency_difference = periodic ? std::copysign(turn / *record.slip_period[local], run.mean_drift[local]) : run.mean_drift[local];
    } else if (run.end == End::stationary && record.inner_entry[local] <= max_time) {
        result.stop = Stop::settled;
        result.settling_time = record.entry[local];
    } else {
        result.stop = Stop::time_limit;
        const double window = drift_window * result.stop_time;
        if (c == 1 && window > 0.0)
            result.frequency_difference =
                (result.trajectory.phase_at(result.stop_time) - result.trajectory.phase_at(result.stop_time - window)) / window;
    }
    if (result.stop == Stop::time_limit) {
        result.state = result.trajectory.state_at(result.stop_time);
        if (c == 1) result.phase = result.trajectory.phase_at(result.stop_time);
    } else if (c == 1) {
        result.phase = run.state[local];
        result.state = Eigen::Vector2d{std::cos(result.phase), std::sin(result.phase)};
    } else {
        result.state = Eigen::Map<const Eigen::VectorXd>{run.state.data() + local * c, static_cast<Eigen::Index>(c)}.normalized();
    }
    return result;
}

class PhaseEngine final : public Engine {
 public:
    void describe(FieldVisitor& visitor) override {
        visitor.number("tolerance", tolerance_, {1e-12, 1e-4}, "local error of an integration step [rad]");
    }

    [[nodiscard]] problem::Fidelity fidelity() const override { return problem::Fidelity::phase; }

    [[nodiscard]] problem::Solution solve(const problem::Problem& any, const RunOptions& run) const override {
        const PhaseProblem& problem = phase_problem(any);
        const std::vector<Component> parts = components(problem);
        const Eigen::VectorXd horizon = horizons(problem);
        const double numbers = static_cast<double>(problem.network.size()) * (problem.network.dimension == 2 ? 1.0 : problem.network.dimension);
        const auto samples = static_cast<std::size_t>(std::clamp(samples_in_all / std::max(numbers, 1.0), fewest_samples, most_samples));

        problem::Solution solution;
        solution.oscillators.resize(static_cast<std::size_t>(problem.network.size()));
        std::vector<Part> done(parts.size());
        std::atomic<std::size_t> next{0};
        std::mutex report;
        std::size_t finished = 0;
        const auto work = [&] {
            for (std::size_t k = next++; k < parts.size(); k = next++) {
                done[k] = solve_part(problem, parts[k], horizon, samples, run.progress.stop, solution.oscillators);
                const std::scoped_lock lock{report};
                ++finished;
                if (finished % (parts.size() / 100 + 1) == 0 || finished == parts.size())
                    run.progress.report("phase model", static_cast<double>(finished) / static_cast<double>(parts.size()));
            }
        };
        {
            std::vector<std::jthread> threads;
            for (std::size_t k = 1; k < std::min(static_cast<std::size_t>(std::max(run.jobs, 1)), parts.size()); ++k) threads.emplace_back(work);
            work();
        }

        // In the order of the components, whichever thread solved them.
        for (std::size_t k = 0; k < parts.size(); ++k) {
            if (done[k].error) std::rethrow_exception(done[k].error);
            solution.cost.cpu_s += done[k].cpu_s;
            solution.cost.points += static_cast<double>(done[k].evaluations);
            if (!done[k].category.empty()) solution.failures.push_back({done[k].category, done[k].message, -1, parts[k].oscillators});
        }
        return solution;
    }

    [[nodiscard]] CostEstimate estimate(const problem::Problem& any, const RunOptions& run) const override {
        const PhaseProblem& problem = phase_problem(any);
        // Measured on one core: two passes of 90 steps of six or seven evaluations at the default tolerance, from 1e-3 to 1 of full drive alike.
        constexpr double evaluations = 1300.0;
        constexpr double oscillator_s = 90e-9;
        constexpr double coupling_s = 5e-9;
        constexpr double sample_bytes = 24.0;
        const auto n = static_cast<double>(problem.network.size());
        const auto edges = static_cast<double>(std::count_if(problem.network.couplings.begin(), problem.network.couplings.end(),
                                                             [](const network::Coupling& c) { return c.kind == network::Coupling::From::free; }));
        CostEstimate estimate;
        estimate.wall_s = evaluations * (n * oscillator_s + edges * coupling_s) / std::max(run.jobs, 1);
        estimate.memory_bytes = std::min(samples_in_all, n * most_samples) * sample_bytes;
        return estimate;
    }

 private:
    /// What a thread hands back about one component besides its oscillators.
    struct Part {
        std::size_t evaluations = 0;
        double cpu_s = 0.0;
        std::string category;  ///< of a failure
        std::string message;
        std::exception_ptr error;
    };

    [[nodiscard]] Part solve_part(const PhaseProblem& problem, const Component& component, const Eigen::VectorXd& horizon, std::size_t samples,
                                  const std::atomic<bool>* stop, std::vector<problem::OscillatorSolution>& oscillators) const {
        const double began = cpu_seconds();
        Part part;
        try {
            Limits limits{tolerance_, 0.0, stop};
            for (const std::uint32_t i : component.oscillators) limits.horizon = std::max(limits.horizon, horizon(i));
            const Run run = find_end(*component.dynamics, limits);
            part.evaluations = run.evaluations;
            if (run.end == End::interrupted) {
                part.category = "interrupted";
                part.message = "stopped by the user";
            } else if (run.end == End::not_finite) {
                part.category = "not_finite";
                part.message = "the phase model has drives or starts that are not finite";
            } else {
                Request request{problem.rule.tolerance.value(), problem.rule.remaining.value(), {}, samples};
                for (const std::uint32_t i : component.oscillators) request.until.push_back(std::min(problem.rule.max_time(i), run.time));
                Record found = record(*component.dynamics, limits, run, request);
                part.evaluations += found.evaluations;
                for (std::size_t k = 0; k < component.oscillators.size(); ++k)
                    oscillators[component.oscillators[k]] =
                        solution_of(*component.dynamics, run, found, k, problem.rule.max_time(component.oscillators[k]));
            }
        } catch (const ModelError&) {
            part.error = std::current_exception();
        } catch (const std::runtime_error& error) {  // odeint: no step meets the tolerance
            part.category = "timestep";
            part.message = error.what();
        } catch (...) {
            part.error = std::current_exception();
        }
        part.cpu_s = cpu_seconds() - began;
        return part;
    }

    double tolerance_ = 1e-9;
};

}  // namespace

std::unique_ptr<Engine> create() { return std::make_unique<PhaseEngine>(); }

}  // namespace entrain::engines::phase

#include "engines/phase/plugin.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <thread>
#include <variant>

#include "closed_form/approach.hpp"
#include "core/error.hpp"
#include "engines/phase/dynamics.hpp"
#include "engines/phase/integration.hpp"
#include "engines/phase/noise.hpp"
#include "engines/phase/partition.hpp"

namespace entrain::engines::phase {
namespace {

using closed_form::Approach;
using problem::PhaseProblem;
using problem::Stop;

constexpr double least_drive = 1e-3;               // drive below which a token is degenerate (INTERFACE.md)
constexpr double farthest_start = radians(179.9);  // 1e-3 of random starts are farther
constexpr double stationary_angle = 1e-8;          // [rad] what a run waits for
constexpr double slips_waited = 8.0;               // an oscillator that is only detuned is told after two turns
constexpr double past_limit = 4.0;                 // who settles just in time still shows its limit: 0.02 deg to 1e-8 rad takes 10.5 time constants
constexpr double samples_in_all = 4e6;             // 100 MB of integrated trajectories; of many oscillators each keeps fewest_samples
constexpr double most_samples = 2000.0;
constexpr double fewest_samples = 50.0;
constexpr double samples_of_approach = 100.0;    // in closed form, see closed_form::Approach
constexpr std::size_t path_bytes = 256'000'000;  // of integrated runs that are kept, all threads together
constexpr double drift_window = 0.05;            // [stop time] for the drift of an oscillator that is still moving

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

/// How long an oscillator is followed [s]: past max_time by so much that the limit of those that settle in time is known, or, where that is infinite
/// (dimensionless problems), what drive 1e-3 of the row sum takes from 179.9 deg to the final state.
double horizon(const PhaseProblem& problem, const Partition& parts, std::uint32_t i) {
    if (std::isfinite(problem.rule.max_time(i))) return past_limit * problem.rule.max_time(i);
    const double bound = parts.rate_bound(i);
    double time = 0.0;
    if (bound > 0.0) time = problem::predicted_settling_time(least_drive * bound, farthest_start, stationary_angle);
    if (problem.detuning(i) != 0.0) time = std::max(time, slips_waited * turn / std::abs(problem.detuning(i)));
    return time;
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

/// Of an oscillator that jitters: what has settled is the mean over the last two thirds of its time, as the circuits are read.
problem::OscillatorSolution solution_of(NoisyOscillator&& one) {
    problem::OscillatorSolution result;
    result.trajectory = std::move(one.trajectory);
    const std::size_t first = result.trajectory.size() / 3;
    for (std::size_t k = first; k < result.trajectory.size(); ++k)
        result.phase += result.trajectory.phase(k) / static_cast<double>(result.trajectory.size() - first);
    result.state = Eigen::Vector2d{std::cos(result.phase), std::sin(result.phase)};
    result.frequency_difference = one.drift;
    result.stop_time = one.settled_at.value_or(one.stop_time);
    result.stop = one.settled_at ? Stop::settled : one.slips ? Stop::unlocked : Stop::time_limit;
    return result;
}

class PhaseEngine final : public Engine {
 public:
    void describe(FieldVisitor& visitor) override {
        visitor.choice("method", method_, {{"auto", Method::automatic}, {"dopri5", Method::dopri5}, {"fehlberg78", Method::fehlberg78}},
                       "integration method; auto is the faster one at the tolerance, and a closed form for oscillators that only sinusoidal anchors "
                       "act on. Delays are "
                       "integrated with a fixed step of order 4 whatever it is");
        visitor.number("tolerance", tolerance_, {1e-12, 1e-4}, "local error of an integration step [rad]");
        visitor.choice("noise_method", noise_scheme_, {{"heun", NoiseScheme::heun}, {"euler_maruyama", NoiseScheme::euler_maruyama}},
                       "integration method of oscillators with phase noise");
    }

    [[nodiscard]] problem::Fidelity fidelity() const override { return problem::Fidelity::phase; }

    [[nodiscard]] problem::Solution solve(const problem::Problem& any, const RunOptions& run) const override {
        const double began = cpu_seconds();
        const PhaseProblem& problem = phase_problem(any);
        const Partition parts{problem};
        const double numbers = static_cast<double>(problem.network.size()) * (problem.network.dimension == 2 ? 1.0 : problem.network.dimension);
        const auto samples = static_cast<std::size_t>(std::clamp(samples_in_all / std::max(numbers, 1.0), fewest_samples, most_samples));
        const std::size_t threads =
            std::clamp<std::size_t>(static_cast<std::size_t>(std::max(run.jobs, 1)), 1, std::max<std::size_t>(parts.size(), 1));
        const Task task{problem, parts, samples, path_bytes / threads, run.progress.stop};

        problem::Solution solution;
        solution.oscillators.resize(static_cast<std::size_t>(problem.network.size()));
        std::vector<Part> done(parts.size());
        std::atomic<std::size_t> next{0};
        std::mutex report;
        std::size_t finished = 0;
        const auto work = [&] {
            for (std::size_t k = next++; k < parts.size(); k = next++) {
                done[k] = solve_part(task, k, solution.oscillators);
                const std::scoped_lock lock{report};
                ++finished;
                if (finished % (parts.size() / 100 + 1) == 0 || finished == parts.size())
                    run.progress.report("phase model", static_cast<double>(finished) / static_cast<double>(parts.size()));
            }
        };
        std::atomic<double> elsewhere{0.0};  ///< [s] of the other threads
        {
            std::vector<std::jthread> others;
            for (std::size_t k = 1; k < threads; ++k)
                others.emplace_back([&] {
                    work();
                    elsewhere += cpu_seconds();
                });
            work();
        }
        solution.cost.cpu_s = cpu_seconds() - began + elsewhere;

        // In the order of the components, whichever thread solved them.
        for (std::size_t k = 0; k < parts.size(); ++k) {
            if (done[k].error) std::rethrow_exception(done[k].error);
            solution.cost.points += static_cast<double>(done[k].evaluations);
            if (!done[k].category.empty()) {
                const auto members = parts.oscillators(k);
                solution.failures.push_back({done[k].category, done[k].message, -1, {members.begin(), members.end()}});
            }
        }
        return solution;
    }

    [[nodiscard]] CostEstimate estimate(const problem::Problem& any, const RunOptions& run) const override {
        const PhaseProblem& problem = phase_problem(any);
        // Measured on one core at the default tolerance: from 1e-3 to 1 of full drive alike an oscillator alone takes 480 evaluations; of a network
        // some hundred up to ten thousand, by how slow its slowest mode is. A coupling's share of an evaluation is 0.1 ns in a cache, 0.4 ns beyond.
        constexpr double oscillator_s = 60e-6;  // alone, or the sines and samples of one in a network
        constexpr double evaluations = 2000.0;
        constexpr double coupling_s = 0.2e-9;
        constexpr double building_s = 20e-9;  // of a coupling, once
        constexpr double samples = 500.0;
        constexpr double sample_bytes = 36.0;    // vectors grow by doubling
        constexpr double coupling_bytes = 80.0;  // of the component being built: list, sorted list and matrix
        const Partition parts{problem};
        const auto n = static_cast<double>(problem.network.size());
        double couplings = 0.0;
        double largest = 0.0;
        for (std::size_t k = 0; k < parts.size(); ++k) {
            const auto inner = static_cast<double>(parts.free_couplings(k));
            couplings += inner;
            largest = std::max(largest, inner);
        }
        const double threads = std::clamp(static_cast<double>(run.jobs), 1.0, std::max(static_cast<double>(parts.size()), 1.0));
        CostEstimate estimate;
        estimate.wall_s = (n * oscillator_s + couplings * (evaluations * coupling_s + building_s)) / threads;
        estimate.memory_bytes =
            std::max(std::min(samples_in_all, n * samples), n * samples_of_approach) * sample_bytes + threads * largest * coupling_bytes;
        return estimate;
    }

 private:
    /// What every thread works on.
    struct Task {
        const PhaseProblem& problem;
        const Partition& parts;
        std::size_t samples;
        std::size_t path_bytes;
        const std::atomic<bool>* stop;
    };

    /// What a thread hands back about one component besides its oscillators.
    struct Part {
        std::size_t evaluations = 0;
        std::string category;  ///< of a failure
        std::string message;
        std::exception_ptr error;
    };

    using Solutions = std::vector<problem::OscillatorSolution>;

    [[nodiscard]] Part solve_part(const Task& task, std::size_t component, Solutions& oscillators) const {
        Part part;
        try {
            part = solved(task, component, oscillators);
        } catch (const ModelError&) {
            part.error = std::current_exception();
        } catch (const std::runtime_error& error) {  // no step meets the tolerance
            part.category = "timestep";
            part.message = error.what();
        } catch (...) {
            part.error = std::current_exception();
        }
        return part;
    }

    /// Chooses how a component is solved.
    [[nodiscard]] Part solved(const Task& task, std::size_t component, Solutions& oscillators) const {
        if (task.stop != nullptr && task.stop->load(std::memory_order_relaxed)) return interrupted({});
        const auto members = task.parts.oscillators(component);
        const auto jitters = [&](std::uint32_t i) { return task.problem.diffusion(i) > 0.0; };
        if (task.problem.diffusion.size() > 0 && std::any_of(members.begin(), members.end(), jitters)) return jittered(task, component, oscillators);
        if (method_ == Method::automatic)
            if (const std::optional<Lone> lone = task.parts.lone(component)) {
                const double start = wrap(lone->start - std::arg(lone->pull));
                if (const auto approach = Approach::from(std::abs(lone->pull), lone->softening, lone->detuning, start))
                    return approached(task, members.front(), *approach, lone->start - start, oscillators[members.front()]);
            }
        return integrated(task, component, oscillators);
    }

    /// `zero` [rad] is the phase from which the approach counts its angles.
    static Part approached(const Task& task, std::uint32_t oscillator, const Approach& approach, double zero, problem::OscillatorSolution& result) {
        const problem::SettlingRule& rule = task.problem.rule;
        const double limit = std::min(rule.max_time(oscillator), horizon(task.problem, task.parts, oscillator));
        const bool settles = approach.time_to_within(rule.remaining.value()) <= limit;
        result.stop = settles ? Stop::settled : Stop::time_limit;
        result.stop_time = std::min(limit, approach.time_to_within(stationary_angle));
        if (settles) {
            result.settling_time = approach.time_to_within(rule.tolerance.value());
            result.phase = zero + approach.limit();
        } else {
            const double angle = approach.angle(result.stop_time);
            const double window = drift_window * result.stop_time;
            if (window > 0.0) result.frequency_difference = (angle - approach.angle(result.stop_time - window)) / window;
            result.phase = zero + angle;
        }
        result.state = Eigen::Vector2d{std::cos(result.phase), std::sin(result.phase)};
        result.trajectory.reserve(static_cast<std::size_t>(samples_of_approach));
        approach.follow(result.stop_time, [&](double time, double angle) {
            const double phase = zero + angle;
            result.trajectory.append(time, {&phase, 1});
        });
        Part part;
        part.evaluations = result.trajectory.size();
        return part;
    }

    static Part interrupted(Part part) {
        part.category = "interrupted";
        part.message = "stopped by the user";
        return part;
    }
    static Part not_finite(Part part) {
        part.category = "not_finite";
        part.message = "the phase model has drives or starts that are not finite";
        return part;
    }

    [[nodiscard]] Part integrated(const Task& task, std::size_t component, Solutions& oscillators) const {
        const auto members = task.parts.oscillators(component);
        const std::unique_ptr<Dynamics> dynamics = task.parts.dynamics(component);
        Limits limits{method_, tolerance_, 0.0, task.path_bytes, task.stop};
        for (const std::uint32_t i : members) limits.horizon = std::max(limits.horizon, horizon(task.problem, task.parts, i));
        const Run run = find_end(*dynamics, limits);
        Part part;
        part.evaluations = run.evaluations;
        if (run.end == End::interrupted) return interrupted(part);
        if (run.end == End::not_finite) return not_finite(part);
        const problem::SettlingRule& rule = task.problem.rule;
        Request request{rule.tolerance.value(), rule.remaining.value(), {}, task.samples};
        for (const std::uint32_t i : members) request.until.push_back(std::min(rule.max_time(i), run.time));
        Record found = record(*dynamics, limits, run, request);
        part.evaluations += found.evaluations;
        for (std::size_t k = 0; k < members.size(); ++k) oscillators[members[k]] = solution_of(*dynamics, run, found, k, rule.max_time(members[k]));
        return part;
    }

    [[nodiscard]] Part jittered(const Task& task, std::size_t component, Solutions& oscillators) const {
        const auto members = task.parts.oscillators(component);
        const std::unique_ptr<Dynamics> dynamics = task.parts.dynamics(component);
        const problem::SettlingRule& rule = task.problem.rule;
        Noise noise;
        Watch watch;
        watch.least_time = rule.least_time;
        watch.stop = task.stop;
        for (const std::uint32_t i : members) {
            noise.diffusion.push_back(task.problem.diffusion(i));
            noise.seed.push_back(task.problem.noise_seed.at(i));
            watch.rate.push_back(rule.rate(i));
            watch.max_time.push_back(std::isfinite(rule.max_time(i)) ? rule.max_time(i)
                                                                     : std::max(horizon(task.problem, task.parts, i), rule.least_time));
        }
        NoisyRun run = follow_noisy(*dynamics, noise_scheme_, noise, watch);
        Part part;
        part.evaluations = run.evaluations;
        if (run.interrupted) return interrupted(part);
        if (!run.finite) return not_finite(part);
        for (std::size_t k = 0; k < members.size(); ++k) oscillators[members[k]] = solution_of(std::move(run.oscillators[k]));
        return part;
    }

    Method method_ = Method::automatic;
    NoiseScheme noise_scheme_ = NoiseScheme::heun;
    double tolerance_ = 1e-9;
};

}  // namespace

std::unique_ptr<Engine> create() { return std::make_unique<PhaseEngine>(); }

}  // namespace entrain::engines::phase

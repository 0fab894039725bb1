#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "closed_form/approach.hpp"
#include "closed_form/transient.hpp"
#include "core/quantity.hpp"
#include "engines/exact/plugin.hpp"
#include "kernels/closed_form.hpp"
#include "problem/problem.hpp"
#include "problem/solution.hpp"

namespace entrain::engines::exact {

namespace {

using closed_form::Approach;
using closed_form::Transient;
using problem::ExactProblem;
using problem::OscillatorSolution;
using problem::Stop;

// What a reading at any time may be off by because the log is sampled, and how far past the rule's remaining angle the log runs, so that "constant
// after the last sample" holds to the same accuracy. A hundredth of the smallest phase error any circuit is judged by (0.05 deg).
constexpr double log_error = 1e-5;  ///< [rad]

// A drifting oscillator is logged over this many slips. It has no final phase; two whole turns in the last half are what the stop rule of the other
// engines needs to see, too.
constexpr double logged_slips = 4.0;

/// The circle on which one oscillator moves: state = cos(angle) along + sin(angle) across.
struct Circle {
    Eigen::VectorXd along;   ///< unit vector of the drive, turned by the cell's raw shift
    Eigen::VectorXd across;  ///< unit vector; d = 2: a quarter turn ahead of `along`
    double start = 0.0;      ///< [rad] angle of the start state
    [[nodiscard]] Eigen::VectorXd state(double angle) const { return std::cos(angle) * along + std::sin(angle) * across; }
};

Circle circle_of(const Eigen::VectorXd& drive, double raw_shift, const Eigen::VectorXd& start) {
    Circle circle;
    const double rate = drive.norm();
    circle.along = rate > 0.0 ? Eigen::VectorXd{drive / rate} : Eigen::VectorXd::Unit(drive.size(), 0);  // no drive: any direction serves as zero
    if (drive.size() == 2) {
        const double c = std::cos(raw_shift);
        const double s = std::sin(raw_shift);
        circle.along = Eigen::Vector2d{c * circle.along(0) - s * circle.along(1), s * circle.along(0) + c * circle.along(1)};
        circle.across = Eigen::Vector2d{-circle.along(1), circle.along(0)};
        circle.start = std::atan2(circle.across.dot(start), circle.along.dot(start));
        return circle;
    }
    circle.across = start - circle.along.dot(start) * circle.along;
    const double length = circle.across.norm();
    circle.start = std::atan2(length, circle.along.dot(start));
    // Exactly on the axis all great circles are equal.
    circle.across = length > 0.0 ? Eigen::VectorXd{circle.across / length} : Eigen::VectorXd{circle.along.unitOrthogonal()};
    return circle;
}

/// Samples from 0 to `end`, dense where the motion is fast. d = 2: the unwrapped phase, counted from the start state's in (-pi, pi]; else the state.
problem::Trajectory log(const Transient& transient, const std::optional<Approach>& approach, const Circle& circle, double start_phase, double end) {
    const auto d = static_cast<int>(circle.along.size());
    problem::Trajectory trajectory{d == 2 ? 1 : d};
    const auto append = [&](double time, double angle) {
        if (d == 2) {
            const double phase = start_phase + (angle - circle.start);
            trajectory.append(time, {&phase, 1});
        } else {
            const Eigen::VectorXd state = circle.state(angle);
            trajectory.append(time, {state.data(), static_cast<std::size_t>(d)});
        }
    };
    if (approach && d == 2) {
        approach->follow(end, append);
        return trajectory;
    }
    double time = 0.0;
    double angle = circle.start;
    append(time, angle);
    while (time < end) {
        const double next = std::min(end, time + transient.sample_step(angle, log_error / 2.0, d == 2 ? 1.0 : 3.5));
        if (!(next > time)) break;  // steps below the resolution of time: nothing left to resolve
        time = next;
        angle = transient.angle(time);
        append(time, angle);
    }
    return trajectory;
}

OscillatorSolution at_rest(const Eigen::VectorXd& start, double max_time) {
    OscillatorSolution solution;
    solution.stop = Stop::time_limit;
    solution.state = start;
    solution.stop_time = std::isfinite(max_time) ? max_time : 0.0;  // without a limit there is nothing to wait for
    const bool planar = start.size() == 2;
    if (planar) solution.phase = std::atan2(start(1), start(0));
    solution.trajectory = problem::Trajectory{planar ? 1 : static_cast<int>(start.size())};
    solution.trajectory.append(
        0.0, planar ? std::span<const double>{&solution.phase, 1} : std::span<const double>{start.data(), static_cast<std::size_t>(start.size())});
    return solution;
}

OscillatorSolution solve_one(const Eigen::VectorXd& drive, double detuning, double raw_shift, const Eigen::VectorXd& start,
                             const problem::SettlingRule& rule, double max_time) {
    const double rate = drive.norm();
    if (rate == 0.0 && detuning == 0.0) return at_rest(start, max_time);

    const Circle circle = circle_of(drive, raw_shift, start);
    const Transient transient{rate, detuning, circle.start};
    const std::optional<Approach> approach = Approach::from(rate, 0.0, detuning, circle.start);
    const auto time_to_within = [&](double remaining) {
        return approach ? approach->time_to_within(remaining) : transient.time_to_within(remaining);
    };
    const double settled_at = transient.locked() ? time_to_within(rule.remaining.value()) : std::numeric_limits<double>::infinity();
    if (transient.locked() && !std::isfinite(settled_at) && !std::isfinite(max_time)) return at_rest(start, max_time);

    OscillatorSolution solution;
    double final_angle = 0.0;
    double log_end = 0.0;
    if (!transient.locked()) {
        solution.stop = Stop::unlocked;
        solution.stop_time = log_end = std::min(max_time, logged_slips * turn / std::abs(transient.mean_speed()));
        solution.frequency_difference = transient.mean_speed();
        final_angle = transient.angle(solution.stop_time);
    } else if (settled_at <= max_time) {
        solution.stop = Stop::settled;
        solution.stop_time = settled_at;
        solution.settling_time = time_to_within(rule.tolerance.value());
        log_end = std::min(max_time, time_to_within(log_error / 2.0));
        final_angle = transient.limit();
    } else {
        solution.stop = Stop::time_limit;
        solution.stop_time = log_end = max_time;
        final_angle = transient.angle(max_time);
        solution.frequency_difference = transient.speed(final_angle);
    }
    const double start_phase = drive.size() == 2 ? std::atan2(start(1), start(0)) : 0.0;
    solution.trajectory = log(transient, approach, circle, start_phase, log_end);
    if (solution.stop == Stop::settled) solution.state = circle.state(final_angle);
    if (drive.size() == 2) solution.phase = start_phase + (final_angle - circle.start);
    return solution;
}

/// States of the oscillators that did not settle when they were stopped, all of them at once.
void set_states_at_stop(const ExactProblem& p, std::vector<OscillatorSolution>& oscillators) {
    std::vector<Eigen::Index> moving;
    for (Eigen::Index i = 0; i < p.drive.rows(); ++i) {
        const OscillatorSolution& solution = oscillators[static_cast<std::size_t>(i)];
        if (solution.stop != Stop::failed && solution.state.size() == 0) moving.push_back(i);
    }
    const auto n = static_cast<Eigen::Index>(moving.size());
    Eigen::VectorXd time(n);
    Eigen::VectorXd detuning(n);
    Eigen::MatrixXd drive(p.dimension, n);
    Eigen::MatrixXd start(p.dimension, n);
    for (Eigen::Index k = 0; k < n; ++k) {
        const Eigen::Index i = moving[static_cast<std::size_t>(k)];
        time(k) = oscillators[static_cast<std::size_t>(i)].stop_time;
        detuning(k) = p.detuning(i);
        drive.col(k) = p.drive.row(i);
        if (p.dimension == 2) drive.col(k) = Eigen::Rotation2Dd{p.raw_shift(i)} * drive.col(k);
        start.col(k) = p.start.row(i);
    }
    Eigen::MatrixXd state(p.dimension, n);
    const auto count = static_cast<std::size_t>(n);
    if (p.dimension == 2) {
        const Eigen::MatrixXd f = drive.transpose();  // x and y apart
        const Eigen::MatrixXd from = start.transpose();
        Eigen::MatrixXd to(n, 2);
        kernels::planar_states(count, f.col(0).data(), f.col(1).data(), detuning.data(), time.data(), from.col(0).data(), from.col(1).data(),
                               to.col(0).data(), to.col(1).data());
        state = to.transpose();
    } else {
        kernels::sphere_states(count, static_cast<std::size_t>(p.dimension), drive.data(), time.data(), start.data(), state.data());
    }
    for (Eigen::Index k = 0; k < n; ++k) oscillators[static_cast<std::size_t>(moving[static_cast<std::size_t>(k)])].state = state.col(k).normalized();
}

/// The exact problem in `problem`, checked.
const ExactProblem& checked(const problem::Problem& problem) {
    const ExactProblem* stated = std::get_if<ExactProblem>(&problem);
    if (stated == nullptr) throw std::invalid_argument{"exact: solves exact problems only"};
    const ExactProblem& p = *stated;
    const Eigen::Index n = p.drive.rows();
    if (p.drive.cols() != p.dimension || p.start.rows() != n || p.start.cols() != p.dimension || p.detuning.size() != n || p.raw_shift.size() != n ||
        p.rule.max_time.size() != n)
        throw std::invalid_argument{"exact: the problem's arrays disagree in size"};
    if (p.dimension != 2 && !(p.detuning.isZero(0.0) && p.raw_shift.isZero(0.0)))
        throw std::invalid_argument{"exact: detuning and phase shift are rotations of the plane, the problem has d = " + std::to_string(p.dimension)};
    return p;
}

class Exact final : public Engine {
 public:
    void describe(FieldVisitor& /*visitor*/) override {}
    [[nodiscard]] problem::Fidelity fidelity() const override { return problem::Fidelity::exact; }

    [[nodiscard]] problem::Solution solve(const problem::Problem& problem, const RunOptions& run) const override {
        const ExactProblem& p = checked(problem);
        const std::clock_t begin = std::clock();
        const Eigen::Index n = p.drive.rows();
        problem::Solution solution;
        solution.oscillators.resize(static_cast<std::size_t>(n));
        problem::Failure interrupted{"interrupted", "stopped before these oscillators were solved", -1, {}};
        problem::Failure not_finite{"not_finite", "drive, detuning or start is not a number", -1, {}};
        for (Eigen::Index i = 0; i < n; ++i) {
            if (run.progress.stop_requested()) {
                interrupted.oscillators.push_back(static_cast<std::uint32_t>(i));
            } else if (!p.drive.row(i).allFinite() || !std::isfinite(p.detuning(i)) || !std::isfinite(p.raw_shift(i)) ||
                       !p.start.row(i).allFinite()) {
                not_finite.oscillators.push_back(static_cast<std::uint32_t>(i));
            } else {
                solution.oscillators[static_cast<std::size_t>(i)] =
                    solve_one(p.drive.row(i), p.detuning(i), p.raw_shift(i), p.start.row(i), p.rule, p.rule.max_time(i));
            }
        }
        set_states_at_stop(p, solution.oscillators);
        for (problem::Failure* failure : {&interrupted, &not_finite})
            if (!failure->oscillators.empty()) solution.failures.push_back(std::move(*failure));
        solution.cost.cpu_s = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
        run.progress.report("exact", 1.0);
        return solution;
    }

    [[nodiscard]] CostEstimate estimate(const problem::Problem& problem, const RunOptions& /*run*/) const override {
        const ExactProblem& p = checked(problem);
        const auto n = static_cast<double>(p.drive.rows());
        const double components = p.dimension == 2 ? 1.0 : p.dimension;
        CostEstimate estimate;
        estimate.wall_s = 5e-6 * n;                                               // measured: some 100 samples each
        estimate.memory_bytes = n * 150.0 * (components + 2.0) * sizeof(double);  // a sample is time, energy and state
        return estimate;
    }
};

}  // namespace

std::unique_ptr<Engine> create() { return std::make_unique<Exact>(); }

}  // namespace entrain::engines::exact

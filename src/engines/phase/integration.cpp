#include "engines/phase/integration.hpp"

#include <algorithm>
#include <array>
#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/dense_output_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>
#include <cmath>
#include <limits>

#include "core/quantity.hpp"

namespace entrain::engines::phase {
namespace {

namespace odeint = boost::numeric::odeint;
static_assert(odeint::is_resizeable<State>::value);

constexpr double remaining_angle = 1e-8;  // [rad] far below the 1e-6 rad the phase model is trusted to
constexpr double tolerances_kept = 10.0;  // steps at the edge of stability leave a few tolerances of noise, below which no rate decays
constexpr double slip_turns = 2.0;        // an oscillator alone has met every phase after one; of a network a transient may take one
constexpr double patience = 200.0;        // [1/scale] transients of networks, before slips count
constexpr double rounding_watch = 40.0;   // [1/contraction] e^40 lifts a deviation from rounding error to order one
constexpr double window_share = 0.2;      // of the time so far: a few time constants when the end is near
constexpr double shortest_window = 2.0;   // [1/scale]
constexpr int quiet_windows_needed = 2;   // a slow mode hidden below a fast one has come out after one more
constexpr double longest_step = 1.0;  // [1/scale] networks: well inside the stability region, else errors of a tolerance live on in the fastest mode
constexpr double first_step = 0.01;   // [1/scale]; the controller takes it from there

bool alone(const Dynamics& dynamics) { return dynamics.start.size() == dynamics.components(); }

/// Dormand-Prince with dense output. Phases have no natural zero, so the tolerance is absolute.
class Stepper {
 public:
    Stepper(const Dynamics& dynamics, double tolerance)
        : dynamics_{dynamics},
          stepper_{odeint::make_dense_output(tolerance, 0.0, alone(dynamics) ? unlimited : longest_step / dynamics.scale,
                                             odeint::runge_kutta_dopri5<State>{})} {
        stepper_.initialize(dynamics.start, 0.0, first_step / dynamics.scale);
    }
    void step() {
        stepper_.do_step([this](const State& x, State& dxdt, double) {
            ++evaluations_;
            dynamics_.derivative(x, dxdt);
        });
    }
    [[nodiscard]] double begin() const { return stepper_.previous_time(); }
    [[nodiscard]] double end() const { return stepper_.current_time(); }
    [[nodiscard]] const State& state() const { return stepper_.current_state(); }
    void state_at(double time, State& state) const {
        state.resize(stepper_.current_state().size());  // odeint writes into it as it is
        stepper_.calc_state(time, state);
    }
    [[nodiscard]] std::size_t evaluations() const { return evaluations_; }

 private:
    static constexpr double unlimited = 0.0;  // odeint's way of saying it
    using Dense = decltype(odeint::make_dense_output(1.0, 1.0, 1.0, odeint::runge_kutta_dopri5<State>{}));
    const Dynamics& dynamics_;
    Dense stepper_;
    std::size_t evaluations_ = 0;
};

double speed_of(const Dynamics& dynamics, const State& rate, std::size_t oscillator) {
    const std::size_t c = dynamics.components();
    double sum = 0.0;
    for (std::size_t k = oscillator * c; k < (oscillator + 1) * c; ++k) sum += rate[k] * rate[k];
    return std::sqrt(sum);
}

/// Tells when a component has come to rest.
class Rest {
 public:
    Rest(const Dynamics& dynamics, double limit) : dynamics_{dynamics}, count_{dynamics.start.size() / dynamics.components()}, limit_{limit} {}

    bool reached(double time, const State& state, const State& rate) {
        double speed = 0.0;
        for (std::size_t i = 0; i < count_; ++i) speed = std::max(speed, speed_of(dynamics_, rate, i));
        if (count_ == 1) {
            const double contraction = dynamics_.contraction(state, 0);
            return contraction > 0.0 && speed < limit_ * contraction;
        }
        return decayed(time, speed) || never_moved(time, state, speed);
    }

 private:
    /// Compares the largest speeds of successive time windows, each a fixed share of the time so far: long enough to average over oscillating modes,
    /// and never more than that share too late.
    bool decayed(double time, double speed) {
        if (time >= window_end_) {
            const double length = window_end_ - window_begin_;
            const double decay = std::log(previous_peak_ / peak_) / length;
            quiet_windows_ = decay > 0.0 && peak_ < limit_ * decay ? quiet_windows_ + 1 : 0;
            previous_peak_ = peak_;
            peak_ = 0.0;
            window_begin_ = time;
            window_end_ = std::max(time * (1.0 + window_share), time + shortest_window / dynamics_.scale);
        }
        peak_ = std::max(peak_, speed);
        return quiet_windows_ >= quiet_windows_needed;
    }

    /// Started at a fixed point: nothing to decay. Stable if no oscillator would leave on its own and rounding errors had time to grow.
    bool never_moved(double time, const State& state, double speed) {
        if (moved_) return false;
        double contraction = std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < count_; ++i) contraction = std::min(contraction, dynamics_.contraction(state, i));
        moved_ = !(contraction > 0.0 && speed < limit_ * contraction);
        return !moved_ && time * contraction > rounding_watch;
    }

    const Dynamics& dynamics_;
    std::size_t count_;
    double limit_;
    double window_begin_ = 0.0;
    double window_end_ = shortest_window / dynamics_.scale;
    double previous_peak_ = 0.0;
    double peak_ = 0.0;
    int quiet_windows_ = 0;
    bool moved_ = false;
};

/// Watches unwrapped phases for slips: keeps the state at times that double.
class Slips {
 public:
    explicit Slips(const Dynamics& dynamics) : dynamics_{dynamics}, kept_{dynamics.start} {}

    /// At the end of a step. Oscillators that slip are flagged in `run`.
    bool seen(double time, const State& state, Run& run) {
        if (dynamics_.components() != 1) return false;
        if (state.size() == 1) {
            run.slips[0] = std::abs(state[0] - dynamics_.start[0]) > slip_turns * turn;
            if (run.slips[0]) run.mean_drift[0] = (state[0] - dynamics_.start[0]) / time;
            return run.slips[0];
        }
        if (time < 2.0 * kept_time_) return false;
        const bool any = flag(time, state, run);
        kept_ = state;
        kept_time_ = std::max(time, first_step / dynamics_.scale);
        return any && time * dynamics_.scale > patience;
    }

    /// At the horizon, wherever that lies between two checks.
    bool flag(double time, const State& state, Run& run) const {
        if (dynamics_.components() != 1) return false;
        bool any = false;
        for (std::size_t i = 0; i < state.size(); ++i) {
            run.slips[i] = std::abs(state[i] - kept_[i]) > slip_turns * turn;
            run.mean_drift[i] = time > kept_time_ ? (state[i] - kept_[i]) / (time - kept_time_) : 0.0;
            any = any || run.slips[i];
        }
        return any;
    }

 private:
    const Dynamics& dynamics_;
    State kept_;
    double kept_time_ = 0.0;
};

bool finite(const State& state) {
    return std::all_of(state.begin(), state.end(), [](double x) { return std::isfinite(x); });
}

/// The interpolant of one step on part of it, as a polynomial through six points of the dense output. Dormand-Prince's is of degree five, so nothing
/// is lost, and single oscillators are evaluated without the others.
class Segment {
 public:
    static constexpr std::size_t pieces = 5;

    Segment(const Stepper& stepper, double begin, double end) : begin_{begin}, end_{end} {
        for (std::size_t k = 0; k <= pieces; ++k) stepper.state_at(time(k), nodes_[k]);
    }
    [[nodiscard]] double time(std::size_t node) const { return begin_ + (end_ - begin_) * static_cast<double>(node) / pieces; }
    [[nodiscard]] const State& node(std::size_t k) const { return nodes_[k]; }

    [[nodiscard]] double value(double time, std::size_t component) const {
        const double u = (time - begin_) / (end_ - begin_) * pieces;
        double sum = 0.0;
        for (std::size_t k = 0; k <= pieces; ++k) {
            double weight = 1.0;
            for (std::size_t j = 0; j <= pieces; ++j)
                if (j != k) weight *= (u - static_cast<double>(j)) / (static_cast<double>(k) - static_cast<double>(j));
            sum += weight * nodes_[k][component];
        }
        return sum;
    }

 private:
    double begin_;
    double end_;
    std::array<State, pieces + 1> nodes_;
};

/// Where `excess`, positive at `outside` and not positive at `inside`, changes its sign.
template <class Excess>
double bisect(double outside, double inside, const Excess& excess) {
    while (std::abs(inside - outside) > 1e-12 * std::abs(inside)) {
        const double middle = 0.5 * (outside + inside);
        if (middle == outside || middle == inside) break;
        (excess(middle) > 0.0 ? outside : inside) = middle;
    }
    return inside;
}

/// Angle between an oscillator's state in `a` and in `b`; `at(k)` gives component k of the first.
template <class At>
double angle(const At& at, const State& b, std::size_t components, std::size_t oscillator) {
    if (components == 1) return std::abs(wrap(at(oscillator) - b[oscillator]));
    double norm_a = 0.0;
    double norm_b = 0.0;
    for (std::size_t k = oscillator * components; k < (oscillator + 1) * components; ++k) {
        norm_a += at(k) * at(k);
        norm_b += b[k] * b[k];
    }
    norm_a = std::sqrt(norm_a);
    norm_b = std::sqrt(norm_b);
    double apart = 0.0;
    double together = 0.0;
    for (std::size_t k = oscillator * components; k < (oscillator + 1) * components; ++k) {
        const double x = at(k) / norm_a;
        const double y = b[k] / norm_b;
        apart += (x - y) * (x - y);
        together += (x + y) * (x + y);
    }
    return 2.0 * std::atan2(std::sqrt(apart), std::sqrt(together));
}

/// Last entry of one oscillator into an angle around its final state.
struct Entry {
    double band = 0.0;
    bool outside = false;
    double time = 0.0;
};

}  // namespace

Run find_end(const Dynamics& dynamics, const Limits& limits) {
    const std::size_t count = dynamics.start.size() / dynamics.components();
    Run run;
    run.state = dynamics.start;
    run.slips.assign(count, false);
    run.mean_drift.assign(count, 0.0);
    dynamics.derivative(run.state, run.rate);
    ++run.evaluations;
    if (!finite(run.state) || !finite(run.rate)) {
        run.end = End::not_finite;
        return run;
    }
    if (dynamics.scale == 0.0) return run;

    Rest rest{dynamics, std::max(remaining_angle, tolerances_kept * limits.tolerance)};
    Slips slips{dynamics};
    Stepper stepper{dynamics, limits.tolerance};
    bool ended = rest.reached(0.0, run.state, run.rate);
    if (ended) run.end = End::stationary;
    while (!ended) {
        if (limits.stop != nullptr && limits.stop->load(std::memory_order_relaxed)) {
            run.end = End::interrupted;
            break;
        }
        stepper.step();
        ++run.steps;
        run.time = std::min(stepper.end(), limits.horizon);
        if (run.time < limits.horizon)
            run.state = stepper.state();
        else
            stepper.state_at(run.time, run.state);
        dynamics.derivative(run.state, run.rate);
        ++run.evaluations;
        ended = true;
        if (!finite(run.state)) {
            run.end = End::not_finite;
        } else if (rest.reached(run.time, run.state, run.rate)) {
            run.end = End::stationary;
        } else if (slips.seen(run.time, run.state, run)) {
            run.end = End::slipping;
        } else if (run.time >= limits.horizon) {
            run.end = slips.flag(run.time, run.state, run) ? End::slipping : End::horizon;
        } else {
            ended = false;
        }
    }
    run.evaluations += stepper.evaluations();
    return run;
}

Record record(const Dynamics& dynamics, const Limits& limits, const Run& run, const Request& request) {
    const std::size_t c = dynamics.components();
    const std::size_t count = dynamics.start.size() / c;
    Record result;
    result.trajectories.assign(count, problem::Trajectory{static_cast<int>(c)});
    result.slip_period.resize(count);

    std::vector<Entry> outer(count, {request.band, false, 0.0});
    std::vector<Entry> inner(count, {request.inner_band, false, 0.0});
    std::vector<std::optional<double>> first_turn(count);
    std::vector<double> unit(c);
    const auto sample = [&](std::size_t i, double time, const auto& at) {
        double norm = 0.0;
        for (std::size_t k = 0; k < c; ++k) {
            unit[k] = at(i * c + k);
            norm += unit[k] * unit[k];
        }
        if (c > 1)
            for (double& x : unit) x /= std::sqrt(norm);
        result.trajectories[i].append(time, unit);
    };
    for (std::size_t i = 0; i < count; ++i) {
        const auto at = [&](std::size_t k) { return dynamics.start[k]; };
        sample(i, 0.0, at);
        const double distance = angle(at, run.state, c, i);
        outer[i].outside = distance > outer[i].band;
        inner[i].outside = distance > inner[i].band;
    }

    // Steps follow the curvature of the motion, and so do samples: five a step when there is room, else every n-th step.
    const bool dense = run.steps * Segment::pieces <= request.samples;
    const std::size_t stride = dense ? 1 : run.steps / request.samples + 1;
    Stepper stepper{dynamics, limits.tolerance};
    for (std::size_t step = 1; step <= run.steps; ++step) {
        stepper.step();
        const Segment segment{stepper, stepper.begin(), std::min(stepper.end(), run.time)};
        for (std::size_t k = 1; k <= Segment::pieces; ++k) {
            const double from = segment.time(k - 1);
            const double to = segment.time(k);
            const bool keep = dense || (k == Segment::pieces && (step % stride == 0 || step == run.steps));
            for (std::size_t i = 0; i < count; ++i) {
                const auto node = [&](std::size_t component) { return segment.node(k)[component]; };
                const auto angle_at = [&](double time) {
                    return angle([&](std::size_t component) { return segment.value(time, component); }, run.state, c, i);
                };
                const double distance = angle(node, run.state, c, i);
                for (Entry* entry : {&outer[i], &inner[i]}) {
                    const bool outside = distance > entry->band;
                    if (entry->outside && !outside) entry->time = bisect(from, to, [&](double t) { return angle_at(t) - entry->band; });
                    entry->outside = outside;
                }
                if (c == 1 && run.slips[i] && !result.slip_period[i]) {
                    const double turned = std::abs(segment.node(k)[i] - dynamics.start[i]);
                    const auto missing = [&](double turns) {
                        return bisect(from, to, [&](double t) { return turns * turn - std::abs(segment.value(t, i) - dynamics.start[i]); });
                    };
                    if (!first_turn[i] && turned > turn) first_turn[i] = missing(1.0);
                    if (turned > 2.0 * turn) result.slip_period[i] = missing(2.0) - *first_turn[i];
                }
                const double until = request.until[i];
                if (from < until && until <= to)
                    sample(i, until, [&](std::size_t component) { return segment.value(until, component); });
                else if (keep && to < until)
                    sample(i, to, node);
            }
        }
    }
    for (std::size_t i = 0; i < count; ++i) {
        result.entry.push_back(outer[i].time);
        result.inner_entry.push_back(inner[i].time);
    }
    result.evaluations = stepper.evaluations();
    return result;
}

}  // namespace entrain::engines::phase

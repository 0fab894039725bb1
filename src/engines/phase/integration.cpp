#include "engines/phase/integration.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

#include "core/quantity.hpp"

namespace entrain::engines::phase {
namespace {

constexpr double remaining_angle = 1e-8;  // [rad] far below the 1e-6 rad the phase model is trusted to
constexpr double tolerances_kept = 10.0;  // steps at the edge of stability leave a few tolerances of noise, below which no rate decays
constexpr double slip_turns = 2.0;        // an oscillator alone has met every phase after one; of a network a transient may take one
constexpr double patience = 200.0;        // [1/scale] transients of networks, before slips count
constexpr double delays_waited = 20.0;    // the same in units of the longest delay
constexpr double rounding_watch = 40.0;   // [1/contraction] e^40 lifts a deviation from rounding error to order one
constexpr double window_share = 0.2;      // of the time so far: a few time constants when the end is near
constexpr double shortest_window = 2.0;   // [1/scale], and of the longest delay
constexpr int quiet_windows_needed = 2;   // a slow mode hidden below a fast one has come out after one more
constexpr double first_look = 0.01;       // [1/scale] slips are counted from a time that doubles
constexpr std::size_t pieces = 8;         // of a step in which a component may turn back: a fourth of the fastest decay each
constexpr double least_neighbour = 0.3;   // of a step, for the next one to take part in its polynomial
constexpr double samples_wanted = 450.0;  // of a trajectory, if so many are asked for: cubic pieces between them are good to 1e-6 rad

double largest_speed(const Dynamics& dynamics, const State& rate) {
    const std::size_t c = dynamics.components();
    double largest = 0.0;
    for (std::size_t first = 0; first < rate.size(); first += c) {
        double sum = 0.0;
        for (std::size_t k = first; k < first + c; ++k) sum += rate[k] * rate[k];
        largest = std::max(largest, sum);
    }
    return std::sqrt(largest);
}

/// Tells when a component has come to rest.
class Rest {
 public:
    Rest(const Dynamics& dynamics, double limit) : dynamics_{dynamics}, limit_{limit}, contraction_(dynamics.oscillators()) {}

    bool reached(double time, const State& state, const State& rate) {
        const double speed = largest_speed(dynamics_, rate);
        if (dynamics_.alone()) {
            const double contraction = least_contraction(state);
            return contraction > 0.0 && speed < limit_ * contraction;
        }
        return decayed(time, speed) || never_moved(time, state, speed);
    }

    [[nodiscard]] std::size_t evaluations() const { return evaluations_; }

 private:
    double least_contraction(const State& state) {
        dynamics_.contraction(state, contraction_);
        ++evaluations_;
        return *std::min_element(contraction_.begin(), contraction_.end());
    }

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
            window_end_ = std::max(time * (1.0 + window_share), time + shortest());
        }
        peak_ = std::max(peak_, speed);
        return quiet_windows_ >= quiet_windows_needed;
    }

    /// Started at a fixed point: nothing to decay. Stable if no oscillator would leave on its own and rounding errors had time to grow.
    bool never_moved(double time, const State& state, double speed) {
        if (moved_) return false;
        const double contraction = least_contraction(state);
        moved_ = !(contraction > 0.0 && speed < limit_ * contraction);
        return !moved_ && time * contraction > rounding_watch;
    }

    [[nodiscard]] double shortest() const { return shortest_window * std::max(1.0 / dynamics_.scale, dynamics_.memory()); }

    const Dynamics& dynamics_;
    double limit_;
    std::vector<double> contraction_;
    std::size_t evaluations_ = 0;
    double window_begin_ = 0.0;
    double window_end_ = shortest();
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
        if (dynamics_.alone()) {
            run.slips[0] = std::abs(state[0] - dynamics_.start[0]) > slip_turns * turn;
            if (run.slips[0]) run.mean_drift[0] = (state[0] - dynamics_.start[0]) / time;
            return run.slips[0];
        }
        if (time < 2.0 * kept_time_) return false;
        const bool any = flag(time, state, run);
        kept_ = state;
        kept_time_ = std::max(time, first_look / dynamics_.scale);
        return any && time > std::max(patience / dynamics_.scale, delays_waited * dynamics_.memory());
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

/// Length of a step times the cube root of the largest change of a rate in unit time: the third derivative, up to a factor that is common to all.
double bend(const Node& begin, const Node& end, std::size_t numbers) {
    double largest = 0.0;
    for (std::size_t i = 0; i < numbers; ++i) largest = std::max(largest, std::abs(end.rate[i] - begin.rate[i]));
    const double length = end.time - begin.time;
    return length * std::cbrt(largest / length);
}

bool finite(const State& state) {
    return std::all_of(state.begin(), state.end(), [](double x) { return std::isfinite(x); });
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

/// Where `excess`, positive at `outside` and not positive at `inside`, changes its sign: false position, the end that stays counting half each time
/// (Illinois; Dowell and Jarratt 1971), and halving where that does not shorten the interval.
template <class Excess>
double crossing(double outside, double inside, const Excess& excess) {
    constexpr double narrow = 1e-12;  // relative: rounding
    double above = excess(outside);
    double below = excess(inside);
    if (!(above > 0.0) || below > 0.0) return inside;  // touches the edge within rounding
    double width = std::abs(inside - outside);
    for (int k = 0; std::abs(inside - outside) > narrow * std::abs(inside); ++k) {
        double at = outside + (inside - outside) * above / (above - below);
        if (k % 3 == 2) {
            if (std::abs(inside - outside) > 0.5 * width) at = 0.5 * (outside + inside);
            width = std::abs(inside - outside);
        }
        if (at == outside || at == inside) break;
        const double found = excess(at);
        if (found > 0.0) {
            outside = at;
            above = found;
            below *= 0.5;
        } else {
            inside = at;
            below = found;
            above *= 0.5;
        }
    }
    return inside;
}

/// One step of a run.
struct Cell {
    Node begin;
    Node end;
    Interpolant between;
    [[nodiscard]] double length() const { return end.time - begin.time; }
    [[nodiscard]] double time(std::size_t part, std::size_t parts) const {
        return part == parts ? end.time : begin.time + length() * static_cast<double>(part) / static_cast<double>(parts);
    }
};

/// The nodes of a run one after the other: those that were kept, or the same steps once more.
class Replay {
 public:
    Replay(const Dynamics& dynamics, const Limits& limits, const Run& run)
        : kept_{run.path}, again_{dynamics.start.size(), 2 * Interpolant::most_nodes}, horizon_{limits.horizon}, last_{run.steps} {
        if (dynamics.scale == 0.0) return;
        if (!run.path.complete()) {
            stepper_ = stepper(dynamics, limits.method, limits.tolerance);
            width_ = stepper_->interpolation_nodes();
            again_.append(0.0, stepper_->state(), stepper_->rate());
        } else {
            width_ = run.interpolation_nodes;
        }
    }

    [[nodiscard]] std::size_t evaluations() const { return stepper_ ? stepper_->evaluations() : 0; }

    /// Step k, with the polynomial through the nodes around it; k ascends from call to call.
    Cell step(std::size_t k) {
        // Outwards from the step, but not into steps that are much shorter: nodes that lie close together magnify their errors.
        const double least = least_neighbour * (node(k + 1).time - node(k).time);
        std::size_t first = k;
        std::size_t last = k + 1;
        const auto shift = [&](std::size_t from) { return node(from + 1).time - node(from).time >= least; };
        for (bool grew = true; grew && last - first + 1 < width_;) {
            grew = false;
            if (last < last_ && last - k < width_ && shift(last)) {
                ++last;
                grew = true;
            }
            if (last - first + 1 < width_ && first > 0 && k - first + 2 < width_ && shift(first - 1)) {
                --first;
                grew = true;
            }
        }
        std::array<Node, Interpolant::most_nodes> nodes;
        for (std::size_t j = first; j <= last; ++j) nodes[j - first] = node(j);
        return {nodes[k - first], nodes[k + 1 - first], Interpolant{std::span{nodes}.first(last - first + 1)}};
    }

 private:
    Node node(std::size_t k) {
        if (!stepper_) return kept_.node(k);
        while (again_.size() <= k) {
            stepper_->step(horizon_);
            again_.append(stepper_->time(), stepper_->state(), stepper_->rate());
        }
        return again_.node(k);
    }

    const Path& kept_;
    Path again_;
    double horizon_;
    std::size_t last_;
    std::size_t width_ = 2;
    std::unique_ptr<Stepper> stepper_;
};

/// Last entry of an oscillator into an angle around its final state, from what is told of it piece by piece.
struct Entry {
    double band = 0.0;
    bool outside = false;
    double time = 0.0;

    template <class Distance>
    void follow(double from, double to, double at_end, const Distance& distance) {
        const bool now = at_end > band;
        if (outside && !now) time = crossing(from, to, [&](double t) { return distance(t) - band; });
        outside = now;
    }
};

/// The entries of all oscillators into one angle around the end of a run.
class Entries {
 public:
    Entries(double band, const Dynamics& dynamics, const State& end) : end_{end}, components_{dynamics.components()} {
        for (std::size_t i = 0; i < dynamics.oscillators(); ++i) {
            const auto at = [&](std::size_t k) { return dynamics.start[k]; };
            entries_.push_back({band, angle(at, end_, components_, i) > band, 0.0});
        }
    }

    void follow(const Cell& cell) {
        for (std::size_t i = 0; i < entries_.size(); ++i) components_ == 1 ? follow_phase(cell, i) : follow_unit(cell, i);
    }

    [[nodiscard]] std::vector<double> times() const {
        std::vector<double> result;
        for (const Entry& entry : entries_) result.push_back(entry.time);
        return result;
    }

 private:
    /// Unwrapped: after its last entry a phase is near the end, not whole turns away.
    void follow_phase(const Cell& cell, std::size_t i) {
        Entry& entry = entries_[i];
        const double begin = std::abs(cell.begin.state[i] - end_[i]);
        const double end = std::abs(cell.end.state[i] - end_[i]);
        const auto distance = [&](double t) { return std::abs(cell.between.at(t, i) - end_[i]); };
        const double first = cell.begin.rate[i] * cell.length();
        const double last = cell.end.rate[i] * cell.length();
        const double total = cell.end.state[i] - cell.begin.state[i];
        // A cubic with these ends and slopes goes straight from one to the other (Fritsch and Carlson 1980) ...
        const bool direct = first * total >= 0.0 && last * total >= 0.0 && std::max(std::abs(first), std::abs(last)) <= 3.0 * std::abs(total);
        // ... or leaves their interval by at most this; half as much again for what the interpolant has beyond a cubic.
        const double excursion = direct ? 0.0 : 1.5 * 4.0 / 27.0 * (std::abs(first) + std::abs(last));
        if (std::max(begin, end) + excursion <= entry.band) return;  // and was inside before
        if (direct) {
            entry.follow(cell.begin.time, cell.end.time, end, distance);
        } else {
            for (std::size_t k = 1; k <= pieces; ++k) {
                const double to = cell.time(k, pieces);
                entry.follow(cell.time(k - 1, pieces), to, k == pieces ? end : distance(to), distance);
            }
        }
    }

    void follow_unit(const Cell& cell, std::size_t i) {
        const auto distance = [&](double t) { return angle([&](std::size_t k) { return cell.between.at(t, k); }, end_, components_, i); };
        for (std::size_t k = 1; k <= pieces; ++k) {
            const double to = cell.time(k, pieces);
            entries_[i].follow(cell.time(k - 1, pieces), to, distance(to), distance);
        }
    }

    const State& end_;
    std::size_t components_;
    std::vector<Entry> entries_;
};

/// The time an oscillator takes for its second turn.
class Turns {
 public:
    explicit Turns(const Dynamics& dynamics) : start_{dynamics.start}, first_(start_.size()), period_(start_.size()) {}

    void follow(const Cell& cell, std::size_t i) {
        if (period_[i]) return;
        const double turned = std::abs(cell.end.state[i] - start_[i]);
        const auto reached = [&](double turns) {
            return crossing(cell.begin.time, cell.end.time, [&](double t) { return turns * turn - std::abs(cell.between.at(t, i) - start_[i]); });
        };
        if (!first_[i] && turned > turn) first_[i] = reached(1.0);
        if (turned > 2.0 * turn) period_[i] = reached(2.0) - *first_[i];
    }

    [[nodiscard]] const std::vector<std::optional<double>>& periods() const { return period_; }

 private:
    const State& start_;
    std::vector<std::optional<double>> first_;
    std::vector<std::optional<double>> period_;
};

/// Samples of all oscillators at the same times.
class Sampler {
 public:
    Sampler(const Dynamics& dynamics, const Run& run, const Request& request)
        : components_{dynamics.components()}, until_{request.until}, bend_{run.bend}, state_(dynamics.start), unit_(components_) {
        trajectories_.assign(dynamics.oscillators(), problem::Trajectory{static_cast<int>(components_)});
        for (std::size_t i = 0; i < trajectories_.size(); ++i) append(i, 0.0);
        // Cubic pieces between samples err by their distance cubed times the third derivative: that is even when samples lie as close together as its
        // cube root is large. Where steps are more than samples, every n-th.
        stride_ = run.steps / request.samples + 1;
        const double sum = std::accumulate(run.bend.begin(), run.bend.end(), 0.0);
        share_ = sum > 0.0 ? std::min(samples_wanted, static_cast<double>(request.samples)) / sum : 0.0;
        last_ = run.steps;
    }

    /// Step number `step`, from 0.
    void follow(const Cell& cell, std::size_t step) {
        const std::size_t parts = stride_ > 1 ? 1 : std::max<std::size_t>(1, static_cast<std::size_t>(std::round(share_ * bend_[step])));
        for (std::size_t k = 1; k <= parts; ++k) {
            const double from = cell.time(k - 1, parts);
            const double to = cell.time(k, parts);
            const bool keep = k < parts || (step + 1) % stride_ == 0 || step + 1 == last_;
            if (keep && k == parts)
                std::copy_n(cell.end.state, state_.size(), state_.begin());
            else if (keep)
                cell.between.at(to, state_);
            for (std::size_t i = 0; i < trajectories_.size(); ++i) {
                if (to < until_[i]) {
                    if (keep) append(i, to);
                } else if (from < until_[i]) {
                    for (std::size_t c = 0; c < components_; ++c) unit_[c] = cell.between.at(until_[i], i * components_ + c);
                    append_unit(i, until_[i]);
                }
            }
        }
    }

    [[nodiscard]] std::vector<problem::Trajectory> take() { return std::move(trajectories_); }

 private:
    void append(std::size_t i, double time) {
        std::copy_n(state_.begin() + static_cast<std::ptrdiff_t>(i * components_), components_, unit_.begin());
        append_unit(i, time);
    }
    void append_unit(std::size_t i, double time) {
        if (components_ > 1) {
            double norm = 0.0;
            for (const double x : unit_) norm += x * x;
            for (double& x : unit_) x /= std::sqrt(norm);
        }
        trajectories_[i].append(time, unit_);
    }

    std::size_t components_;
    const std::vector<double>& until_;
    const std::vector<double>& bend_;
    State state_;
    std::vector<double> unit_;
    double share_ = 0.0;
    std::size_t stride_ = 1;
    std::size_t last_ = 0;
    std::vector<problem::Trajectory> trajectories_;
};

}  // namespace

Run find_end(const Dynamics& dynamics, const Limits& limits) {
    const std::size_t count = dynamics.oscillators();
    Run run;
    run.state = dynamics.start;
    run.rate.resize(run.state.size());
    run.slips.assign(count, false);
    run.mean_drift.assign(count, 0.0);
    dynamics.derivative(run.state, run.rate);
    ++run.evaluations;
    if (!finite(run.state) || !finite(run.rate)) {
        run.end = End::not_finite;
        return run;
    }
    if (dynamics.scale == 0.0) return run;

    const auto stepping = stepper(dynamics, limits.method, limits.tolerance);
    run.interpolation_nodes = stepping->interpolation_nodes();
    run.path = Path{run.state.size(), std::max(run.interpolation_nodes, limits.path_bytes / Path::bytes_per_node(run.state.size()))};
    run.path.append(0.0, stepping->state(), stepping->rate());
    Rest rest{dynamics, std::max(remaining_angle, tolerances_kept * limits.tolerance)};
    Slips slips{dynamics};
    bool ended = rest.reached(0.0, run.state, run.rate);
    if (ended) run.end = End::stationary;
    while (!ended) {
        if (limits.stop != nullptr && limits.stop->load(std::memory_order_relaxed)) {
            run.end = End::interrupted;
            break;
        }
        stepping->step(limits.horizon);
        ++run.steps;
        run.time = stepping->time();
        run.path.append(run.time, stepping->state(), stepping->rate());
        run.bend.push_back(bend(run.path.node(run.steps - 1), run.path.node(run.steps), run.state.size()));
        ended = true;
        if (!finite(stepping->state())) {
            run.end = End::not_finite;
        } else if (rest.reached(run.time, stepping->state(), stepping->rate())) {
            run.end = End::stationary;
        } else if (slips.seen(run.time, stepping->state(), run)) {
            run.end = End::slipping;
        } else if (run.time >= limits.horizon) {
            run.end = slips.flag(run.time, stepping->state(), run) ? End::slipping : End::horizon;
        } else {
            ended = false;
        }
    }
    run.state = stepping->state();
    run.rate = stepping->rate();
    run.evaluations += stepping->evaluations() + rest.evaluations();
    return run;
}

Record record(const Dynamics& dynamics, const Limits& limits, const Run& run, const Request& request) {
    Sampler sampler{dynamics, run, request};
    Entries outer{request.band, dynamics, run.state};
    Entries inner{request.inner_band, dynamics, run.state};
    Turns turns{dynamics};
    Replay replay{dynamics, limits, run};
    for (std::size_t step = 0; step < run.steps; ++step) {
        const Cell cell{replay.step(step)};
        sampler.follow(cell, step);
        if (run.end == End::stationary) {
            outer.follow(cell);
            inner.follow(cell);
        }
        for (std::size_t i = 0; i < run.slips.size(); ++i)
            if (run.slips[i]) turns.follow(cell, i);
    }
    return {sampler.take(), outer.times(), inner.times(), turns.periods(), replay.evaluations()};
}

}  // namespace entrain::engines::phase

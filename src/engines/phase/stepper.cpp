#include "engines/phase/stepper.hpp"

#include <algorithm>
#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_fehlberg78.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "engines/phase/delay.hpp"
#include "engines/phase/planar.hpp"

namespace entrain::engines::phase {
namespace {

namespace odeint = boost::numeric::odeint;
static_assert(odeint::is_resizeable<State>::value);

// Steps are kept well inside the stability region, else errors of a tolerance live on in the fastest mode: `longest_step`, in units of 1/stiffness,
// is below the radius of the largest disc that touches 0 and lies in it (1.5 and 2.25, measured).
struct Dopri5 {
    using Runge = odeint::runge_kutta_dopri5<State>;
    static constexpr double longest_step = 1.25;
    static constexpr int order = 5;
    static constexpr std::size_t nodes = 4;  // degree 7
};
struct Fehlberg78 {
    using Runge = odeint::runge_kutta_fehlberg78<State>;
    static constexpr double longest_step = 2.0;
    static constexpr int order = 8;
    static constexpr std::size_t nodes = 6;  // degree 11: steps are longer
};

constexpr int most_failures = 500;   // of one step, a fifth of its length each: long before, time no longer moves
constexpr double first_share = 0.5;  // of the step whose error is the tolerance if all derivatives are as large as the scale lets them be

/// Next steps from the errors of the last two (Gustafsson 1991): phases that start to turn faster meet fewer rejections than with the last error
/// alone.
class StepAdjuster {
 public:
    StepAdjuster() = default;
    explicit StepAdjuster(double longest) : longest_{longest} {}

    [[nodiscard]] double decrease_step(double step, double error, int order) const {
        return step * std::max(safety * std::pow(error, -1.0 / (order - 1)), smallest_change);
    }
    [[nodiscard]] double increase_step(double step, double error, int order) {
        const double now = std::max(error, least_error);
        const double change = safety * std::pow(now, -integral / order) * std::pow(previous_, proportional / order);
        previous_ = now;
        return std::min(step * std::clamp(change, smallest_change, largest_change), longest_);
    }
    [[nodiscard]] bool check_step_size_limit(double step) const { return step <= longest_; }
    [[nodiscard]] double get_max_dt() const { return longest_; }

 private:
    static constexpr double safety = 0.96;
    static constexpr double integral = 0.7;
    static constexpr double proportional = 0.4;
    static constexpr double smallest_change = 0.2;
    static constexpr double largest_change = 5.0;
    static constexpr double least_error = 1e-4;  // of the tolerance: what is smaller says nothing about the next step

    double longest_ = std::numeric_limits<double>::infinity();
    double previous_ = 1.0;
};

/// An embedded method under odeint's step control. Phases have no natural zero, so the tolerance is absolute.
template <class Scheme>
class AdaptiveStepper final : public Stepper {
 public:
    AdaptiveStepper(const Dynamics& dynamics, double tolerance)
        : dynamics_{dynamics},
          control_{Checker{tolerance, 0.0}, StepAdjuster{dynamics.stiffness > 0.0 ? Scheme::longest_step / dynamics.stiffness : unlimited}},
          next_step_{first_share * std::pow(tolerance, 1.0 / Scheme::order) / dynamics.scale} {
        state_ = dynamics.start;
        rate_.resize(state_.size());
        next_state_.resize(state_.size());
        next_rate_.resize(state_.size());
        dynamics_.derivative(state_, rate_);
        ++evaluations_;
    }

    void step(double horizon) override {
        const auto system = [this](const State& x, State& dxdt, double /*time*/) {
            ++evaluations_;
            dynamics_.derivative(x, dxdt);
        };
        double length = next_step_;
        for (int failures = 0;; ++failures) {
            if (failures == most_failures || time_ + length == time_)
                throw std::runtime_error{"the phase model: no step meets the tolerance. Loosen engine.tolerance."};
            const double left = horizon - time_;
            const bool last = length >= left;
            if (last)
                length = left;
            else if (length > 0.5 * left)
                length = 0.5 * left;  // a tiny last step would lie too close to its neighbour for polynomials through both
            double reached = time_;
            if (attempt(system, reached, length) == odeint::success) {
                time_ = last ? horizon : reached;
                break;
            }
        }
        next_step_ = length;
        state_.swap(next_state_);
        rate_.swap(next_rate_);
    }

    [[nodiscard]] std::size_t interpolation_nodes() const override { return Scheme::nodes; }

 private:
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    using Runge = typename Scheme::Runge;
    using Checker = odeint::default_error_checker<double, typename Runge::algebra_type, typename Runge::operations_type>;
    using Control = odeint::controlled_runge_kutta<Runge, Checker, StepAdjuster>;

    template <class System>
    odeint::controlled_step_result attempt(const System& system, double& reached, double& length) {
        if constexpr (std::is_same_v<typename Control::stepper_category, odeint::explicit_controlled_stepper_fsal_tag>) {
            return control_.try_step(system, state_, rate_, reached, next_state_, next_rate_, length);
        } else {
            const auto result = control_.try_step(system, state_, rate_, reached, next_state_, length);
            if (result == odeint::success) system(next_state_, next_rate_, reached);  // the next step's first
            return result;
        }
    }

    const Dynamics& dynamics_;
    Control control_;
    double next_step_;
    State next_state_;
    State next_rate_;
};

}  // namespace

Method automatic_method(double tolerance) {
    // N = 98, all to all, measured: for an error of 1e-6 rad dopri5 needs 157 right-hand sides (tolerance 1e-5), fehlberg78 200; for 1e-7 290 and
    // 221.
    constexpr double loose = 1e-6;
    return tolerance > loose ? Method::dopri5 : Method::fehlberg78;
}

std::unique_ptr<Stepper> stepper(const Dynamics& dynamics, Method method, double tolerance) {
    if (dynamics.memory() > 0.0) return std::make_unique<DelayedStepper>(static_cast<const Planar&>(dynamics), tolerance);
    if (method == Method::automatic) method = automatic_method(tolerance);
    if (method == Method::dopri5) return std::make_unique<AdaptiveStepper<Dopri5>>(dynamics, tolerance);
    return std::make_unique<AdaptiveStepper<Fehlberg78>>(dynamics, tolerance);
}

}  // namespace entrain::engines::phase

#include "closed_form/approach.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/numeric/odeint/integrate/integrate_adaptive.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_fehlberg78.hpp>
#include <cmath>
#include <numbers>

#include "core/quantity.hpp"
#include "core/random.hpp"
#include "problem/trajectory.hpp"

namespace entrain {
namespace {

namespace odeint = boost::numeric::odeint;
using closed_form::Approach;
constexpr double pi = std::numbers::pi;

struct Law {
    double rate;
    double softening;
    double detuning;
    void operator()(const std::array<double, 1>& x, std::array<double, 1>& speed, double /*time*/) const {
        speed[0] = detuning - (1.0 + softening) * rate * std::sin(x[0]) / (1.0 + softening * std::cos(x[0]));
    }
};

double integrated(const Law& law, double start, double time) {
    std::array<double, 1> x{start};
    odeint::integrate_adaptive(odeint::make_controlled<odeint::runge_kutta_fehlberg78<std::array<double, 1>>>(1e-13, 1e-13), law, x, 0.0, time, 1e-3);
    return x[0];
}

/// Some law and start, among them nearly unlocked and strongly softened ones.
struct Case {
    Law law;
    double start;
};
Case drawn(std::uint64_t k) {
    const RandomStreams random{7};
    const auto u = [&](std::uint64_t part) { return random.uniform(Stream::bench, 8 * k + part); };
    Case c{{0.2 + 2.0 * u(0), 0.9 * u(1) * u(1), 0.0}, pi * (2.0 * u(3) - 1.0)};
    const double edge = c.law.rate * std::sqrt((1.0 + c.law.softening) / (1.0 - c.law.softening));
    if (k % 3 != 0) c.law.detuning = 0.99 * edge * (2.0 * u(2) - 1.0);
    return c;
}

TEST(Approach, FollowsTheEquationOfMotion) {
    int followed = 0;
    for (std::uint64_t k = 0; k < 300; ++k) {
        const auto [law, start] = drawn(k);
        const auto approach = Approach::from(law.rate, law.softening, law.detuning, start);
        ASSERT_TRUE(approach.has_value()) << k;
        const double span = approach->time_to_within(1e-3);
        for (const double share : {0.1, 0.5, 1.0}) {
            if (span == 0.0) continue;
            ++followed;
            // A way that begins next to the unstable equilibrium multiplies the integrator's 1e-13 by up to 1e3, and rounding in u by as much.
            EXPECT_NEAR(approach->angle(share * span), integrated(law, start, share * span), 1e-9)
                << "rate " << law.rate << " softening " << law.softening << " detuning " << law.detuning << " start " << start;
        }
    }
    EXPECT_GT(followed, 850);
}

TEST(Approach, EndsWhereTheSpeedVanishes) {
    for (std::uint64_t k = 0; k < 300; ++k) {
        const auto [law, start] = drawn(k);
        const auto approach = Approach::from(law.rate, law.softening, law.detuning, start);
        std::array<double, 1> speed{};
        law({approach->limit()}, speed, 0.0);
        EXPECT_NEAR(speed[0], 0.0, 1e-12 * law.rate / (1.0 - law.softening));  // rounding of the two terms
        EXPECT_LE(std::abs(approach->limit() - start), 2.0 * pi);
    }
}

TEST(Approach, WithoutSofteningIsAdlersTime) {
    const auto approach = Approach::from(2.0, 0.0, 0.0, radians(170.0));
    // ln(tan(170/2)/tan(1/2 deg))/rate (Adler 1946), digits from a table of tangents.
    EXPECT_NEAR(approach->time_to_within(radians(1.0)), std::log(11.4300523 / 0.00872686779) / 2.0, 1e-7);
}

TEST(Approach, GoesTheShortWayWithoutDetuning) {
    EXPECT_NEAR(Approach::from(1.0, 0.3, 0.0, 3.0)->limit(), 0.0, 1e-15);
    EXPECT_NEAR(Approach::from(1.0, 0.3, 0.0, -3.0)->limit(), 0.0, 1e-15);
    // pushed over the unstable equilibrium at pi - asin(0.5) = 150 deg
    EXPECT_NEAR(Approach::from(1.0, 0.0, 0.5, radians(149.0))->limit(), radians(30.0), 1e-14);
    EXPECT_NEAR(Approach::from(1.0, 0.0, 0.5, radians(151.0))->limit(), radians(390.0), 1e-14);
}

problem::Trajectory logged(const Approach& approach, double until) {
    problem::Trajectory log;
    approach.follow(until, [&](double time, double angle) { log.append(time, {&angle, 1}); });
    return log;
}

TEST(Approach, SamplesCarryTheWholeWay) {
    double worst = 0.0;
    for (std::uint64_t k = 0; k < 300; ++k) {
        const auto [law, start] = drawn(k);
        const auto approach = Approach::from(law.rate, law.softening, law.detuning, start);
        const double end = approach->time_to_within(1e-6);
        const problem::Trajectory log = logged(*approach, 2.0 * end);
        EXPECT_LE(log.size(), 1000U);  // of those next to the edge of the lock range; the others have some 100
        for (int n = 1; n < 50; ++n) {
            const double time = end * n / 50.0;
            worst = std::max(worst, std::abs(log.phase_at(time) - approach->angle(time)));
        }
    }
    EXPECT_LT(worst, 1e-5);
    EXPECT_LE(logged(*Approach::from(1.0, 0.0, 0.0, 3.1), 100.0).size(), 150U);
    const auto approach = Approach::from(1.0, 0.0, 0.0, 2.0);
    const problem::Trajectory cut = logged(*approach, 1.0);
    EXPECT_DOUBLE_EQ(cut.times().back(), 1.0);
    EXPECT_NEAR(cut.phase(cut.size() - 1), 2.0 * std::atan(std::tan(1.0) * std::exp(-1.0)), 1e-12);
}

TEST(Approach, IsOneSampleForNoTimeAtAll) {
    const auto approach = Approach::from(1.0, 0.1, 0.2, 0.3);
    EXPECT_EQ(logged(*approach, 0.0).size(), 1U);
    const auto near = Approach::from(1.0, 0.0, 0.0, 3e-6);  // nearer than the last sample of longer ways
    EXPECT_EQ(logged(*near, near->time_to_within(5e-6)).size(), 1U);
    EXPECT_LE(logged(*near, 10.0).size(), 3U);
}

TEST(Approach, KnowsWhereItIsOfNoUse) {
    EXPECT_FALSE(Approach::from(0.0, 0.0, 0.0, 1.0));
    EXPECT_FALSE(Approach::from(1.0, 0.0, 1.0001, 1.0));       // drifts
    EXPECT_FALSE(Approach::from(1.0, 0.0, 1.0 - 1e-10, 1.0));  // crawls
    EXPECT_FALSE(Approach::from(1.0, 0.0, 0.0, pi));           // on the unstable equilibrium
    EXPECT_FALSE(Approach::from(1.0, 0.5, 0.0, -pi));
    EXPECT_TRUE(Approach::from(1.0, 0.5, 1.5, 1.0));  // softening widens the lock range to sqrt(3)
    EXPECT_DOUBLE_EQ(Approach::from(1.0, 0.5, 0.0, 0.0)->time_to_within(1e-9), 0.0);
}

}  // namespace
}  // namespace entrain

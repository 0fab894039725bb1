#include "kernels/closed_form.hpp"

#include <algorithm>
#include <boost/numeric/odeint/integrate/integrate_adaptive.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_fehlberg78.hpp>
#include <cmath>
#include <complex>

#include "unit/kernels/sets.hpp"

namespace entrain::kernels {
namespace {

class ClosedForms : public EachInstructionSet {};

using State = std::vector<long double>;

/// x(t) of x' = field(x), in extended precision with a tolerance that leaves the closed form's own error.
template <class Field>
State integrated(const Field& field, State x, double time) {
    if (time == 0.0) return x;
    using Stepper = boost::numeric::odeint::runge_kutta_fehlberg78<State, long double>;
    boost::numeric::odeint::integrate_adaptive(boost::numeric::odeint::make_controlled<Stepper>(1e-16L, 1e-16L), field, x, 0.0L,
                                               static_cast<long double>(time), 1e-3L * time);
    return x;
}

struct PlanarCase {
    double drive_x, drive_y, detuning, time, start_x, start_y;
};

PlanarCase planar_case(double length, double direction, double detuning, double time, double start) {
    return {length * std::cos(direction), length * std::sin(direction), detuning, time, std::cos(start), std::sin(start)};
}

struct Point {
    double x, y;
};

/// z' = i z (w + Im(f conj z)) from the start as it is written, which is on the unit circle to 1e-16 only: by its phase.
Point integrated(const PlanarCase& c) {
    const State start{std::atan2(static_cast<long double>(c.start_y), static_cast<long double>(c.start_x))};
    const auto field = [&](const State& theta, State& rate, long double /*t*/) {
        rate.resize(1);
        rate[0] = c.detuning + (c.drive_y * std::cos(theta[0]) - c.drive_x * std::sin(theta[0]));
    };
    const long double theta = integrated(field, start, c.time)[0];
    return {static_cast<double>(std::cos(theta)), static_cast<double>(std::sin(theta))};
}

std::vector<Point> closed(const std::vector<PlanarCase>& cases, InstructionSet set) {
    std::vector<std::vector<double>> columns(6);
    for (const PlanarCase& c : cases) {
        const double row[] = {c.drive_x, c.drive_y, c.detuning, c.time, c.start_x, c.start_y};
        for (std::size_t k = 0; k < 6; ++k) columns[k].push_back(row[k]);
    }
    std::vector<double>& x = columns[4];  // in place
    std::vector<double>& y = columns[5];
    planar_states(cases.size(), columns[0].data(), columns[1].data(), columns[2].data(), columns[3].data(), x.data(), y.data(), x.data(), y.data(),
                  set);
    std::vector<Point> states;
    for (std::size_t i = 0; i < cases.size(); ++i) states.push_back({x[i], y[i]});
    return states;
}

void expect_integrated(const std::vector<PlanarCase>& cases, double tolerance, InstructionSet set) {
    const std::vector<Point> states = closed(cases, set);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const PlanarCase& c = cases[i];
        const Point expected = integrated(c);
        const double error = std::hypot(states[i].x - expected.x, states[i].y - expected.y);
        EXPECT_LE(error, tolerance) << "drive (" << c.drive_x << ", " << c.drive_y << "), detuning " << c.detuning << ", time " << c.time
                                    << ", start (" << c.start_x << ", " << c.start_y << ")";
    }
}

constexpr double tolerance = 1e-11;  // what planar_states() and sphere_states() promise

TEST_P(ClosedForms, HasThePhasesOfTheEquationOfMotion) {
    Draw draw{7};
    std::vector<PlanarCase> cases;
    for (int i = 0; i < 300; ++i)  // locked, drifting, with and against the drive
        cases.push_back(planar_case(std::exp(draw.between(-4.0, 1.5)), draw.between(-3.1, 3.1), draw.between(-3.0, 3.0), draw.between(0.0, 12.0),
                                    draw.between(-3.1, 3.1)));
    expect_integrated(cases, tolerance, GetParam());
}

TEST_P(ClosedForms, HasThePhasesAtAndNearTheBoundaryOfLocking) {
    Draw draw{8};
    std::vector<PlanarCase> cases;
    for (const double off : {0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3})
        for (const double sign : {-1.0, 1.0})
            for (const double time : {0.0, 1e-6, 1.0, 30.0})
                for (const double start : {0.3, 1.4, -2.5}) {
                    cases.push_back({0.6, 0.8, sign * (1.0 + off), time, std::cos(start), std::sin(start)});
                    cases.push_back({1.0, 0.0, sign * (1.0 - off), time, std::cos(start), std::sin(start)});
                }
    expect_integrated(cases, tolerance, GetParam());
}

TEST_P(ClosedForms, HasPhasesWithoutDriveOrDetuning) {
    std::vector<PlanarCase> cases;
    for (const double time : {0.0, 0.7, 10.0})
        for (const double start : {0.0, 2.0, -1.0}) {
            cases.push_back(planar_case(0.0, 0.0, 0.0, time, start));
            cases.push_back(planar_case(0.0, 0.0, 1.3, time, start));
            cases.push_back(planar_case(1.7, 0.4, 0.0, time, start));
        }
    expect_integrated(cases, tolerance, GetParam());
    const std::vector<Point> resting = closed({planar_case(0.0, 0.0, 0.0, 10.0, 2.0)}, GetParam());
    EXPECT_EQ(resting[0].x, std::cos(2.0));
    EXPECT_EQ(resting[0].y, std::sin(2.0));
}

TEST_P(ClosedForms, StaysAtAnEquilibriumWithoutDetuning) {
    for (const double time : {1.0, 50.0, 1000.0, 1e6}) {
        const std::vector<Point> states = closed({{2.0, 0.0, 0.0, time, -1.0, 0.0}, {0.0, -0.5, 0.0, time, 0.0, -1.0}}, GetParam());
        EXPECT_EQ(states[0].x, -1.0) << time;  // the unstable one, exactly: nothing pushes it to a side
        EXPECT_EQ(states[0].y, 0.0) << time;
        EXPECT_NEAR(states[1].x, 0.0, 1e-15) << time;
        EXPECT_NEAR(states[1].y, -1.0, 1e-15) << time;
    }
}

// The start is a number of 16 digits, so a distance delta from the unstable point is known to 1e-16/delta, and so is the time of leaving.
TEST_P(ClosedForms, LeavesTheUnstablePointAtItsTime) {
    for (const double delta : {1e-2, 1e-4, 1e-6}) {
        std::vector<PlanarCase> cases;
        for (const double after : {-3.0, 0.0, 3.0}) cases.push_back({1.0, 0.0, 0.0, -std::log(delta) + after, -std::cos(delta), std::sin(delta)});
        expect_integrated(cases, tolerance + 4e-16 / delta, GetParam());
    }
}

TEST_P(ClosedForms, SettlesAtTheArcsineOfDetuningOverDrive) {
    Draw draw{9};
    std::vector<PlanarCase> cases;
    for (int i = 0; i < 50; ++i) cases.push_back(planar_case(1.0, 0.0, draw.between(-0.99, 0.99), 900.0, draw.between(-1.5, 1.5)));
    const std::vector<Point> states = closed(cases, GetParam());
    for (std::size_t i = 0; i < cases.size(); ++i) EXPECT_NEAR(std::atan2(states[i].y, states[i].x), std::asin(cases[i].detuning), tolerance);
}

TEST_P(ClosedForms, ReturnsAfterEachSlip) {
    Draw draw{10};
    std::vector<PlanarCase> cases;
    for (int i = 0; i < 50; ++i) {
        PlanarCase c = planar_case(1.0, 0.5, draw.between(1.1, 5.0), 0.0, draw.between(-3.0, 3.0));
        const double length = std::hypot(c.drive_x, c.drive_y);
        c.time = 20.0 * 6.28318530717958647693 / std::sqrt(c.detuning * c.detuning - length * length);  // 20 periods of slipping
        cases.push_back(c);
    }
    const std::vector<Point> states = closed(cases, GetParam());
    for (std::size_t i = 0; i < cases.size(); ++i) {
        EXPECT_NEAR(states[i].x, cases[i].start_x, tolerance);
        EXPECT_NEAR(states[i].y, cases[i].start_y, tolerance);
    }
}

TEST_P(ClosedForms, HasAsManyPhasesAsAsked) {
    Draw draw{11};
    for (std::size_t n = 0; n <= 20; ++n) {
        std::vector<PlanarCase> cases;
        for (std::size_t i = 0; i < n; ++i) cases.push_back(planar_case(1.0, draw.between(-3.0, 3.0), 0.5, 2.0, draw.between(-3.0, 3.0)));
        const std::vector<Point> together = closed(cases, GetParam());
        for (std::size_t i = 0; i < n; ++i) {
            const Point alone = closed({cases[i]}, GetParam())[0];
            EXPECT_EQ(together[i].x, alone.x) << i << " of " << n;
            EXPECT_EQ(together[i].y, alone.y) << i << " of " << n;
        }
    }
}

struct SphereCases {
    std::size_t d;
    std::vector<double> drive, time, start;
    [[nodiscard]] std::size_t n() const { return time.size(); }
};

SphereCases sphere_cases(std::size_t n, std::size_t d, Draw& draw) {
    SphereCases cases{d, {}, draw.many(n, 0.0, 15.0), {}};
    for (std::size_t i = 0; i < n; ++i) {
        const double length = std::exp(draw.between(-3.0, 1.0));
        for (const double x : draw.many(d, -1.0, 1.0)) cases.drive.push_back(length * x);
        std::vector<double> start = draw.many(d, -1.0, 1.0);
        if (i % 4 == 0)  // not far from the point opposite to the drive
            for (std::size_t k = 0; k < d; ++k) start[k] = -cases.drive[i * d + k] + 1e-2 * length * start[k];
        double square = 0.0;
        for (const double x : start) square += x * x;
        for (const double x : start) cases.start.push_back(x / std::sqrt(square));
    }
    return cases;
}

std::vector<double> closed(const SphereCases& cases, InstructionSet set) {
    std::vector<double> state = cases.start;  // in place
    sphere_states(cases.n(), cases.d, cases.drive.data(), cases.time.data(), state.data(), state.data(), set);
    return state;
}

TEST_P(ClosedForms, HasTheUnitVectorsOfTheEquationOfMotion) {
    Draw draw{12};
    for (const std::size_t d : {2U, 3U, 8U, 64U}) {
        const SphereCases cases = sphere_cases(d == 64 ? 10 : 35, d, draw);
        const std::vector<double> states = closed(cases, GetParam());
        for (std::size_t i = 0; i < cases.n(); ++i) {
            const auto field = [&](const State& z, State& rate, long double /*t*/) {
                rate.resize(d);
                long double along = 0.0L;
                for (std::size_t k = 0; k < d; ++k) along += z[k] * cases.drive[i * d + k];
                for (std::size_t k = 0; k < d; ++k) rate[k] = cases.drive[i * d + k] - along * z[k];
            };
            State start(cases.start.begin() + static_cast<std::ptrdiff_t>(i * d), cases.start.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
            long double square = 0.0L;
            for (const long double x : start) square += x * x;
            for (long double& x : start) x /= std::sqrt(square);
            const State expected = integrated(field, start, cases.time[i]);
            for (std::size_t k = 0; k < d; ++k)
                EXPECT_NEAR(states[i * d + k], static_cast<double>(expected[k]), tolerance) << "d = " << d << ", " << i;
        }
    }
}

TEST_P(ClosedForms, LeavesUnitVectorsWithoutDriveOrOppositeToItWhereTheyAre) {
    Draw draw{18};
    for (const std::size_t d : {2U, 3U, 8U, 64U}) {
        SphereCases cases = sphere_cases(20, d, draw);
        for (std::size_t i = 0; i < cases.n(); ++i) {
            cases.time[i] = 1e3;
            double square = 0.0;
            for (std::size_t k = 0; k < d; ++k) square += cases.drive[i * d + k] * cases.drive[i * d + k];
            for (std::size_t k = 0; k < d; ++k) {
                double& h = cases.drive[i * d + k];
                if (i % 2 == 0) cases.start[i * d + k] = -h / std::sqrt(square);
                if (i % 2 != 0) h = 0.0;
            }
        }
        EXPECT_EQ(closed(cases, GetParam()), cases.start) << d;
    }
}

TEST_P(ClosedForms, KeepsUnitVectorsOfUnitLength) {
    Draw draw{13};
    for (const std::size_t d : {2U, 5U, 17U}) {
        const SphereCases cases = sphere_cases(40, d, draw);
        const std::vector<double> states = closed(cases, GetParam());
        for (std::size_t i = 0; i < cases.n(); ++i) {
            double square = 0.0;
            for (std::size_t k = 0; k < d; ++k) square += states[i * d + k] * states[i * d + k];
            EXPECT_NEAR(square, 1.0, 1e-12);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Each, ClosedForms, each_set, set_name);

}  // namespace
}  // namespace entrain::kernels

#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <string>
#include <vector>

#include "core/quantity.hpp"
#include "problem/problem.hpp"
#include "problem/solution.hpp"

namespace entrain::engines::ngspice::testing {

// A tank at 1 GHz with Q = 10 and a saturating transconductor of small-signal gain 3. Its figures below were measured with the plain ngspice command
// and a netlist written by hand.
inline constexpr double tank_amplitude = 0.774;               ///< [V]
inline constexpr double tank_resistance = 628.3185;           ///< [ohm]
inline constexpr double tank_frequency_20ps = 0.998237605e9;  ///< [Hz] free-running at a step of 20 ps, trapezoidal rule
inline constexpr double tank_rate = 6.283185307e9 / 20.0;     ///< [rad/s] K for an injection of the tank's own current: w0/2Q

inline const std::string tank_netlist =
    "* tank with a saturating transconductor\n"
    ".subckt tank out\n"
    "+ v0=0 i0=0 gain=4.77465\n"
    "C0 out 0 2.53302959e-12 ic={v0}\n"
    "L0 out 0 1e-8 ic={i0}\n"
    "R0 out 0 628.3185\n"
    "Vact active 0 0   $ carries the current out of the node\n"
    "B0 active out I=1e-3*tanh(gain*v(out))\n"
    ".ends\n";

inline problem::Cell tank_cell(double start, std::complex<double> injection = 0.0) {
    problem::Cell cell;
    cell.parameters = {{"v0", tank_amplitude * std::cos(start)}, {"i0", tank_amplitude / (turn * 1e9 * 1e-8) * std::sin(start)}};
    cell.injection = injection;
    return cell;
}

/// A circuit of tanks without cells.
inline problem::CircuitProblem tanks(double reference_hz = tank_frequency_20ps) {
    problem::CircuitProblem problem;
    problem.title = "tanks";
    problem.netlist = tank_netlist;
    problem.cell.subcircuit = "tank";
    problem.cell.pins = {"out"};
    problem.cell.inject_plus = "out";
    problem.cell.inject_minus = "0";
    problem.cell.read_plus = "out";
    problem.cell.read_minus = "0";
    problem.cell.active_branch = "vact";
    problem.reference_hz = reference_hz;
    problem.start_amplitude = tank_amplitude;
    return problem;
}

/// Tanks driven with `share` of their own current towards `angles` [rad], started a right angle away, with the rule to judge them by.
inline problem::CircuitProblem driven_tanks(const std::vector<double>& angles, double share) {
    problem::CircuitProblem problem = tanks();
    const auto n = static_cast<Eigen::Index>(angles.size());
    for (std::size_t i = 0; i < angles.size(); ++i) {
        problem.cells.push_back(tank_cell(angles[i] + 0.5 * std::numbers::pi, std::polar(share * tank_amplitude / tank_resistance, angles[i])));
        problem.cells.back().id = {0, 0, static_cast<std::int32_t>(i)};
    }
    problem.rule.rate = Eigen::VectorXd::Constant(n, share * tank_rate);
    problem.rule.max_time = Eigen::VectorXd::Constant(n, 20.0 / (share * tank_rate));
    return problem;
}

/// Every number of two solutions is the same, bit for bit.
inline void expect_same(const problem::Solution& a, const problem::Solution& b) {
    ASSERT_EQ(a.oscillators.size(), b.oscillators.size());
    for (std::size_t i = 0; i < a.oscillators.size(); ++i) {
        const auto& x = a.oscillators[i];
        const auto& y = b.oscillators[i];
        EXPECT_EQ(x.stop, y.stop);
        EXPECT_EQ(x.phase, y.phase);
        EXPECT_EQ(x.state, y.state);
        EXPECT_EQ(x.stop_time, y.stop_time);
        EXPECT_EQ(x.amplitude, y.amplitude);
        EXPECT_EQ(x.mean_power, y.mean_power);
        EXPECT_EQ(x.frequency_difference, y.frequency_difference);
        EXPECT_EQ(x.settling_time, y.settling_time);
        EXPECT_EQ(x.deformation, y.deformation);
        EXPECT_TRUE(std::ranges::equal(x.trajectory.times(), y.trajectory.times()));
        EXPECT_TRUE(std::ranges::equal(x.trajectory.energies(), y.trajectory.energies()));
        for (std::size_t k = 0; k < x.trajectory.size(); ++k) ASSERT_EQ(x.trajectory.phase(k), y.trajectory.phase(k));
    }
    EXPECT_EQ(a.cost.points, b.cost.points);
    EXPECT_EQ(a.cost.simulated_periods, b.cost.simulated_periods);
}

}  // namespace entrain::engines::ngspice::testing

#include <gtest/gtest.h>

#include <cmath>

#include "engines/ngspice/plugin.hpp"

namespace entrain::engines::ngspice {
namespace {

problem::CircuitProblem free_tanks(std::size_t n, double reference_hz, double periods) {
    problem::CircuitProblem p;
    p.title = "test";
    p.netlist =
        ".subckt tank out\n+ v0=0 i0=0\nC0 out 0 2.53302959e-12 ic={v0}\nL0 out 0 1e-8 ic={i0}\nR0 out 0 628.3185\n"
        "Vact x 0 0\nB0 x out I=1e-3*tanh(4.77465*v(out))\n.ends\n";
    p.cell.subcircuit = "tank";
    p.cell.pins = {"out"};
    p.cell.inject_plus = "out";
    p.cell.inject_minus = "0";
    p.cell.read_plus = "out";
    p.cell.read_minus = "0";
    p.cell.active_branch = "vact";
    p.reference_hz = reference_hz;
    for (std::size_t i = 0; i < n; ++i) {
        problem::Cell c;
        const double start = 0.3 + 0.5 * static_cast<double>(i);
        c.parameters = {{"v0", 0.774 * std::cos(start)}, {"i0", 0.774 / (turn * 1e9 * 1e-8) * std::sin(start)}};
        p.cells.push_back(c);
    }
    p.fixed_time = periods / reference_hz;
    return p;
}

TEST(NgspiceEngine, FindsFreeFrequencyOfTank) {
    const auto engine = create();
    const auto s = engine->solve(free_tanks(3, 1e9, 60), {});
    for (auto& f : s.failures) ADD_FAILURE() << f.category << f.message;
    for (auto& o : s.oscillators)
        printf("%.9g  A %.6g P %.6g phase %.6g n %zu\n", 1e9 + o.frequency_difference / turn, o.amplitude, o.mean_power, o.phase,
               o.trajectory.size());
    printf("%s cpu %g points %g\n", engine->simulator_version().c_str(), s.cost.cpu_s, s.cost.points);
}

}  // namespace
}  // namespace entrain::engines::ngspice

// Every technology with a circuit, at its default options and corner: what it is calibrated to is what it does.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <set>

#include "agreement/calibrated_cells.hpp"
#include "core/quantity.hpp"
#include "readout/reading.hpp"

namespace entrain {
namespace {

using namespace test;

class Locking : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Catalogue, Locking, testing::ValuesIn(circuits()), [](const auto& kind) { return kind.param; });

TEST_P(Locking, EndsAtTheMeasuredEdgesAndAnUnlockedOscillatorHasNoPhase) {
    const auto substrate = configured(GetParam());
    const problem::Calibration c = calibration_of(*substrate);
    const double below = turn * (c.frequency_at_step_hz - c.lock_range_low_hz);
    const double above = turn * (c.lock_range_high_hz - c.frequency_at_step_hz);
    // A cell that is slower than its anchors by more than the anchors may be faster than it, and so on. 15 %: a reader of one full-scale drive; the
    // calibration finds the edges to a percent, and a detuned cell is not quite a detuned drive.
    const std::vector<double> detuning = {-0.85 * above, 0.85 * below, -1.15 * above, 1.15 * below};
    const auto n = static_cast<Eigen::Index>(detuning.size());
    network::OscillatorNetwork network;
    network.anchors = Eigen::RowVector2d{std::cos(0.7), std::sin(0.7)};
    network.anchor_ids = {{0, 0}};
    network.start = Eigen::MatrixXd::Zero(n, 2);
    network.start.col(0).setOnes();
    network.detuning.resize(n);
    for (Eigen::Index i = 0; i < n; ++i) {
        network.free.push_back({0, 0, static_cast<std::int32_t>(i)});
        network.couplings.push_back({0, static_cast<std::uint32_t>(i), network::Coupling::From::anchor, 1, 1.0, 0.0, 0.0});
        network.detuning(i) = detuning[static_cast<std::size_t>(i)] / problem::coupling_rate_at(c, 1.0);
    }
    const problem::Instance instance = substrate->map(network, c, {}, {}, RandomStreams{1});
    problem::SettlingRule rule;
    rule.rate = Eigen::VectorXd::Constant(n, 0.3 * c.coupling_rate);  // near the edge phases return slowly: sqrt(1 - 0.85^2) = 0.53
    rule.max_time = Eigen::VectorXd::Constant(n, 300.0 / c.coupling_rate);
    const auto solution =
        ngspice()->solve(substrate->problem(instance, problem::Fidelity::circuit, {rule, substrate->default_points_per_period(), {}}), {});
    ASSERT_TRUE(solution.failures.empty()) << solution.failures.front().message;
    const auto readings = readout::read(solution, instance, rule, readout::Correction::offset);
    for (const std::size_t inside : {0U, 1U}) EXPECT_EQ(readings[inside].verdict, readout::Verdict::settled) << inside;
    for (const std::size_t outside : {2U, 3U}) {
        EXPECT_EQ(readings[outside].verdict, readout::Verdict::unlocked) << outside;
        EXPECT_EQ(readings[outside].state.size(), 0) << outside;
        EXPECT_GT(readings[outside].frequency_difference * detuning[outside], 0.0) << outside;  // it runs on its own side of the anchors
    }
    // A cell that would run ahead of its anchors leads them, by less than a right angle more than at zero detuning.
    EXPECT_GT(wrap(readings[1].phase - readings[0].phase), 0.0);
}

TEST_P(Locking, StartsAtTheStartPhase) {
    // An undriven cell keeps the phase it was started with. 1 deg: the default settling tolerance; what is lost goes into relaxation onto the limit
    // cycle.
    const auto substrate = configured(GetParam());
    const problem::Calibration c = calibration_of(*substrate);
    std::vector<substrates::BenchCell> cells;
    for (const double phase : {0.0, 1.1, 2.2, -2.5, -1.2}) cells.push_back({phase, 0.0, 0.0});
    problem::CircuitProblem bench = substrate->bench(cells, c.frequency_at_step_hz, substrate->default_points_per_period(), c);
    bench.fixed_time = 12.0 / c.frequency_at_step_hz;
    const auto solution = ngspice()->solve(bench, {});
    ASSERT_TRUE(solution.failures.empty()) << solution.failures.front().message;
    for (std::size_t k = 0; k < cells.size(); ++k) EXPECT_NEAR(degrees(wrap(solution.oscillators[k].phase - cells[k].start_phase)), 0.0, 1.0) << k;
}

TEST(LcLockRange, IsAdlers) {
    // K/w0 = (1/2Q) (Iinj/Iosc) with Q = 10 (Adler 1946). 3 %: the theory is first order in 1/Q and in the injection.
    const double injection = 0.1;
    const problem::Calibration c = calibration_of(*configured("lc", {{"injection", injection}}));
    EXPECT_NEAR(c.coupling_rate / (turn * c.frequency_hz) / (injection / 20.0), 1.0, 0.03);
}

TEST(LcRelaxation, SlowsAsTheInjectedCurrentRaisesTheAmplitude) {
    // In lock the current adds to the saturated one, and what returns the phase is its share of the whole: K = (w0/2Q) I/(a/R). The describing
    // function of the tanh gives a = 0.773779 V free and 0.937411 V at full scale (netlists/lc/bench_behavioural.cir). 2 %: harmonics, first order in
    // 1/Q, and a line in 1/K for what bends a little.
    const problem::Calibration c = calibration_of(*configured("lc"));
    EXPECT_NEAR(c.relaxation_rate / (turn * c.frequency_hz * 0.2 / 20.0), 1.0, 0.02);
    EXPECT_NEAR(1.0 + c.relaxation_softening, 0.937411 / 0.773779, 0.02);
    // Slipping cells pass every angle x, and K sin(x)/(1 + s cos(x)) has its largest value K/sqrt(1 - s^2) at cos(x) = -s: the lock range. Measured
    // independently of the return rates; 0.5 %: the edges' own accuracy.
    const double s = c.relaxation_softening;
    EXPECT_NEAR(c.coupling_rate / c.relaxation_rate * std::sqrt(1.0 - s * s), 1.0, 0.005);
}

}  // namespace
}  // namespace entrain

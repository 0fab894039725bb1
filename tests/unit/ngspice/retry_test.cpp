#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "engines/ngspice/plugin.hpp"
#include "problem/solution.hpp"
#include "tank.hpp"

// Netlists that fail for good reasons, and what a second attempt makes of them.

namespace entrain::engines::ngspice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Free-running frequency [Hz] of the tank at this number of points per period, measured as a calibration does.
double tank_frequency(int points) {
    problem::CircuitProblem problem = testing::tanks();
    problem.cells.push_back(testing::tank_cell(1.2));
    problem.points_per_period = points;
    for (int round = 0; round < 4; ++round) {  // each shrinks what step and frequency disagree by to less than a hundredth
        problem.fixed_time = 200 / problem.reference_hz;
        problem.reference_hz += create()->solve(problem, {}).oscillators.at(0).frequency_difference / turn;
    }
    return problem.reference_hz;
}

/// Two driven tanks whose frequency is known at the step and at half of it.
problem::CircuitProblem two_tanks() {
    problem::CircuitProblem problem = testing::driven_tanks({0.4, -1.1}, 0.1);
    static const double at_step = tank_frequency(50);
    static const double at_half_step = tank_frequency(100);
    problem.reference_hz = at_step;
    problem.half_step_hz = at_half_step;
    return problem;
}

/// The same with a circuit beside each tank that survives only steps below 12 ps: an RC of 6.2 ps steps up by 1 V after 20 ns. With steps h of 20 ps
/// the trapezoidal rule overshoots, by (x - 1)/(x + 1)^2 = 9 % with x = h/2RC = 1.6; beyond 4 % a latch trips and v' ~ 1 + v^2 ends the simulation.
/// With x = 0.8 nothing overshoots.
problem::CircuitProblem fails_above_12_ps() {
    problem::CircuitProblem problem = two_tanks();
    problem.netlist.replace(problem.netlist.find(".ends"), 0,
                            "Bk k 0 V=0.5*(1+tanh((time-20e-9)/1e-13))\n"
                            "Rs k s 1e3\n"
                            "Cs s 0 6.2e-15\n"
                            "Cq q 0 1e-12 ic=0\n"
                            "Bq 0 q I=max(0,v(s)-1.04)\n"
                            "Cw w 0 1e-12 ic=0\n"
                            "Bw 0 w I=1e-3*(1+v(w)*v(w))*max(0,tanh(100*(v(q)-0.01)))\n");
    return problem;
}

std::vector<std::string> steps_of(const problem::Solution& solution) {
    std::vector<std::string> steps;
    for (const problem::Retry& r : solution.retries) steps.push_back(r.category + ", " + r.change + (r.ok ? ": worked" : ": failed"));
    return steps;
}

TEST(RetryLadder, HalfTheStepSavesANetlistThatTheFullStepCannotFollow) {
    const auto undisturbed = create()->solve(two_tanks(), {});
    const auto saved = create()->solve(fails_above_12_ps(), {});
    EXPECT_THAT(undisturbed.retries, IsEmpty());
    ASSERT_THAT(saved.failures, IsEmpty());
    EXPECT_THAT(steps_of(saved), ElementsAre("timestep, fresh worker: failed", "timestep, half step: worked"));
    EXPECT_THAT(saved.retries[0].message, ::testing::HasSubstr("imestep too small"));
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(saved.oscillators[i].stop, problem::Stop::settled);
        // 0.02 deg that either run may still have to go, and 0.02 deg for the tank's offset of 0.44 deg, which changes by (w h)^2/12 = 0.1 % of a
        // radian at most.
        EXPECT_NEAR(degrees(wrap(saved.oscillators[i].phase - undisturbed.oscillators[i].phase)), 0.0, 0.04) << i;
        EXPECT_NEAR(saved.oscillators[i].stop_time / undisturbed.oscillators[i].stop_time, 1.0, 0.1) << i;  // judged every quarter time constant
    }
}

TEST(RetryLadder, HalfTheStepNeedsAnchorsAtTheFrequencyOfThatStep) {
    problem::CircuitProblem problem = fails_above_12_ps();
    const auto right = create()->solve(problem, {});
    const double right_frequency = problem.half_step_hz;
    problem.half_step_hz = problem.reference_hz;
    const auto wrong = create()->solve(problem, {});
    ASSERT_THAT(wrong.failures, IsEmpty());
    // Adler: sin of the shift is detuning over coupling rate; the detuning is what the two steps warp differently, 1e-3 of the frequency.
    const double shift = std::asin(turn * (right_frequency - problem.reference_hz) / problem.rule.rate(0));
    EXPECT_GT(degrees(shift), 10.0);
    EXPECT_NEAR(degrees(wrap(wrong.oscillators[0].phase - right.oscillators[0].phase)) / degrees(shift), 1.0,
                0.15);  // the amplitude grows by a tenth, and K shrinks with it
}

TEST(RetryLadder, GivesUpWhereTheFrequencyAtHalfTheStepIsNotKnown) {
    problem::CircuitProblem problem = fails_above_12_ps();
    problem.half_step_hz = 0.0;  // as in the benches of a calibration
    const auto solution = create()->solve(problem, {});
    EXPECT_THAT(steps_of(solution), ElementsAre("timestep, fresh worker: failed"));
    ASSERT_EQ(solution.failures.size(), 1U);
    EXPECT_EQ(solution.failures[0].category, "timestep");
}

TEST(RetryLadder, NetlistThatIsRefusedIsNotTriedAtAnotherStep) {
    problem::CircuitProblem problem = two_tanks();
    problem.netlist.replace(problem.netlist.find(".ends"), 0, "D1 out 0 no_such_model\n");
    const auto solution = create()->solve(problem, {});
    EXPECT_THAT(steps_of(solution), ElementsAre("parse, fresh worker: failed"));
    ASSERT_EQ(solution.failures.size(), 1U);
}

/// Puts a script in the place of entrain-worker that becomes the worker; the first `deaths` of them are killed 50 ms later.
class MortalWorkers {
 public:
    explicit MortalWorkers(int deaths) : folder_{std::filesystem::path{::testing::TempDir()} / ("mortal_workers_" + std::to_string(::getpid()))} {
        std::filesystem::create_directories(folder_);
        const std::string script = (folder_ / "entrain-worker").string();
        const std::string count = (folder_ / "count").string();
        std::ofstream{count} << 0;
        std::ofstream{script} << "#!/bin/sh\nn=$(cat " << count << ")\necho $((n + 1)) > " << count << "\nif [ $n -lt " << deaths
                              << " ]; then\n  { sleep 0.05; kill -9 $$; } 3<&- &\nfi\nexec " << ENTRAIN_BINARY_DIR << "/entrain-worker \"$@\"\n";
        ::chmod(script.c_str(), 0755);
        ::setenv("ENTRAIN_WORKER", script.c_str(), 1);
    }
    MortalWorkers(const MortalWorkers&) = delete;
    MortalWorkers& operator=(const MortalWorkers&) = delete;
    ~MortalWorkers() {
        ::unsetenv("ENTRAIN_WORKER");
        std::filesystem::remove_all(folder_);
    }

 private:
    std::filesystem::path folder_;
};

/// Long enough that a worker which dies after 50 ms dies in it: 150,000 points of at least 2 us.
problem::CircuitProblem long_run() {
    problem::CircuitProblem problem = two_tanks();
    problem.fixed_time = 3000 / problem.reference_hz;
    return problem;
}

TEST(RetryLadder, WorkerThatDiesIsReplacedAndChangesNoNumber) {
    const auto undisturbed = create()->solve(long_run(), {});
    const MortalWorkers workers{1};
    const auto solution = create()->solve(long_run(), {});
    ASSERT_THAT(solution.failures, IsEmpty());
    EXPECT_THAT(steps_of(solution), ElementsAre("crash, fresh worker: worked"));
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(solution.oscillators[i].phase, undisturbed.oscillators[i].phase);
        EXPECT_TRUE(std::ranges::equal(solution.oscillators[i].trajectory.energies(), undisturbed.oscillators[i].trajectory.energies()));
    }
}

TEST(RetryLadder, EndsAfterItsLastStep) {
    const problem::CircuitProblem problem = long_run();  // measured by workers that live
    const MortalWorkers workers{9};
    const auto solution = create()->solve(problem, {});
    EXPECT_THAT(steps_of(solution), ElementsAre("crash, fresh worker: failed"));  // a kill is not the netlist's fault
    ASSERT_EQ(solution.failures.size(), 1U);
    EXPECT_EQ(solution.failures[0].category, "crash");
}

}  // namespace
}  // namespace entrain::engines::ngspice

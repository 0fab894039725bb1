#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <set>
#include <thread>

#include "core/error.hpp"
#include "engines/ngspice/plugin.hpp"
#include "io/rawfile.hpp"
#include "tank.hpp"

namespace entrain::engines::ngspice {
namespace {

using problem::Stop;

/// Sets one option of an engine.
class Setter final : public FieldVisitor {
 public:
    Setter(std::string name, double value) : name_{std::move(name)}, value_{value} {}
    void visit(const Field& field) override {
        if (field.name != name_) return;
        if (const auto* quantity = std::get_if<QuantityField>(&field.value)) *quantity->si = value_;
        if (const auto* integer = std::get_if<IntegerField>(&field.value)) *integer->value = static_cast<std::int64_t>(value_);
    }

 private:
    std::string name_;
    double value_;
};

std::unique_ptr<Engine> engine_with(const std::string& option, double value) {
    auto engine = create();
    Setter setter{option, value};
    engine->describe(setter);
    return engine;
}

/// Processes named entrain-worker whose parent is this one, zombies included.
std::set<pid_t> workers() {
    std::set<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        std::ifstream file{entry.path() / "stat"};
        pid_t process = 0;
        pid_t parent = 0;
        std::string name;
        std::string state;
        if (file >> process >> name >> state >> parent && name == "(entrain-worker)" && parent == ::getpid()) found.insert(process);
    }
    return found;
}

std::size_t worker_folders() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::temp_directory_path()})
        count += entry.path().filename().string().starts_with("entrain-worker-") ? 1 : 0;
    return count;
}

void expect_no_failures(const problem::Solution& solution) {
    for (const auto& failure : solution.failures) ADD_FAILURE() << failure.category << ": " << failure.message;
}

/// The trapezoidal rule turns a tank's w into (2/h) tan(w h/2): the frequency it would have with h -> 0.
double unwarped(double frequency, double step) { return std::tan(0.5 * turn * frequency * step) / (0.5 * turn * step); }

TEST(NgspiceEngine, FreeTankRunsAtItsFrequencyAtThisStep) {
    problem::CircuitProblem problem = testing::tanks(1e9);
    problem.cells.push_back(testing::tank_cell(1.2));
    problem::Solution solution;
    for (int round = 0; round < 3; ++round) {  // until step and frequency agree
        problem.fixed_time = 90 / problem.reference_hz;
        solution = create()->solve(problem, {});
        expect_no_failures(solution);
        problem.reference_hz += solution.oscillators[0].frequency_difference / turn;
    }
    // The known frequency is that of a step of 20 ps, measured on a netlist without branch currents, where Newton's iteration stops at vntol = 1 uV:
    // that alone moves it by 2e-7. (With the cell's 0 V source abstol makes it go on; tighter tolerances then change less than 1e-9.)
    const double expected = unwarped(testing::tank_frequency_20ps, 20e-12);
    EXPECT_NEAR(unwarped(problem.reference_hz, problem::step_s(problem)) / expected, 1.0, 3e-7);
    EXPECT_NEAR(solution.oscillators[0].amplitude, testing::tank_amplitude, 0.001);
    EXPECT_EQ(solution.oscillators[0].trajectory.size(), 90U);
    EXPECT_EQ(solution.oscillators[0].stop, Stop::time_limit);
    // All power goes into the 628 ohm; harmonics add 3e-4 of it, the tank keeps them small.
    EXPECT_NEAR(solution.oscillators[0].mean_power, 0.5 * std::pow(solution.oscillators[0].amplitude, 2) / testing::tank_resistance,
                1e-3 * solution.oscillators[0].mean_power);
    EXPECT_NEAR(solution.oscillators[0].trajectory.energies().back(), 89.5 / problem.reference_hz * solution.oscillators[0].mean_power,
                1e-2 * 89.5e-9 * solution.oscillators[0].mean_power);
    EXPECT_DOUBLE_EQ(solution.cost.simulated_periods, 90.0);
    EXPECT_NEAR(solution.cost.points, 90 * problem::steps_per_period(50), 15);  // the first steps are shorter
}

TEST(NgspiceEngine, WorkerMemoryDoesNotGrowWithTheRun) {
    problem::CircuitProblem problem = testing::driven_tanks({0.4}, 0.1);
    problem.fixed_time = 8000 / problem.reference_hz;  // 400,000 points: kept, the five vectors of one cell would take 16 MB
    expect_no_failures(create()->solve(problem, {}));
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    EXPECT_LT(usage.ru_maxrss, 24 * 1024);  // [KiB] a worker starts with about 15 MB
}

/// Anchors' frequency of the tank at 50 points per period, which the test above confirms.
double tank_frequency() {
    const double half_step = std::numbers::pi / problem::steps_per_period(50);  // [rad]
    return unwarped(testing::tank_frequency_20ps, 20e-12) * half_step / std::tan(half_step);
}

TEST(NgspiceEngine, DrivenTanksSettleAtTheDrivesAnglePlusTheKnownOffset) {
    problem::CircuitProblem problem = testing::driven_tanks({0.4, 1.8, -2.5}, 0.1);
    problem.reference_hz = tank_frequency();
    const auto solution = create()->solve(problem, {});
    expect_no_failures(solution);
    for (std::size_t i = 0; i < 3; ++i) {
        const auto& o = solution.oscillators[i];
        EXPECT_EQ(o.stop, Stop::settled);
        // 0.44 deg: measured with the plain ngspice command; 0.03: what the stop rule leaves, and the digits given.
        EXPECT_NEAR(degrees(wrap(o.phase - std::arg(problem.cells[i].injection))), 0.44, 0.03);
        EXPECT_NEAR(std::atan2(o.state(1), o.state(0)), wrap(o.phase), 1e-12);
        // Adler: from 90.4 deg off to 1 deg off.
        const auto settled = problem::settling_time(o.trajectory, o.state, Radians{radians(1.0)});
        ASSERT_TRUE(settled.has_value());
        EXPECT_NEAR(*settled * problem.rule.rate(0), std::log(std::tan(radians(45.2)) / std::tan(radians(0.5))),
                    0.1 * 4.7);  // the amplitude grows by the drive
    }
}

TEST(NgspiceEngine, ReducedAndFullCrossbarSettleAlike) {
    problem::CircuitProblem problem = testing::driven_tanks({0.0, 0.0}, 0.2);
    problem.anchors = {{{0, 0}, 0.3}, {{0, 1}, 2.0}, {{0, 2}, -1.5}};
    const double weights[2][3] = {{0.5, 0.3, 0.2}, {0.1, 0.3, 0.6}};
    for (std::uint32_t i = 0; i < 2; ++i) {
        problem.cells[i].injection = 0.0;
        for (std::uint32_t j = 0; j < 3; ++j) {
            const double siemens = weights[i][j] * 0.2 * testing::tank_amplitude / testing::tank_resistance;
            problem.crosspoints.push_back({j, i, siemens});
            problem.cells[i].injection += std::polar(siemens, problem.anchors[j].phase);
        }
        problem.rule.rate(i) = std::abs(problem.cells[i].injection) / (testing::tank_amplitude / testing::tank_resistance) * testing::tank_rate;
        problem.rule.max_time(i) = 20.0 / problem.rule.rate(i);
    }
    const auto reduced = create()->solve(problem, {});
    problem.crossbar = problem::Crossbar::full;
    const auto full = create()->solve(problem, {});
    expect_no_failures(reduced);
    expect_no_failures(full);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(full.oscillators[i].stop, Stop::settled);
        EXPECT_NEAR(degrees(full.oscillators[i].phase - reduced.oscillators[i].phase), 0.0, 0.01);
    }
}

TEST(NgspiceEngine, TellsUnlockedDeadAndSlowOscillatorsApart) {
    problem::CircuitProblem problem = testing::driven_tanks({0.4, 0.4, 0.4, 0.4}, 0.1);
    problem.reference_hz = tank_frequency();
    problem.cells[1].parameters.push_back({"gain", 0.0});                          // decays from its preset
    problem.cells[2].parameters = {{"v0", 0.0}, {"i0", 0.0}, {"gain", 0.0}};       // never starts
    for (const std::size_t dead : {1U, 2U}) problem.cells[dead].injection *= 0.1;  // not an oscillation by the drive alone
    problem.cells[3].injection *= 1e-3;                                            // far too slow
    problem.rule.rate(3) *= 1e-3;
    const auto solution = create()->solve(problem, {});
    expect_no_failures(solution);
    EXPECT_EQ(solution.oscillators[0].stop, Stop::settled);
    EXPECT_EQ(solution.oscillators[1].stop, Stop::collapsed);
    EXPECT_EQ(solution.oscillators[2].stop, Stop::never_started);
    EXPECT_EQ(solution.oscillators[3].stop, Stop::time_limit);

    // Read at half the frequency, a healthy tank has no fundamental: it runs at a harmonic, which is neither dead nor unlocked.
    problem::CircuitProblem halved = problem;
    halved.reference_hz *= 0.5;
    halved.points_per_period *= 2;
    halved.cells.resize(1);
    halved.cells[0].injection = 0.0;
    halved.rule.rate.conservativeResize(1);
    halved.rule.max_time.conservativeResize(1);
    EXPECT_EQ(create()->solve(halved, {}).oscillators[0].stop, Stop::multimode);

    problem.cells.resize(1);
    problem.rule.rate.conservativeResize(1);
    problem.rule.max_time.conservativeResize(1);
    problem.reference_hz *= 1.02;  // 20 MHz; the lock range is 5 MHz
    const auto slipping = create()->solve(problem, {});
    expect_no_failures(slipping);
    EXPECT_EQ(slipping.oscillators[0].stop, Stop::unlocked);
    // Beat frequency sqrt(dw^2 - K^2) (Adler 1946), behind the anchors; 10 %: a part of a beat lies at either end of the fit.
    const double detuning = turn * 0.02 * tank_frequency();
    EXPECT_NEAR(slipping.oscillators[0].frequency_difference / -std::sqrt(detuning * detuning - std::pow(problem.rule.rate(0), 2)), 1.0, 0.1);
}

/// Six oscillators in three netlists.
problem::CircuitProblem several() { return testing::driven_tanks({0.1, 0.9, 1.7, 2.5, -2.0, -1.2}, 0.2); }

TEST(NgspiceEngine, NumberOfJobsChangesNoBit) {
    const auto engine = engine_with("oscillators_per_netlist", 2);
    RunOptions two;
    two.jobs = 2;
    const auto one_job = engine->solve(several(), {});
    expect_no_failures(one_job);
    testing::expect_same(one_job, engine->solve(several(), two));
    EXPECT_EQ(engine->estimate(several(), {}).netlists, 3);
}

TEST(NgspiceEngine, KilledWorkerCostsOneRetry) {
    const auto engine = engine_with("oscillators_per_netlist", 2);
    const auto undisturbed = engine->solve(several(), {});
    std::atomic<int> kills{0};
    std::atomic<bool> over{false};
    std::thread killer{[&] {
        while (!over && kills == 0)
            for (const pid_t worker : workers()) {
                std::this_thread::sleep_for(std::chrono::milliseconds{20});
                if (::kill(worker, SIGKILL) == 0) ++kills;
            }
    }};
    const auto disturbed = engine->solve(several(), {});
    over = true;
    killer.join();
    EXPECT_GE(kills, 1);
    expect_no_failures(disturbed);
    testing::expect_same(undisturbed, disturbed);
}

TEST(NgspiceEngine, FailedNetlistIsNamedAndTheOthersGoOn) {
    problem::CircuitProblem problem = several();
    problem.netlist.replace(problem.netlist.find("i0=0"), 4, "i0=0 resistance=628.3185 blowup=0");
    problem.netlist.replace(problem.netlist.find("R0 out 0 628.3185"), 17, "R0 out 0 628.3185\nB1 0 out I=blowup*(1+v(out)*v(out))");
    problem.cells[3].parameters.push_back({"blowup", 1.0});
    const auto solution = engine_with("oscillators_per_netlist", 1)->solve(problem, {});
    ASSERT_EQ(solution.failures.size(), 1U);
    EXPECT_EQ(solution.failures[0].category, "timestep");
    EXPECT_THAT(solution.failures[0].message, ::testing::HasSubstr("imestep too small"));
    EXPECT_THAT(solution.failures[0].oscillators, ::testing::ElementsAre(3U));
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(solution.oscillators[i].stop, i == 3 ? Stop::failed : Stop::settled);
    EXPECT_EQ(solution.oscillators[3].state.size(), 0);
}

TEST(NgspiceEngine, NetlistBeyondItsDeadlineIsATimeout) {
    const auto solution = engine_with("deadline", 1e-3)->solve(several(), {});
    ASSERT_EQ(solution.failures.size(), 1U);
    EXPECT_EQ(solution.failures[0].category, "timeout");
    EXPECT_EQ(solution.failures[0].oscillators.size(), 6U);
}

TEST(NgspiceEngine, InterruptedRunKeepsWhatIsDone) {
    problem::CircuitProblem problem = testing::tanks();
    problem.cells.push_back(testing::tank_cell(0.0));
    problem.fixed_time = 1.0;  // hours of simulation
    std::atomic<bool> stop{false};
    RunOptions run;
    run.progress.stop = &stop;
    std::thread user{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
        stop = true;
    }};
    const auto solution = create()->solve(problem, run);
    user.join();
    ASSERT_EQ(solution.failures.size(), 1U);
    EXPECT_EQ(solution.failures[0].category, "interrupted");
}

TEST(NgspiceEngine, LeavesNoProcessAndNoFolder) {
    const std::size_t folders_before = worker_folders();  // other programs may have been killed on this machine
    static_cast<void>(create()->solve(several(), {}));
    static_cast<void>(engine_with("deadline", 1e-3)->solve(several(), {}));
    EXPECT_TRUE(workers().empty());
    EXPECT_EQ(worker_folders(), folders_before);
}

TEST(NgspiceEngine, RecordsTheWavesAskedFor) {
    const auto folder = std::filesystem::path{::testing::TempDir()} / "entrain_waves";
    std::filesystem::create_directories(folder);
    problem::CircuitProblem problem = several();
    problem.fixed_time = 20 / problem.reference_hz;
    RunOptions run;
    run.waves = {"osc_0_4"};
    run.waves_folder = folder.string();
    const auto solution = create()->solve(problem, run);
    expect_no_failures(solution);
    const auto plots = io::read_raw(folder / "chunk0.raw");
    ASSERT_EQ(plots.at(0).header.variables.size(), 2U);
    EXPECT_EQ(plots[0].header.variables[1].name, "v(seq0_osc_0_4)");
    EXPECT_EQ(static_cast<double>(plots[0].columns[0].size()), solution.cost.points);
    EXPECT_NEAR(*std::ranges::max_element(plots[0].columns[1]), testing::tank_amplitude, 0.2 * testing::tank_amplitude);
    std::filesystem::remove_all(folder);
}

TEST(NgspiceEngine, MissingWorkerNamesWhatToDo) {
    ::setenv("ENTRAIN_WORKER", "/nonexistent/entrain-worker", 1);
    EXPECT_THROW(static_cast<void>(create()->solve(several(), {})), MissingComponent);
    ::setenv("ENTRAIN_WORKER", "/bin/true", 1);  // starts, but is no worker
    try {
        static_cast<void>(create()->simulator_version());
        ADD_FAILURE();
    } catch (const MissingComponent& missing) {
        EXPECT_THAT(missing.what(), ::testing::HasSubstr("libngspice0"));
    }
    ::unsetenv("ENTRAIN_WORKER");
    EXPECT_EQ(create()->simulator_version(), "ngspice-39");
    EXPECT_THROW(static_cast<void>(create()->solve(problem::ExactProblem{}, {})), std::invalid_argument);
}

}  // namespace
}  // namespace entrain::engines::ngspice

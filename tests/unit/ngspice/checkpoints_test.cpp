#include "engines/ngspice/checkpoints.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "engines/ngspice/plugin.hpp"
#include "tank.hpp"

namespace entrain::engines::ngspice {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

class CheckpointsTest : public ::testing::Test {
 protected:
    CheckpointsTest() : folder_{fs::path{::testing::TempDir()} / ("checkpoints_" + std::to_string(::getpid()))} { fs::create_directories(folder_); }
    ~CheckpointsTest() override { fs::remove_all(folder_); }

    [[nodiscard]] RunOptions run() const {
        RunOptions run;
        run.checkpoint_folder = folder_.string();
        run.program = "a program";
        return run;
    }
    [[nodiscard]] std::vector<fs::path> files() const {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator{folder_}) found.push_back(entry.path());
        std::ranges::sort(found);
        return found;
    }
    fs::path folder_;
};

/// Three tanks of which one is much slower, in two netlists.
problem::CircuitProblem two_netlists() {
    problem::CircuitProblem problem = testing::driven_tanks({0.1, 0.9, -2.0}, 0.2);
    problem.cells[1].injection *= 0.1;
    problem.rule.rate(1) *= 0.1;
    problem.rule.max_time(1) *= 10.0;
    return problem;
}

TEST_F(CheckpointsTest, FinishedNetlistsAreNotSimulatedAgainAndChangeNoBit) {
    problem::CircuitProblem problem = two_netlists();
    problem.phase_terms = {{2, 0.1, 0.3}};
    const auto undisturbed = create()->solve(problem, {});
    const auto first = create()->solve(problem, run());
    EXPECT_GT(first.cost.cpu_s, 0.0);
    ASSERT_EQ(files().size(), 2U);
    const auto second = create()->solve(problem, run());
    EXPECT_EQ(second.cost.cpu_s, 0.0);  // no worker simulated anything
    testing::expect_same(undisturbed, first);
    testing::expect_same(undisturbed, second);

    fs::remove(files().front());
    const auto third = create()->solve(problem, run());
    EXPECT_GT(third.cost.cpu_s, 0.0);
    testing::expect_same(undisturbed, third);
    EXPECT_EQ(files().size(), 2U);
}

TEST_F(CheckpointsTest, LongTrajectoriesComeBackAsTheyWereDecimated) {
    problem::CircuitProblem problem = testing::driven_tanks({0.4}, 0.1);
    problem.fixed_time = 9001 / problem.reference_hz;  // more than twice the capacity of a trajectory
    const auto first = create()->solve(problem, run());
    ASSERT_LE(first.oscillators[0].trajectory.size(), problem::Trajectory::capacity);
    testing::expect_same(first, create()->solve(problem, run()));
}

TEST_F(CheckpointsTest, DamagedFilesAreNotUsed) {
    const problem::CircuitProblem problem = testing::driven_tanks({0.4}, 0.2);
    const auto good = create()->solve(problem, run());
    ASSERT_EQ(files().size(), 1U);
    const fs::path file = files().front();
    const std::string content = read_file(file);
    const auto is_used = [&] { return create()->solve(problem, run()).cost.cpu_s == 0.0; };
    ASSERT_TRUE(is_used());
    for (const std::size_t place : {std::size_t{3}, std::size_t{40}, content.size() / 2, content.size() - 1}) {
        std::string damaged = content;
        damaged[place] = static_cast<char>(damaged[place] ^ 1);
        std::ofstream{file, std::ios::binary} << damaged;
        EXPECT_FALSE(is_used()) << place;
        EXPECT_EQ(read_file(file), content) << place;  // simulated and stored again
    }
    for (const std::size_t length : {std::size_t{0}, std::size_t{70}, content.size() - 1}) {
        std::ofstream{file, std::ios::binary} << content.substr(0, length);
        EXPECT_FALSE(is_used()) << length;
    }
}

TEST_F(CheckpointsTest, AnotherProblemOrProgramFindsNothing) {
    const problem::CircuitProblem problem = testing::driven_tanks({0.4}, 0.2);
    const auto is_found = [&](const problem::CircuitProblem& asked, const RunOptions& options, const std::string& simulator) {
        const std::vector<std::uint32_t> cells = {0};
        return Checkpoints{folder_, options.program, simulator}.find(ChunkRun{asked, {0, cells}, options}).has_value();
    };
    static_cast<void>(create()->solve(problem, run()));
    const std::string simulator = create()->simulator_version();
    ASSERT_TRUE(is_found(problem, run(), simulator));
    EXPECT_FALSE(is_found(problem, run(), "ngspice-40"));
    RunOptions other = run();
    other.program = "another program";
    EXPECT_FALSE(is_found(problem, other, simulator));

    std::vector<problem::CircuitProblem> changed(18, problem);
    changed[0].points_per_period = 51;
    changed[1].rule.rate(0) *= 1.001;
    changed[2].rule.max_time(0) *= 1.001;
    changed[3].rule.remaining = Radians{0.5 * problem.rule.remaining.value()};
    changed[4].rule.noisy = true;
    changed[5].rule.least_time = 1e-6;
    changed[6].cells[0].parameters[0].value *= 1.0 + 1e-15;
    changed[7].cells[0].injection *= 1.001;
    changed[8].integration.reltol = 1e-5;
    changed[9].start_amplitude *= 1.001;
    changed[10].half_step_hz = problem.reference_hz;
    changed[11].warm_up_periods = 8;
    changed[12].cells[0].clock_shift = 0.1;
    changed[13].dialect.behavior = "hs";
    changed[14].dialect.geometry_scale = 1e-6;
    changed[15].cells[0].noise_density = 1e-22;
    changed[16].volt_scale = 2.0;
    changed[17].phase_terms = {{2, 0.1, 0.0}};
    for (std::size_t k = 0; k < changed.size(); ++k) EXPECT_FALSE(is_found(changed[k], run(), simulator)) << k;
}

TEST_F(CheckpointsTest, WavesThatWereNotRecordedAreSimulatedFor) {
    const problem::CircuitProblem problem = testing::driven_tanks({0.4, 1.0}, 0.2);
    RunOptions with_waves = run();
    with_waves.waves = {"osc_0_1"};
    with_waves.waves_folder = folder_.string();
    const auto is_used = [&](const RunOptions& options) { return create()->solve(problem, options).cost.cpu_s == 0.0; };
    ASSERT_FALSE(is_used(run()));
    EXPECT_FALSE(is_used(with_waves));
    EXPECT_TRUE(fs::exists(folder_ / "chunk0.raw"));
    EXPECT_TRUE(is_used(with_waves));
    EXPECT_TRUE(is_used(run()));
    with_waves.waves = {"all"};
    EXPECT_FALSE(is_used(with_waves));
    with_waves.waves = {"osc_0_0"};
    EXPECT_TRUE(is_used(with_waves));
    fs::remove(folder_ / "chunk0.raw");
    EXPECT_FALSE(is_used(with_waves));
}

TEST_F(CheckpointsTest, FailedNetlistsAreNotStored) {
    problem::CircuitProblem problem = testing::driven_tanks({0.4}, 0.2);
    problem.netlist.replace(problem.netlist.find(".ends"), 0, "D1 out 0 no_such_model\n");
    EXPECT_EQ(create()->solve(problem, run()).failures.size(), 1U);
    EXPECT_THAT(files(), IsEmpty());
}

TEST_F(CheckpointsTest, FolderThatCannotBeWrittenIsAnError) {
    RunOptions nowhere = run();
    nowhere.checkpoint_folder = (folder_ / "none").string();
    EXPECT_THROW(static_cast<void>(create()->solve(testing::driven_tanks({0.4}, 0.2), nowhere)), std::runtime_error);
}

}  // namespace
}  // namespace entrain::engines::ngspice

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "io/json.hpp"
#include "support/program.hpp"

// What a run leaves behind, and what happens when it is disturbed.

namespace {

using namespace entrain;
using entrain::test::RunningProgram;
using entrain::test::source_file;
using entrain::test::TemporaryFolder;
using testing::HasSubstr;

io::Json without_provenance(io::Json result) {
    result.erase("provenance");
    result.erase("cost");
    return result;
}

TEST(Run, ResolvedConfigurationGivesTheSameNumbers) {
    const TemporaryFolder folder;
    const std::string first = (folder.path() / "first").string();
    const std::string second = (folder.path() / "second").string();
    const std::vector<std::string> overrides = {
        "--set", "substrate.kind=ideal", "--set", "engine.kind=phase", "--set", "layer.sequences=[3, 1]", "--seed", "7", "--quiet"};
    std::vector<std::string> arguments = {"run", source_file("configs/lc.yaml"), "--out", first};
    arguments.insert(arguments.end(), overrides.begin(), overrides.end());
    ASSERT_LE(test::entrain(arguments).status, 1);
    ASSERT_LE(test::entrain({"run", first + "/resolved.yaml", "--out", second, "--quiet"}).status, 1);
    EXPECT_EQ(without_provenance(io::read_json(first + "/result.json")), without_provenance(io::read_json(second + "/result.json")));
}

TEST(Run, ResolvedConfigurationRefusesChangedInputs) {
    const TemporaryFolder folder;
    std::filesystem::copy(source_file("models/attention/sva/layer.safetensors"), folder.path() / "layer.safetensors");
    const std::string out = (folder.path() / "out").string();
    ASSERT_LE(test::entrain({"run", source_file("configs/lc.yaml"), "--set", "substrate.kind=ideal", "--set", "engine.kind=exact", "--set",
                             "layer.weights=" + (folder.path() / "layer.safetensors").string(), "--out", out, "--quiet"})
                  .status,
              1);
    std::filesystem::copy(source_file("models/attention/sva/head.safetensors"), folder.path() / "layer.safetensors",
                          std::filesystem::copy_options::overwrite_existing);
    const auto refused = test::entrain({"run", out + "/resolved.yaml", "--out", (folder.path() / "again").string(), "--quiet"});
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.err, HasSubstr("has changed"));
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "again"));
}

TEST(Run, DryRunSaysWhatItWouldCostAndWritesNothing) {
    const TemporaryFolder folder;
    const std::string out = (folder.path() / "out").string();
    const auto plan = test::entrain({"run", source_file("configs/lc.yaml"), "--dry-run", "--out", out, "--quiet"});
    EXPECT_EQ(plan.status, 0) << plan.err;
    EXPECT_THAT(plan.out, HasSubstr("simulated periods"));
    EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(Run, CtrlCStopsCleanlyAndKeepsWhatIsDone) {
    const TemporaryFolder folder;
    const std::string out = (folder.path() / "out").string();
    // A warm calibration first, so that the signal meets the simulation; sequence 0 has an oscillator that takes seconds.
    ASSERT_LE(test::entrain({"run", source_file("configs/lc.yaml"), "--dry-run", "--quiet"}).status, 1);
    RunningProgram run{{std::string{ENTRAIN_BINARY_DIR} + "/entrain", "run", source_file("configs/lc.yaml"), "--set",
                        "layer.sequences=[0, 1, 2, 3, 4, 5, 6, 7]", "--out", out, "--quiet", "--jobs", "1"}};
    std::this_thread::sleep_for(std::chrono::milliseconds{700});
    ::kill(run.pid(), SIGINT);
    const auto result = run.wait();
    EXPECT_EQ(result.status, 130) << result.err;
    EXPECT_EQ(io::read_json(out + "/result.json")["status"], "partial");
    for (const auto& entry : std::filesystem::directory_iterator{out}) EXPECT_NE(entry.path().extension(), ".tmp");
}

TEST(Run, WavesAreARawfile) {
    const TemporaryFolder folder;
    const std::string out = (folder.path() / "out").string();
    const auto result = test::entrain({"run", source_file("configs/lc.yaml"), "--set", "layer.sequences=[0]", "--set", "readout.max_periods=300",
                                       "--waves", "osc_0_3", "--out", out, "--quiet"});
    ASSERT_LE(result.status, 1) << result.err;
    int raws = 0;
    for (const auto& entry : std::filesystem::directory_iterator{out}) raws += entry.path().extension() == ".raw";
    EXPECT_EQ(raws, 1);
}

}  // namespace

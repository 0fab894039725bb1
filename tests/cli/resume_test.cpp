#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "io/json.hpp"
#include "support/program.hpp"

// Runs that are killed, interrupted or out of disk space, and what --resume makes of them.

namespace {

using namespace entrain;
using entrain::test::content_of;
using entrain::test::RunningProgram;
using entrain::test::source_file;
using entrain::test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

const std::string program = std::string{ENTRAIN_BINARY_DIR} + "/entrain";

/// A layer on LC oscillators in many short netlists; 400 periods leave some unsettled. Temporary files go beside `out`: a worker that is killed while
/// it starts leaves its folder of start files.
std::vector<std::string> small_run(const fs::path& out) {
    return {"/usr/bin/env",
            "TMPDIR=" + out.parent_path().string(),
            program,
            "run",
            source_file("configs/lc.yaml"),
            "--set",
            "layer.sequences=[0, 1]",
            "--set",
            "engine.oscillators_per_netlist=2",
            "--set",
            "readout.max_periods=400",
            "--jobs",
            "1",
            "--quiet",
            "--out",
            out.string()};
}

std::vector<fs::path> files_in(const fs::path& folder, const std::string& extension) {
    std::vector<fs::path> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator{folder, none})
        if (entry.path().extension() == extension) found.push_back(entry.path());
    return found;
}

std::size_t finished_netlists(const fs::path& out) { return files_in(out / "chunks", ".chunk").size(); }

/// The run nobody disturbs.
struct Undisturbed {
    int status = -1;
    std::size_t netlists = 0;  ///< more are never on disk at the same time
    std::string arrays;
    io::Json result;
};

const Undisturbed& undisturbed() {
    static const Undisturbed made = [] {
        const TemporaryFolder folder;
        const fs::path out = folder.path() / "out";
        RunningProgram run{small_run(out)};
        Undisturbed u;
        std::thread watcher{[&] {
            while (!fs::exists(out / "result.json") && ::kill(run.pid(), 0) == 0) {
                u.netlists = std::max(u.netlists, finished_netlists(out));
                std::this_thread::sleep_for(std::chrono::milliseconds{1});
            }
        }};
        watcher.join();
        u.status = run.wait().status;
        u.arrays = content_of(out / "arrays.h5");
        u.result = io::read_json(out / "result.json");
        EXPECT_FALSE(fs::exists(out / "chunks"));
        return u;
    }();
    return made;
}

void expect_undisturbed(const fs::path& out) {
    const Undisturbed& expected = undisturbed();
    EXPECT_TRUE(content_of(out / "arrays.h5") == expected.arrays) << "arrays.h5 differs";
    io::Json result = io::read_json(out / "result.json");
    for (const char* key : {"simulated_periods", "points"}) EXPECT_EQ(result["cost"][key], expected.result["cost"][key]);
    for (const char* key : {"config_sha256", "seed", "version"}) EXPECT_EQ(result["provenance"][key], expected.result["provenance"][key]);
    for (const auto& [key, value] : expected.result.items())
        if (key != "cost" && key != "provenance" && key != "retries") {
            EXPECT_EQ(result[key], value) << key;
        }
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator{out}) names.insert(entry.path().filename());
    EXPECT_EQ(names, (std::set<std::string>{"arrays.h5", "report.html", "resolved.yaml", "result.json"}));
}

/// Waits until something has happened; generous, since the machine may be busy.
bool wait_until(const std::function<bool()>& happened, std::chrono::seconds at_most = std::chrono::seconds{60}) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    while (!happened()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

/// Workers whose parent is this process.
std::set<pid_t> workers_of(pid_t parent_wanted) {
    std::set<pid_t> found;
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
        std::ifstream file{entry.path() / "stat"};
        pid_t process = 0;
        pid_t parent = 0;
        std::string name;
        std::string state;
        if (file >> process >> name >> state >> parent && name == "(entrain-worker)" && parent == parent_wanted) found.insert(process);
    }
    return found;
}

TEST(Resume, RunKilledAtAnyMomentEndsWithTheSameNumbers) {
    ASSERT_GE(undisturbed().netlists, 4U);
    struct Moment {
        const char* name;
        std::function<bool(const fs::path&)> has_come;
    };
    const std::size_t half = undisturbed().netlists / 2;
    const std::vector<Moment> moments = {
        {"before the first netlist", [](const fs::path& out) { return fs::exists(out / "resolved.yaml"); }},
        {"after the first", [](const fs::path& out) { return finished_netlists(out) >= 1; }},
        {"half way", [&](const fs::path& out) { return finished_netlists(out) >= half; }},
        {"while results are written", [](const fs::path& out) { return fs::exists(out / "arrays.h5"); }},
    };
    for (const Moment& moment : moments) {
        SCOPED_TRACE(moment.name);
        const TemporaryFolder folder;
        const fs::path out = folder.path() / "out";
        RunningProgram run{small_run(out)};
        ASSERT_TRUE(wait_until([&] { return moment.has_come(out); }));
        const std::set<pid_t> workers = workers_of(run.pid());
        ::kill(run.pid(), SIGKILL);
        ASSERT_EQ(run.wait().status, 128 + SIGKILL);
        EXPECT_TRUE(
            wait_until([&] { return std::ranges::none_of(workers, [](pid_t w) { return fs::exists("/proc/" + std::to_string(w) + "/exe"); }); },
                       std::chrono::seconds{2}))
            << "a worker outlives its run";
        const auto resumed = test::entrain({"run", "--resume", out.string(), "--quiet"});
        EXPECT_EQ(resumed.status, undisturbed().status) << resumed.err;
        expect_undisturbed(out);
    }
}

TEST(Resume, SimulatesOnlyWhatIsMissing) {
    const TemporaryFolder folder;
    const fs::path out = folder.path() / "out";
    RunningProgram run{small_run(out)};
    ASSERT_TRUE(wait_until([&] { return fs::exists(out / "arrays.h5"); }));  // all netlists are finished
    ::kill(run.pid(), SIGKILL);
    static_cast<void>(run.wait());
    if (!fs::exists(out / "chunks")) GTEST_SKIP() << "the run was faster than the signal";
    ASSERT_EQ(finished_netlists(out), undisturbed().netlists);
    const auto resumed = test::entrain({"run", "--resume", out.string(), "--quiet"});
    ASSERT_EQ(resumed.status, undisturbed().status) << resumed.err;
    EXPECT_EQ(io::read_json(out / "result.json")["cost"]["cpu_s"], 0.0);
    expect_undisturbed(out);
}

TEST(Resume, InterruptedRunIsPartialUntilItIsResumed) {
    const TemporaryFolder folder;
    const fs::path out = folder.path() / "out";
    RunningProgram run{small_run(out)};
    ASSERT_TRUE(wait_until([&] { return finished_netlists(out) >= 1; }));
    ::kill(run.pid(), SIGINT);
    const auto interrupted = run.wait();
    ASSERT_EQ(interrupted.status, 130) << interrupted.err;
    EXPECT_EQ(io::read_json(out / "result.json")["status"], "partial");
    EXPECT_GE(finished_netlists(out), 1U);
    const auto resumed = test::entrain({"run", "--resume", out.string(), "--quiet", "--jobs", "2"});
    EXPECT_EQ(resumed.status, undisturbed().status) << resumed.err;
    expect_undisturbed(out);
}

TEST(Resume, KilledWorkerIsReplacedAndRecorded) {
    const TemporaryFolder folder;
    const fs::path out = folder.path() / "out";
    RunningProgram run{small_run(out)};
    ASSERT_TRUE(wait_until([&] { return finished_netlists(out) >= 1; }));
    const std::set<pid_t> workers = workers_of(run.pid());
    ASSERT_THAT(workers, SizeIs(1));
    ::kill(*workers.begin(), SIGKILL);
    const auto result = run.wait();
    EXPECT_EQ(result.status, undisturbed().status) << result.err;
    expect_undisturbed(out);
    const io::Json retries = io::read_json(out / "result.json")["retries"];
    ASSERT_THAT(retries, SizeIs(1));
    EXPECT_EQ(retries[0]["category"], "crash");
    EXPECT_EQ(retries[0]["change"], "fresh worker");
    EXPECT_EQ(retries[0]["ok"], true);
    EXPECT_THAT(result.out, HasSubstr("fresh worker (1 of 1 worked)"));
    EXPECT_EQ(undisturbed().result["retries"], io::Json::array());
}

TEST(Resume, LeftoversOfAKilledRunAreRemoved) {
    const TemporaryFolder folder;
    const fs::path out = folder.path() / "out";
    RunningProgram run{small_run(out)};
    ASSERT_TRUE(wait_until([&] { return finished_netlists(out) >= 1; }));
    ::kill(run.pid(), SIGKILL);
    static_cast<void>(run.wait());
    for (const char* name : {"result.json.123-4.tmp", "chunks/x.chunk.123-4.tmp"}) std::ofstream{out / name} << "half";
    ASSERT_EQ(test::entrain({"run", "--resume", out.string(), "--quiet"}).status, undisturbed().status);
    expect_undisturbed(out);
}

TEST(Resume, CompleteRunHasNothingMissing) {
    const TemporaryFolder folder;
    const fs::path out = folder.path() / "out";
    RunningProgram run{small_run(out)};
    ASSERT_EQ(run.wait().status, undisturbed().status);
    const auto before = fs::last_write_time(out / "result.json");
    const auto again = test::entrain({"run", "--resume", out.string(), "--json"});
    EXPECT_EQ(again.status, undisturbed().status);
    EXPECT_THAT(again.err, HasSubstr("nothing is missing"));
    EXPECT_EQ(io::Json::parse(again.out), io::read_json(out / "result.json"));
    EXPECT_EQ(fs::last_write_time(out / "result.json"), before);
}

TEST(Resume, RefusesWhatIsNoRunOrStillRunning) {
    const TemporaryFolder folder;
    const auto refusal = [&](const std::string& place) {
        const auto refused = test::entrain({"run", "--resume", place, "--quiet"});
        EXPECT_EQ(refused.status, 2);
        EXPECT_THAT(refused.out, IsEmpty());
        return refused.err;
    };
    EXPECT_THAT(refusal((folder.path() / "none").string()), HasSubstr("is not a folder"));
    fs::create_directories(folder.path() / "empty");
    EXPECT_THAT(refusal((folder.path() / "empty").string()), HasSubstr("has no resolved.yaml"));

    const fs::path out = folder.path() / "out";
    RunningProgram run{small_run(out)};
    ASSERT_TRUE(wait_until([&] { return fs::exists(out / "resolved.yaml"); }));
    ::kill(run.pid(), SIGSTOP);
    EXPECT_THAT(refusal(out.string()), HasSubstr("in use by another run"));
    ::kill(run.pid(), SIGCONT);
    ::kill(run.pid(), SIGKILL);
    static_cast<void>(run.wait());
}

TEST(Resume, GoesOnAsTheRunWasConfigured) {
    const TemporaryFolder folder;
    const auto refusal = [&](std::vector<std::string> extra) {
        std::vector<std::string> arguments = {"run", "--resume", folder.path().string(), "--quiet"};
        arguments.insert(arguments.end(), extra.begin(), extra.end());
        const auto refused = test::entrain(arguments);
        EXPECT_EQ(refused.status, 2);
        return refused.err;
    };
    EXPECT_THAT(refusal({source_file("configs/lc.yaml")}), AllOf(HasSubstr("CONFIG and --resume"), HasSubstr("resolved.yaml")));
    EXPECT_THAT(refusal({"--out", "x"}), HasSubstr("--out does not go with --resume"));
    EXPECT_THAT(refusal({"--force"}), HasSubstr("--force does not go with --resume"));
    EXPECT_THAT(refusal({"--set", "seed=2"}), HasSubstr("--set does not go with --resume"));
    EXPECT_THAT(refusal({"--seed", "2"}), HasSubstr("--seed does not go with --resume"));
    EXPECT_THAT(refusal({"--dry-run"}), HasSubstr("--dry-run does not go with --resume"));
}

/// Two rows of one cell, so that one calibration serves both.
std::string two_rows() {
    return "version: 1\nlayer:\n  mechanism: fixed_query\n  weights: " + source_file("models/attention/sva/layer.safetensors") +
           "\n  inputs: " + source_file("models/attention/sva/inputs.safetensors") +
           "\n  heads: 1\n  sequences: [0]\nsubstrates: [{kind: lc, name: first}, {kind: lc, name: second}]\n"
           "engine: {kind: ngspice, oscillators_per_netlist: 2}\nreadout: {max_periods: 400}\n";
}

/// A comparison without what differs between two runs of it.
io::Json numbers_of(const fs::path& out) {
    io::Json comparison = io::read_json(out / "compare.json");
    for (const char* key : {"cost", "provenance", "wall_s"}) comparison.erase(key);
    for (io::Json& row : comparison["rows"]) {
        row.erase("provenance");
        for (const char* key : {"wall_s", "cpu_s"}) row["cost"].erase(key);
    }
    return comparison;
}

TEST(Resume, ComparisonAndItsRowsGoOnToo) {
    const TemporaryFolder folder;
    const std::string config = folder.write("two.yaml", two_rows());
    const fs::path expected = folder.path() / "expected";
    const auto whole = test::entrain({"compare", config, "--quiet", "--jobs", "1", "--out", expected.string()});
    ASSERT_LE(whole.status, 1) << whole.err;

    const fs::path out = folder.path() / "out";
    RunningProgram run{
        {"/usr/bin/env", "TMPDIR=" + folder.path().string(), program, "compare", config, "--quiet", "--jobs", "1", "--out", out.string()}};
    ASSERT_TRUE(wait_until([&] { return finished_netlists(out / "second") >= 1; }));
    ::kill(run.pid(), SIGKILL);
    static_cast<void>(run.wait());
    EXPECT_FALSE(fs::exists(out / "compare.json"));
    const auto row = test::entrain({"run", "--resume", (out / "second").string(), "--quiet"});
    EXPECT_LE(row.status, 1) << row.err;
    EXPECT_TRUE(content_of(out / "second/arrays.h5") == content_of(expected / "second/arrays.h5"));

    const auto resumed = test::entrain({"compare", "--resume", out.string(), "--quiet"});
    EXPECT_EQ(resumed.status, whole.status) << resumed.err;
    EXPECT_EQ(numbers_of(out), numbers_of(expected));
    EXPECT_EQ(io::read_json(out / "first/result.json")["cost"]["cpu_s"], 0.0);  // it was finished when the run was killed
    const auto names_in = [](const fs::path& place) {
        std::set<std::string> names;
        for (const auto& entry : fs::recursive_directory_iterator{place}) names.insert(fs::relative(entry.path(), place).string());
        return names;
    };
    EXPECT_EQ(names_in(out), names_in(expected));
    const auto again = test::entrain({"compare", "--resume", out.string()});
    EXPECT_EQ(again.status, whole.status);
    EXPECT_THAT(again.err, HasSubstr("nothing is missing"));
}

/// A run that may write files of so many blocks of 512 bytes only.
std::vector<std::string> limited(int blocks, const std::vector<std::string>& arguments) {
    std::vector<std::string> shell = {"/bin/sh", "-c", "ulimit -f " + std::to_string(blocks) + "; exec \"$@\"", "sh"};
    shell.insert(shell.end(), arguments.begin(), arguments.end());
    return shell;
}

TEST(FullDisk, IsAnErrorThatNamesTheFileAndLeavesNoPartOfOne) {
    struct Limit {
        int blocks;
        const char* file;  ///< the first one that is larger
    };
    for (const Limit limit : {Limit{8, ".chunk"}, Limit{200, "report.html"}}) {  // 4 kB: no trajectory; 100 kB: not Chart.js
        SCOPED_TRACE(limit.file);
        const TemporaryFolder folder;
        const fs::path out = folder.path() / "out";
        fs::create_directories(out);
        const auto full = RunningProgram{limited(limit.blocks, small_run(out))}.wait();
        EXPECT_EQ(full.status, 3);
        EXPECT_THAT(full.err, AllOf(HasSubstr("cannot write " + out.string()), HasSubstr(limit.file), HasSubstr("File too large")));
        EXPECT_THAT(files_in(out, ".tmp"), IsEmpty());
        EXPECT_THAT(files_in(out / "chunks", ".tmp"), IsEmpty());
        EXPECT_FALSE(fs::exists(out / "result.json"));
        if (!fs::exists(out / "resolved.yaml")) {
            EXPECT_FALSE(fs::exists(out) && !fs::is_empty(out)) << "nothing was finished, and something is left";
            continue;
        }
        ASSERT_EQ(test::entrain({"run", "--resume", out.string(), "--quiet"}).status, undisturbed().status);
        expect_undisturbed(out);
    }
}

}  // namespace

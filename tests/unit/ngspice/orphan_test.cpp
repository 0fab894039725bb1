#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>

#include "engines/ngspice/worker_client.hpp"
#include "support/circuit.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"

namespace entrain::engines::ngspice {
namespace {

using testing::circuit;
using testing::patience;

/// Starts workers and simulates with them until it is killed.
[[noreturn]] void keep_simulating() {
    while (true) {
        Worker worker;
        const Load load = circuit({"r0 out 0 1"}, "out", 200);
        if (testing::ending(worker, load).category != "ok") _exit(1);
    }
}

/// Whether, within the two seconds of grace, no process is left whose command line names the folder, and no file in it. Seen twice: a process
/// that is just being started has the command line of its parent.
bool nothing_left(const std::string& folder) {
    int seen = 0;
    for (int wait = 0; wait < 200 && seen < 2; ++wait) {
        seen = test::processes_with(folder).empty() && std::filesystem::is_empty(folder) ? seen + 1 : 0;
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return seen == 2;
}

TEST(KilledParent, LeavesNoWorkerAndNoFolderWhateverTheMoment) {
    const test::TemporaryFolder folder;  // named by the command lines of its workers only
    std::minstd_rand moments{1};
    for (int round = 0; round < 40; ++round) {
        const pid_t parent = ::fork();
        if (parent == 0) {
            ::setenv("TMPDIR", folder.path().c_str(), 1);
            keep_simulating();
        }
        std::this_thread::sleep_for(std::chrono::microseconds{moments() % 20'000});  // a start and a simulation take some 10 ms
        ::kill(parent, SIGKILL);
        ::waitpid(parent, nullptr, 0);
        EXPECT_TRUE(nothing_left(folder.path())) << "round " << round;
    }
}

TEST(KilledParent, LeavesNoWorkerThatIsStoppedOrNeverAnswers) {
    const test::TemporaryFolder folder;
    for (const bool stopped : {false, true}) {
        int ready[2];
        ASSERT_EQ(::pipe(ready), 0);
        const pid_t parent = ::fork();
        if (parent == 0) {
            ::setenv("TMPDIR", folder.path().c_str(), 1);
            Worker worker;
            const Load endless = circuit({"r0 out 0 1"}, "out", 1e8);
            if (failed(worker.load(endless, patience()))) _exit(1);
            std::jthread later{[&] {
                std::this_thread::sleep_for(std::chrono::milliseconds{50});
                if (stopped)
                    for (const pid_t child : test::children(::getpid())) {
                        ::kill(child, SIGSTOP);
                        siginfo_t stop{};  // until it has: who dies before leaves a process that the kernel does not know as stopped
                        ::waitid(P_PID, static_cast<id_t>(child), &stop, WSTOPPED | WNOWAIT);
                    }
                if (::write(ready[1], "x", 1) != 1) _exit(1);
            }};
            static_cast<void>(testing::ending(worker, endless));
            _exit(1);
        }
        ::close(ready[1]);  // so that a parent that fails is seen
        char byte = 0;
        ASSERT_EQ(::read(ready[0], &byte, 1), 1);
        EXPECT_EQ(test::children(parent).size(), 1U);
        ::kill(parent, SIGKILL);
        ::waitpid(parent, nullptr, 0);
        EXPECT_TRUE(nothing_left(folder.path())) << (stopped ? "stopped" : "running");
        ::close(ready[0]);
    }
}

}  // namespace
}  // namespace entrain::engines::ngspice

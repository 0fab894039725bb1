#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "engines/ngspice/worker_client.hpp"
#include "support/circuit.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"

namespace entrain::engines::ngspice {
namespace {

using testing::circuit;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::patience;
using ::testing::SizeIs;

constexpr auto short_wait = std::chrono::milliseconds{200};
constexpr auto hang = std::chrono::seconds{20};  // what no answer may take, 100 times the deadline of these tests

/// Makes workers of the program `role` until it goes out of scope.
class Impostor {
 public:
    explicit Impostor(const std::string& role) {
        const std::filesystem::path link = folder_.path() / role;
        std::filesystem::create_symlink(std::filesystem::path{ENTRAIN_BINARY_DIR} / "tests/bin/ngspice_impostor", link);
        ::setenv("ENTRAIN_WORKER", link.c_str(), 1);
    }
    ~Impostor() { ::unsetenv("ENTRAIN_WORKER"); }
    Impostor(const Impostor&) = delete;
    Impostor& operator=(const Impostor&) = delete;

 private:
    test::TemporaryFolder folder_;
};

/// Category and message with which the worker is lost in `act`, which must not take long; no process is left.
std::pair<std::string, std::string> loss(const std::string& role, const std::function<void(Worker&)>& act) {
    const auto begin = std::chrono::steady_clock::now();
    std::pair<std::string, std::string> result{"none", ""};
    {
        const Impostor impostor{role};
        Worker worker;
        try {
            act(worker);
        } catch (const WorkerLost& lost) {
            result = {lost.category(), lost.what()};
        }
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, hang) << role;
    EXPECT_THAT(test::children(::getpid()), IsEmpty()) << role;
    return result;
}

const std::vector<std::string> resistor = {"r0 out 0 1"};

void load_briefly(Worker& worker) { static_cast<void>(worker.load(circuit(resistor, "out", 20), patience(short_wait))); }

TEST(Impostor, ThatStopsInTheMiddleOfAFrameMeetsTheDeadline) { EXPECT_EQ(loss("half_frame", load_briefly).first, "timeout"); }

TEST(Impostor, ThatDoesNotReadMeetsTheDeadline) {
    Load large = circuit(resistor, "out", 20);
    large.lines.emplace_back(20'000'000, '*');  // a socket holds some 200 kB
    EXPECT_EQ(loss("deaf", [&](Worker& worker) { static_cast<void>(worker.load(large, patience(short_wait))); }).first, "timeout");
}

TEST(Impostor, ThatTalksWithoutEndMeetsTheDeadline) {
    EXPECT_EQ(loss("chatterbox", [](Worker& worker) { static_cast<void>(worker.advance({1.0, {}}, patience(short_wait))); }).first, "timeout");
}

TEST(Impostor, ThatAnnouncesAHugeFrameTakesNoMemory) {
    const std::uint64_t before = test::memory_bytes(::getpid(), "VmPeak:");
    EXPECT_EQ(loss("boaster", load_briefly).first, "timeout");
    EXPECT_LT(test::memory_bytes(::getpid(), "VmPeak:") - before, 100'000'000U);  // of the 1 GB announced
    EXPECT_EQ(loss("giant", load_briefly).first, "crash");
}

TEST(Impostor, ThatAnswersNonsenseIsLost) {
    for (const char* role : {"babbler", "inventor", "confused"}) {
        const auto [category, message] = loss(role, load_briefly);
        EXPECT_EQ(category, "crash") << role;
        EXPECT_THAT(message, HasSubstr("nonsense")) << role;
    }
}

TEST(Impostor, ThatCountsMorePeriodsThanItSendsIsLost) {
    // The engine would read beyond the values.
    const auto [category, message] = loss("miscounter", [](Worker& worker) {
        load_briefly(worker);
        static_cast<void>(worker.read(patience(short_wait)));
    });
    EXPECT_EQ(category, "crash");
    EXPECT_THAT(message, HasSubstr("nonsense"));
}

TEST(Impostor, CannotPaintTheTerminal) {
    const Impostor impostor{"painter"};
    Worker worker;
    EXPECT_EQ(worker.load(circuit(resistor, "out", 20), patience()).message, "red ?[31m and ?\n");
}

TEST(Impostor, ThatRefusesOrDiesAtStartIsAMissingComponent) {
    const auto said = [](const std::string& role) -> std::string {
        const Impostor impostor{role};
        try {
            const Worker worker;
        } catch (const MissingComponent& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_THAT(said("refuser"), HasSubstr("refuses to work: no filter?[31m today"));
    EXPECT_THAT(said("dead"), HasSubstr("ended with status 7"));
    EXPECT_THAT(test::children(::getpid()), IsEmpty());
}

TEST(WorkerProcess, ThatIsStoppedMeetsTheDeadlineAndIsReaped) {
    {
        Worker worker;
        const std::vector<pid_t> workers = test::children(::getpid());
        ASSERT_THAT(workers, SizeIs(1));
        ASSERT_EQ(worker.load(circuit(resistor, "out", 20), patience()).category, "ok");
        ::kill(workers[0], SIGSTOP);
        try {
            static_cast<void>(worker.advance({1.0, {}}, patience(short_wait)));
            FAIL();
        } catch (const WorkerLost& lost) {
            EXPECT_EQ(lost.category(), "timeout");
        }
    }
    EXPECT_THAT(test::children(::getpid()), IsEmpty());
}

TEST(WorkerProcess, ThatIsKilledInARunIsACrashAndTheNextOneWorks) {
    Worker worker;
    const std::vector<pid_t> workers = test::children(::getpid());
    ASSERT_THAT(workers, SizeIs(1));
    const Load endless = circuit(resistor, "out", 1e8);
    ASSERT_EQ(worker.load(endless, patience()).category, "ok");
    std::jthread killer{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
        ::kill(workers[0], SIGKILL);
    }};
    try {
        static_cast<void>(worker.advance({endless.stop_time, {}}, patience()));
        FAIL();
    } catch (const WorkerLost& lost) {
        EXPECT_EQ(lost.category(), "crash");
        EXPECT_THAT(lost.what(), HasSubstr("signal 9"));
    }
    Worker next;
    EXPECT_EQ(testing::ending(next, circuit(resistor, "out", 20)).category, "ok");
}

TEST(WorkerProcess, ThatIsKilledAtItsStartLeavesNoFolder) {
    const test::TemporaryFolder folder;
    ::setenv("TMPDIR", folder.path().c_str(), 1);
    for (int round = 0; round < 20; ++round) {
        std::jthread killer{[&] {
            for (int wait = 0; wait < 1000; ++wait) {
                for (const pid_t worker : test::children(::getpid())) {
                    ::kill(worker, SIGKILL);
                    return;
                }
            }
        }};
        try {
            const Worker worker;
        } catch (const MissingComponent& error) {
            EXPECT_THAT(error.what(), HasSubstr("signal 9"));
        }
    }
    ::unsetenv("TMPDIR");
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(WorkerProcess, OutlivesTheThreadThatMadeIt) {
    std::unique_ptr<Worker> worker;
    std::thread{[&] { worker = std::make_unique<Worker>(); }}.join();
    std::this_thread::sleep_for(std::chrono::milliseconds{20});  // a signal on the thread's end would have come by now
    EXPECT_EQ(testing::ending(*worker, circuit(resistor, "out", 20)).category, "ok");
}

TEST(WorkerProcess, KnowsWhenItHoldsTooMuchMemory) {
    Worker worker;
    EXPECT_FALSE(worker.worn_out());
    std::vector<std::string> many;
    for (int k = 0; k < 100'000; ++k) many.push_back("r" + std::to_string(k) + " out 0 1");
    ASSERT_EQ(worker.load(circuit(many, "out", 20), patience()).category, "ok");
    EXPECT_TRUE(worker.worn_out());  // some 1 kB for each element
}

}  // namespace
}  // namespace entrain::engines::ngspice

// Thousands of netlists through workers, one in twenty of them hostile. The suite runs 60; the long run of 2,000 (some two minutes) is
//
//   ENTRAIN_SOAK_JOBS=2000 build/release/tests/bin/soak
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/quantity.hpp"
#include "engines/ngspice/worker_client.hpp"
#include "support/circuit.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"

namespace entrain::engines::ngspice {
namespace {

using testing::circuit;
using testing::frequency;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::patience;
using ::testing::SizeIs;
using Lines = std::vector<std::string>;

constexpr std::size_t short_run = 60;
constexpr std::size_t one_hostile_in = 20;
constexpr auto deadline = std::chrono::milliseconds{300};  // of the netlist that never ends; the others take some 10 ms, and get longer
constexpr std::uint64_t growth_bound = 20'000'000;         // [bytes] of a worker over its life
constexpr WorkerLimits limits{150'000'000};                // so that running out of memory takes a second

std::size_t jobs() {
    const char* const text = std::getenv("ENTRAIN_SOAK_JOBS");
    return text == nullptr ? short_run : std::max<std::size_t>(std::stoul(text), one_hostile_in);
}

/// A netlist that must not end well, and how it must end.
struct Hostile {
    std::string name;
    Load load;
    std::string category;
    std::string message;
    std::chrono::milliseconds deadline = std::chrono::minutes{2};
    bool needs_fresh_worker = false;
};

std::vector<Hostile> hostile_netlists(const test::TemporaryFolder& folder) {
    const auto netlist = [](const Lines& elements) { return circuit(elements, "out", 20); };
    const std::string recursive = folder.write("recursive", ".include " + (folder.path() / "recursive").string() + "\n");
    Load bad_save = netlist({"r0 out 0 1"});
    std::ranges::replace(bad_save.lines, ".save none", ".save v(nowhere)");
    Load stores_all = circuit({"r0 out 0 1"}, "out", 1e7);
    std::ranges::replace(stores_all.lines, ".save none", ".save all");
    Lines many;
    for (int k = 0; k < 300'000; ++k) many.push_back("r" + std::to_string(k) + " out 0 1");
    return {
        {"undefined parameter", netlist({"r0 out 0 {undefined}"}), "exit", "Undefined parameter"},
        {"diverging source", netlist({"c0 out 0 1e-12 ic=1", "b0 0 out i=1e-3*(1+v(out)*v(out))"}), "timestep", "Timestep too small"},
        {"recursive include", netlist({".include " + recursive, "r0 out 0 1"}), "parse", "Could not find include file"},
        {"recursive function", netlist({".func f(x) {f(x)}", "r0 out 0 {f(1)}"}), "crash", "signal 11"},
        {"endless transient", circuit({"r0 out 0 1"}, "out", 1e8), "timeout", "deadline", deadline},
        {"endless loop", netlist({".control", "while 1", "end", ".endc", "r0 out 0 1"}), "timeout", "deadline", deadline},
        {"voltage loop", netlist({"v0 out 0 1", "v1 out 0 2"}), "operating_point", "singular"},
        {"missing model", netlist({"d0 out 0 missing", "r0 out 0 1"}), "parse", "model"},
        {"garbage words", netlist({"lorem ipsum dolor", "sit amet consectetur"}), "parse", "Error"},
        {"garbage bytes", netlist({"\x01\xff\xfe foo (((", "}}}{{{", "r0 out 0 1"}), "exit", "UTF-8"},
        {"bad save", bad_save, "empty", "no data saved"},
        {"missing vector", netlist({"r0 elsewhere 0 1"}), "empty", "no vector out"},
        {"not a number", netlist({"i0 0 out dc 1e400", "r0 out 0 1"}), "not_finite", ""},
        // `.save none` of an earlier netlist sticks: this one would only take long.
        {"all points in memory", stores_all, "exit", "memory limit", std::chrono::minutes{2}, true},
        {"more elements than memory", netlist(many), "crash", "memory limit"},
        {"shell command", netlist({"*# shell sleep 100", "r0 out 0 1"}), "crash", "system-call filter"},
    };
}

/// A low pass whose output is known in closed form.
struct LowPass {
    double resistance;  ///< [ohm]
    [[nodiscard]] Load load() const {
        return circuit({"v0 in 0 SIN(0 1 1e9 0 0 120)", "r0 in out " + number(resistance), "c0 out 0 3e-13"}, "out", 30);
    }
    [[nodiscard]] std::complex<double> output() const {  // sin(x + 120 deg) = cos(x + 30 deg)
        return std::polar(1.0, turn / 12.0) / (1.0 + resistance * testing::discrete_capacitor(3e-13));
    }
};
constexpr double low_pass_bound = 1e-9;  // the slowest transient, 0.45 ns, has decayed to exp(-60)

/// A nonlinear oscillator, which amplifies any difference in rounding.
Load oscillator() { return circuit({"c0 out 0 1e-12 ic=0.1", "l0 out 0 2.5e-8 ic=0", "r0 out 0 1e3", "b0 out 0 i=-2e-3*tanh(v(out))"}, "out", 30); }

TEST(Soak, EveryJobEndsAsIntendedAndNothingIsLeft) {
    const test::TemporaryFolder folder;
    const std::vector<Hostile> hostile = hostile_netlists(folder);
    // One hostile netlist in twenty, but every kind once.
    const std::size_t good = jobs() - jobs() / one_hostile_in;
    const std::size_t bad = std::max(jobs() - good, hostile.size());
    constexpr int low_pass = -1;
    constexpr int nonlinear = -2;
    std::vector<int> order;
    for (std::size_t k = 0; k < bad; ++k) order.push_back(static_cast<int>(k % hostile.size()));
    for (std::size_t k = 0; k < good; ++k) order.push_back(k % 4 == 0 ? nonlinear : low_pass);
    std::mt19937 engine{4};
    for (std::size_t k = order.size() - 1; k > 0; --k) std::swap(order[k], order[engine() % (k + 1)]);

    const std::size_t descriptors = test::descriptors(::getpid());
    std::map<std::string, int> counts;
    std::optional<std::complex<double>> first_oscillation;
    int spawned = 0;
    std::uint64_t growth = 0;
    {
        std::unique_ptr<Worker> worker;
        std::uint64_t start_size = 0;
        const auto resident = [&] {
            const std::vector<pid_t> workers = test::children(::getpid());
            return workers.empty() ? 0 : test::memory_bytes(workers.front(), "VmRSS:");
        };
        for (const int job : order) {
            if (job >= 0 && hostile[static_cast<std::size_t>(job)].needs_fresh_worker) worker.reset();
            if (!worker) {
                worker = std::make_unique<Worker>(limits);
                ++spawned;
                start_size = resident();
            }
            if (job == nonlinear) {
                const std::complex<double> v = testing::last_phasor(*worker, oscillator());
                if (!first_oscillation) first_oscillation = v;
                EXPECT_EQ(v, *first_oscillation);
                ++counts["good"];
            } else if (job == low_pass) {
                const LowPass filter{500.0 + static_cast<double>(engine() % 1000)};
                EXPECT_LT(std::abs(testing::last_phasor(*worker, filter.load()) - filter.output()), low_pass_bound);
                ++counts["good"];
            } else {
                const Hostile& netlist = hostile[static_cast<std::size_t>(job)];
                const Status end = testing::ending(*worker, netlist.load, netlist.deadline);
                EXPECT_EQ(end.category, netlist.category) << netlist.name << ": " << end.message;
                EXPECT_THAT(end.message, HasSubstr(netlist.message)) << netlist.name;
                ++counts[end.category];
                // The engine takes a new worker after any failure. Keeping it where the protocol allows it is the harder test.
                const bool of_use = end.category != "exit" && end.category != "crash" && end.category != "timeout";
                if (of_use) {
                    EXPECT_EQ(worker->finish(patience()).category, "ok") << netlist.name;
                } else {
                    worker.reset();
                }
            }
            if (worker) growth = std::max(growth, resident() - std::min(resident(), start_size));
            ASSERT_LE(test::children(::getpid()).size(), 1U);
        }
    }
    EXPECT_EQ(counts["good"], static_cast<int>(good));
    EXPECT_LT(growth, growth_bound);
    EXPECT_EQ(test::descriptors(::getpid()), descriptors);
    EXPECT_THAT(test::children(::getpid()), IsEmpty());
    for (const auto& [category, count] : counts) std::cout << category << ": " << count << "\n";
    std::cout << spawned << " workers, the most that one grew: " << static_cast<double>(growth) * 1e-6 << " MB\n";
}

TEST(Soak, AWorkerStaysFlatOverItsLife) {
    Worker worker;
    const std::vector<pid_t> workers = test::children(::getpid());
    ASSERT_THAT(workers, SizeIs(1));
    std::optional<std::complex<double>> first;
    std::uint64_t start_size = 0;
    for (std::size_t job = 0; job < jobs(); ++job) {
        const std::complex<double> v = testing::last_phasor(worker, oscillator());
        if (!first) {
            first = v;
            start_size = test::memory_bytes(workers[0], "VmRSS:");
        }
        ASSERT_EQ(v, *first) << "job " << job;
    }
    const std::uint64_t size = test::memory_bytes(workers[0], "VmRSS:");
    EXPECT_LT(size, start_size + growth_bound);
    EXPECT_FALSE(worker.worn_out());
    EXPECT_EQ(test::descriptors(workers[0]), 4U);
    std::cout << jobs() << " netlists: " << static_cast<double>(start_size) * 1e-6 << " to " << static_cast<double>(size) * 1e-6 << " MB\n";
}

}  // namespace
}  // namespace entrain::engines::ngspice

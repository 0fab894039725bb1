#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <thread>

#include "core/quantity.hpp"
#include "engines/ngspice/deck_writer.hpp"
#include "engines/ngspice/worker_client.hpp"
#include "support/circuit.hpp"
#include "tank.hpp"

namespace entrain::engines::ngspice {
namespace {

using testing::circuit;
using testing::discrete_capacitor;
using testing::ending;
using testing::frequency;
using ::testing::HasSubstr;
using testing::last_phasor;
using testing::patience;

TEST(Worker, ReportsTheVersionOfNgspice) { EXPECT_EQ(Worker{}.version(), "ngspice-39"); }

TEST(Worker, LowPassOfASineSourceFollowsItsDiscreteTransferFunction) {
    Worker worker;
    const auto v = last_phasor(worker, circuit({"v0 in 0 SIN(0 1 1e9 0 0 120)", "r0 in out 1e3", "c0 out 0 3e-13"}, "out", 30));
    const auto expected = std::polar(1.0, turn / 12.0) / (1.0 + 1e3 * discrete_capacitor(3e-13));  // sin(x + 120 deg) = cos(x + 30 deg)
    EXPECT_NEAR(std::abs(v), std::abs(expected), 1e-9);                                            // the transient has decayed to exp(-100)
    EXPECT_NEAR(std::arg(v / expected), 0.0, 1e-9);
}

TEST(Worker, ExternalCurrentIsThePhasorItWasGiven) {
    Worker worker;
    Load load = circuit({"i0 0 out external", "r0 out 0 1e3", "c0 out 0 3e-13"}, "out", 30);
    load.sources = {{std::polar(1e-3, 0.7), 0.0, 0.0, 0}};
    const auto v = last_phasor(worker, load);
    const auto expected = std::polar(1e-3, 0.7) / (1e-3 + discrete_capacitor(3e-13));
    EXPECT_NEAR(std::abs(v), std::abs(expected), 1e-9);
    EXPECT_NEAR(std::arg(v / expected), 0.0, 1e-9);
}

TEST(Worker, NewPhasorsActFromTheNextPoint) {
    Worker worker;
    Load load = circuit({"i0 0 out external", "r0 out 0 1e3"}, "out", 20);
    load.sources = {{1e-3, 0.0, 0.0, 0}};
    ASSERT_EQ(worker.load(load, patience()).category, "ok");
    ASSERT_EQ(worker.advance({10 / frequency, {}}, patience()).category, "stopped");
    ASSERT_EQ(worker.advance({20 / frequency, {{0.0, 2e-3}}}, patience()).category, "ok");
    const Periods periods = worker.read(patience());
    EXPECT_NEAR(periods.values[5 * 5], 1.0, 1e-9);
    EXPECT_NEAR(periods.values[15 * 5], 0.0, 1e-9);
    EXPECT_NEAR(periods.values[15 * 5 + 1], 2.0, 1e-9);
}

TEST(Worker, DriveOffTheReferenceTurnsAtItsOwnFrequency) {
    Worker worker;
    Load load = circuit({"i0 0 out external", "r0 out 0 1e3"}, "out", 20);
    load.sources = {{1e-3, 1e6, 0.0, 0}};  // 1 MHz: 0.36 deg a period
    ASSERT_EQ(worker.load(load, patience()).category, "ok");
    ASSERT_EQ(worker.advance({load.stop_time, {}}, patience()).category, "ok");
    const Periods periods = worker.read(patience());
    const auto phase = [&](std::size_t p) { return std::atan2(periods.values[p * 5 + 1], periods.values[p * 5]); };
    EXPECT_NEAR(degrees(phase(18) - phase(8)), 3.6, 0.01);  // the image leaks half the relative offset, 5e-4 rad, times sin 2 phase
}

TEST(Worker, HarmonicsOfAnExternalCurrentRunOnItsOwnClock) {
    Worker worker;
    Load load = circuit({"i0 0 out external", "r0 out 0 1e3"}, "out", 20);
    load.harmonics = {1, 2, 3, 4};
    load.sources = {{.phasor = 1e-3, .harmonics = {std::polar(2e-4, 0.4), 0.0, std::polar(3e-4, -2.0)}}};
    ASSERT_EQ(worker.load(load, patience()).category, "ok");
    ASSERT_EQ(worker.advance({load.stop_time, {}}, patience()).category, "ok");
    const Periods periods = worker.read(patience());
    const double* v = &periods.values.at(10 * 11);  // four phasors, three means
    const auto phasor = [&](std::size_t order) { return std::complex<double>{v[2 * (order - 1)], v[2 * (order - 1) + 1]}; };
    // Into a resistor the current is the voltage; the demodulator is exact for these harmonics.
    EXPECT_LT(std::abs(phasor(1) - 1.0), 1e-9);
    EXPECT_LT(std::abs(phasor(2) - std::polar(0.2, 0.4)), 1e-9);
    EXPECT_LT(std::abs(phasor(3)), 1e-9);
    EXPECT_LT(std::abs(phasor(4) - std::polar(0.3, -2.0)), 1e-9);
}

TEST(Worker, ChargeOfAPulseDoesNotDependOnItsPlaceOnTheGrid) {
    Worker worker;
    for (const double steps : {2.0, 3.0}) {
        for (const double place : {0.0, 0.2, 0.5, 0.77}) {
            Load load = circuit({"i0 0 out external", "c0 out 0 1e-12 IC=0"}, "out", 20);
            const double half_base = steps * testing::step;
            load.sources = {{.phasor = 0.0, .pulses = {{4.0 / frequency + place * testing::step, half_base, 1e-15 / half_base}}}};
            load.waves = {0};
            double before = 0.0;
            double after = 0.0;
            ASSERT_EQ(worker.load(load, patience()).category, "ok");
            ASSERT_EQ(worker
                          .advance({load.stop_time, {}}, patience(),
                                   [&](std::span<const double> points) {
                                       for (std::size_t k = 0; k + 1 < points.size(); k += 2)
                                           (points[k] < 3.5 / frequency ? before : after) = points[k + 1];
                                   })
                          .category,
                      "ok");
            EXPECT_EQ(before, 0.0);
            EXPECT_NEAR(after, 1e-3, 1e-7) << place;  // 1 fC into 1 pF; Newton's tolerance
            static_cast<void>(worker.finish(patience()));
        }
    }
}

TEST(Protocol, ASourceArrivesAsItWasSent) {
    Load load;
    load.sources = {
        {.phasor = {1.0, 2.0}, .offset_hz = 3.0, .noise_rms = 4.0, .noise_seed = 5, .harmonics = {{6.0, 7.0}}, .pulses = {{8.0, 9.0, 10.0}}},
        {.phasor = 11.0}};
    const std::string bytes = pack(load);
    const Load arrived = unpack_load(bytes);
    ASSERT_EQ(arrived.sources.size(), 2U);
    EXPECT_EQ(arrived.sources[0].harmonics, load.sources[0].harmonics);
    ASSERT_EQ(arrived.sources[0].pulses.size(), 1U);
    EXPECT_EQ(arrived.sources[0].pulses[0].peak, 10.0);
    EXPECT_EQ(pack(arrived), bytes);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        EXPECT_THROW(static_cast<void>(unpack_load(bytes.substr(0, cut))), std::runtime_error) << cut;
}

TEST(Worker, NoiseIsWhiteKeyedAndOfTheDensityAskedFor) {
    // Into a resistor the current is the voltage. One deviate per step: variance rms^2, neighbours uncorrelated, the same for the same seed.
    constexpr double rms = 1e-4;  // [A]
    const auto samples = [&](std::uint64_t seed) {
        Worker worker;
        Load load = circuit({"i0 0 out external", "r0 out 0 1e3"}, "out", 400);
        load.sources = {{0.0, 0.0, rms, seed}};
        load.waves = {0};
        EXPECT_EQ(worker.load(load, patience()).category, "ok");
        std::vector<double> volts;
        EXPECT_EQ(worker
                      .advance({load.stop_time, {}}, patience(),
                               [&](std::span<const double> points) {
                                   for (std::size_t k = 0; k + 1 < points.size(); k += 2)
                                       if (points[k] > 1.0 / frequency) volts.push_back(points[k + 1]);  // the first steps grow to their length
                               })
                      .category,
                  "ok");
        return volts;
    };
    const std::vector<double> first = samples(7);
    ASSERT_GT(first.size(), 19000U);
    double variance = 0.0;
    double neighbours = 0.0;
    for (std::size_t k = 1; k < first.size(); ++k) {
        variance += first[k] * first[k];
        neighbours += first[k] * first[k - 1];
    }
    const auto n = static_cast<double>(first.size() - 1);
    EXPECT_NEAR(variance / n / (rms * rms * 1e6), 1.0, 5.0 * std::sqrt(2.0 / n));  // five standard errors
    EXPECT_NEAR(neighbours / variance, 0.0, 5.0 / std::sqrt(n));
    EXPECT_EQ(samples(7), first);
    EXPECT_NE(samples(8), first);
}

TEST(Worker, PowerIsTakenFromTheRailOrFromTheActiveElement) {
    Worker worker;
    Load load = circuit({"vsup0 rail 0 dc 1.5", "r0 rail out 1e3", "r1 out 0 2e3", "vact out x 0", "i1 0 x dc 1e-4"}, "out", 5);
    load.signals = {{"out", "", Power::supply, "vsup0#branch", 1.5}, {"out", "", Power::active, "vact#branch", 0.0}};
    ASSERT_EQ(worker.load(load, patience()).category, "ok");
    ASSERT_EQ(worker.advance({load.stop_time, {}}, patience()).category, "ok");
    const Periods periods = worker.read(patience());
    const double v = (1.5 / 1e3 + 1e-4) / (1.0 / 1e3 + 1.0 / 2e3);
    EXPECT_NEAR(periods.values[2], v, 1e-9);
    EXPECT_NEAR(periods.values[4], 1.5 * (1.5 - v) / 1e3, 1e-9);
    EXPECT_NEAR(periods.values[9], v * 1e-4, 1e-9);  // 0.1 mA flows into the node through the 0 V source
}

TEST(Worker, PausingChangesNoBit) {
    const problem::CircuitProblem problem = testing::driven_tanks({0.3, 1.9, -2.0}, 0.1);
    const std::vector<std::uint32_t> cells = {0, 1, 2};
    const double stop = 100 / problem.reference_hz;
    Worker worker;
    const auto run = [&](int pauses) {
        Netlist netlist = worker_netlist(problem, cells, stop);
        Load load;
        load.lines = netlist.lines;
        load.signals = netlist.signals;
        load.sources = netlist.sources;
        load.frequency = problem.reference_hz;
        load.stop_time = stop;
        load.step = problem::step_s(problem);
        load.harmonics = {1};
        const Status loaded = worker.load(load, patience());
        EXPECT_EQ(loaded.category, "ok") << loaded.message;
        std::vector<double> values;
        std::uint64_t points = 0;
        for (int p = 1; p <= pauses; ++p) {
            const Status status = worker.advance({stop * p / pauses, {}}, patience());
            EXPECT_EQ(status.category, p == pauses ? "ok" : "stopped") << status.message;
            points = status.points;
            const Periods periods = worker.read(patience());
            values.insert(values.end(), periods.values.begin(), periods.values.end());
        }
        EXPECT_EQ(worker.finish(patience()).category, "ok");
        EXPECT_EQ(values.size(), 100U * 3U * 5U);
        return std::pair{values, points};
    };
    const auto whole = run(1);
    EXPECT_EQ(whole, run(7));
    EXPECT_EQ(whole, run(1));  // nothing is left of the circuits before
}

TEST(Worker, StreamsWavesAtEveryPoint) {
    Worker worker;
    Load load = circuit({"i0 0 out external", "r0 out 0 1e3"}, "out", 300);
    load.sources = {{1e-3, 0.0, 0.0, 0}};
    load.waves = {0};
    ASSERT_EQ(worker.load(load, patience()).category, "ok");
    std::vector<double> points;
    const Status status = worker.advance({load.stop_time, {}}, patience(),
                                         [&](std::span<const double> more) { points.insert(points.end(), more.begin(), more.end()); });
    ASSERT_EQ(points.size(), 2 * status.points);
    for (std::size_t k = 0; k < points.size(); k += 2) ASSERT_NEAR(points[k + 1], std::cos(turn * frequency * points[k]), 1e-9);
}

/// What a netlist that cannot be simulated is called.
Status failure(const std::vector<std::string>& elements) {
    Worker worker;
    return ending(worker, circuit(elements, "out", 20));
}

TEST(WorkerFailures, HaveTheirCategoriesAndFirstErrorLines) {
    const auto is = [](const std::string& category, const std::string& text, const std::vector<std::string>& elements) {
        const Status status = failure(elements);
        EXPECT_EQ(status.category, category) << elements[0] << ": " << status.message;
        EXPECT_THAT(status.message, HasSubstr(text)) << elements[0];
    };
    is("parse", "valid modelname", {"q0 out", "r0 out 0 1"});
    is("parse", "model", {"d0 out 0 missing", "r0 out 0 1"});
    is("parse", "", {"x0 out missing", "r0 out 0 1"});
    is("parse", "", {"b0 out 0 i=frobnicate(1)", "r0 out 0 1"});
    is("exit", "ndefined", {"r0 out 0 {undefined}"});
    is("parse", "unimplemented", {".frobnicate", "r0 out 0 1"});
    is("exit", "Closing", {"r0 out 0 {1"});
    is("timestep", "imestep too small", {"c0 out 0 1e-12 ic=1", "b0 0 out i=1e-3*(1+v(out)*v(out))"});  // infinite after 0.8 ns
    is("operating_point", "singular", {"v0 out 0 1", "v1 out 0 2"});
    is("operating_point", "out of range", {"b0 out 0 v=sqrt(-1)", "r0 out 0 1"});
    is("empty", "no vector out", {"r0 elsewhere 0 1", "i1 elsewhere 0 1"});
    is("not_finite", "", {"i1 0 out dc 1e400", "r0 out 0 1"});
    is("parse", "Could not find include file", {".include missing.inc", "r0 out 0 1"});
    is("parse", "already exists", {"r0 out 0 1", "r0 out 0 1"});
    is("exit", "library file", {".lib missing.lib tt", "r0 out 0 1"});
    is("exit", "Mismatch", {".subckt cell a", "r0 out 0 1"});
    is("exit", "circular parameter", {".param a={b} b={a}", "r0 out 0 {a}"});
    is("operating_point", "singular", {"c0 out a 1e-12", "c1 a b 1e-12"});  // no node is tied to ground
    is("timestep", "out of range for ln", {"v0 in 0 SIN(1 2 1e9)", "b0 out 0 v=ln(v(in))", "r0 out 0 1"});
    is("crash", "signal 11", {".func f(x) {f(x)}", "r0 out 0 {f(1)}"});
    is("crash", "signal 11", {"v0 out 0 dc 0 external", "r0 out 0 1"});
}

TEST(WorkerFailures, NetlistWithoutACircuitOrAnAnalysisIsNamed) {
    Load none = circuit({"r0 out 0 1"}, "out", 20);
    none.lines.clear();
    Load no_analysis = circuit({"r0 out 0 1"}, "out", 20);
    std::erase_if(no_analysis.lines, [](const std::string& line) { return line.starts_with(".tran"); });
    Load no_end = circuit({"r0 out 0 1"}, "out", 20);
    no_end.lines.pop_back();
    Load bad_save = circuit({"r0 out 0 1"}, "out", 20);
    std::ranges::replace(bad_save.lines, ".save none", ".save v(nowhere)");
    Worker worker;
    EXPECT_EQ(ending(worker, none).category, "no_circuit");
    EXPECT_EQ(worker.finish(patience()).category, "ok");
    EXPECT_EQ(ending(worker, no_analysis).category, "empty");
    EXPECT_EQ(worker.finish(patience()).category, "ok");
    EXPECT_EQ(ending(worker, no_end).category, "parse");
    EXPECT_EQ(worker.finish(patience()).category, "ok");
    EXPECT_EQ(ending(worker, bad_save).category, "empty");
}

TEST(WorkerFailures, RunThatEndsBeforeItsStopTimeIsIncomplete) {
    Worker worker;
    Load load = circuit({"r0 out 0 1"}, "out", 20);
    load.stop_time *= 2.0;  // the netlist still says 20 periods
    const Status end = ending(worker, load);
    EXPECT_EQ(end.category, "incomplete");
    EXPECT_NEAR(end.time, 20 / frequency, 1e-9 / frequency);
}

/// -2 to the third power, as ngspice sees it in a compatibility mode.
double cube_of_minus_two(const std::string& behavior) {
    Worker worker;
    Load load = circuit({"v0 in 0 -2", "b0 out 0 v=v(in)**3"}, "out", 20);
    load.behavior = behavior;
    EXPECT_EQ(ending(worker, load).category, "ok");
    return worker.read(patience()).values.at(2);  // mean of the first period
}

TEST(WorkerBehavior, ChangesArithmetic) {
    EXPECT_NEAR(cube_of_minus_two(""), 8.0, 1e-6);  // ngspice's own reading of **, which drops the sign
    EXPECT_NEAR(cube_of_minus_two("lt"), -8.0, 1e-6);
    EXPECT_NEAR(cube_of_minus_two("hs"), -8.0, 1e-6);
}

TEST(WorkerBehavior, IsOneForTheLifeOfAWorker) {
    for (const auto& [first, second] : {std::pair{"", "ps"}, {"lt", ""}, {"hsa", "ps"}}) {
        Worker worker;
        Load load = circuit({"r0 out 0 1"}, "out", 20);
        load.behavior = first;
        ASSERT_EQ(ending(worker, load).category, "ok");
        ASSERT_EQ(worker.finish(patience()).category, "ok");
        load.behavior = second;
        const Status refused = worker.load(load, patience());
        EXPECT_EQ(refused.category, "parse") << first << ", then " << second;
        EXPECT_THAT(refused.message, HasSubstr("cannot change"));
        load.behavior = first;
        EXPECT_EQ(ending(worker, load).category, "ok");
    }
}

TEST(WorkerFailures, LeaveTheWorkerUsableUnlessItsParserIsPoisoned) {
    Worker worker;
    EXPECT_EQ(worker.load(circuit({"q0 out", "r0 out 0 1"}, "out", 20), patience()).category, "parse");
    EXPECT_EQ(worker.finish(patience()).category, "ok");
    Load good = circuit({"i0 0 out external", "r0 out 0 1e3"}, "out", 20);
    good.sources = {{1e-3, 0.0}};
    EXPECT_NEAR(std::abs(last_phasor(worker, good)), 1.0, 1e-9);
    EXPECT_EQ(worker.load(circuit({"r0 out 0 {undefined}"}, "out", 20), patience()).category, "exit");
    EXPECT_THROW(static_cast<void>(worker.load(good, patience())), WorkerLost);
}

TEST(WorkerFailures, EndlessSimulationMeetsItsDeadline) {
    Worker worker;
    const Load load = circuit({"r0 out 0 1"}, "out", 1e8);
    ASSERT_EQ(worker.load(load, patience()).category, "ok");
    try {
        static_cast<void>(worker.advance({load.stop_time, {}}, {std::chrono::steady_clock::now() + std::chrono::milliseconds{50}, nullptr}));
        FAIL();
    } catch (const WorkerLost& lost) {
        EXPECT_EQ(lost.category(), "timeout");
    }
}

TEST(WorkerFailures, NetlistWithALineBreakInsideALineIsRefused) { EXPECT_EQ(failure({"r0 out 0 1\nr1 out 0 1"}).category, "parse"); }

}  // namespace
}  // namespace entrain::engines::ngspice

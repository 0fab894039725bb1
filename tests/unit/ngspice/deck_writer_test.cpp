#include "engines/ngspice/deck_writer.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <regex>

#include "core/error.hpp"
#include "core/file.hpp"
#include "engines/ngspice/plugin.hpp"
#include "io/rawfile.hpp"
#include "tank.hpp"

namespace entrain::engines::ngspice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// Three tanks, two anchors, every crosspoint used.
problem::CircuitProblem crossbar() {
    problem::CircuitProblem problem = testing::driven_tanks({0.0, 0.0, 0.0}, 0.2);
    problem.anchors = {{{0, 0}, 0.5}, {{0, 1}, 2.1}};
    const double full_scale = 0.2 * testing::tank_amplitude / testing::tank_resistance;
    for (std::uint32_t i = 0; i < 3; ++i) {
        const double share = 0.2 + 0.3 * i;
        problem.crosspoints.push_back({0, i, share * full_scale});
        problem.crosspoints.push_back({1, i, (1.0 - share) * full_scale});
        problem.cells[i].injection = std::polar(share * full_scale, 0.5) + std::polar((1.0 - share) * full_scale, 2.1);
        const double drive = std::abs(problem.cells[i].injection) / full_scale;
        problem.rule.rate(i) = 0.2 * drive * testing::tank_rate;
        problem.rule.max_time(i) = 20.0 / problem.rule.rate(i);
    }
    return problem;
}

TEST(DeckWriter, NumbersKeepEveryDigitAndCarryAnExponent) {
    for (const double x : {0.998237605e9, 2.53302959106e-12, -1.0 / 3.0, 0.0, 1e6}) {
        EXPECT_EQ(std::stod(number(x)), x);
        EXPECT_THAT(number(x), HasSubstr("e"));
    }
    EXPECT_THROW(static_cast<void>(number(std::nan(""))), std::logic_error);
}

TEST(DeckWriter, ReducedCrossbarIsOneExternalCurrentPerCellWithoutADcValue) {
    const std::vector<std::uint32_t> cells = {2, 0};
    const Netlist netlist = worker_netlist(crossbar(), cells, 1e-7);
    EXPECT_THAT(netlist.lines, Contains("i0 0 c0_out external"));
    EXPECT_THAT(netlist.lines, Contains("i1 0 c1_out external"));
    EXPECT_THAT(netlist.lines, Contains(".save none"));
    EXPECT_THAT(netlist.lines, Not(Contains(HasSubstr(" sin"))));
    ASSERT_EQ(netlist.sources.size(), 2U);
    EXPECT_EQ(netlist.sources[0].phasor, crossbar().cells[2].injection);
    EXPECT_EQ(netlist.signals[1].plus, "c1_out");
    EXPECT_EQ(netlist.signals[1].current, "v.x1.vact#branch");
}

TEST(DeckWriter, KicksAreSourcesOfTheirOwnWhereNothingElseIsInjected) {
    problem::CircuitProblem problem = crossbar();
    problem.ampere_scale = 1e-4;
    const double step = problem::step_s(problem);
    problem.cells[1].kicks = {{1e-15, 3e-9, 3.3 * step, "out", "0"}, {-2e-15, 4e-9, 0.0, "0", "out"}};
    problem.cells[1].clock_shift = 0.3;
    problem.cells[1].injection_harmonics = {std::polar(1e-5, 0.1)};
    const std::vector<std::uint32_t> cells = {1, 2};
    const Netlist netlist = worker_netlist(problem, cells, 1e-7);
    EXPECT_THAT(netlist.lines, Contains("i0 0 c0_out external"));
    EXPECT_THAT(netlist.lines, Contains("i1 c0_out 0 external"));
    EXPECT_THAT(netlist.lines, Contains("i2 0 c1_out external"));
    ASSERT_EQ(netlist.sources.size(), 3U);
    ASSERT_EQ(netlist.sources[0].pulses.size(), 1U);
    EXPECT_EQ(netlist.sources[0].pulses[0].time, 3e-9);
    EXPECT_NEAR(netlist.sources[0].pulses[0].half_base, 3.0 * step, 1e-9 * step);  // whole steps,
    EXPECT_NEAR(netlist.sources[1].pulses[0].half_base, 2.0 * step, 1e-9 * step);  // at least two
    EXPECT_NEAR(netlist.sources[0].pulses[0].peak * 3.0 * step * problem.ampere_scale / 1e-15, 1.0, 1e-12);
    EXPECT_NEAR(netlist.sources[1].pulses[0].peak * 2.0 * step * problem.ampere_scale / -2e-15, 1.0, 1e-12);
    // A clock that runs ahead by x sees the second harmonic's sources ahead by 2 x.
    ASSERT_EQ(netlist.sources[0].harmonics.size(), 1U);
    EXPECT_LT(std::abs(netlist.sources[0].harmonics[0] - std::polar(1e-5 / 1e-4, 0.1 - 2.0 * 0.3)), 1e-12);
    EXPECT_TRUE(netlist.sources[2].pulses.empty());
    problem.cells[1].kicks[0].plus = "nowhere";
    EXPECT_THROW(static_cast<void>(worker_netlist(problem, cells, 1e-7)), std::logic_error);
}

TEST(DeckWriter, FullCrossbarHoldsOnlyTheChosenCells) {
    problem::CircuitProblem problem = crossbar();
    problem.crossbar = problem::Crossbar::full;
    const std::vector<std::uint32_t> cells = {1};
    const Netlist netlist = worker_netlist(problem, cells, 1e-7);
    int crosspoints = 0;
    for (const std::string& line : netlist.lines) crosspoints += line.starts_with("gx") ? 1 : 0;
    EXPECT_EQ(crosspoints, 2);
    EXPECT_TRUE(netlist.sources.empty());
    problem.cells[1].drive_offset_hz = 1e6;
    EXPECT_THROW(static_cast<void>(worker_netlist(problem, cells, 1e-7)), std::logic_error);
}

TEST(DeckWriter, RefusesCellsThatRunCommandsOrOpenFiles) {
    const std::vector<std::uint32_t> cells = {0};
    for (const char* line : {".control", "  .CONTROL", ".include /etc/passwd", ".lib a b", ".csparam x=1", "r1 out 0 `id`"}) {
        problem::CircuitProblem problem = crossbar();
        problem.netlist += std::string{line} + "\n";
        EXPECT_THROW(static_cast<void>(worker_netlist(problem, cells, 1e-7)), ModelError) << line;
        EXPECT_THROW(static_cast<void>(stand_alone_deck(problem, {})), ModelError) << line;
    }
    // A comment that ngspice would run is dropped.
    problem::CircuitProblem problem = crossbar();
    problem.netlist += " *# shell touch run\n";
    EXPECT_THAT(stand_alone_deck(problem, {}), Not(HasSubstr("touch")));
    EXPECT_THAT(worker_netlist(problem, cells, 1e-7).lines, Not(Contains(HasSubstr("touch"))));
}

TEST(DeckWriter, TitleIsACommentOfHarmlessCharacters) {
    problem::CircuitProblem problem = crossbar();
    problem.title = "*ng_script\n.control `id`; {x}";
    const std::string deck = stand_alone_deck(problem, {});
    EXPECT_EQ(deck.substr(0, deck.find('\n')), "* entrain  ng_script .control  id    x ");
}

TEST(DeckWriter, StandAloneDeckIsSelfContainedAndNamesItsNodes) {
    DeckReadout readout;
    readout.offset_rad = 0.0077;
    const std::string deck = stand_alone_deck(crossbar(), readout);
    EXPECT_THAT(deck, Not(HasSubstr(".inc")));
    EXPECT_THAT(deck, HasSubstr("* entrain-readout {\"frequency_hz\": " + number(testing::tank_frequency_20ps)));
    EXPECT_THAT(deck, HasSubstr("\"offset_rad\": " + number(0.0077)));
    EXPECT_TRUE(std::regex_search(deck, std::regex{"\\bosc_0_0\\b"}));
    EXPECT_TRUE(std::regex_search(deck, std::regex{"\\banchor_0_1\\b"}));
    EXPECT_THAT(deck, HasSubstr(".save v(osc_0_0) v(osc_0_1) v(osc_0_2)\n"));
}

TEST(DeckWriter, DifferentialCellIsReadThroughAUnitySourceAndHasItsOwnRail) {
    problem::CircuitProblem problem = crossbar();
    problem.cell.pins = {"p", "n", "vdd"};
    problem.cell.inject_plus = problem.cell.read_plus = "p";
    problem.cell.inject_minus = problem.cell.read_minus = "n";
    problem.cell.supply_pin = "vdd";
    problem.cell.supply_v = 1.2;
    const std::string deck = stand_alone_deck(problem, {});
    EXPECT_THAT(deck, HasSubstr("xcell_0_1 cell_0_1_p cell_0_1_n cell_0_1_vdd tank"));
    EXPECT_THAT(deck, HasSubstr("eosc_0_1 osc_0_1 0 cell_0_1_p cell_0_1_n 1\n"));
    EXPECT_THAT(deck, HasSubstr("vsup_0_1 cell_0_1_vdd 0 dc {supply_v}\n"));
    EXPECT_THAT(deck, HasSubstr("i(vsup_0_1)"));
    const std::vector<std::uint32_t> cells = {1};
    const Netlist netlist = worker_netlist(problem, cells, 1e-7);
    EXPECT_THAT(netlist.lines, Contains("i0 c0_n c0_p external"));  // into p, out of n
    EXPECT_EQ(netlist.signals[0].minus, "c0_n");
    EXPECT_EQ(netlist.signals[0].current, "vsup0#branch");
    EXPECT_EQ(netlist.signals[0].supply_v, 1.2);
}

TEST(DeckWriter, ParametersReachDevicesWithAllTheirDigits) {
    // A current of 1/3 A through 1 ohm, its value handed through .param and an instance parameter; ngspice prints what arrives.
    const double value = 0.998237605e9 / 3.0;
    problem::CircuitProblem problem = testing::tanks();
    problem.netlist = ".subckt tank out\n+ x=0\nV0 out 0 {x}\n.ends\n";
    problem.cell.active_branch = "";
    problem.cells.push_back({.id = {}, .parameters = {{"x", value}}, .injection = 0.0});
    const auto folder = std::filesystem::path{::testing::TempDir()} / "entrain_digits";
    std::filesystem::create_directories(folder);
    std::ofstream{folder / "d.cir"} << stand_alone_deck(problem, {});
    ASSERT_EQ(std::system(("cd " + folder.string() + " && ngspice -b d.cir -r d.raw > d.log 2>&1").c_str()), 0);
    const auto plots = io::read_raw(folder / "d.raw");
    EXPECT_NEAR(plots.at(0).columns.at(1).back(), value, 1e-14 * value);
    std::filesystem::remove_all(folder);
}

/// Phase of the fundamental over whole periods by linear interpolation onto a fine grid: another way than the engine's.
double phase_of(const std::vector<double>& times, const std::vector<double>& values, double frequency) {
    constexpr int steps = 20000;
    const double begin = times.front() + 0.5 / frequency;
    const double end = begin + std::floor((times.back() - begin) * frequency) / frequency;
    std::complex<double> sum;
    std::size_t k = 0;
    for (int i = 0; i < steps; ++i) {
        const double t = begin + (i + 0.5) * (end - begin) / steps;
        while (times[k + 1] < t) ++k;
        const double s = (t - times[k]) / (times[k + 1] - times[k]);
        sum += (values[k] + s * (values[k + 1] - values[k])) * std::polar(1.0, -turn * frequency * t);
    }
    return std::arg(sum);
}

TEST(DeckWriter, StandAloneDeckUnderPlainNgspiceSettlesWhereTheEngineDoes) {
    const problem::CircuitProblem problem = crossbar();
    const auto folder = std::filesystem::path{::testing::TempDir()} / "entrain_deck";
    std::filesystem::create_directories(folder);
    DeckReadout readout;
    readout.stop_time_s = 12.0 / problem.rule.rate.minCoeff();
    std::ofstream{folder / "seq0.cir"} << stand_alone_deck(problem, readout);
    ASSERT_EQ(std::system(("cd " + folder.string() + " && ngspice -b seq0.cir -r seq0.raw > seq0.log 2>&1").c_str()), 0);
    const auto plots = io::read_raw(folder / "seq0.raw");
    ASSERT_EQ(plots.size(), 1U);
    const auto& header = plots[0].header;
    const auto& columns = plots[0].columns;
    EXPECT_NEAR((columns[0].back() - columns[0].front()) * problem.reference_hz, 20.0, 0.05);

    const auto solution = create()->solve(problem, {});
    ASSERT_TRUE(solution.failures.empty());
    for (std::size_t i = 0; i < 3; ++i) {
        const std::string name = "v(osc_0_" + std::to_string(i) + ")";
        const auto found = std::ranges::find(header.variables, name, &io::RawVariable::name);
        ASSERT_NE(found, header.variables.end()) << name;
        const double phase = phase_of(columns[0], columns[static_cast<std::size_t>(found - header.variables.begin())], problem.reference_hz);
        EXPECT_EQ(solution.oscillators[i].stop, problem::Stop::settled);
        EXPECT_NEAR(degrees(wrap(phase - solution.oscillators[i].phase)), 0.0, 0.05);  // 0.02 deg that the engine leaves, and the interpolation's own
    }
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace entrain::engines::ngspice

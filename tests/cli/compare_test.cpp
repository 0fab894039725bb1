#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <thread>

#include "io/json.hpp"
#include "support/program.hpp"

// What compare reads, refuses, leaves behind and says. How good the numbers are is the agreement tests' business.

namespace {

using namespace entrain;
using entrain::test::content_of;
using entrain::test::ProgramResult;
using entrain::test::RunningProgram;
using entrain::test::source_file;
using entrain::test::TemporaryFolder;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Everything but substrates and engines, on the shipped layer.
std::string shared_part(const std::string& sequences = "[0, 1]") {
    return "version: 1\nlayer:\n  mechanism: fixed_query\n  weights: " + source_file("models/attention/sva/layer.safetensors") +
           "\n  inputs: " + source_file("models/attention/sva/inputs.safetensors") + "\n  heads: 1\n  sequences: " + sequences + "\n";
}

const std::string textbook_rows = "substrates: [{kind: ideal}]\nengines: [{kind: exact}, {kind: phase}]\n";

/// One comparison in a folder of its own.
class Compared {
 public:
    explicit Compared(const std::string& yaml, std::vector<std::string> extra = {}, const std::string& command = "compare") {
        config_ = folder_.write("c.yaml", yaml);
        std::vector<std::string> arguments = {command, config_, "--quiet"};
        if (command != "validate") arguments.insert(arguments.end(), {"--out", out().string()});
        arguments.insert(arguments.end(), extra.begin(), extra.end());
        ran = test::entrain(arguments);
    }
    [[nodiscard]] std::filesystem::path out() const { return folder_.path() / "out"; }
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
    [[nodiscard]] io::Json json() const { return io::read_json(out() / "compare.json"); }
    ProgramResult ran;

 private:
    TemporaryFolder folder_;
    std::string config_;
};

std::vector<std::string> names_of(const io::Json& list) {
    std::vector<std::string> names;
    for (const io::Json& entry : list) names.push_back(entry["name"].get<std::string>());
    return names;
}

/// Numbers only: neither times of the run nor who made it.
io::Json numbers_of(io::Json rows) {
    for (io::Json& row : rows) {
        row.erase("provenance");
        row.erase("cost");
    }
    return rows;
}

std::size_t occurrences(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

void expect_refused(const Compared& compared, const testing::Matcher<const std::string&>& message) {
    EXPECT_EQ(compared.ran.status, 2);
    EXPECT_THAT(compared.ran.err, message);
    EXPECT_THAT(compared.ran.out, IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(compared.out()));
}

TEST(Quickstart, ComparesEveryTechnologyAsACircuitAndAsAPhaseModel) {
    // The shipped file on one of its sentences: what a new user sees first.
    const TemporaryFolder folder;
    const std::filesystem::path out = folder.path() / "out";
    const ProgramResult ran =
        test::entrain({"compare", source_file("configs/quickstart.yaml"), "--set", "layer.sequences=[1]", "--out", out.string(), "--quiet"});
    ASSERT_EQ(ran.status, 0) << ran.err;
    const io::Json comparison = io::read_json(out / "compare.json");
    EXPECT_THAT(names_of(comparison["rows"]), ElementsAre("lc-ngspice", "lc-phase", "ring-ngspice", "ring-phase", "josephson-ngspice",
                                                          "josephson-phase", "cdw-ngspice", "cdw-phase"));
    for (const io::Json& row : comparison["rows"]) {
        const std::string name = row["name"];
        EXPECT_EQ(row["status"], "ok") << name;
        EXPECT_EQ(row["settling"]["unsettled"], 0) << name;
        // A constant offset leaves what the slope does: 2 deg for a ring at this injection, far less for the others.
        EXPECT_LT(row["error"]["phase_rms_deg"].get<double>(), name.starts_with("ring") ? 2.0 : 0.2) << name;
        for (const char* file : {"result.json", "arrays.h5", "report.html", "resolved.yaml"})
            EXPECT_TRUE(std::filesystem::exists(out / name / file)) << name << " " << file;
    }
    for (const char* file : {"compare.csv", "report.html", "resolved.yaml"}) EXPECT_TRUE(std::filesystem::exists(out / file)) << file;
}

TEST(Compare, RunsEverySubstrateWithEveryEngineInTheOrderOfTheFile) {
    const Compared c{shared_part() + "substrates: [{kind: ideal, name: b}, {kind: ideal, name: a}]\nengines: [{kind: phase}, {kind: exact}]\n"};
    ASSERT_EQ(c.ran.status, 0) << c.ran.err;
    const io::Json json = c.json();
    EXPECT_EQ(json["schema"], "entrain.compare/1");
    EXPECT_EQ(json["status"], "ok");
    EXPECT_THAT(names_of(json["rows"]), ElementsAre("b-phase", "b-exact", "a-phase", "a-exact"));
    for (const io::Json& row : json["rows"]) {
        const std::filesystem::path folder = c.out() / row["name"].get<std::string>();
        for (const char* file : {"result.json", "resolved.yaml", "arrays.h5"}) EXPECT_TRUE(std::filesystem::exists(folder / file)) << folder / file;
        io::Json alone = io::read_json(folder / "result.json");
        for (const auto& [key, value] : alone.items()) EXPECT_EQ(row[key], value) << key;
        EXPECT_EQ(row.size(), alone.size() + 1);  // and the name
    }
    EXPECT_THAT(c.ran.out, AllOf(HasSubstr("b-phase"), HasSubstr("held equal"), HasSubstr("free")));
}

TEST(Compare, TableFitsATerminalOf150Columns) {
    const std::string long_name(12, 'n');  // and "-ngspice"
    const Compared c{shared_part() + "substrates: [{kind: lc, name: " + long_name + "}, {kind: ideal}]\nengines: [{kind: ngspice}, {kind: phase}]\n",
                     {"--set", "layer.sequences=[1]", "--set", "readout.max_periods=40"}};
    ASSERT_LE(c.ran.status, 1) << c.ran.err;
    std::istringstream lines{c.ran.out};
    for (std::string line; std::getline(lines, line);)
        if (line.find(": ") == std::string::npos) {  // the table's own lines; sentences below it may be longer
            EXPECT_LE(line.size(), 150U) << line;
        }
}

TEST(Compare, RowIsNamedAfterItsSubstrateWhenThereIsOneEngine) {
    const Compared c{shared_part() + "substrates: [{kind: ideal}, {kind: ideal, name: twin}]\nengine: {kind: exact}\n"};
    ASSERT_EQ(c.ran.status, 0) << c.ran.err;
    EXPECT_THAT(names_of(c.json()["rows"]), ElementsAre("ideal", "twin"));
}

TEST(Compare, TakesAFileWithoutLists) {
    const Compared c{shared_part() + "substrate: {kind: ideal}\nengine: {kind: exact}\n"};
    ASSERT_EQ(c.ran.status, 0) << c.ran.err;
    EXPECT_THAT(names_of(c.json()["rows"]), ElementsAre("ideal"));
}

TEST(Compare, RowsStartFromTheSamePhases) {
    // The textbook oscillator's closed form and its phase model differ by integration error only if they start alike: 1e-6 of the largest time.
    const Compared c{shared_part() + textbook_rows};
    ASSERT_EQ(c.ran.status, 0) << c.ran.err;
    const io::Json rows = c.json()["rows"];
    for (const char* q : {"median", "p95", "max"}) {
        const double exact = rows[0]["settling"]["time_s"][q].get<double>();
        EXPECT_NEAR(rows[1]["settling"]["time_s"][q].get<double>(), exact, 1e-6 * rows[0]["settling"]["time_s"]["max"].get<double>()) << q;
    }
}

TEST(Compare, ResolvedConfigurationsGiveTheSameNumbers) {
    const std::string substrates = "substrates: [{kind: lc, cell: behavioural, parameters: {tank_q: 10}, injection: 0.2}, {kind: ideal}]\n";
    const Compared c{shared_part() + substrates + "engines: [{kind: exact}, {kind: phase, tolerance: 1e-8}]\nstart: 'fixed: 20 deg'\n",
                     {"--seed", "7"}};
    ASSERT_LE(c.ran.status, 1) << c.ran.err;
    const std::string again = (c.folder() / "again").string();
    ASSERT_EQ(test::entrain({"compare", (c.out() / "resolved.yaml").string(), "--out", again, "--quiet"}).status, c.ran.status);
    EXPECT_EQ(numbers_of(io::read_json(again + "/compare.json")["rows"]), numbers_of(c.json()["rows"]));
    EXPECT_EQ(io::read_json(again + "/compare.json")["held_equal"], c.json()["held_equal"]);

    const std::string row = (c.folder() / "row").string();
    ASSERT_EQ(test::entrain({"run", (c.out() / "lc-phase/resolved.yaml").string(), "--out", row, "--quiet"}).status, c.ran.status);
    io::Json alone = io::read_json(row + "/result.json");
    io::Json in_comparison = io::read_json(c.out() / "lc-phase/result.json");
    for (io::Json* json : {&alone, &in_comparison}) {
        json->erase("provenance");
        json->erase("cost");
    }
    EXPECT_EQ(alone, in_comparison);
}

TEST(Compare, RunRefusesAListAndSaysWhatToDo) {
    const Compared c{shared_part() + textbook_rows, {}, "run"};
    expect_refused(
        c, AllOf(HasSubstr("c.yaml:8:13: substrates"), HasSubstr("entrain compare"), HasSubstr("--set substrate.kind"), HasSubstr("engines")));
}

TEST(Compare, SetReplacesAList) {
    const Compared run{shared_part() + textbook_rows, {"--set", "substrate.kind=ideal", "--set", "engine.kind=exact"}, "run"};
    EXPECT_EQ(run.ran.status, 0) << run.ran.err;
    const Compared compared{shared_part() + textbook_rows, {"--set", "engine.kind=exact"}};
    ASSERT_EQ(compared.ran.status, 0) << compared.ran.err;
    EXPECT_THAT(names_of(compared.json()["rows"]), ElementsAre("ideal"));
}

TEST(Compare, SetReachesIntoTheLists) {
    const std::string rows = "substrates: [{kind: lc}, {kind: ideal}]\nengines: [{kind: phase}]\n";
    const Compared c{shared_part() + rows,
                     {"--set", "substrates.0.kind=ideal", "--set", "substrates.1.name=textbook", "--set", "engines.0.kind=exact"}};
    ASSERT_EQ(c.ran.status, 0) << c.ran.err;
    const io::Json json = c.json();
    EXPECT_THAT(names_of(json["rows"]), ElementsAre("ideal", "textbook"));
    EXPECT_EQ(json["rows"][0]["engine"]["kind"], "exact");
    expect_refused(Compared{shared_part() + rows, {"--set", "substrates.0.cell=triode"}},
                   HasSubstr("--set substrates.0.cell=triode: substrate.cell"));
    expect_refused(Compared{shared_part() + textbook_rows, {"--set", "substrates.3.kind=lc"}}, HasSubstr("'3' is not an index"));
}

TEST(Compare, MistakesOfAllRowsAreReportedOnceEach) {
    const Compared c{
        shared_part() +
        "  causal: perhaps\nsubstrates:\n  - {kind: lc, injektion: 0.1}\n  - {kind: lc, name: b, cell: triode}\n  - {kind: lcc}\n  - lc\n"
        "engines: [{kind: exact}, {kind: phase, tolerance: much}]\n"};
    expect_refused(c, AllOf(HasSubstr("c.yaml:13:5: substrates.3 is not a map")));
    const Compared d{shared_part() +
                     "  causal: perhaps\nsubstrates:\n  - {kind: lc, injektion: 0.1}\n  - {kind: lc, name: b, cell: triode}\n  - {kind: lcc}\n"
                     "engines: [{kind: exact}, {kind: phase, tolerance: much}]\n"};
    expect_refused(d, AllOf(HasSubstr("layer.causal"), HasSubstr("Did you mean 'injection'?"), HasSubstr("c.yaml:11:31: substrate.cell"),
                            HasSubstr("Did you mean 'lc'?"), HasSubstr("engine.tolerance")));
    for (const char* once : {"layer.causal", "injektion", "triode", "'lcc'", "engine.tolerance"})
        EXPECT_EQ(occurrences(d.ran.err, once), 1U) << d.ran.err;
}

TEST(Compare, NamesAreUniqueAndFolders) {
    expect_refused(Compared{shared_part() + "substrates:\n  - {kind: ideal}\n  - {kind: ideal}\nengine: {kind: exact}\n"},
                   AllOf(HasSubstr("c.yaml:10:5: substrate.name"), HasSubstr("'ideal'"), HasSubstr("unique")));
    expect_refused(Compared{shared_part() + "substrates: [{kind: ideal}]\nengines: [{kind: exact}, {kind: exact}]\n"},
                   HasSubstr("'ideal-exact' exists already"));
    for (const char* name : {"../out", "/tmp/x", "a/b", ".hidden", "compare.json", "'a b'"})
        expect_refused(Compared{shared_part() + "substrates:\n  - {kind: ideal, name: " + name + "}\nengine: {kind: exact}\n"},
                       AllOf(HasSubstr("c.yaml:9:25: substrate.name"), HasSubstr("folder")));
}

TEST(Compare, ListsMustBeListsWithEntries) {
    expect_refused(Compared{shared_part() + "substrates: []\nengine: {kind: exact}\n"}, HasSubstr("c.yaml:8:13: substrates"));
    expect_refused(Compared{shared_part() + "substrates: {kind: ideal}\nengine: {kind: exact}\n"}, HasSubstr("substrates is not a list"));
    expect_refused(Compared{shared_part() + "substrate: {kind: ideal}\n" + textbook_rows}, HasSubstr("stands beside substrates"));
    expect_refused(Compared{shared_part() + "substrates: [{kind: ideal}]\n"}, HasSubstr("missing key 'engines'"));
}

TEST(Compare, PairsThatCannotExistAreSkippedWithTheReason) {
    const Compared c{shared_part() + "substrates: [{kind: ideal}]\nengines: [{kind: ngspice}, {kind: exact}]\n"};
    ASSERT_EQ(c.ran.status, 0) << c.ran.err;
    const io::Json json = c.json();
    EXPECT_THAT(names_of(json["rows"]), ElementsAre("ideal-exact"));
    ASSERT_THAT(names_of(json["skipped"]), ElementsAre("ideal-ngspice"));
    EXPECT_EQ(json["skipped"][0]["substrate"], "ideal");
    EXPECT_EQ(json["skipped"][0]["engine"], "ngspice");
    EXPECT_THAT(json["skipped"][0]["reason"].get<std::string>(), AllOf(HasSubstr("ngspice"), HasSubstr("exact | phase")));
    EXPECT_THAT(c.ran.out, HasSubstr("ideal-ngspice skipped"));
    expect_refused(Compared{shared_part() + "substrates: [{kind: ideal}]\nengines: [{kind: ngspice}]\n"}, HasSubstr("no substrate can be simulated"));
}

TEST(Compare, ImpossibleCellIsAFailedRowAndOthersGoOn) {
    // gm Rp = 0.6 at a tank Q of 2.
    const Compared c{shared_part() + "substrates: [{kind: lc, parameters: {tank_q: 2}}, {kind: ideal}]\nengines: [{kind: exact}]\n"};
    ASSERT_EQ(c.ran.status, 1) << c.ran.err;
    const io::Json json = c.json();
    EXPECT_EQ(json["status"], "partial");
    ASSERT_THAT(names_of(json["rows"]), ElementsAre("lc", "ideal"));
    const io::Json& failed = json["rows"][0];
    const io::Json& good = json["rows"][1];
    EXPECT_EQ(failed["status"], "failed");
    EXPECT_EQ(good["status"], "ok");
    EXPECT_THAT(failed["failures"][0]["message"].get<std::string>(), AllOf(HasSubstr("loop gain"), HasSubstr("0.6")));
    for (const auto& [key, value] : good.items()) {
        ASSERT_TRUE(failed.contains(key)) << key;
        if (!value.is_object()) continue;
        for (const auto& [inner, unused] : value.items()) EXPECT_TRUE(failed[key].contains(inner)) << key << "." << inner;
    }
    for (const char* number :
         {"/error/phase_rms_deg", "/error_at_read/attention_rms", "/settling/time_s/median", "/settling/unsettled", "/settling/read_time_s",
          "/energy/per_query_j/mean", "/substrate/frequency_hz", "/substrate/injection", "/substrate/power_per_oscillator_w"})
        EXPECT_TRUE(failed.at(io::Json::json_pointer{number}).is_null()) << number;
    EXPECT_EQ(failed["layer"], good["layer"]);
    EXPECT_TRUE(std::filesystem::exists(c.out() / "lc/result.json"));
    EXPECT_THAT(c.ran.out, AllOf(HasSubstr("lc failed"), HasSubstr("loop gain")));
}

TEST(Compare, UnsettledOscillatorsMakeThePartialRowVisible) {
    const Compared c{shared_part() + "substrates: [{kind: lc}, {kind: ideal}]\nengines: [{kind: exact}]\nreadout: {max_periods: 50}\n"};
    ASSERT_EQ(c.ran.status, 1) << c.ran.err;
    const io::Json rows = c.json()["rows"];
    EXPECT_GT(rows[0]["settling"]["unsettled"].get<int>(), 0);
    EXPECT_EQ(rows[0]["status"], "partial");
    EXPECT_EQ(rows[1]["status"], "ok");  // max_periods does not apply to ideal
}

TEST(Compare, CsvHasALinePerRowWithTheNumbersOfTheJson) {
    const Compared c{shared_part() + "substrates: [{kind: lc}, {kind: ideal}]\nengines: [{kind: exact}, {kind: phase}]\n"};
    ASSERT_EQ(c.ran.status, 0) << c.ran.err;
    std::istringstream csv{content_of(c.out() / "compare.csv")};
    const auto cells_of = [](const std::string& line) {
        std::vector<std::string> cells;
        std::istringstream in{line};
        for (std::string cell; std::getline(in, cell, ',');) cells.push_back(cell);
        return cells;
    };
    std::string line;
    std::getline(csv, line);
    const std::vector<std::string> header = cells_of(line);
    EXPECT_EQ(std::set<std::string>(header.begin(), header.end()).size(), header.size());
    const auto column = [&](const std::string& name) { return static_cast<std::size_t>(std::ranges::find(header, name) - header.begin()); };
    const io::Json rows = c.json()["rows"];
    std::size_t count = 0;
    for (; std::getline(csv, line); ++count) {
        const std::vector<std::string> cells = cells_of(line);
        ASSERT_LT(count, rows.size());
        const io::Json& row = rows[count];
        EXPECT_EQ(cells.at(column("name")), row["name"]);
        EXPECT_EQ(std::stod(cells.at(column("settling_median_s"))), row["settling"]["time_s"]["median"].get<double>());
        const std::string& energy = cells.at(column("energy_per_query_j"));
        if (row["substrate"]["dimensionless"] == true) {
            EXPECT_EQ(energy, "");
        } else {
            EXPECT_EQ(std::stod(energy), row["energy"]["per_query_j"]["mean"].get<double>());
        }
    }
    EXPECT_EQ(count, rows.size());
}

TEST(Compare, JsonAloneOnStandardOutput) {
    const Compared c{shared_part() + textbook_rows, {"--json"}};
    ASSERT_EQ(c.ran.status, 0) << c.ran.err;
    EXPECT_EQ(io::Json::parse(c.ran.out), c.json());
}

TEST(Compare, SaysWhatIsHeldEqualAndWhatIsFree) {
    const Compared c{shared_part() +
                     "substrates: [{kind: lc, injection: 0.2}, {kind: ideal}]\nengines: [{kind: exact}]\nreadout: {settle_tolerance: 2 deg}\n"};
    ASSERT_EQ(c.ran.status, 0) << c.ran.err;
    std::string equal;
    for (const io::Json json = c.json(); const io::Json& held : json["held_equal"])
        equal += held["what"].get<std::string>() + "=" + held["value"].get<std::string>() + ";";
    EXPECT_THAT(
        equal, AllOf(HasSubstr("layer.safetensors"), HasSubstr("start phases=random"), HasSubstr("tolerance=2 deg"), HasSubstr("read rule=slowest")));
    std::set<std::string> free;
    for (const io::Json json = c.json(); const io::Json& entry : json["free"]) {
        free.insert(entry["what"].get<std::string>());
        EXPECT_TRUE(entry["values"]["ideal"].is_null());
        EXPECT_GT(entry["values"]["lc"].get<double>(), 0.0) << entry;
    }
    EXPECT_THAT(free, testing::IsSupersetOf({"frequency", "injection", "power per oscillator"}));
}

TEST(Compare, ValidateTakesComparisons) {
    const std::string rows = "substrates: [{kind: lc, parameters: {tank_q: 2}}, {kind: ideal}]\nengines: [{kind: ngspice}]\n";
    const Compared c{shared_part() + rows, {}, "validate"};
    EXPECT_EQ(c.ran.status, 0) << c.ran.err;
    const std::string file = (c.folder() / "c.yaml").string();
    EXPECT_THAT(test::entrain({"validate", file}).out, AllOf(HasSubstr("will fail: lc: loop gain"), HasSubstr("ideal will be skipped")));
    EXPECT_EQ(test::entrain({"validate", file, "--set", "substrates.0.cell=triode"}).status, 2);
}

TEST(Compare, DryRunPlansEachRowAndWritesNothing) {
    const Compared c{shared_part() + "substrates: [{kind: lc, parameters: {tank_q: 2}}, {kind: ideal}]\nengines: [{kind: exact}, {kind: ngspice}]\n",
                     {"--dry-run"}};
    EXPECT_EQ(c.ran.status, 0) << c.ran.err;
    EXPECT_THAT(c.ran.out, AllOf(HasSubstr("ideal-exact"), HasSubstr("lc-ngspice would fail"), HasSubstr("ideal-ngspice skipped")));
    EXPECT_FALSE(std::filesystem::exists(c.out()));
}

TEST(Compare, CtrlCKeepsFinishedRows) {
    const TemporaryFolder folder;
    // The first row takes milliseconds; the second one, 20 sentences in one thread, far longer than this test waits.
    const std::string config =
        folder.write("c.yaml", shared_part("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]") +
                                   "substrates: [{kind: lc}, {kind: lc, name: late}]\nengines: [{kind: exact}, {kind: ngspice}]\n");
    ASSERT_EQ(test::entrain({"compare", config, "--dry-run", "--quiet"}).status, 0);  // the calibration is in the cache now
    const std::filesystem::path out = folder.path() / "out";
    RunningProgram run{{std::string{ENTRAIN_BINARY_DIR} + "/entrain", "compare", config, "--out", out.string(), "--jobs", "1", "--quiet"}};
    for (int tries = 0; tries < 3000 && !std::filesystem::exists(out / "lc-exact/result.json"); ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    std::this_thread::sleep_for(std::chrono::milliseconds{300});  // into the second row
    ::kill(run.pid(), SIGINT);
    const ProgramResult result = run.wait();
    EXPECT_EQ(result.status, 130) << result.err;
    const io::Json json = io::read_json(out / "compare.json");
    EXPECT_EQ(json["status"], "partial");
    ASSERT_THAT(names_of(json["rows"]), ElementsAre("lc-exact", "lc-ngspice"));
    EXPECT_EQ(json["rows"][0]["status"], "ok");
    EXPECT_EQ(json["rows"][1]["status"], "partial");
    EXPECT_EQ(json["not_run"], (io::Json{"late-exact", "late-ngspice"}));
    for (const auto& entry : std::filesystem::recursive_directory_iterator{out}) EXPECT_NE(entry.path().extension(), ".tmp");
}

TEST(Compare, BrokenSimulatorIsAMissingComponentNotAFailedRow) {
    const TemporaryFolder folder;
    const std::string config = folder.write("c.yaml", shared_part() + "substrates: [{kind: lc}]\nengines: [{kind: ngspice}]\n");
    const std::string out = (folder.path() / "out").string();
    const std::string cache = (folder.path() / "cache").string();  // nothing is calibrated there
    const std::string program = std::string{ENTRAIN_BINARY_DIR} + "/entrain";
    const ProgramResult result = RunningProgram{
        {"/usr/bin/env", "ENTRAIN_CACHE=" + cache, "ENTRAIN_WORKER=" + (folder.path() / "none").string(), program, "compare", config, "--out", out,
         "--quiet"}}.wait();
    EXPECT_EQ(result.status, 3) << result.err;
    EXPECT_FALSE(std::filesystem::exists(out));
}

// configs/kws_size.yaml on the cell that is fastest to simulate. Its weakest drives, 0.0051 and 0.0060, are far below the 0.02 that a run waits for.
TEST(KwsSize, EveryOscillatorIsSettledOrListedWithItsDrive) {
    const TemporaryFolder folder;
    const std::string out = (folder.path() / "out").string();
    const ProgramResult ran =
        test::entrain({"compare", source_file("configs/kws_size.yaml"), "--set", "substrate={kind: josephson}", "--out", out, "--quiet"});
    ASSERT_EQ(ran.status, 1) << ran.err;
    const io::Json row = io::read_json(out + "/compare.json")["rows"][0];
    EXPECT_EQ(row["layer"]["free_oscillators"], 98);
    EXPECT_EQ(row["layer"]["couplings"], 4802);
    const io::Json& listed = row["failures"];
    EXPECT_EQ(listed.size(), row["settling"]["unsettled"].get<std::size_t>());
    EXPECT_EQ(row["error"]["n"].get<std::size_t>() + listed.size(), 98U);  // none is degenerate
    ASSERT_GE(listed.size(), 2U);
    const std::string report = content_of(out + "/report.html");
    for (const io::Json& entry : listed) {
        EXPECT_EQ(entry["category"], "unsettled");
        EXPECT_LT(entry["drive"].get<double>(), 0.02);
        EXPECT_THAT(ran.out, HasSubstr("head " + entry["head"].dump() + " token " + entry["token"].dump() + " "));
        EXPECT_THAT(ran.out, HasSubstr("r = 0.00"));
        EXPECT_THAT(report, HasSubstr(entry["message"].get<std::string>()));
    }
}

}  // namespace

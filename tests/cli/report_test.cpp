#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>

#include "io/json.hpp"
#include "report/html.hpp"
#include "support/program.hpp"

// report.html as a reader sees it: opened in a browser.

namespace {

using namespace entrain;
using entrain::test::content_of;
using entrain::test::source_file;
using entrain::test::TemporaryFolder;
using testing::HasSubstr;
using testing::Not;

io::Json data_of(const std::string& page) {
    const std::string open = "<script type=\"application/json\" id=\"data\">";
    const std::size_t begin = page.find(open) + open.size();
    return io::Json::parse(page.substr(begin, page.find("</script", begin) - begin));
}

/// A page after its scripts have run.
struct Opened {
    std::string dom;
    std::string console;  ///< lines that reached the console
};

/// Opens a page with one more script at its end.
Opened open_in_browser(const std::string& page, const std::string& script) {
    const TemporaryFolder folder;
    const std::size_t end = page.rfind("</body>");
    const std::string file = folder.write("report.html", page.substr(0, end) + "<script>" + script + "</script>" + page.substr(end));
    test::RunningProgram browser{{CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                                  "--user-data-dir=" + (folder.path() / "profile").string(), "--window-size=1400,2000", "--virtual-time-budget=5000",
                                  "--enable-logging=stderr", "--dump-dom", "file://" + file}};
    const test::ProgramResult result = browser.wait();
    EXPECT_EQ(result.status, 0) << result.err;
    Opened opened{result.out, ""};
    std::istringstream lines{result.err};
    for (std::string line; std::getline(lines, line);)
        if (line.find("CONSOLE") != std::string::npos) opened.console += line + "\n";
    return opened;
}

/// Counts canvases and those on which nothing is drawn, as attributes of the root element; 500 ms leave time to draw.
const std::string count_canvases = R"(setTimeout(() => {
    const all = [...document.querySelectorAll("canvas")];
    const blank = all.filter(c => !c.width || !c.height || c.getContext("2d").getImageData(0, 0, c.width, c.height).data.every(v => v === 0));
    document.documentElement.setAttribute("data-canvases", all.length);
    document.documentElement.setAttribute("data-blank", blank.length);
    const wide = [...document.querySelectorAll("section > *")].filter(e => e.getBoundingClientRect().right > window.innerWidth + 1);
    document.documentElement.setAttribute("data-wide", wide.length);
}, 500);)";

int attribute(const std::string& dom, const std::string& name) {
    std::smatch match;
    return std::regex_search(dom, match, std::regex{"<html[^>]* data-" + name + "=\"([0-9]+)\""}) ? std::stoi(match[1]) : -1;
}

void expect_drawn(const Opened& opened, const std::string& kind, int canvases) {
    EXPECT_EQ(opened.console, "");
    EXPECT_THAT(opened.dom, HasSubstr("data-rendered=\"" + kind + "\""));
    EXPECT_THAT(opened.dom, Not(HasSubstr("data-failed=\"")));
    EXPECT_GE(attribute(opened.dom, "canvases"), canvases);
    EXPECT_EQ(attribute(opened.dom, "blank"), 0);
    EXPECT_EQ(attribute(opened.dom, "wide"), 0);
    EXPECT_THAT(opened.dom, Not(HasSubstr(">NaN")));
    EXPECT_THAT(opened.dom, Not(HasSubstr("undefined<")));
}

class Report : public testing::Test {
 protected:
    void SetUp() override {
        if (std::string{CHROMIUM}.ends_with("-NOTFOUND")) GTEST_SKIP() << "there is no chromium (tools/install-deps installs it)";
    }
    /// The page a command leaves behind.
    static std::string page_of(const std::string& command, const std::vector<std::string>& settings, const std::vector<std::string>& flags = {}) {
        const TemporaryFolder folder;
        const std::string out = (folder.path() / "out").string();
        std::vector<std::string> arguments = {command, source_file("configs/lc.yaml"), "--out", out, "--quiet"};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        for (const std::string& s : settings) {
            arguments.push_back("--set");
            arguments.push_back(s);
        }
        const auto ran = test::entrain(arguments);
        EXPECT_LE(ran.status, 1) << ran.err;
        return content_of(out + "/report.html");
    }
};

TEST_F(Report, BrowserTestsSeeErrors) {
    const Opened opened = open_in_browser(report::html_report("t", {}), "throw new Error('seen');");
    EXPECT_THAT(opened.console, HasSubstr("seen"));
}

TEST_F(Report, OfARunDrawsItsChartsWithTheNumbersOfTheResult) {
    const std::string page = page_of("run", {"engine.kind=phase"});
    const io::Json row = data_of(page)["rows"][0];
    const io::Json& curve = row["charts"]["error_over_time"];
    constexpr double four_digits = 5e-4;  // relative rounding of the page's numbers
    const double rms = row["result"]["error_at_read"]["phase_rms_deg"];
    const double energy = row["result"]["energy"]["per_query_j"]["mean"];
    EXPECT_NEAR(curve["phase_rms_deg"].back(), rms, four_digits * rms);
    EXPECT_NEAR(curve["energy_per_query_j"].back(), energy, four_digits * energy);
    // Energy against error, settling in seconds and in periods, trajectories; three heat maps.
    expect_drawn(open_in_browser(page, count_canvases), "results", 7);
}

TEST_F(Report, OfACircuitChargesTheEnergyOfTheLedgerAtTheReadTime) {
    const io::Json row = data_of(page_of("run", {"layer.sequences=[1]"}))["rows"][0];
    ASSERT_EQ(row["result"]["engine"]["kind"], "ngspice");
    const double energy = row["result"]["energy"]["per_query_j"]["mean"];
    EXPECT_NEAR(row["charts"]["error_over_time"]["energy_per_query_j"].back(), energy, 5e-4 * energy);
    const double rms = row["result"]["error_at_read"]["phase_rms_deg"];
    EXPECT_NEAR(row["charts"]["error_over_time"]["phase_rms_deg"].back(), rms, 5e-4 * rms);
}

TEST_F(Report, OfADimensionlessRunDrawsWithoutJoules) {
    const std::string page = page_of("run", {"substrate.kind=ideal", "engine.kind=exact"});
    expect_drawn(open_in_browser(page, count_canvases), "results", 6);
}

TEST_F(Report, OfACharacterizationDraws) {
    expect_drawn(open_in_browser(page_of("characterize", {}, {"--no-agreement"}), count_canvases), "characterization", 4);
}

TEST_F(Report, OfAnAgreementDrawsItsPoints) {
    const std::string page = page_of("characterize", {"substrate.kind=josephson"});
    const io::Json cell = data_of(page)["cell"];
    EXPECT_GE(cell["agreement"].size(), 16U);
    EXPECT_TRUE(cell["validity"]["max_phase_error_deg"].is_number());
    expect_drawn(open_in_browser(page, count_canvases), "characterization", 6);
}

TEST_F(Report, OfNineResultsShowsEveryRowAndNoMarkupOfTheirTexts) {
    const io::Json physical = data_of(page_of("run", {"engine.kind=phase"}))["rows"][0];
    const io::Json ideal = data_of(page_of("run", {"substrate.kind=ideal", "engine.kind=exact"}))["rows"][0];
    const std::string hostile = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    std::vector<report::ReportRow> rows;
    for (const char* kind : {"lc", "ring", "josephson", "cdw"})
        for (const char* engine : {"ngspice", "phase"}) {
            rows.push_back({std::string{kind} + "-" + engine, physical["result"], physical["charts"]});
            rows.back().result["substrate"]["kind"] = kind;
            rows.back().result["engine"]["kind"] = engine;
        }
    rows.push_back({"ideal", ideal["result"], ideal["charts"]});
    rows.push_back({"failed", {{"status", "failed"}}, nullptr});  // what is left of a row that failed before its trial
    rows[0].name = hostile;
    rows[0].result["failures"] = {{{"category", hostile}, {"message", hostile}, {"chunk", 0}, {"oscillators", 3}}};
    rows[0].result["substrate"]["corner"] = hostile;
    rows[0].result["provenance"]["cpu"] = hostile;
    const Opened opened = open_in_browser(report::html_report("nine results", rows, {hostile}), count_canvases);
    expect_drawn(opened, "results", 3 + 8 + 3);
    for (std::size_t k = 1; k < rows.size(); ++k) EXPECT_THAT(opened.dom, HasSubstr(">" + rows[k].name + "<"));
    EXPECT_THAT(opened.dom, HasSubstr("<title>nine results</title>"));
    EXPECT_THAT(opened.dom, HasSubstr("&lt;/script&gt;"));
    EXPECT_THAT(opened.dom, Not(HasSubstr("<img")));
}

}  // namespace

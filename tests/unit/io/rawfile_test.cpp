#include "io/rawfile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "core/error.hpp"
#include "support/program.hpp"

namespace entrain::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RawFile : public testing::Test {
 protected:
    test::TemporaryFolder temporary_;
    std::filesystem::path folder_ = temporary_.path();
    std::filesystem::path path_ = folder_ / "waves.raw";

    [[nodiscard]] std::string refusal(const std::string& bytes) const {
        std::ofstream{path_, std::ios::binary} << bytes;
        try {
            static_cast<void>(read_raw(path_));
        } catch (const UserError& error) {
            return error.what();
        }
        ADD_FAILURE() << "the file was accepted";
        return "";
    }
    void write_ramp() const {
        RawWriter writer{path_, {"ramp", "today", "Transient Analysis", {{"time", "time"}, {"v(out)", "voltage"}}}};
        for (int i = 0; i < 1000; ++i) writer.append(std::vector<double>{1e-9 * i, 3.0 * i});
        EXPECT_FALSE(std::filesystem::exists(path_));
        writer.finish();
    }
    [[nodiscard]] bool ngspice(const std::string& deck, const std::string& options) const {
        std::ofstream{folder_ / "deck.cir"} << deck;
        return std::system(("cd " + folder_.string() + " && ngspice -b deck.cir " + options + " >log.txt 2>&1").c_str()) == 0;
    }
};

TEST_F(RawFile, WritesTheFormatOfNgspice) {
    RawWriter writer{path_, {"two\nlines", "today", "Transient Analysis", {{"time", "time"}, {"v(out)", "voltage"}}}};
    writer.append(std::vector<double>{0.0, 1.0});
    writer.append(std::vector<double>{0.5, std::nan("")});
    writer.finish();
    const std::string bytes = test::content_of(path_);
    const std::string header =
        "Title: two lines\nDate: today\nPlotname: Transient Analysis\nFlags: real\nNo. Variables: 2\nNo. Points: 2                   \n"
        "Variables:\n\t0\ttime\ttime\n\t1\tv(out)\tvoltage\nBinary:\n";
    ASSERT_EQ(bytes.substr(0, header.size()), header);
    ASSERT_EQ(bytes.size(), header.size() + 4 * 8);
    EXPECT_EQ(bytes.substr(header.size() + 8, 8), (std::string{"\0\0\0\0\0\0\xf0\x3f", 8}));  // 1.0
}

TEST_F(RawFile, IsLoadedByNgspice) {
    write_ramp();
    ASSERT_TRUE(ngspice(
        "load\n.control\nload waves.raw\nlet n = length(time)\nlet y = v(out)[777] / time[777]\necho result $&n $&y\nquit\n.endc\n.end\n", ""));
    EXPECT_THAT(test::content_of(folder_ / "log.txt"), HasSubstr("result 1000 3E+09"));
}

TEST_F(RawFile, ReadsWhatBatchNgspiceWrites) {
    // RC low-pass driven by a step: v(out) = 1 - exp(-t / RC), RC = 1 ms
    ASSERT_TRUE(
        ngspice("rc step\nv1 in 0 1\nr1 in out 1k\nc1 out 0 1e-6 ic=0\n.options reltol=1e-6\n.tran 1e-5 3e-3 0 1e-5 uic\n.end\n", "-r waves.raw"));
    const auto plots = read_raw(path_);
    ASSERT_EQ(plots.size(), 1U);
    const RawPlot& plot = plots.front();
    EXPECT_EQ(plot.header.title, "rc step");
    EXPECT_EQ(plot.header.plot, "Transient Analysis");
    ASSERT_EQ(plot.header.variables.size(), 4U);
    EXPECT_EQ(plot.header.variables[0].name, "time");
    EXPECT_EQ(plot.header.variables[2].name, "v(out)");
    EXPECT_EQ(plot.header.variables[2].type, "voltage");
    ASSERT_GT(plot.columns[0].size(), 300U);
    EXPECT_NEAR(plot.columns[0].back(), 3e-3, 1e-9);
    for (std::size_t i = 0; i < plot.columns[0].size(); ++i)
        EXPECT_NEAR(plot.columns[2][i], 1.0 - std::exp(-plot.columns[0][i] / 1e-3),
                    2e-5);  // trapezoidal rule with h/RC = 0.01: (h/RC)^2 / 12 x 0.37 = 3e-6, and the first step
}

TEST_F(RawFile, ReadsBackWhatItWrote) {
    write_ramp();
    const auto plots = read_raw(path_);
    ASSERT_EQ(plots.size(), 1U);
    EXPECT_EQ(plots[0].header.title, "ramp");
    EXPECT_EQ(plots[0].header.date, "today");
    ASSERT_EQ(plots[0].columns.size(), 2U);
    ASSERT_EQ(plots[0].columns[1].size(), 1000U);
    EXPECT_EQ(plots[0].columns[0][3], 1e-9 * 3);
    EXPECT_EQ(plots[0].columns[1][999], 2997.0);
}

TEST_F(RawFile, ReadsSeveralPlots) {
    write_ramp();
    const std::string one = test::content_of(path_);
    std::ofstream{path_, std::ios::binary} << one << one;
    EXPECT_EQ(read_raw(path_).size(), 2U);
}

TEST_F(RawFile, LeavesNothingWithoutFinish) {
    {
        RawWriter writer{path_, {"t", "", "p", {{"time", "time"}}}};
        writer.append(std::vector<double>{1.0});
        EXPECT_THROW(writer.append(std::vector<double>{1.0, 2.0}), std::logic_error);
    }
    EXPECT_THROW((RawWriter{path_, {"t", "", "p", {{"two words", "time"}}}}), std::invalid_argument);
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
    EXPECT_THAT([] { RawWriter("/nonexistent/a.raw", RawHeader{}); },
                testing::ThrowsMessage<std::runtime_error>("cannot write /nonexistent/a.raw: No such file or directory"));
}

TEST_F(RawFile, RefusesWhatIsNoRealBinaryRawfile) {
    const std::string header = "Title: t\nFlags: real\nNo. Variables: 1\nNo. Points: 2\nVariables:\n\t0\ttime\ttime\nBinary:\n";
    const auto changed = [&](const std::string& from, const std::string& to) {
        std::string copy = header + std::string(16, '\0');
        return copy.replace(copy.find(from), from.size(), to);
    };
    EXPECT_THAT(refusal(""), HasSubstr("is not a rawfile"));
    EXPECT_THAT(refusal("hello\nworld\n"), HasSubstr("has the line 'hello'"));
    EXPECT_THAT(refusal(header + std::string(15, '\0')), HasSubstr("has 15 bytes of data (expected 2 points of 1 variables; is it cut off?)"));
    EXPECT_THAT(refusal(changed("real", "complex")), HasSubstr("'complex' numbers (expected real)"));
    EXPECT_THAT(refusal(changed("Points: 2", "Points: 18446744073709551615")), HasSubstr("18446744073709551615 points"));
    EXPECT_THAT(refusal(changed("Points: 2", "Points: -2")), HasSubstr("No. Points '-2' (expected a number)"));
    EXPECT_THAT(refusal(changed("Variables: 1", "Variables: 99999999999")), HasSubstr("no line for variable 1"));
    EXPECT_THAT(refusal(changed("\t0\ttime\ttime", "\t1\ttime\ttime")), HasSubstr("no line for variable 0"));
    EXPECT_THAT(refusal(changed("Variables:\n\t0\ttime\ttime\n", "")), HasSubstr("no variables"));
    EXPECT_THAT(refusal(changed("Binary:", "Values:")), HasSubstr("text rawfile"));
}

}  // namespace
}  // namespace entrain::io

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "io/json.hpp"
#include "support/program.hpp"

// characterize compares the phase model with the circuit; later runs say whether they lie inside. On the fastest technology.

namespace {

using namespace entrain;
using entrain::test::source_file;
using entrain::test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Characterize : public testing::Test {
 protected:
    Characterize() { ::setenv("ENTRAIN_CACHE", (folder_.path() / "cache").c_str(), 1); }  // nothing is characterised yet
    ~Characterize() override { ::unsetenv("ENTRAIN_CACHE"); }

    io::Json characterized(const std::vector<std::string>& flags) {
        const std::filesystem::path out = folder_.path() / ("k" + std::to_string(count_++));
        std::vector<std::string> arguments = {"characterize",
                                              folder_.write("c.yaml", "version: 1\nsubstrate: {kind: josephson}\nengine: {kind: phase}\n"), "--out",
                                              out.string(), "--quiet"};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        const auto ran = test::entrain(arguments);
        EXPECT_EQ(ran.status, 0) << ran.err;
        return ran.status == 0 ? io::read_json(out / "characterization.json") : io::Json{};
    }

    /// Four sentences of the shipped layer at this injection, phase engine.
    test::ProgramResult run(const std::string& injection, io::Json& result) {
        const std::filesystem::path out = folder_.path() / ("r" + std::to_string(count_++));
        const auto ran = test::entrain({"run", source_file("configs/lc.yaml"), "--set", "substrate={kind: josephson, injection: " + injection + "}",
                                        "--set", "engine.kind=phase", "--out", out.string(), "--quiet"});
        EXPECT_LE(ran.status, 1) << ran.err;
        result = io::read_json(out / "result.json");
        return ran;
    }

    TemporaryFolder folder_;
    int count_ = 0;
};

TEST_F(Characterize, WithoutAgreementLeavesTheValidityUnknown) {
    const io::Json measured = characterized({"--no-agreement"});
    EXPECT_TRUE(measured["validity"]["max_injection"].is_null());
    EXPECT_TRUE(measured["agreement"].is_null());
    io::Json result;
    const auto ran = run("0.05", result);
    EXPECT_TRUE(result["substrate"]["validity"].is_null());  // a run does not measure it
    EXPECT_EQ(ran.err, "");
}

TEST_F(Characterize, TellsLaterRunsWhereThePhaseModelEnds) {
    const io::Json measured = characterized({});
    const double limit = measured["validity"]["max_injection"];
    ASSERT_GE(limit, 0.1);
    ASSERT_LT(limit, 1.0);  // at 1 the junction no longer locks: netlists/josephson/README.md
    const io::Json& last = measured["agreement_by_injection"].back();
    EXPECT_EQ(last["injection"], 1.0);
    EXPECT_THAT(last["not_available"].get<std::string>(), HasSubstr("does not lock"));
    double largest = 0.0;
    for (const io::Json& point : measured["agreement"])
        if (point["injection"].get<double>() <= limit) largest = std::max(largest, std::abs(point["phase_error_deg"].get<double>()));
    EXPECT_EQ(measured["validity"]["max_phase_error_deg"].get<double>(), largest);

    io::Json result;
    EXPECT_EQ(run("0.05", result).err, "");
    EXPECT_EQ(result["substrate"]["validity"]["inside"], true);
    EXPECT_EQ(result["substrate"]["validity"]["max_injection"].get<double>(), limit);
    const int status_inside = run("0.05", result).status;

    const auto outside = run("0.5", result);
    EXPECT_THAT(outside.err, AllOf(HasSubstr("entrain: josephson: at injection 0.5 the phase model"), Not(HasSubstr("\n\n"))));
    EXPECT_EQ(result["substrate"]["validity"]["inside"], false);
    EXPECT_GT(result["substrate"]["validity"]["oscillators_outside"].get<int>(), 0);
    EXPECT_THAT(outside.out, HasSubstr("at injection 0.5 the phase model"));
    EXPECT_LE(outside.status, std::max(1, status_inside));  // a warning is no failure

    const auto stored_at = [&] {
        for (const auto& entry : std::filesystem::directory_iterator{folder_.path() / "cache"})
            if (entry.path().filename().string().starts_with("agreement-") && entry.path().extension() == ".json") return last_write_time(entry.path());
        return std::filesystem::file_time_type::max();
    };
    const auto before = stored_at();
    EXPECT_EQ(characterized({})["agreement"], measured["agreement"]);
    EXPECT_EQ(stored_at(), before);  // measured once
}

}  // namespace

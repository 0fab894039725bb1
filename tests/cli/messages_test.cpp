#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/program.hpp"

// Transcripts: what a user sees for a mistake, and that nothing is left behind.

namespace {

using entrain::test::entrain;
using entrain::test::source_file;
using entrain::test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

/// A good experiment on the shipped layer that needs no circuit, with places for what a test wants to break.
std::string experiment(const std::string& layer_extra = "", const std::string& rest = "") {
    return "version: 1\n"
           "layer:\n"
           "  mechanism: fixed_query\n"
           "  weights: " +
           source_file("models/attention/sva/layer.safetensors") +
           "\n"
           "  inputs: " +
           source_file("models/attention/sva/inputs.safetensors") +
           "\n"
           "  heads: 1\n"
           "  sequences: [0, 1]\n" +
           layer_extra +
           "substrate: {kind: ideal}\n"
           "engine: {kind: exact}\n" +
           rest;
}

struct Attempt {
    entrain::test::ProgramResult result;
    bool left_something;
};

Attempt attempt(const std::string& yaml, std::vector<std::string> extra = {}) {
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", yaml);
    const std::string out = (folder.path() / "out").string();
    std::vector<std::string> arguments = {"run", config, "--out", out, "--quiet"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    const auto result = entrain(arguments);
    return {result, std::filesystem::exists(out)};
}

void expect_refused(const Attempt& a, const testing::Matcher<const std::string&>& message) {
    EXPECT_EQ(a.result.status, 2);
    EXPECT_THAT(a.result.err, message);
    EXPECT_THAT(a.result.out, IsEmpty());
    EXPECT_FALSE(a.left_something);
}

TEST(Messages, GoodExperimentRuns) {
    const Attempt a = attempt(experiment());
    EXPECT_EQ(a.result.status, 0) << a.result.err;
    EXPECT_TRUE(a.left_something);
}

TEST(Messages, UnknownKeyHasPlaceAndSuggestion) {
    expect_refused(attempt(experiment("  haeds: 1\n")), AllOf(HasSubstr("e.yaml:8:3:"), HasSubstr("haeds"), HasSubstr("Did you mean 'heads'?")));
}

TEST(Messages, BeginWithThePlaceSoThatEditorsFindIt) {
    expect_refused(attempt(experiment("  haeds: 1\n  hedas: 2\n")), AllOf(StartsWith("/"), HasSubstr("\n/"), Not(HasSubstr("entrain: /"))));
}

TEST(Messages, DuplicateKeyHasPlace) { expect_refused(attempt(experiment("  heads: 1\n")), AllOf(HasSubstr("e.yaml:8:3:"), HasSubstr("heads"))); }

TEST(Messages, AllMistakesAreReportedAtOnce) {
    expect_refused(attempt(experiment("  causal: perhaps\n  readout_power: -1\n", "seed: many\n")),
                   AllOf(HasSubstr("layer.causal"), HasSubstr("layer.readout_power"), HasSubstr("seed")));
}

TEST(Messages, QuantityWithoutUnit) {
    expect_refused(attempt(experiment("", "readout: {settle_tolerance: 1}\n")), AllOf(HasSubstr("settle_tolerance"), HasSubstr("deg")));
}

TEST(Messages, UnknownPluginsAreNamedWithWhatThereIs) {
    expect_refused(attempt(experiment(), {"--set", "substrate.kind=lcc"}), AllOf(HasSubstr("lcc"), HasSubstr("Did you mean 'lc'?")));
    expect_refused(attempt(experiment(), {"--set", "engine.kind=spice"}), AllOf(HasSubstr("spice"), HasSubstr("ngspice")));
    expect_refused(attempt(experiment(), {"--set", "layer.mechanism=fixed_qery"}), HasSubstr("Did you mean 'fixed_query'?"));
}

TEST(Messages, IdealHasNoCircuit) {
    expect_refused(attempt(experiment(), {"--set", "engine.kind=ngspice"}),
                   AllOf(HasSubstr("engine.kind"), HasSubstr("ideal"), HasSubstr("exact | phase")));
}

TEST(Messages, OptionsThatExcludeEachOtherHaveAPlace) {
    expect_refused(attempt(experiment(), {"--set", "substrate.kind=lc", "--set", "engine.kind=phase", "--set", "substrate.injection=0.1", "--set",
                                          "substrate.coupling_rate=0.01"}),
                   AllOf(HasSubstr("e.yaml:8:1: substrate"), HasSubstr("both given")));
}

TEST(Messages, WavesNeedACircuit) {
    expect_refused(attempt(experiment(), {"--waves", "osc_0_0"}), AllOf(HasSubstr("engine.kind"), HasSubstr("--waves")));
}

TEST(Messages, HeadsThatContradictTheWeights) {
    expect_refused(attempt(experiment(), {"--set", "layer.heads=3"}), AllOf(HasSubstr("layer.heads=3"), HasSubstr("layer.safetensors")));
}

TEST(Messages, ZeroHeads) { expect_refused(attempt(experiment(), {"--set", "layer.heads=0"}), HasSubstr("layer.heads")); }

TEST(Messages, SequencesOutOfRange) {
    expect_refused(attempt(experiment(), {"--set", "layer.sequences=[0, 200]"}), AllOf(HasSubstr("200"), HasSubstr("0..199")));
    expect_refused(attempt(experiment(), {"--set", "layer.sequences=[-1]"}), HasSubstr("layer.sequences"));
    expect_refused(attempt(experiment(), {"--set", "layer.sequences=[]"}), HasSubstr("layer.sequences"));
    expect_refused(attempt(experiment(), {"--set", "layer.sequences=[1, 1]"}), HasSubstr("twice"));
}

TEST(Messages, CornerNamesAreNotPaths) {
    for (const char* corner : {"../lc/typical", "/etc/passwd", "a/b", ".hidden", "''"})
        expect_refused(
            attempt(experiment(), {"--set", "substrate.kind=lc", "--set", "engine.kind=phase", "--set", std::string{"substrate.corner="} + corner}),
            HasSubstr("substrate.corner"));
    expect_refused(attempt(experiment(), {"--set", "substrate.kind=lc", "--set", "engine.kind=phase", "--set", "substrate.corner=slow"}),
                   AllOf(HasSubstr("slow"), HasSubstr("typical")));
}

TEST(Messages, FeaturesOfLaterReleasesAreRefusedNotIgnored) {
    expect_refused(attempt(experiment("", "nonidealities: {coupling_mismatch: 0.1}\n")), HasSubstr("coupling_mismatch"));
    expect_refused(attempt(experiment("", "hardware_calibration: frequency\n")), HasSubstr("hardware_calibration"));
    expect_refused(attempt(experiment("", "start: sequential\n")), HasSubstr("sequential"));
}

TEST(Messages, DefaultsOfLaterFeaturesAreAccepted) {
    const Attempt a = attempt(experiment("",
                                         "nonidealities: {coupling_mismatch: 0, weight_bits: null, readout_noise: 0 deg, temperature: 0 "
                                         "K}\nhardware_calibration: none\nstart: random\ncompare: {equal: none}\n"));
    EXPECT_EQ(a.result.status, 0) << a.result.err;
}

TEST(Messages, MissingTemporaryFolderIsToldAsTmpdir) {
    const TemporaryFolder folder;
    const std::string out = (folder.path() / "out").string();
    entrain::test::RunningProgram run{{"/usr/bin/env", "TMPDIR=/nonexistent", std::string{ENTRAIN_BINARY_DIR} + "/entrain", "run",
                                       source_file("configs/lc.yaml"), "--out", out, "--quiet"}};
    const auto result = run.wait();
    EXPECT_EQ(result.status, 3);
    EXPECT_THAT(result.err, HasSubstr("TMPDIR"));
    EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(Messages, AliasBombIsRefusedQuickly) {
    std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
    for (char c = 'b'; c < 'j'; ++c)
        bomb += std::string{c} + ": &" + c + " [*" + char(c - 1) + ", *" + char(c - 1) + ", *" + char(c - 1) + ", *" + char(c - 1) + "]\n";
    expect_refused(attempt(bomb), HasSubstr("e.yaml:1:"));
}

TEST(Messages, OutputFolderInUse) {
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", experiment());
    const std::string out = folder.path().string();  // holds e.yaml
    const auto refused = entrain({"run", config, "--out", out, "--quiet"});
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.err, AllOf(HasSubstr("not empty"), HasSubstr("--force")));
    EXPECT_EQ(entrain({"run", config, "--out", out, "--quiet", "--force"}).status, 0);
}

TEST(Messages, BadUsage) {
    EXPECT_EQ(entrain({"frobnicate"}).status, 2);
    EXPECT_EQ(entrain({}).status, 2);
    const auto nothing_to_run = entrain({"run"});
    EXPECT_EQ(nothing_to_run.status, 2);
    EXPECT_THAT(nothing_to_run.err, HasSubstr("CONFIG"));
    EXPECT_EQ(entrain({"run", "/nonexistent/e.yaml"}).status, 2);
    EXPECT_EQ(entrain({"run", "/dev/zero"}).status, 2);
    EXPECT_EQ(entrain({"describe", "substrate", "lcd"}).status, 2);
}

TEST(Messages, MetaCommands) {
    EXPECT_THAT(entrain({"list"}).out, AllOf(HasSubstr("fixed_query"), HasSubstr("lc"), HasSubstr("ngspice")));
    EXPECT_THAT(entrain({"version"}).out, AllOf(HasSubstr("ngspice-"), HasSubstr("Eigen")));
    EXPECT_THAT(entrain({"describe", "substrate", "lc"}).out, AllOf(HasSubstr("injection"), HasSubstr("tank_q")));
    EXPECT_THAT(entrain({"describe", "config"}).out, AllOf(HasSubstr("readout.settle_tolerance"), HasSubstr("1 deg")));
    EXPECT_EQ(entrain({"validate", source_file("configs/quickstart.yaml"), source_file("configs/lc.yaml")}).status, 0);
}

TEST(Messages, JsonAloneOnStandardOutput) {
    const Attempt a = attempt(experiment(), {"--json"});
    EXPECT_EQ(a.result.status, 0);
    EXPECT_EQ(a.result.out.front(), '{');
    EXPECT_THAT(a.result.out, HasSubstr("\"schema\": \"entrain.result/1\""));
}

TEST(Messages, ParametersWithADimensionNeedTheirUnit) {
    const auto with = [](const std::string& parameters) {
        return attempt(experiment(), {"--set", "substrate.kind=lc", "--set", "engine.kind=phase", "--set", "substrate.parameters=" + parameters});
    };
    expect_refused(with("{frequency: 2}"), AllOf(HasSubstr("frequency"), HasSubstr("no unit")));
    expect_refused(with("{tank_q: 2}"), AllOf(HasSubstr("loop gain"), HasSubstr("tank_q")));  // gm Rp = 0.6: cannot oscillate
}

TEST(Messages, NodesToRecordMustExist) {
    expect_refused(attempt(experiment(), {"--waves", "osc_0_0"}), HasSubstr("engine.kind"));
    expect_refused(attempt(experiment(), {"--set", "substrate.kind=lc", "--set", "engine.kind=ngspice", "--waves", "nosuch"}), HasSubstr("nosuch"));
}

TEST(Messages, ToleranceBelowWhatSettledLeaves) {
    expect_refused(attempt(experiment("", "readout: {settle_tolerance: 0.01 deg}\n"), {"--set", "substrate.kind=lc", "--set", "engine.kind=phase"}),
                   HasSubstr("readout.settle_tolerance"));
}

TEST(Messages, OutputFolderThatCannotBeMade) {
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", experiment());
    for (const std::string& out : {config + "/below", folder.path().string() + "/" + std::string(300, 'x'), std::string{"/proc/none"}}) {
        const auto refused = entrain({"run", config, "--out", out, "--quiet"});
        EXPECT_EQ(refused.status, 2) << out << ": " << refused.err;
    }
}

TEST(Messages, FullStandardErrorChangesNothing) {
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", experiment());
    const std::string program = std::string{ENTRAIN_BINARY_DIR} + "/entrain";
    const auto status = [&](const std::string& command) { return entrain::test::RunningProgram{{"/bin/sh", "-c", command}}.wait().status; };
    EXPECT_EQ(status("'" + program + "' run '" + config + "' --out '" + folder.path().string() + "/a' 2>/dev/full"), 0);
    EXPECT_EQ(status("'" + program + "' run '" + config + "' --out '" + folder.path().string() + "/b' 2>&-"), 0);
    EXPECT_EQ(status("'" + program + "' run /nonexistent.yaml 2>/dev/full"), 2);
    EXPECT_EQ(status("'" + program + "' list >/dev/full"), 3);
}

}  // namespace

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/program.hpp"

// Cells that users bring in as files: mistakes in the files and in what is said of them are one clear error, and nothing is left behind.

namespace {

using namespace entrain;
using entrain::test::source_file;
using entrain::test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string ring = source_file("netlists/user/inverter_ring.cir");
const std::string library = source_file("models/user/corners_bsim4.lib");

std::string experiment(const std::string& substrate, const std::string& models) {
    return "version: 1\nlayer: {mechanism: fixed_query, weights: " + source_file("models/attention/sva/layer.safetensors") +
           ", inputs: " + source_file("models/attention/sva/inputs.safetensors") + ", heads: 1, sequences: [1]}\nsubstrate: {kind: user, " +
           substrate + "}\n" + models + "engine: {kind: ngspice}\n";
}

const std::string good_ports = "ports: {inject: out, read: out, supply: vdd, ground: vss}, supply_voltage: 1.2 V";

/// Validates and runs a mistaken experiment in `folder`; what it says.
std::string refusal(const TemporaryFolder& folder, const std::string& yaml) {
    const std::string config = folder.write("e.yaml", yaml);
    const std::filesystem::path out = folder.path() / "out";
    const auto ran = test::entrain({"run", config, "--out", out.string(), "--quiet"});
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(out));
    EXPECT_EQ(test::entrain({"validate", config}).status, 2);
    return ran.err;
}

std::string models_of(const std::string& file, const std::string& section = "tt") {
    return "models: [{file: " + file + ", section: " + section + "}]\n";
}

TEST(UserCell, NamesThePinThatIsMissing) {
    const TemporaryFolder folder;
    EXPECT_THAT(refusal(folder, experiment("netlist: " + ring + ", ports: {inject: outt, read: out}", models_of(library))),
                AllOf(HasSubstr("e.yaml:3:"), HasSubstr("no pin 'outt'"), HasSubstr("Did you mean 'out'?")));
    EXPECT_THAT(
        refusal(folder, experiment("netlist: " + ring + ", ports: {inject: out, read: out, supply: vdd}, supply_voltage: 1.2 V", models_of(library))),
        HasSubstr("pin 'vss' of subcircuit inverter_ring is not connected"));
    EXPECT_THAT(refusal(folder, experiment("netlist: " + ring + ", ports: {inject: out, read: out, supply: vdd, ground: vss}", models_of(library))),
                HasSubstr("supply_voltage is missing"));
    EXPECT_THAT(refusal(folder, experiment("netlist: " + ring + ", ports: {read: out}", models_of(library))), HasSubstr("ports.inject"));
}

TEST(UserCell, NamesTheModelThatIsMissingAtItsLine) {
    const TemporaryFolder folder;
    EXPECT_THAT(refusal(folder, experiment("netlist: " + ring + ", " + good_ports, "")), AllOf(HasSubstr("inverter_ring.cir:7: "), HasSubstr("nch")));
    EXPECT_THAT(refusal(folder, experiment("netlist: " + ring + ", " + good_ports, models_of(library, "typ"))),
                AllOf(HasSubstr("corners_bsim4.lib"), HasSubstr("tt")));
    EXPECT_THAT(refusal(folder, experiment("netlist: nothing.cir, " + good_ports, models_of(library))), HasSubstr("nothing.cir"));
    EXPECT_THAT(refusal(folder, experiment(good_ports, models_of(library))), HasSubstr("substrate.netlist"));
}

TEST(UserCell, NamesTheParameterThatDoesNotExist) {
    const TemporaryFolder folder;
    EXPECT_THAT(refusal(folder, experiment("netlist: " + ring + ", " + good_ports + ", parameters: {wm: 1e-6}", models_of(library))),
                AllOf(HasSubstr("no parameter 'wm'"), HasSubstr("Did you mean 'wn'?")));
    EXPECT_THAT(refusal(folder, experiment("netlist: " + ring + ", " + good_ports + ", parameters: {wn: 1 um}", models_of(library))),
                HasSubstr("expected a number in SI units"));
    EXPECT_THAT(refusal(folder, experiment("netlist: " + ring + ", " + good_ports + ", speed_parameter: speed", models_of(library))),
                HasSubstr("speed_parameter"));
}

TEST(UserCell, RunsNoCommandAndReadsNoOtherFile) {
    const TemporaryFolder folder;
    const std::string proof = (folder.path() / "proof").string();
    const std::vector<std::string> bad = {".control\nshell touch " + proof + "\n.endc", ".include /etc/passwd", ".lib ../../../etc/passwd tt",
                                          "A1 a b filesource"};
    for (const std::string& line : bad) {
        const std::string netlist = folder.write("cell.cir", "* ring\n" + line + "\n" + test::content_of(ring));
        const std::string said = refusal(folder, experiment("netlist: " + netlist + ", " + good_ports, models_of(library)));
        EXPECT_THAT(said, AllOf(HasSubstr("cell.cir:2: "), Not(HasSubstr("root:")))) << line;
        EXPECT_FALSE(std::filesystem::exists(proof)) << line;
    }
    // A comment that ngspice would run never reaches it: the cell is the same without.
    const std::string netlist = folder.write("cell.cir", "*# shell touch " + proof + "\n*ng_script\n" + test::content_of(ring));
    const std::string config = folder.write("e.yaml", experiment("netlist: " + netlist + ", " + good_ports, models_of(library)));
    const auto ran = test::entrain({"characterize", config, "--no-agreement", "--out", (folder.path() / "out").string(), "--quiet"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(proof));
}

TEST(UserCell, IsRefusedWhereItWouldNotBeUsed) {
    const auto ran = test::entrain({"validate", source_file("configs/user_ring.yaml"), "--set", "substrate={kind: lc}"});
    EXPECT_EQ(ran.status, 2);
    EXPECT_THAT(ran.err, HasSubstr("lc has its own devices"));
}

TEST(UserCell, ThatDoesNotOscillateIsToldSo) {
    const TemporaryFolder folder;
    const std::string netlist = folder.write("dead.cir", ".subckt dead a\nR1 a 0 1e3\nC1 a 0 1e-12 IC=1\n.ends\n");
    const std::string config = folder.write("e.yaml", experiment("netlist: " + netlist + ", ports: {inject: a, read: a}", ""));
    const std::filesystem::path out = folder.path() / "out";
    const auto ran = test::entrain({"run", config, "--out", out.string(), "--quiet"});
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_THAT(ran.err, AllOf(HasSubstr("dead: no oscillation"), HasSubstr("start by itself")));
    EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(UserCell, OfAResolvedRunIsRefusedWhenItsFilesHaveChanged) {
    const TemporaryFolder folder;
    for (const std::string& file : {ring, library}) std::filesystem::copy(file, folder.path() / std::filesystem::path{file}.filename());
    const std::string config =
        folder.write("e.yaml", experiment("netlist: inverter_ring.cir, corner: ss, " + good_ports, "models: [{file: corners_bsim4.lib}]\n"));
    const std::filesystem::path out = folder.path() / "out";
    const auto ran = test::entrain({"run", config, "--set", "engine.kind=phase", "--out", out.string(), "--quiet"});
    ASSERT_LE(ran.status, 1) << ran.err;
    const std::string resolved = (out / "resolved.yaml").string();
    EXPECT_EQ(test::entrain({"validate", resolved}).status, 0);
    folder.write("corners_bsim4.lib", test::content_of(library) + "* another\n");
    const auto refused = test::entrain({"validate", resolved});
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.err, HasSubstr("have changed"));
}

}  // namespace

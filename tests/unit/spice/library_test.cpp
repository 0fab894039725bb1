#include "spice/library.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/sha256.hpp"
#include "refused.hpp"
#include "support/program.hpp"

namespace entrain::spice {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> texts(const Library& library) {
    std::vector<std::string> out;
    for (const Card& card : library.cards) out.push_back(card.text);
    return out;
}

std::string refused_text(const std::string& text) {
    return test::refused([&] { return read_text(text, "cell.cir"); });
}

const std::string resistor = ".subckt cell a\nR1 a 0 1k\n.ends cell\n";

/// A folder with a netlist in a sub-folder of its own, so that there is an outside.
class Folder : public ::testing::Test {
 protected:
    Folder() { fs::create_directories(root() / "cells/parts"); }
    [[nodiscard]] fs::path root() const { return folder_.path(); }
    std::string write(const std::string& name, const std::string& content) const { return folder_.write(name, content); }
    [[nodiscard]] Library read(const std::string& content, const std::string& section = "", const Access& access = {}) const {
        return read_library(write("cells/cell.cir", content), section, access);
    }
    [[nodiscard]] std::string refused(const std::string& content, const std::string& section = "", const Access& access = {}) const {
        return test::refused([&] { return read(content, section, access); });
    }

 private:
    test::TemporaryFolder folder_;
};

TEST(ProjectNetlists, CellsAndDevicesAreAccepted) {
    for (const char* name : {"netlists/cdw/relaxation.cir", "netlists/josephson/rcsj.cir", "netlists/lc/behavioural.cir", "netlists/lc/mos1.cir",
                             "netlists/ring/mos1_3.cir", "netlists/ring/mos1_5.cir", "models/devices/generic_bsim4.lib"}) {
        const Library library = read_library(test::source_file(name), "", {});
        EXPECT_THAT(subcircuits(library), Not(IsEmpty())) << name;
        EXPECT_THAT(linked(library, {}), Not(IsEmpty())) << name;
    }
    const Library ring = read_library(test::source_file("netlists/ring/bsim4_3.cir"), "", {test::source_file("models")});
    EXPECT_THAT(linked(ring, {read_library(test::source_file("models/devices/generic_bsim4.lib"), "", {})}), HasSubstr(".subckt generic_nmos"));
}

TEST(ReadText, ReportsEveryMistakeWithItsLine) {
    EXPECT_EQ(refused_text(".subckt cell a\nA1 a b model\nR1 a 0 {1\n.ends\n.control\n"),
              "cell.cir:2: the element 'a1' is refused (a code model can open files and load code).\n"
              "cell.cir:3: '{' is not closed (expected balanced brackets and quotes).\n"
              "cell.cir:5: '.control' is refused (commands are not run; leave the control section out).");
}

TEST(ReadText, ReportsTwentyMistakesAndCountsTheOthers) {
    std::string text;
    for (int k = 0; k < 50; ++k) text += ".control\n";
    const std::string said = refused_text(text);
    EXPECT_THAT(said, HasSubstr("cell.cir:20: "));
    EXPECT_THAT(said, Not(HasSubstr("cell.cir:21: ")));
    EXPECT_THAT(said, ::testing::EndsWith("cell.cir: ... and 30 more"));
}

/// Every route by which a netlist makes ngspice run a command or open a file, within a subcircuit and outside.
TEST(ReadText, RefusesEveryExecutionPathWithItsLine) {
    for (const char* line : {".control",
                             " \t.Control",
                             ".CONTROLXYZ",
                             ".cont\n+rol",
                             ".con\n+ trol",
                             ".if (0)\n.control",
                             ".csparam x=`id`",
                             ".param x=`id`",
                             ".func f(x) {`id`}",
                             ".save `id`",
                             ".meas tran `id`",
                             ".print `id`",
                             ".four `id`",
                             "b1 a 0 v=`id`",
                             "r1 a 0 `id`",
                             "a1 a b filesource",
                             ".model m filesource (file=\"x\")",
                             ".model m d_source(input_file=x)",
                             ".model m table2d(file=x)",
                             ".include |id",
                             ".inc /dev/stdin",
                             ".lib /dev/zero tt",
                             "v1 a 0 dc 0 external",
                             ".options reltol=0",
                             ".tran 1e-30 1e30"}) {
        EXPECT_THAT(refused_text(std::string{".subckt cell a\n"} + line + "\n.ends\n"), HasSubstr("cell.cir:2: ")) << line;
        EXPECT_THAT(refused_text(std::string{"* title\n\n"} + line + "\n"), HasSubstr("cell.cir:3: ")) << line;
    }
}

TEST(ReadText, DropsCommentsThatNgspiceWouldRun) {
    for (const char* line : {"*# shell id", " \t*# shell id", "*ng_script", "*NG_SCRIPT with parameters"})
        EXPECT_THAT(texts(read_text(std::string{line} + "\n" + resistor + line + "\n", "cell.cir")),
                    ElementsAre(".subckt cell a", "r1 a 0 1k", ".ends cell"));
}

TEST(ReadText, TextAfterEndIsNotRead) { EXPECT_EQ(read_text(resistor + ".END\n.control\n", "cell.cir").cards.size(), 3U); }

TEST(ReadText, RefusesWhatHoldsNoNetlist) {
    EXPECT_THAT(refused_text(""), HasSubstr("holds no card"));
    EXPECT_THAT(refused_text("* comment only\n"), HasSubstr("holds no card"));
    EXPECT_THAT(refused_text(std::string("R1 a\0b 0 1k\n", 12)), HasSubstr("cell.cir:1: the character 0x00"));
    EXPECT_THAT(refused_text("\x7F"
                             "ELF\x02\x01\n"),
                HasSubstr("cell.cir:1: "));
}

TEST(ReadText, RefusesUnbalancedSubcircuits) {
    EXPECT_THAT(refused_text("\n.subckt cell a\n"), HasSubstr("cell.cir:2: subcircuit 'cell' has no end (expected .ends cell"));
    EXPECT_THAT(refused_text(".ends\n"), HasSubstr("cell.cir:1: .ends ends no subcircuit"));
    EXPECT_THAT(refused_text(".subckt cell a\n.ends other\n"), HasSubstr("expected .ends cell, opened in line 1"));
    EXPECT_THAT(refused_text("R1 a 0 1\n"), HasSubstr("'r1' stands outside a subcircuit"));
    EXPECT_THAT(refused_text(".ic v(a)=1\n"), HasSubstr("outside a subcircuit"));
    std::string deep;
    for (int k = 0; k < 40; ++k) deep += ".subckt s" + std::to_string(k) + " a\n";
    for (int k = 0; k < 40; ++k) deep += ".ends\n";
    EXPECT_THAT(refused_text(deep), HasSubstr("cell.cir:33: subcircuits are nested"));
}

TEST(ReadText, RefusesDefinitionsThatNeedThemselves) {
    EXPECT_THAT(refused_text(".func f(x) {g(x)}\n.func g(x) {f(x)+1}\n"), HasSubstr("cell.cir:1: function 'f' needs itself: f -> g -> f"));
    EXPECT_THAT(refused_text(".func f(x) {f(x)}\n"), HasSubstr("f -> f"));
    EXPECT_THAT(refused_text(".param f(x)='f(x-1)'\n"), HasSubstr("f -> f"));
    EXPECT_THAT(refused_text(".param a={b} b={c+1} c='a'\n"), HasSubstr("parameter 'a' needs itself: a -> b -> c -> a"));
    EXPECT_THAT(refused_text(".param a=1\n.param a={a+1}\n"), HasSubstr("a -> a"));
    EXPECT_THAT(refused_text(".param a={f(1)}\n.func f(x) {x+a}\n"), HasSubstr("a -> f -> a"));
    EXPECT_THAT(refused_text(".subckt a p\nx1 p a\n.ends\n"), HasSubstr("subcircuit 'a' needs itself: a -> a"));
    EXPECT_THAT(refused_text(".subckt a p\nx1 p b\n.ends\n.subckt b p\nx1 p a\n.ends\n"), HasSubstr("a -> b -> a"));
    EXPECT_THAT(refused_text(".subckt a p\n.subckt c p\nx1 p a\n.ends\nx1 p c\n.ends\n"), HasSubstr("a -> c -> a"));
    // A default may have the name of a parameter around it, and an argument that of a function.
    EXPECT_EQ(read_text(".param w=1\n.subckt a p w={w}\nr1 p 0 {w}\n.ends\n.func f(x) {x}\n.func g(f) {f+1}\n", "cell.cir").cards.size(), 6U);
    std::string chain = ".param p0=1\n";
    for (int k = 1; k < 50'000; ++k) chain += ".param p" + std::to_string(k) + "={p" + std::to_string(k - 1) + "}\n";
    EXPECT_EQ(read_text(chain, "cell.cir").cards.size(), 50'000U);
}

TEST(ReadText, TakesScaleFromTheOptionsAndNothingElse) {
    EXPECT_EQ(read_text(resistor, "cell.cir").scale, 1.0);
    const Library scaled = read_text(".OPTION Scale = 0.9u\n.options scale=9e-7\n" + resistor, "cell.cir");
    EXPECT_DOUBLE_EQ(scaled.scale, 0.9e-6);
    EXPECT_EQ(scaled.cards.size(), 3U);
    EXPECT_THAT(refused_text(".options scale=1u\n.options scale=2u\n"), HasSubstr("cell.cir:2: scale is 2e-06 here and 1e-06 in cell.cir:1"));
    for (const char* value : {"0", "-1", "nan", "inf", "0x10", "{a}", "1q"})
        EXPECT_THAT(refused_text(std::string{".options scale="} + value), HasSubstr("expected a positive number"));
    EXPECT_THAT(refused_text(".options klu scale=1 interp\n"), HasSubstr("option 'klu' is refused"));
    EXPECT_THAT(refused_text(".options reltol=1e-9\n"), HasSubstr("option 'reltol' is refused"));
}

TEST_F(Folder, IncludesResolveBesideTheFileThatNamesThem) {
    write("cells/parts/a.inc", ".Include 'B File.inc'\n.param a=1\n");
    write("cells/parts/B File.inc", ".param b=2\n");
    const Library library = read(".inc \"parts/a.inc\" $ comment\n" + resistor);
    EXPECT_THAT(texts(library), ElementsAre(".param b=2", ".param a=1", ".subckt cell a", "r1 a 0 1k", ".ends cell"));
    EXPECT_EQ(library.cards[0].where, (Location{(root() / "cells/parts/B File.inc").string(), 1}));
    ASSERT_EQ(library.files.size(), 3U);
    EXPECT_EQ(library.files[2].path, fs::canonical(root() / "cells/parts/B File.inc"));
    EXPECT_EQ(library.files[2].sha256, sha256(".param b=2\n"));
}

TEST_F(Folder, IncludesOutsideTheFolderAreRefusedAndNothingOfThemIsShown) {
    write("secret.inc", "the secret\n");
    fs::create_symlink(root() / "secret.inc", root() / "cells/link.inc");
    fs::create_directory_symlink(root(), root() / "cells/up");
    for (const std::string& name :
         {std::string{"../secret.inc"}, (root() / "secret.inc").string(), std::string{"link.inc"}, std::string{"up/secret.inc"},
          std::string{"parts/../../secret.inc"}, std::string{"/etc/passwd"}, std::string{"/dev/zero"}, std::string{"../nothing.inc"}}) {
        const std::string said = refused("* comment\n.include '" + name + "'\n");
        EXPECT_THAT(said, HasSubstr("cell.cir:2: ")) << name;
        EXPECT_THAT(said, HasSubstr("lies outside the folder of the netlist")) << name;
        EXPECT_THAT(said, Not(HasSubstr("the secret"))) << name;
    }
    for (const std::string& name : {std::string{"$HOME/x"}, std::string{"~/x"}, std::string{"|id"}, std::string("link\0.inc", 9)})
        EXPECT_THAT(refused(".include '" + name + "'\n"), HasSubstr("cell.cir:1: ")) << name;
}

TEST_F(Folder, FilesBelowPdkRootMayBeNamedByTheirAbsolutePathOrRelativeToIt) {
    fs::create_directories(root() / "pdk/models");
    const std::string models = write("pdk/models/all.lib", ".lib tt\n.param corner=1\n.endl tt\n");
    const Access access{root() / "pdk"};
    for (const std::string& name : {models, std::string{"models/all.lib"}, std::string{"../pdk/models/all.lib"}})
        EXPECT_THAT(texts(read(".lib '" + name + "' TT\n", "", access)), ElementsAre(".param corner=1")) << name;
    EXPECT_THAT(refused(".lib ../pdk/models/all.lib tt\n"), HasSubstr("lies outside"));
    EXPECT_THAT(test::refused([&] { return read_library(models, "tt", {root() / "nothing"}); }), HasSubstr("pdk_root"));
}

TEST_F(Folder, OnlyRegularFilesAreOpened) {
    fs::create_directories(root() / "cells/folder.inc");
    fs::create_symlink("/dev/zero", root() / "cells/zero.cir");
    ASSERT_EQ(::mkfifo((root() / "cells/pipe.inc").c_str(), 0600), 0);
    EXPECT_THAT(refused(".include folder.inc\n"), HasSubstr("cell.cir:1: no regular file 'folder.inc'"));
    EXPECT_THAT(refused(".include pipe.inc\n"), HasSubstr("cell.cir:1: no regular file 'pipe.inc'"));
    EXPECT_THAT(refused(".include missing.inc\n"), HasSubstr("cell.cir:1: no regular file 'missing.inc'"));
    EXPECT_THAT(refused(".include zero.cir\n"), HasSubstr("lies outside"));
    for (const char* name : {"cells/folder.inc", "cells/zero.cir", "cells/pipe.inc"})
        EXPECT_THAT(test::refused([&] { return read_library(root() / name, "", {}); }), HasSubstr("is not a regular file")) << name;
    EXPECT_THAT(test::refused([&] { return read_library(root() / "cells/missing.cir", "", {}); }), HasSubstr("missing.cir: cannot be opened"));
    EXPECT_THAT(test::refused([&] { return read_library(write("cells/empty.cir", ""), "", {}); }), HasSubstr("holds no card"));
}

TEST_F(Folder, FilesThatIncludeThemselvesAreRefusedWithTheChain) {
    write("cells/a.inc", ".include cell.cir\n");
    EXPECT_THAT(refused(".include a.inc\n"),
                ::testing::ContainsRegex("a.inc:1: files include each other without end: .*cell.cir -> .*a.inc -> .*cell.cir"));
    EXPECT_THAT(refused(".lib a\n.lib cell.cir b\n.endl\n.lib b\n.lib cell.cir a\n.endl\n", "a"),
                ::testing::ContainsRegex("cell.cir:5: .*\\(a\\) -> .*\\(b\\) -> .*\\(a\\)"));
    for (int k = 0; k < 40; ++k) write("cells/" + std::to_string(k) + ".inc", ".include " + std::to_string(k + 1) + ".inc\n");
    EXPECT_THAT(refused(".include 0.inc\n"), HasSubstr("more than 32 deep"));
}

TEST_F(Folder, SectionsThatDoubleAtEachLevelAreBounded) {
    std::string text;
    for (int k = 0; k < 30; ++k) text += fmt::format(".lib s{}\n.lib cell.cir s{}\n.lib cell.cir s{}\n.endl\n", k, k + 1, k + 1);
    EXPECT_THAT(refused(text + ".lib s30\n.param a=1\n.endl\n", "s0"), HasSubstr("more than 10000 files and sections"));
}

const std::string corners =
    "* corners\n"
    ".param outside=1\n"
    ".LIB TT\n"
    ".param vth=0.4\n"
    ".lib 'cell.cir' common\n"
    ".endl TT\n"
    ".lib 'ff'\n"
    ".param vth=0.3\n"
    "  .lib inner   $ is no part of ff\n"
    "  .param inside=1\n"
    "  .endl inner\n"
    ".lib cell.cir common\n"
    ".endl\n"
    ".lib broken\n"
    ".control\n"
    ".endl broken\n"
    ".lib common\n"
    ".model nch nmos level=14 vth0=vth\n"
    ".endl common\n";

TEST_F(Folder, OneSectionIsTakenWithWhatItRefersTo) {
    EXPECT_THAT(texts(read(corners, "tt")), ElementsAre(".param vth=0.4", ".model nch nmos level=14 vth0=vth"));
    EXPECT_THAT(texts(read(corners, "FF")), ElementsAre(".param vth=0.3", ".model nch nmos level=14 vth0=vth"));
    EXPECT_THAT(texts(read(corners, "inner")), ElementsAre(".param inside=1"));
    EXPECT_THAT(texts(read(corners, "")), ElementsAre(".param outside=1"));
    EXPECT_EQ(read(corners, "ff").cards[1].where.line, 18);
    EXPECT_EQ(read(corners, "ff").files.size(), 1U);
    EXPECT_THAT(refused(corners, "broken"), HasSubstr("cell.cir:15: "));  // only what is taken is judged
}

TEST_F(Folder, UnknownAndUnbalancedSectionsAreNamed) {
    EXPECT_THAT(refused(corners, "ttt"), HasSubstr("has no section 'ttt' (expected one of tt, ff, inner, broken, common). Did you mean 'tt'?"));
    write("cells/corners.lib", corners);
    EXPECT_THAT(refused("\n.lib corners.lib comon\n"), HasSubstr("cell.cir:2: "));
    EXPECT_THAT(refused(resistor, "tt"), HasSubstr("it has no sections"));
    EXPECT_THAT(refused(".lib tt\n.param a=1\n.endl\n"), HasSubstr("holds sections only (expected the name of one: tt)"));
    EXPECT_THAT(refused(".param a=1\n.lib tt\n.param a=1\n"), HasSubstr("cell.cir:2: section 'tt' has no end"));
    EXPECT_THAT(refused(".param a=1\n.endl\n"), HasSubstr("cell.cir:2: .endl ends no section"));
    EXPECT_THAT(refused(".lib tt\n.endl ff\n", "tt"),
                HasSubstr("cell.cir:2: .endl does not name the section it ends (expected .endl tt, opened in line 1)"));
    EXPECT_THAT(refused(".lib tt\n.endl\n.lib TT\n.endl\n", "tt"), HasSubstr("cell.cir:3: section 'tt' is defined twice"));
    EXPECT_THAT(refused(".lib\n"), HasSubstr("cell.cir:1: .lib is incomplete"));
    EXPECT_THAT(refused(".include 'a\n"), HasSubstr("cell.cir:1: .include is incomplete"));
    EXPECT_THAT(refused(".lib a b c\n"), HasSubstr("cell.cir:1: .lib is incomplete"));
}

TEST_F(Folder, SubcircuitsAreClosedInTheFileThatOpensThem) {
    write("cells/close.inc", ".ends\n");
    write("cells/body.inc", "R1 a 0 1k\n");
    EXPECT_THAT(refused(".subckt cell a\n.include close.inc\n"), HasSubstr("close.inc:1: .ends ends no subcircuit"));
    EXPECT_EQ(read(".subckt cell a\n.include body.inc\n.ends\n").cards.size(), 3U);
}

TEST_F(Folder, SubcircuitsAreListedWithPinsAndDefaults) {
    const auto found =
        subcircuits(read(".SUBCKT Ring out vdd PARAMS: w=1u l = {2*w}\n.subckt inner p\nr1 p 0 1\n.ends\n.ends\n.subckt bare\n.ends\n"));
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].name, "ring");
    EXPECT_THAT(found[0].pins, ElementsAre("out", "vdd"));
    ASSERT_EQ(found[0].parameters.size(), 2U);
    EXPECT_EQ(found[0].parameters[1].name, "l");
    EXPECT_EQ(found[0].parameters[1].value, "{2*w}");
    EXPECT_EQ(found[0].where.line, 1);
    EXPECT_THAT(found[1].pins, IsEmpty());
}

}  // namespace
}  // namespace entrain::spice

#include <gmock/gmock.h>

#include <cstdlib>
#include <string>

#include "refused.hpp"
#include "spice/library.hpp"
#include "support/program.hpp"

namespace entrain::spice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string link(const std::string& cell, const std::string& models = "* none\n.param unused=1\n", std::string_view subcircuit = {}) {
    return linked(read_text(cell, "cell.cir"), {read_text(models, "models.lib")}, subcircuit);
}
std::string refused(const std::string& cell, const std::string& models = ".param unused=1\n") {
    return test::refused([&] { return link(cell, models); });
}

const std::string devices =
    ".param vth=0.4 shift={0.01*sigma} sigma=2 unused='vth'\n"
    ".func clip(x) {max(x, floor_value)}\n"
    ".param floor_value=0.1\n"
    ".func lonely(x) {2*x}\n"
    ".model nch.1 nmos level=14 version=4.8.2 wmin=1e-7 wmax=1e-4 lmin=1e-7 lmax=1e-6 vth0={clip(vth)+shift}\n"
    ".model nch.2 nmos level=14 version=4.8.2 wmin=1e-7 wmax=1e-4 lmin=1e-6 lmax=1e-5 vth0='vth'\n"
    ".model nch_hv nmos level=14\n"
    ".model pch pmos level=14 version=4.8.2 vth0=-0.4\n"
    ".subckt pfet d g s b w=1u\n"
    "m1 d g s b pch w={w}\n"
    ".ends pfet\n"
    ".subckt other a\n"
    "r1 a 0 1\n"
    ".ends other\n";

TEST(Linked, KeepsWhatTheCellNeedsAndNothingElse) {
    EXPECT_EQ(link(".subckt inv a y vdd\nm1 y a 0 0 nch w=1u l=1u\nx1 y a vdd vdd pfet w=2u\n.ends inv\n", devices),
              ".param vth=0.4\n"
              ".param shift={0.01*sigma}\n"
              ".param sigma=2\n"
              ".func clip(x) {max(x, floor_value)}\n"
              ".param floor_value=0.1\n"
              ".model nch.1 nmos level=14 version=4.8.2 wmin=1e-7 wmax=1e-4 lmin=1e-7 lmax=1e-6 vth0={clip(vth)+shift}\n"
              ".model nch.2 nmos level=14 version=4.8.2 wmin=1e-7 wmax=1e-4 lmin=1e-6 lmax=1e-5 vth0='vth'\n"
              ".model pch pmos level=14 version=4.8.2 vth0=-0.4\n"
              ".subckt pfet d g s b w=1u\n"
              "m1 d g s b pch w={w}\n"
              ".ends pfet\n"
              ".subckt inv a y vdd\n"
              "m1 y a 0 0 nch w=1u l=1u\n"
              "x1 y a vdd vdd pfet w=2u\n"
              ".ends inv\n");
}

TEST(Linked, NamesAreThoseOfTheInnermostScope) {
    const std::string models = ".param k=1\n.model card nmos level=14\n.subckt part a\nr1 a 0 2\n.ends\n";
    const std::string text =
        link(".subckt cell a\n.param k=3\n.model card nmos level=1\n.subckt part a\nr1 a 0 {k}\n.ends\nx1 a part\nm1 a a 0 0 card\n.ends\n", models);
    EXPECT_THAT(text, Not(HasSubstr("level=14")));
    EXPECT_THAT(text, Not(HasSubstr(".param k=1")));
    EXPECT_THAT(text, Not(HasSubstr("r1 a 0 2")));
}

TEST(Linked, BareWordsKeepWhatTheyMayMean) {
    const std::string models = ".param rvalue=5 amplitude=1 width=2u rate=3\n.model rmod r rsh=1\n.model 2n2222 npn\n";
    const std::string text = link(
        ".subckt cell a\nr1 a 0 rvalue\nr2 a 0 rmod l=1u w=width\nv1 a b sin(0 amplitude 1k)\nq1 a b 0 2n2222\nb1 a 0 i=rate*v(a)\n.ends\n", models);
    for (const char* kept : {"rvalue=5", "amplitude=1", "width=2u", "rate=3", ".model rmod", ".model 2n2222"}) EXPECT_THAT(text, HasSubstr(kept));
}

TEST(Linked, OnlyTheNamedSubcircuitIsKept) {
    const std::string cell = ".param a=1 b=2\n.subckt one p\nr1 p 0 {a}\n.ends\n.subckt two p\nr1 p 0 {b}\n.ends\n";
    EXPECT_EQ(link(cell, devices, "two"), ".param b=2\n.subckt two p\nr1 p 0 {b}\n.ends\n");
    EXPECT_THAT(test::refused([&] { return link(cell, devices, "tow"); }), HasSubstr("subcircuit 'tow' is not defined"));
}

TEST(Linked, ACellsParameterReplacesThatOfALibrary) {
    const std::string text = link(".param vth=0.5\n.subckt cell a\nm1 a a 0 0 nch\n.ends\n", devices);
    EXPECT_LT(text.find(".param vth=0.4"), text.find(".param vth=0.5"));  // ngspice takes the last one
}

TEST(Linked, UndefinedNamesAreReportedAtTheCardThatUsesThem) {
    EXPECT_EQ(refused(".subckt cell a\nr1 a 0 {vht}\nr2 a 0 1 w=nope\nb1 a 0 i=v(x)*gian\n.ends\n", ".param vth=1 gain=2\n"),
              "cell.cir:2: parameter 'vht' is not defined (expected a name of this subcircuit, of those around its definition, or of the top). Did "
              "you mean 'vth'?\n"
              "cell.cir:3: parameter 'nope' is not defined (expected a name of this subcircuit, of those around its definition, or of the top).\n"
              "cell.cir:4: parameter 'gian' is not defined (expected a name of this subcircuit, of those around its definition, or of the top). Did "
              "you mean 'gain'?");
    EXPECT_THAT(refused(".param x={sqroot(2)}\n"), HasSubstr("cell.cir:1: function 'sqroot' is not defined"));
    EXPECT_THAT(refused(".subckt cell a\nm1 a a 0 0 nhc w=1u\n.ends\n", devices), HasSubstr("cell.cir:2: m1 names no model that is defined: 'nhc'"));
    EXPECT_THAT(refused(".subckt cell a\nd1 a 0 dio\n.ends\n"), HasSubstr("cell.cir:2: d1 names no model"));
    EXPECT_THAT(
        refused(".subckt cell a\nx1 a othr\n.ends\n", devices),
        HasSubstr(
            "cell.cir:2: subcircuit 'othr' is not defined (expected a .subckt in the cell's netlist or a device library). Did you mean 'other'?"));
    EXPECT_THAT(refused(".subckt cell a\nx1\n.ends\n"), HasSubstr("cell.cir:2: an instance names no subcircuit"));
    EXPECT_THAT(refused(".subckt cell a\nx1 a a a other\n.ends\n", devices),
                HasSubstr("cell.cir:2: x1 passes 3 nodes to other (expected 1, as in models.lib:12)"));
    EXPECT_THAT(refused(".subckt cell a\nx1 a a a a pfet wdt=1\n.ends\n", devices), HasSubstr("'pfet' has no parameter 'wdt'"));
    // A library is judged by what is used of it.
    EXPECT_THAT(link(".subckt cell a\nr1 a 0 1\n.ends\n", ".model m nmos vth0={nowhere}\n"), Not(HasSubstr("nowhere")));
    EXPECT_THAT(refused(".subckt cell a\nm1 a a 0 0 m\n.ends\n", ".model m nmos vth0={nowhere}\n"), HasSubstr("models.lib:1: parameter 'nowhere'"));
}

TEST(Linked, ManyUndefinedNamesAmongManyAreCountedWithoutSearchingForEach) {
    std::string cell;
    for (int k = 0; k < 5000; ++k) cell += ".param defined" + std::to_string(k) + "={undefined" + std::to_string(k) + "}\n";
    EXPECT_THAT(refused(cell), HasSubstr("... and 4980 more"));
}

TEST(Linked, ParametersDoNotKnowTheConstantsOfSources) {
    EXPECT_THAT(refused(".param w={2*pi}\n"), HasSubstr("'pi' is not defined"));
    EXPECT_THAT(refused(".subckt cell a\nr1 a 0 r={1+pi}\n.ends\n"), HasSubstr("'pi' is not defined"));
    EXPECT_THAT(link(".subckt cell a\nr1 a 0 r={1+pi+v(a)}\n.ends\n"), HasSubstr("pi"));
    EXPECT_THAT(link(".param hot={temper+273}\n.subckt cell a\nb1 a 0 i=sin(2*pi*time)*hot\n.ends\n"), HasSubstr("time"));
}

TEST(Linked, DefinitionsOfTwoFilesThatNeedEachOtherAreRefused) {
    EXPECT_THAT(refused(".param a={b}\n", ".param b={a}\n"), HasSubstr("needs itself"));
    EXPECT_THAT(refused(".subckt cell a\nx1 a part\n.ends\n", ".subckt part a\nx1 a cell\n.ends\n"), HasSubstr("needs itself"));
}

TEST(Linked, ASecondDefinitionIsRefusedIfItIsUsed) {
    const std::string twice = ".subckt part a\nr1 a 0 1\n.ends\n.subckt part a\nr1 a 0 2\n.ends\n";
    EXPECT_THAT(refused(".subckt cell a\nx1 a part\n.ends\n", twice),
                HasSubstr("models.lib:4: 'part' is defined a second time (first in models.lib:1"));
    EXPECT_THAT(link(".subckt cell a\nr1 a 0 1\n.ends\n", twice), Not(HasSubstr("part")));
    // The same card of a file that two libraries include is one definition.
    const Library once = read_text(".subckt part a\nr1 a 0 1\n.ends\n", "models.lib");
    EXPECT_THAT(linked(read_text(".subckt cell a\nx1 a part\n.ends\n", "cell.cir"), {once, once}), HasSubstr(".subckt part"));
}

/// Voltages that `ngspice -b` prints for an operating point of the deck.
std::string voltages(const test::TemporaryFolder& folder, const std::string& netlist) {
    folder.write("deck.cir", "* deck\n" + netlist +
                                 "vdd vdd 0 1.2\nvin in 0 0.55\nxcell in out vdd inv\n.control\nset numdgt=15\nop\nprint v(out) i(vdd)\nalter vin "
                                 "0.7\nop\nprint v(out) i(vdd)\n"
                                 "quit\n.endc\n.end\n");
    const std::string command = "cd " + folder.path().string() + " && ngspice -b deck.cir > deck.log 2>&1; grep '^[vi](' deck.log > values";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return test::content_of(folder.path() / "values");
}

TEST(Linked, APrunedLibrarySimulatesLikeTheWholeOne) {
    const test::TemporaryFolder folder;
    std::string library = devices + ".model pch_hv pmos level=14 vth0={-vth-shift}\n";
    for (int k = 0; k < 200; ++k)
        library += ".param extra" + std::to_string(k) + "={vth*" + std::to_string(k) + "}\n.subckt extra" + std::to_string(k) + " a w={extra" +
                   std::to_string(k) + "}\nr1 a 0 {1+w}\n.ends\n";
    const std::string cell =
        "* An inverter.\n.SUBCKT inv a y vdd\n.param wn={2u*\n+ 1.5}\nM1 y a 0 0 NCH W=wn L=0.5u ; a bin\nX1 y a vdd vdd pfet W={2*wn}\n.ends inv\n";
    const std::string pruned = link(cell, library);
    EXPECT_LT(pruned.size(), 1000U);
    const std::string expected = voltages(folder, library + cell);
    EXPECT_THAT(expected, HasSubstr("v(out) = "));
    EXPECT_EQ(voltages(folder, pruned), expected);  // the same devices in the same order: the same digits
}

}  // namespace
}  // namespace entrain::spice

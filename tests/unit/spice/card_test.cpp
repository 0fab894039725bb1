#include "spice/card.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "spice/library.hpp"

namespace entrain::spice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> cards(const std::string& text) {
    const std::string plain = with_plain_line_ends(text);
    CardReader reader{plain};
    std::vector<std::string> found;
    while (const auto card = reader.next())
        found.push_back(std::to_string(card->line) + ": " + (card->problem.empty() ? canonical(card->text) : card->problem));
    return found;
}

TEST(Cards, ContinuationsAreJoinedAcrossBlankLinesAndComments) {
    EXPECT_THAT(cards("R1 a b\n  * a comment\n\n + 1k\n+\nC1 a 0 1e-12\n"), ElementsAre("1: r1 a b 1k", "6: c1 a 0 1e-12"));
    EXPECT_THAT(cards("+ 1k\n"), ElementsAre(HasSubstr("continues nothing")));
}

// What ngspice 39 takes for a comment, found by trying: ';' and '//' anywhere, '$' after a blank or a comma.
TEST(Cards, CommentsEndWhereNgspiceEndsThem) {
    EXPECT_THAT(cards("* c\n *# d\n$ e\n; f\n// g\n"), IsEmpty());
    EXPECT_THAT(cards("r1 a 0 1k $ x\nr2 a 0 1k;x\nr3 a 0 1k//x\nr4 a 0 1k,$x\n"),
                ElementsAre("1: r1 a 0 1k", "2: r2 a 0 1k", "3: r3 a 0 1k", "4: r4 a 0 1k,"));
    EXPECT_THAT(cards("r1 a$b 0 1k"), ElementsAre("1: r1 a$b 0 1k"));  // no comment, and refused later
}

TEST(Cards, LinesEndInEveryWayThereIs) {
    EXPECT_THAT(cards("\xEF\xBB\xBFR1 a b 1\r\nR2 a b 2\rR3 a b 3\n\rR4 a b 4"),
                ElementsAre("1: r1 a b 1", "2: r2 a b 2", "3: r3 a b 3", "5: r4 a b 4"));
}

TEST(Cards, AreLowerCaseWithSingleBlanksAndNoneBesideEquals) {
    EXPECT_EQ(canonical("\t M1  D G\tS B  NCH  W = 1u L= {a  ==  b} "), "m1 d g s b nch w=1u l={a==b}");
}

TEST(Cards, TooLongAreRefusedWithTheirLine) {
    EXPECT_THAT(cards("r1 a 0 1\nr2 " + std::string(70'000, 'a')), ElementsAre("1: r1 a 0 1", HasSubstr("2: the line has 70003 bytes")));
    std::string folded = ".model m nmos";
    for (int k = 0; k < 30; ++k) folded += "\n+ " + std::string(50'000, 'a');
    EXPECT_THAT(cards(folded), ElementsAre(HasSubstr("1: the card has more than")));
}

TEST(Refusal, PassesWhatCellsAreMadeOf) {
    for (const char* card : {"R1 a b 1k",
                             "c1 a 0 {cap} IC={v0}",
                             "L1 a b l=1n",
                             "K1 l1 l2 0.99",
                             "V1 a 0 SIN(0 1 1e9 0 0 90)",
                             "i1 0 a pwl(0 0 1n 1)",
                             "b1 a 0 i={imax}*tanh(v(a)>0 ? 1 : -1)",
                             "g1 a 0 b 0 1e-3",
                             "e1 a 0 vol='2*v(b)'",
                             "f1 a 0 v1 2",
                             "h1 a 0 v1 2",
                             "d1 a 0 dm",
                             "m1 d g s b nch w=1u l={l}",
                             "q1 c b e npn",
                             "j1 d g s jn",
                             "x1 a b inv w=1u m=2",
                             ".param a=1 b='2*a' c={agauss(0, 1, 3)}",
                             ".param f(x,y)=x*y",
                             ".func f(x) {2*x}",
                             ".model nch.1 nmos (level=14 vth0=0.4)",
                             ".subckt inv a b params: w=1u",
                             ".ends",
                             ".ic v(a)=1",
                             ".nodeset v(a)=1",
                             "r1 a_n15_n11# b 1k"})
        EXPECT_EQ(refusal(card), "") << card;
}

struct Refused {
    const char* card;
    const char* reason;
};

/// The table "Execution paths" of the notes on ngspice, and what else would crash it, end it, or open a file.
TEST(Refusal, RefusesWhatRunsCommandsOpensFilesOrEndsTheSimulator) {
    const Refused table[] = {
        {".control", "commands"},
        {"  .CONTROL", "commands"},
        {".controlXYZ", "commands"},
        {".con trol", "only .param"},
        {".endc", "commands"},
        {"*# shell touch x", "begins no card"},
        {" \t*# shell touch x", "begins no card"},
        {"*ng_script", "begins no card"},
        {".include /etc/passwd", "no file can be opened"},
        {".INC x", "no file can be opened"},
        {".lib a b", "no file can be opened"},
        {".endl", "no file can be opened"},
        {".csparam x=1", "commands"},
        {".save all", "engine"},
        {".measure tran x", "engine"},
        {".print tran v(a)", "engine"},
        {".four 1k v(a)", "engine"},
        {".probe v(a)", "engine"},
        {".tran 1n 1", "engine"},
        {".options klu", "options"},
        {".option scale=1", "options"},
        {".temp 30", "temperature"},
        {".global vdd", "pin"},
        {".if (0)", "conditions"},
        {".endif", "conditions"},
        {".title x", "only .param"},
        {".end", "ends a file"},
        {"r1 a 0 `id`", "backtick"},
        {".param x=`id`", "backtick"},
        {"r1 a$b 0 1", "'$'"},
        {"r1 a 0 1 ; shell", "';'"},
        {"r1 a 0 a\\b", "'\\'"},
        {"r1 a 0 @m1[gm]", "'@'"},
        {".param x=\"5+1\"", "double quotes"},
        {"r1 a 0 1\nr2 a 0 1", "0x0a"},
        {"r1 a 0 1\xC2\xB5", "0xc2"},
        {"# comment", "begins no card"},
        {"=1", "begins no card"},
        {"a1 %v([a]) %v([b]) filesource", "code model"},
        {"n1 a b model", "Verilog-A"},
        {"s1 a b c d sw", "switch"},
        {"w1 a b v1 sw", "switch"},
        {"t1 a 0 b 0 z0=50 td=1n", "step"},
        {"u1 a b 0 urc", "step"},
        {"y1 a 0 b 0 line", "step"},
        {"o1 a 0 b 0 line", "step"},
        {"p1 a b 0 c d 0 line", "step"},
        {"z1 d g s mes", "MESFET"},
        {".model m filesource(file=x)", "model type"},
        {".model m numd level=1", "model type"},
        {".model m", "names a model"},
        {".model m d file=x", "name a file"},
        {".model m d input_file = x", "name a file"},
        {"v1 a 0 pwl file=x", "name a file"},
        {"i1 a 0 external", "external"},
        {"v1 a 0 dc 0 external", "external"},
        {"v1 a 0 dc=0 EXTERNAL", "external"},
        {"v1 a 0 trnoise(1 1n 0 0)", "share a simulator"},
        {"e1 a 0 poly(1) b 0 0 1", "code model"},
        {"g1 a 0 table {v(b)}=(0,0) (1,1)", "code model"},
        {"r1 a 0 {1+2", "not closed"},
        {"r1 a 0 1+2}", "closes what was not opened"},
        {"r1 a 0 '3*(2+1'", "closes what was not opened"},
        {"r1 a 0 '3*2", "not closed"},
        {".param a=2 + 3", "braces"},
        {".param a=1,b=2", "braces"},
        {".param a", "NAME=VALUE"},
        {".param a=", "without"},
        {".param 1a=2", "no name of a parameter"},
        {".param sin=3", "meaning of its own"},  // {sin+1} is 1 in ngspice 39
        {".param time=2", "meaning of its own"},
        {".subckt cell a temper=2", "meaning of its own"},
        {".func v(x) {x}", "meaning of its own"},
        {".param a.b=1", "no name of a parameter"},
        {".func f {x}", "incomplete"},
        {".func f(x)", "incomplete"},
    };
    for (const auto& [card, reason] : table) EXPECT_THAT(refusal(card), HasSubstr(reason)) << card;
}

TEST(Refusal, BoundsWhatNgspiceIsSlowOrFailsAt) {
    std::string pwl = "v1 a 0 pwl(0 0";
    for (int k = 1; k < 1000; ++k) pwl += " " + std::to_string(k) + "n 1";
    EXPECT_EQ(refusal(pwl + ")"), "");
    EXPECT_THAT(refusal(pwl + " 1001n 0)"), HasSubstr("1001 corners"));
    std::string sum = "1";
    while (sum.size() < 10'001) sum += "+1";
    EXPECT_THAT(refusal("b1 a 0 i=" + sum), HasSubstr("expression"));
    EXPECT_THAT(refusal("r1 a 0 {" + sum + "}"), HasSubstr("expression"));
    EXPECT_THAT(refusal(".param a='" + sum + "'"), HasSubstr("10"));
    EXPECT_THAT(refusal(".func f(x) {" + sum + "}"), HasSubstr("expression"));
    EXPECT_THAT(refusal("r1 a 0 {" + std::string(300, '(') + "1" + std::string(300, ')') + "}"), HasSubstr("nested"));
    EXPECT_EQ(refusal("r1 a 0 1e999999"), "");
}

}  // namespace
}  // namespace entrain::spice

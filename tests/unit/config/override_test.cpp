#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/node.hpp"
#include "refusal.hpp"

namespace entrain::config {
namespace {

using ::testing::HasSubstr;

Node root() {
    return parse(
        "seed: 1\n"
        "layer: {heads: 1, sequences: [0, 1, 2]}\n"
        "substrates: [{kind: lc}, {kind: ring}]\n"
        "empty:\n",
        "f");
}

Node after(const std::string& assignment) {
    Node node = root();
    apply_override(node, assignment);
    return node;
}

std::string refused(const std::string& assignment) {
    return refusal([&] { (void)after(assignment); });
}

TEST(Override, ReplacesValues) {
    EXPECT_EQ(after("seed=2").find("seed")->scalar, "2");
    EXPECT_EQ(after("layer.heads=4").find("layer")->find("heads")->scalar, "4");
    EXPECT_EQ(after("layer.heads=4").find("layer")->find("sequences")->items.size(), 3U) << "the rest stays";
    EXPECT_EQ(after("substrates.1.kind=cdw").find("substrates")->items[1].find("kind")->scalar, "cdw");
    EXPECT_EQ(after("layer.sequences.2=9").find("layer")->find("sequences")->items[2].scalar, "9");
}

TEST(Override, TakesAnyYamlValueOfOneLine) {
    EXPECT_EQ(after("layer.sequences=[7, 8]").find("layer")->find("sequences")->items[1].scalar, "8");
    EXPECT_EQ(after("layer={heads: 2}").find("layer")->find("heads")->scalar, "2");
    EXPECT_EQ(after("layer={heads: 2}").find("layer")->find("sequences"), nullptr);
    EXPECT_EQ(after("seed=").find("seed")->kind, Node::Kind::null);
    EXPECT_EQ(after("seed=null").find("seed")->kind, Node::Kind::null);
    EXPECT_TRUE(after("seed=\"2\"").find("seed")->quoted);
    EXPECT_EQ(after("name=a=b").find("name")->scalar, "a=b");
    EXPECT_EQ(after("name=5 GHz").find("name")->scalar, "5 GHz");
}

TEST(Override, NeedsNoQuotesAroundATextWithAColon) {
    EXPECT_EQ(after("start=fixed: 0 deg").find("start")->scalar, "fixed: 0 deg");
    EXPECT_EQ(after("start='fixed: 0 deg'").find("start")->scalar, "fixed: 0 deg");
}

TEST(Override, MakesWhatIsMissing) {
    EXPECT_EQ(after("readout.settle_tolerance=2 deg").find("readout")->find("settle_tolerance")->scalar, "2 deg");
    EXPECT_EQ(after("empty.a.b=1").find("empty")->find("a")->find("b")->scalar, "1");
}

TEST(Override, StandsInMessagesInsteadOfAPlace) {
    const Node node = after("readout={a: [1]}");
    const Location where{"--set readout={a: [1]}", 0, 0};
    EXPECT_EQ(node.entries.back().key_where, where);
    EXPECT_EQ(node.find("readout")->where, where);
    EXPECT_EQ(node.find("readout")->entries[0].key_where, where);
    EXPECT_EQ(node.find("readout")->find("a")->items[0].where, where);
}

TEST(Override, RefusesWhatHasNoMeaning) {
    EXPECT_EQ(refused("seed"), "--set seed: no '=' (expected KEY=VALUE, for example seed=2)");
    EXPECT_EQ(refused("=2"), "--set =2: an empty part in the key (expected dotted names, for example layer.heads)");
    EXPECT_EQ(refused("layer..heads=2"), "--set layer..heads=2: an empty part in the key (expected dotted names, for example layer.heads)");
    EXPECT_EQ(refused("layer.=2"), "--set layer.=2: an empty part in the key (expected dotted names, for example layer.heads)");
    EXPECT_EQ(refused("seed.x=2"), "--set seed.x=2: 'x' lies below the value '1' (expected a map or list there)");
    for (const char* index : {"2", "-1", "x", "1x", "99999999999999999999999"})
        EXPECT_THAT(refused(std::string{"substrates."} + index + ".kind=lc"), HasSubstr("is not an index of the list (expected 0 .. 1)"));
    EXPECT_EQ(refused("a=[1"), "--set a=[1: a list or map in brackets that is not complete (expected ',' between its entries and a closing bracket)");
    EXPECT_THAT(refused("a=*x"), HasSubstr("YAML aliases are not allowed"));
    EXPECT_EQ(refused("a=1\nb: 2"), "--set a=1\nb: 2: a line break in the value (expected one line)");
    EXPECT_THAT(refused("a\x01=2"), HasSubstr("a control character in the key"));
    EXPECT_THAT(refused("a=\x01"), HasSubstr("control character U+0001"));
    EXPECT_THAT(refused("a=x: \xff"), HasSubstr("is not UTF-8"));
}

TEST(Override, KeepsTheLimitOfNesting) {
    std::string key = "a";
    for (int i = 1; i < 32; ++i) key += ".a";
    EXPECT_EQ(refused(key + "=1"), "accepted");
    EXPECT_THAT(refused(key + "=[1]"), HasSubstr("nesting deeper than 32 levels"));
    EXPECT_THAT(refused(key + ".a=1"), HasSubstr("nesting deeper than 32 levels"));
}

}  // namespace
}  // namespace entrain::config

#include "config/node.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "refusal.hpp"

namespace entrain::config {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refused(const std::string& text) {
    return refusal([&] { (void)parse(text, "f"); });
}

TEST(Parse, KeepsKindsQuotesAndPlaces) {
    const Node root = parse(
        "version: 1\n"
        "layer:\n"
        "  name: \"5\"\n"
        "  list: [1, two]\n"
        "none:\n"
        "tilde: ~\n"
        "block: |\n"
        "  text\n",
        "f");
    ASSERT_EQ(root.kind, Node::Kind::map);
    ASSERT_EQ(root.entries.size(), 5U);
    EXPECT_EQ(root.find("version")->scalar, "1");
    EXPECT_FALSE(root.find("version")->quoted);
    EXPECT_EQ(root.find("version")->where, (Location{"f", 1, 10}));
    const Node& layer = *root.find("layer");
    EXPECT_EQ(layer.where, (Location{"f", 3, 3}));
    EXPECT_EQ(layer.find("name")->scalar, "5");
    EXPECT_TRUE(layer.find("name")->quoted);
    EXPECT_EQ(layer.entries[1].key_where, (Location{"f", 4, 3}));
    EXPECT_EQ(layer.find("list")->kind, Node::Kind::sequence);
    EXPECT_EQ(layer.find("list")->items[1].scalar, "two");
    EXPECT_EQ(layer.find("list")->items[1].where, (Location{"f", 4, 13}));
    EXPECT_EQ(root.find("none")->kind, Node::Kind::null);
    EXPECT_EQ(root.find("none")->where, (Location{"f", 5, 1})) << "an absent value stands where its key stands";
    EXPECT_EQ(root.find("tilde")->kind, Node::Kind::null);
    EXPECT_EQ(root.find("block")->scalar, "text\n");
    EXPECT_TRUE(root.find("block")->quoted);
    EXPECT_EQ(root.find("absent"), nullptr);
    EXPECT_EQ(root.find("version")->find("x"), nullptr) << "a scalar has no keys";
}

TEST(Parse, TakesFilesOfOtherSystems) {
    EXPECT_EQ(parse("\xEF\xBB\xBF"
                    "a: 1\r\nb: x\r\n",
                    "f")
                  .find("b")
                  ->where,
              (Location{"f", 2, 4}));
    EXPECT_EQ(parse("a: \"caf\\u00e9 \xC3\xA9\"", "f").find("a")->scalar, "caf\xC3\xA9 \xC3\xA9");
    EXPECT_EQ(parse("---\na: 1\n...\n", "f").find("a")->scalar, "1");
}

TEST(Parse, RefusesWhatIsNoMap) {
    EXPECT_EQ(refused(""), "f:1:1: an empty file (expected a map such as 'version: 1')");
    EXPECT_EQ(refused("# only a comment\n"), "f:1:1: an empty file (expected a map such as 'version: 1')");
    for (const char* text : {"---\n", "~", "word", "\"word\"", "- a\n- b", "[a]"})
        EXPECT_THAT(refused(text), HasSubstr("no keys at the top level (expected a map such as 'version: 1')")) << text;
}

TEST(Parse, RefusesDuplicateKeys) {
    EXPECT_EQ(refused("a: 1\nb: 2\na: 3\n"), "f:3:1: duplicate key 'a' (expected once; first in line 1)");
    EXPECT_EQ(refused("x:\n  a: 1\n  \"a\": 3\n"), "f:3:3: duplicate key 'a' (expected once; first in line 2)");
    EXPECT_EQ(refused("x: {a: 1, a: 1}"), "f:1:11: duplicate key 'a' (expected once; first in line 1)");
    EXPECT_EQ(refused("x: {a: 1}\ny: {a: 1}"), "accepted");
}

TEST(Parse, RefusesKeysThatAreNoNames) {
    EXPECT_EQ(refused("? [a]\n: 1\n"), "f:1:3: a list or map as a key, or a bracket that is not closed (expected a name)");
    EXPECT_EQ(refused("{a: 1}: 2\n"), "f:1:1: a list or map as a key, or a bracket that is not closed (expected a name)");
    EXPECT_EQ(refused("a: [{x: 1}"), "f:1:5: a list or map as a key, or a bracket that is not closed (expected a name)");
    EXPECT_EQ(refused("x: {: 1}\n"), "f:1:5: a key without a name (expected text before the ':')");
    EXPECT_EQ(refused("null: 1\n"), "f:1:1: a key without a name (expected text before the ':')");
    EXPECT_EQ(refused("\"\": 1\n"), "f:1:1: an empty key (expected a name)");
    EXPECT_EQ(refused("\"a\\nb\": 1\n"), "f:1:1: a line break or tab in a key (expected a name)");
    EXPECT_EQ(refused(std::string(257, 'k') + ": 1\n"), "f:1:1: a key of 257 bytes (expected at most 256)");
}

TEST(Parse, RefusesKeysWithoutColon) {
    // The parser alone reads all of these as "key: null".
    EXPECT_EQ(refused("a: 1\nbits\n"), "f:2:1: 'bits' without a ':' behind it (expected key: value)");
    EXPECT_EQ(refused("a: {bits}\n"), "f:1:5: 'bits' without a ':' behind it (expected key: value)");
    EXPECT_EQ(refused("? bits\n"), "f:1:3: 'bits' without a ':' behind it (expected key: value)");
}

TEST(Parse, RefusesAnchorsAliasesAndTags) {
    const std::string anchor = "YAML anchors are not allowed (expected a value; a text that begins with '&' needs quotes)";
    const std::string alias = "YAML aliases are not allowed (expected a value; a text that begins with '*' needs quotes)";
    const std::string tag = "YAML tags are not allowed (expected a value; a text that begins with '!' needs quotes)";
    EXPECT_EQ(refused("a: &x 1\n"), "f:1:4: " + anchor);
    EXPECT_EQ(refused("&x a: 1\n"), "f:1:1: " + anchor);
    EXPECT_EQ(refused("a: [1, &x [2]]\n"), "f:1:8: " + anchor);
    EXPECT_EQ(refused("a: *x\n"), "f:1:4: " + alias);
    EXPECT_EQ(refused("a: *.safetensors\n"), "f:1:4: " + alias);
    for (const char* value : {"!!int 1", "!x y", "! y", "!<tag:x> y", "!<?> y", "!<!> y", "!!map {b: 1}", "!!seq [1]", "!!null", "! \"q\""})
        EXPECT_EQ(refused(std::string{"a: "} + value + "\n"), "f:1:4: " + tag) << value;
}

TEST(Parse, RefusesAnAliasBombAtItsFirstLine) {
    std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
    for (char c = 'b'; c <= 'z'; ++c) {
        bomb += std::string{c} + ": &" + c + " [*";
        for (int i = 0; i < 8; ++i) bomb += std::string{static_cast<char>(c - 1)} + ", *";
        bomb += std::string{static_cast<char>(c - 1)} + "]\n";
    }
    EXPECT_THAT(refused(bomb), StartsWith("f:1:4: YAML anchors are not allowed"));
}

TEST(Parse, RefusesMoreThanOneDocument) {
    EXPECT_EQ(refused("a: 1\n---\nb: 2\n"), "f:2:1: a second YAML document (expected one document)");
    EXPECT_EQ(refused("a: 1\n---\n"), "f:2:1: a second YAML document (expected one document)");
    EXPECT_EQ(refused("a: 1\n...\nb: 2\n"), "f:3:1: text after the end of the top-level map (expected a key of that map)");
    EXPECT_EQ(refused("{a: 1} b\n"), "f:1:8: text after the end of the top-level map (expected a key of that map)");
    EXPECT_EQ(refused("  a: 1\nb: 2\n"), "f:2:1: text after the end of the top-level map (expected a key of that map)");
    EXPECT_EQ(refused("%YAML 1.2\n---\na: 1\n"), "f:1:1: YAML directives are not allowed (expected a key)");
}

TEST(Parse, ShowsHowToQuoteATextWithAColon) {
    EXPECT_EQ(refused("start: fixed: 0 deg  # where they begin\n"),
              "f:1:13: a second ': ' in one value (expected quotes around a text with a colon, as in start: \"fixed: 0 deg\")");
    EXPECT_EQ(refused("readout:\n  read_time: quantile: 0.99\n"),
              "f:2:22: a second ': ' in one value (expected quotes around a text with a colon, as in read_time: \"quantile: 0.99\")");
    EXPECT_EQ(refused("r: {start: fixed: 0 deg}\n"),
              "f:1:17: a second ': ' in one value (expected quotes around a text with a colon, as in \"fixed: 0 deg\")");
}

TEST(Parse, NamesTheCauseOfCommonSlips) {
    EXPECT_EQ(refused("a:\n\tb: 1\n"), "f:2:3: a tab in the indentation (expected spaces)");
    EXPECT_EQ(refused("a:\n  b: 1\n c: 2\n"), "f:3:2: a line that belongs to no list or map (expected the indentation of the line above)");
    EXPECT_THAT(refused("a: 1\n  b: 2\n"), StartsWith("f:2:4: a ':' where no key can stand (expected a complete 'key: value' in the line above"));
    EXPECT_THAT(refused("a:1\nb: 2\n"), StartsWith("f:2:2: a ':' where no key can stand (expected a complete 'key: value' in the line above"));
    EXPECT_EQ(refused("a: @x\n"), "f:1:4: a text cannot begin with '@' (expected quotes around it)");
    for (const char* text : {"a: [1, 2\nb: 3\n", "a: [1, 2\n", "a: {x: 1\nb: 3\n", "a: {x: 1"})
        EXPECT_THAT(refused(text), HasSubstr("a list or map in brackets that is not complete")) << text;
    EXPECT_THAT(refused("a: ]\n"), StartsWith("f:1:4: YAML syntax: "));
}

TEST(Parse, RefusesQuotesThatSwallowTheRestOfTheFile) {
    // The parser alone reads the first two as one long text when a line break ends the file.
    for (const char* text : {"a: \"x\nb: 3\n", "a: 'x\nb: 3\n", "a: \"x", "a: 'x''", "a: \"x\\\""})
        EXPECT_THAT(refused(text), HasSubstr("a text in quotes that is not closed (expected the same quote at its end)")) << text;
    EXPECT_EQ(refused("a: 'it''s'\nb: \"a\\\"b\\\\\"\n"), "accepted");
}

TEST(Parse, RefusesBytesThatAreNoPrintableText) {
    EXPECT_EQ(refused(std::string{"a: 1\nb: x\0y\n", 12}), "f:2:5: control character U+0000 (expected printable text)");
    EXPECT_EQ(refused("a: \x1b[31m\n"), "f:1:4: control character U+001B (expected printable text)");
    EXPECT_EQ(refused("a: \x7f\n"), "f:1:4: control character U+007F (expected printable text)");
    EXPECT_EQ(refused("a: x\rb: 2\n"), "f:1:5: control character U+000D (expected printable text)");
    EXPECT_EQ(refused("a: \xC2\x85\n"), "f:1:4: control character U+0085 (expected printable text)");
    EXPECT_EQ(refused("a: \xff\n"), "f:1:4: byte 0xff is not UTF-8 (expected a text file in UTF-8)");
    for (const char* bytes : {"\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xC3", "\xE2\x82", "\x80"})
        EXPECT_THAT(refused(std::string{"a: "} + bytes), HasSubstr("is not UTF-8")) << "over-long forms, surrogates, codes too large, cut characters";
    EXPECT_EQ(refused("a: \"x\\0y\"\n"), "f:1:4: a control character or invalid code in an escape sequence (expected printable text)");
    EXPECT_EQ(refused("a: \"\\e[31m\"\n"), "f:1:4: a control character or invalid code in an escape sequence (expected printable text)");
    EXPECT_EQ(refused(std::string{"\xFF\xFE"
                                  "a\0:\0",
                                  6}),
              "f:1:1: byte 0xff is not UTF-8 (expected a text file in UTF-8)");
}

std::string nested(const std::string& open, int levels, const std::string& close) {
    std::string text = "a: ";
    for (int i = 0; i < levels; ++i) text += open;
    text += "1";
    for (int i = 0; i < levels; ++i) text += close;
    return text + "\n";
}

TEST(Parse, LimitsNesting) {
    EXPECT_EQ(refused(nested("[", 31, "]")), "accepted");  // the top-level map is the first of 32 levels
    EXPECT_EQ(refused(nested("[", 32, "]")), "f:1:35: nesting deeper than 32 levels (expected at most that many)");
    EXPECT_EQ(refused(nested("{a: ", 31, "}")), "accepted");
    EXPECT_THAT(refused(nested("{a: ", 32, "}")), HasSubstr("nesting deeper than 32 levels"));
    std::string stairs;
    for (int i = 0; i < 40; ++i) stairs += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    EXPECT_EQ(refused(stairs), "f:33:33: nesting deeper than 32 levels (expected at most that many)");
}

TEST(Parse, SurvivesRunsOfIndicators) {
    // Each would cost a recursive or queueing parser stack or memory in proportion.
    for (const char* unit : {"[",  "{",  "[{", "{[", "- ",  "? ",   ": ",  "-",  "---\n", "? - ", "!x ", "&a ", "* ",
                             "| ", "> ", "\"", "'",  "[],", "{a: ", "a: ", "\n", " ",     "\t",   ",",   "%\n", "#"}) {
        std::string run;
        while (run.size() < 100'000) run += unit;
        EXPECT_NE(refused(run), "accepted") << unit;
        EXPECT_NE(refused("a: " + run + "]"), "") << unit;
    }
}

TEST(Parse, LimitsValuesIndicatorsAndSize) {
    std::string items = "a: [1";
    for (int i = 0; i < 99'997; ++i) items += ",1";
    EXPECT_EQ(refused(items + "]"), "accepted");  // with the map and the list: 100,000
    EXPECT_THAT(refused(items + ",1]"), HasSubstr("more than 100000 values (expected at most that many)"));
    EXPECT_THAT(refused("a: " + std::string(400'000, '[')),
                HasSubstr("f:1:400003: more than 400000 brackets, commas and colons (expected at most 100000 values)"));
    EXPECT_EQ(refused("a: " + std::string((4U << 20U) - 3, 'x')), "accepted");
    EXPECT_EQ(refused("a: " + std::string((4U << 20U) - 2, 'x')), "f: has 4194305 bytes (expected at most 4194304)");
}

TEST(ParseFile, NamesTheFile) {
    EXPECT_EQ(refusal([] { (void)parse_file("/nonexistent/e.yaml"); }), "/nonexistent/e.yaml: cannot be opened: No such file or directory");
    EXPECT_EQ(refusal([] { (void)parse_file("/dev/zero"); }), "/dev/zero: is not a regular file");
    const std::string path = ::testing::TempDir() + "config_node_test.yaml";
    std::ofstream{path} << "a: 1\na: 2\n";
    EXPECT_EQ(refusal([&] { (void)parse_file(path); }), path + ":2:1: duplicate key 'a' (expected once; first in line 1)");
}

}  // namespace
}  // namespace entrain::config

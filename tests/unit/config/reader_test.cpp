#include "config/reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "example_options.hpp"
#include "refusal.hpp"

namespace entrain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Outcome {
    ExampleOptions options;
    std::vector<std::string> messages;
    Places places;
};

Outcome read(const std::string& text, std::vector<std::string> required = {}) {
    const Node root = parse(text, "f");
    Outcome outcome;
    Diagnostics diagnostics;
    Reader reader{root, "", diagnostics, outcome.places};
    reader.require(std::move(required));
    outcome.options.describe(reader);
    reader.finish();
    for (const auto& diagnostic : diagnostics.found()) outcome.messages.push_back(to_string(diagnostic));
    return outcome;
}

std::vector<std::string> messages(const std::string& text) { return read(text).messages; }

TEST(Reader, ReadsEveryKindOfField) {
    const auto [options, found, places] = read(
        "seed: 7\n"
        "bits: null\n"
        "injection: 0.5\n"
        "rate: 1e-2\n"
        "causal: true\n"
        "prefix: layers.0.attn.\n"
        "frequency: 5 GHz\n"
        "coupling: relu_eps\n"
        "read_time: \"quantile: 0.99\"\n"
        "layer:\n"
        "  heads: 4\n"
        "  sequences: [3, 1, -2]\n"
        "  tolerance: 1 deg\n"
        "parameters: {tank_q: 20, tank_l: 1.5 nH}\n");
    EXPECT_THAT(found, IsEmpty());
    EXPECT_EQ(options.seed, 7);
    EXPECT_EQ(options.bits, std::nullopt);
    EXPECT_EQ(options.injection, 0.5);
    EXPECT_EQ(options.rate, 0.01);
    EXPECT_TRUE(options.causal);
    EXPECT_EQ(options.prefix, "layers.0.attn.");
    EXPECT_EQ(options.frequency, Hertz{5e9});
    EXPECT_EQ(options.coupling, Coupling::relu_eps);
    EXPECT_EQ(options.read_time, "quantile: 0.99");
    EXPECT_EQ(options.layer.heads, 4);
    EXPECT_THAT(options.layer.sequences, ElementsAre(3, 1, -2));
    EXPECT_EQ(options.layer.tolerance, Radians{radians(1.0)});
    ASSERT_EQ(options.parameters.size(), 2U);
    EXPECT_EQ(options.parameters[1].key, "tank_l");
    EXPECT_EQ(options.parameters[1].text, "1.5 nH");
    EXPECT_EQ(options.parameters[1].where, (Location{"f", 14, 26}));
}

TEST(Reader, KeepsDefaultsOfAbsentKeys) {
    const auto [options, found, places] = read("seed: 7\n");
    EXPECT_THAT(found, IsEmpty());
    EXPECT_EQ(options.seed, 7);
    EXPECT_EQ(options.injection, ExampleOptions{}.injection);
    EXPECT_EQ(options.layer.heads, ExampleOptions{}.layer.heads);
}

TEST(Reader, TellsNumbersFromText) {
    EXPECT_THAT(messages("injection: \"0.5\"\n"), ElementsAre("f:1:12: injection is the text '0.5' (expected a number, without quotes)"));
    EXPECT_THAT(messages("injection: half\n"), ElementsAre("f:1:12: injection is 'half' (expected a number)"));
    EXPECT_THAT(messages("injection: 0.5 A\n"), ElementsAre("f:1:12: injection is '0.5 A' (expected a number)"));
    EXPECT_THAT(messages("injection:\n"), ElementsAre("f:1:1: injection is null (expected a number)"));
    EXPECT_THAT(messages("injection: [1]\n"), ElementsAre("f:1:12: injection is a list (expected a number)"));
    EXPECT_THAT(messages("injection: {a: 1}\n"), ElementsAre("f:1:12: injection is a map (expected a number)"));
    for (const char* number : {".nan", ".inf", "-.inf", "nan", "inf", "infinity", "1e999", "0x1", "1_0", "1,5", "+-1", "1e", "--1"})
        EXPECT_THAT(messages(std::string{"injection: "} + number + "\n"),
                    ElementsAre(std::string{"f:1:12: injection is '"} + number + "' (expected a number)"));
    for (const char* number : {"1", "+1", "1.", "1.0", "1e0", "10E-1", "+.1e1"})
        EXPECT_EQ(read(std::string{"injection: "} + number + "\n").options.injection, 1.0) << number;
}

TEST(Reader, TakesIntegersInIntegralSyntaxOnly) {
    for (const char* number : {"1e3", "1.0", "1.", "0x10", "1 000", "99999999999999999999", "seven", ".inf"})
        EXPECT_THAT(messages(std::string{"seed: "} + number + "\n"),
                    ElementsAre(std::string{"f:1:7: seed is '"} + number + "' (expected an integer)"));
    EXPECT_THAT(messages("seed: '7'\n"), ElementsAre("f:1:7: seed is the text '7' (expected an integer, without quotes)"));
    EXPECT_EQ(read("seed: +7\n").options.seed, 7);
    EXPECT_EQ(read("seed: 9223372036854775807\n").options.seed, 9223372036854775807);
}

TEST(Reader, TakesNullOnlyForOptionalFields) {
    EXPECT_EQ(read("bits: 8\n").options.bits, 8);
    EXPECT_EQ(read("rate: ~\n").options.rate, std::nullopt);
    EXPECT_THAT(messages("bits: no\n"), ElementsAre("f:1:7: bits is 'no' (expected an integer or null)"));
    EXPECT_THAT(messages("rate: none\n"), ElementsAre("f:1:7: rate is 'none' (expected a number or null)"));
    EXPECT_THAT(messages("seed: null\ncausal: ~\nprefix:\nfrequency: ~\ncoupling: null\nlayer:\nparameters:\n"),
                ElementsAre("f:1:1: seed is null (expected an integer)", "f:2:1: causal is null (expected true or false)",
                            "f:3:1: prefix is null (expected text; \"\" is the empty text)",
                            "f:4:1: frequency is null (expected a quantity in Hz, for example '1 Hz')",
                            "f:5:1: coupling is null (expected softplus | relu_eps)", "f:6:1: layer is null (expected a map of keys and values)",
                            "f:7:1: parameters is null (expected a map of names and values)"));
}

TEST(Reader, ChecksRanges) {
    EXPECT_THAT(messages("injection: 3\n"), ElementsAre("f:1:12: injection is '3' (expected 0.001 .. 2)"));
    EXPECT_THAT(messages("rate: 0\n"), ElementsAre("f:1:7: rate is '0' (expected > 0)"));
    EXPECT_THAT(messages("bits: 0\n"), ElementsAre("f:1:7: bits is 0 (expected 1 .. 32)"));
    EXPECT_THAT(messages("seed: -1\n"), ElementsAre("f:1:7: seed is -1 (expected >= 0)"));
    EXPECT_THAT(messages("frequency: 1 mHz\n"), ElementsAre("f:1:12: frequency is '1 mHz' (expected 1 MHz .. 1 THz)"));
    EXPECT_THAT(messages("layer: {sequences: [0, 2000]}\n"), ElementsAre("f:1:24: layer.sequences.1 is 2000 (expected -1000 .. 1000)"));
    EXPECT_EQ(read("injection: 3\n").options.injection, ExampleOptions{}.injection) << "a wrong value changes nothing";
}

TEST(Reader, WantsUnits) {
    EXPECT_THAT(messages("frequency: 5\n"), ElementsAre("f:1:12: frequency: '5' has no unit (expected a quantity in Hz, for example '5 GHz')."));
    EXPECT_THAT(messages("frequency: 5 ns\n"),
                ElementsAre("f:1:12: frequency: 'ns' is not a unit of Hz (expected a quantity in Hz, for example '5 GHz')."));
    EXPECT_THAT(messages("frequency: .inf\n"),
                ElementsAre(HasSubstr("frequency: '.inf' is not a quantity (expected a finite number with a unit of Hz")));
    EXPECT_EQ(read("frequency: \"5 GHz\"\n").options.frequency, Hertz{5e9}) << "a quantity is a text anyway";
}

TEST(Reader, TakesTrueAndFalseOnly) {
    for (const char* word : {"yes", "on", "1", "True", "\"true\""})
        EXPECT_THAT(messages(std::string{"causal: "} + word + "\n"), ElementsAre(EndsWith("(expected true or false)")));
    EXPECT_FALSE(read("causal: false\n").options.causal);
}

TEST(Reader, SuggestsWords) {
    EXPECT_THAT(messages("coupling: softpuls\n"),
                ElementsAre("f:1:11: coupling is 'softpuls': unknown word (expected softplus | relu_eps). Did you mean 'softplus'?"));
    EXPECT_THAT(messages("read_time: quantile\n"), ElementsAre("f:1:12: read_time is 'quantile': unknown form (expected slowest | quantile: 0.99)."));
    EXPECT_THAT(messages("read_time: {quantile: 0.99}\n"),
                ElementsAre("f:1:12: read_time is a map (expected quotes around the text: 'quantile: 0.99')"));
    EXPECT_THAT(messages("read_time:\n  quantile: 0.99\n"),
                ElementsAre("f:2:3: read_time is a map (expected quotes around the text: 'quantile: 0.99')"));
}

TEST(Reader, WantsListsWhereListsAreMeant) {
    EXPECT_THAT(messages("layer: {sequences: 3}\n"),
                ElementsAre("f:1:20: layer.sequences is '3' (expected a list of integers, for example [0, 1, 2])"));
    EXPECT_THAT(messages("layer: {sequences: [0, x, \"1\", ]}\n"),
                ElementsAre("f:1:24: layer.sequences.1 is 'x' (expected an integer)",
                            "f:1:27: layer.sequences.2 is the text '1' (expected an integer, without quotes)"));
    EXPECT_THAT(messages("parameters: [1]\n"), ElementsAre("f:1:13: parameters is a list (expected a map of names and values)"));
    EXPECT_THAT(messages("parameters: {tank_q: [1], b: }\n"),
                ElementsAre("f:1:22: parameters.tank_q is a list (expected one value)", "f:1:27: parameters.b is null (expected one value)"));
    EXPECT_THAT(messages("prefix: [1]\n"), ElementsAre("f:1:9: prefix is a list (expected text)"));
}

TEST(Reader, ReadsListsOfMaps) {
    const auto [options, found, places] = read("models:\n  - {file: a.lib, section: 2}\n  - file: b.lib\n");
    EXPECT_THAT(found, IsEmpty());
    EXPECT_THAT(options.models, ElementsAre(ExampleFile{"a.lib", 2}, ExampleFile{"b.lib", 0}));
    EXPECT_EQ(places.at("models.1.file"), (Location{"f", 3, 11}));
    EXPECT_THAT(messages("models: a.lib\n"), ElementsAre("f:1:9: models is 'a.lib' (expected a list of maps of keys and values)"));
    EXPECT_THAT(messages("models: [{file: a, sektion: 1}, 3, {section: 10}]\n"),
                ElementsAre("f:1:20: unknown key 'models.0.sektion' (expected file, section). Did you mean 'section'?",
                            "f:1:33: models.1 is '3' (expected a map of keys and values)", "f:1:46: models.2.section is 10 (expected 0 .. 9)"));
}

TEST(Reader, NamesUnknownKeysWithTheirPlaceAndASuggestion) {
    EXPECT_THAT(messages("layer:\n  heads: 1\n  tolerence: 1 deg\n"),
                ElementsAre("f:3:3: unknown key 'layer.tolerence' (expected heads, sequences, tolerance). Did you mean 'tolerance'?"));
    EXPECT_THAT(messages("zzzzzz: 1\n"), ElementsAre("f:1:1: unknown key 'zzzzzz' (expected seed, bits, injection, rate, causal, prefix, frequency, "
                                                     "coupling, read_time, layer, models, parameters)."));
}

TEST(Reader, ReportsAllMistakesAtOnce) {
    EXPECT_THAT(messages("sede: 1\ninjection: x\nlayer: {heads: 0, hedas: 1}\ncausal: maybe\n"),
                ElementsAre("f:2:12: injection is 'x' (expected a number)", "f:4:9: causal is 'maybe' (expected true or false)",
                            "f:3:16: layer.heads is 0 (expected >= 1)", HasSubstr("f:3:19: unknown key 'layer.hedas'"),
                            HasSubstr("f:1:1: unknown key 'sede'")));
}

TEST(Reader, KeepsItsReportShort) {
    std::string many;
    for (int i = 0; i < 1000; ++i) many += "key" + std::to_string(i) + ": 1\n";
    const auto found = messages(many);
    ASSERT_EQ(found.size(), 21U);
    EXPECT_EQ(found.back(), "f:1:1: 980 more unknown keys");
    std::string list = "layer: {sequences: [x";
    for (int i = 1; i < 1000; ++i) list += ", x";
    EXPECT_EQ(messages(list + "]}").back(), "f:1:20: layer.sequences has 980 more entries like these");
}

TEST(Reader, ReportsRequiredKeysThatAreAbsent) {
    EXPECT_THAT(read("bits: 8\n", {"seed", "layer.heads"}).messages,
                ElementsAre("f:1:1: missing key 'seed' (expected integer: seed of all random streams)",
                            "f:1:1: missing key 'layer.heads' (expected integer: attention heads)"));
    EXPECT_THAT(read("seed: 1\nlayer:\n  sequences: []\n", {"seed", "layer.heads"}).messages,
                ElementsAre("f:3:3: missing key 'layer.heads' (expected integer: attention heads)"));
    EXPECT_THAT(read("seed: 1\n", {"layer"}).messages, ElementsAre("f:1:1: missing key 'layer' (expected map: the trained layer)"));
    EXPECT_THAT(read("layer: 5\n", {"layer.heads"}).messages, ElementsAre("f:1:8: layer is '5' (expected a map of keys and values)"))
        << "one mistake, one message";
}

TEST(Reader, ReadsSeveralListsOfFieldsFromOneMap) {
    const Node root = parse("kind: lc\ninjection: 0.3\nother: 1\n", "f");
    Diagnostics diagnostics;
    Places places;
    std::string kind;
    double injection = 0.0;
    Reader reader{root, "substrate", diagnostics, places};
    reader.text("kind", kind, "");
    reader.number("injection", injection, positive, "");
    reader.finish();
    EXPECT_EQ(kind, "lc");
    EXPECT_EQ(injection, 0.3);
    ASSERT_EQ(diagnostics.found().size(), 1U);
    EXPECT_EQ(to_string(diagnostics.found()[0]), "f:3:1: unknown key 'substrate.other' (expected kind, injection).");
}

TEST(Reader, RefusesANodeThatIsNoMap) {
    const Node root = parse("a: 5\n", "f");
    Diagnostics diagnostics;
    Places places;
    ExampleOptions options;
    Reader reader{*root.find("a"), "a", diagnostics, places};
    reader.require({"seed"});
    options.describe(reader);
    reader.finish();
    ASSERT_EQ(diagnostics.found().size(), 1U);
    EXPECT_EQ(to_string(diagnostics.found()[0]), "f:1:4: a is '5' (expected a map of keys and values)");
}

TEST(Places, KnowsWhereAKeyOrItsNearestMapStands) {
    const Places places = read("seed: 1\nlayer:\n  heads: 2\nparameters: {tank_q: 3}\n").places;
    EXPECT_EQ(places.at("seed"), (Location{"f", 1, 7}));
    EXPECT_EQ(places.at("layer.heads"), (Location{"f", 3, 10}));
    EXPECT_EQ(places.at("layer.sequences"), (Location{"f", 2, 1}));
    EXPECT_EQ(places.at("layer"), (Location{"f", 2, 1}));
    EXPECT_EQ(places.at("parameters.tank_q"), (Location{"f", 4, 22}));
    EXPECT_EQ(places.at("injection"), (Location{"f", 1, 1}));
    EXPECT_EQ(Places{}.at("x"), Location{});
}

TEST(Reader, NamesTheOverrideAMistakeComesFrom) {
    Node root = parse("seed: 1\n", "f");
    apply_override(root, "layer.heads=0");
    apply_override(root, "layer.tolerence=1 deg");
    Diagnostics diagnostics;
    Places places;
    ExampleOptions options;
    Reader reader{root, "", diagnostics, places};
    options.describe(reader);
    reader.finish();
    ASSERT_EQ(diagnostics.found().size(), 2U);
    EXPECT_EQ(to_string(diagnostics.found()[0]), "--set layer.heads=0: layer.heads is 0 (expected >= 1)");
    EXPECT_THAT(to_string(diagnostics.found()[1]), HasSubstr("--set layer.tolerence=1 deg: unknown key 'layer.tolerence'"));
}

}  // namespace
}  // namespace entrain::config

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <stdexcept>

#include "config/reader.hpp"
#include "example_options.hpp"

namespace entrain::config {
namespace {

std::string echo(ExampleOptions options) {
    Echo out;
    options.describe(out);
    return out.yaml();
}

ExampleOptions read(const std::string& yaml) {
    const Node root = parse(yaml, "echo");
    Diagnostics diagnostics;
    Places places;
    ExampleOptions options;
    Reader reader{root, "", diagnostics, places};
    options.describe(reader);
    reader.finish();
    diagnostics.throw_if_any();
    return options;
}

void expect_same(const ExampleOptions& a, const ExampleOptions& b) {
    EXPECT_EQ(a.seed, b.seed);
    EXPECT_EQ(a.bits, b.bits);
    EXPECT_EQ(a.injection, b.injection);
    EXPECT_EQ(a.rate, b.rate);
    EXPECT_EQ(a.causal, b.causal);
    EXPECT_EQ(a.prefix, b.prefix);
    EXPECT_EQ(a.frequency, b.frequency);
    EXPECT_EQ(a.coupling, b.coupling);
    EXPECT_EQ(a.read_time, b.read_time);
    EXPECT_EQ(a.layer, b.layer);
    EXPECT_EQ(a.models, b.models);
    ASSERT_EQ(a.parameters.size(), b.parameters.size());
    for (std::size_t i = 0; i < a.parameters.size(); ++i) {
        EXPECT_EQ(a.parameters[i].key, b.parameters[i].key);
        EXPECT_EQ(a.parameters[i].text, b.parameters[i].text);
    }
}

TEST(Echo, WritesWhatAUserWouldWrite) {
    ExampleOptions options;
    options.read_time = "quantile: 0.99";
    options.layer.sequences = {0, 2};
    options.models = {{"nmos.lib", 1}, {"", 0}};
    options.parameters = {{"tank_q", "20", {}}, {"tank_l", "1.5 nH", {}}};
    EXPECT_EQ(echo(options),
              "seed: 1\n"
              "bits: null\n"
              "injection: 0.2\n"
              "rate: null\n"
              "causal: false\n"
              "prefix: \"\"\n"
              "frequency: 1 GHz\n"
              "coupling: softplus\n"
              "read_time: \"quantile: 0.99\"\n"
              "layer:\n"
              "  heads: 1\n"
              "  sequences: [0, 2]\n"
              "  tolerance: 1 deg\n"
              "models:\n"
              "  - file: nmos.lib\n"
              "    section: 1\n"
              "  - file: \"\"\n"
              "    section: 0\n"
              "parameters:\n"
              "  tank_q: 20\n"
              "  tank_l: 1.5 nH\n");
}

TEST(Echo, ReadsBackIdentically) {
    ExampleOptions options;
    expect_same(read(echo(options)), options);
    options.seed = 9223372036854775807;
    options.bits = 8;
    options.injection = 0.1 + 0.2;
    options.rate = 5e-324;
    options.causal = true;
    options.prefix = "layers.0.";
    options.frequency = Hertz{1.0000000000000002e9};
    options.coupling = Coupling::relu_eps;
    options.layer = {3, {-1, 0, 1000}, Radians{0.1}};
    options.models = {{"a b", 3}, {"- c: d", 9}};
    expect_same(read(echo(options)), options);
}

TEST(Echo, ReadsBackEveryDouble) {
    std::mt19937_64 bits{11};
    ExampleOptions options;
    for (int checked = 0; checked < 2000;) {
        const auto x = std::abs(std::bit_cast<double>(std::uint64_t{bits()}));
        if (!std::isfinite(x) || x == 0.0) continue;
        options.rate = x;
        options.frequency = Hertz{std::exp2(20.0 + 19.0 * static_cast<double>(bits()) * 0x1p-64)};
        const ExampleOptions again = read(echo(options));
        ASSERT_EQ(again.rate, options.rate);
        ASSERT_EQ(again.frequency, options.frequency);
        ++checked;
    }
}

TEST(Echo, QuotesTextsThatYamlWouldReadDifferently) {
    for (const char* text :
         {"",  "null", "Null", "~",  "true", "1",   "1e3",  "- a",         "-",           "---", "a: b",  "a #b",        " a",        "a ",
          "#", "&a",   "*a",   "!a", "[a]",  "{a}", "a, b", "it's",        "\"q\"",       "\\",  "a\\nb", "line\nbreak", "tab\there", "@",
          "`", "%",    "|",    ">",  "?",    "? a", ":",    "caf\xC3\xA9", "/a/b c.yaml", "..",  "...",   "=",           "<<"}) {
        ExampleOptions options;
        options.prefix = text;
        options.parameters = {{*text == '\0' || std::string_view{text}.find_first_of("\n\t") != std::string_view::npos ? "key" : text, text, {}}};
        expect_same(read(echo(options)), options);
    }
}

TEST(Echo, RefusesNumbersNoConfigurationCanState) {
    ExampleOptions options;
    options.injection = std::nan("");
    EXPECT_THROW((void)echo(options), std::logic_error);
    options.injection = 0.2;
    options.frequency = Hertz{std::numeric_limits<double>::infinity()};
    EXPECT_THROW((void)echo(options), std::logic_error);
}

TEST(Reference, ListsEveryOptionOnce) {
    Reference reference;
    ExampleOptions{}.describe(reference);
    std::vector<std::string> lines;
    for (const auto& row : reference.rows()) lines.push_back(row.key + "; " + row.type + "; " + row.preset + "; " + row.range);
    EXPECT_THAT(lines, ::testing::ElementsAre("seed; integer; 1; >= 0", "bits; integer or null; null; 1 .. 32", "injection; number; 0.2; 0.001 .. 2",
                                              "rate; number or null; null; > 0", "causal; true | false; false; ", "prefix; text; \"\"; ",
                                              "frequency; quantity [Hz]; 1 GHz; 1 MHz .. 1 THz", "coupling; softplus | relu_eps; softplus; ",
                                              "read_time; slowest | quantile: 0.99; slowest; ", "layer; map; ; ", "layer.heads; integer; 1; >= 1",
                                              "layer.sequences; list of integers; []; -1000 .. 1000",
                                              "layer.tolerance; quantity [rad]; 1 deg; 1e-06 rad .. 1 rad", "models; list of maps; ; ",
                                              "models.N.file; text; \"\"; ", "models.N.section; integer; 0; 0 .. 9",
                                              "parameters; map of names and values; ; "));
    EXPECT_EQ(reference.rows()[0].doc, "seed of all random streams");
}

}  // namespace
}  // namespace entrain::config

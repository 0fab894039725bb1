#include "config/corner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "refusal.hpp"

namespace entrain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Corner : public ::testing::Test {
 protected:
    ~Corner() override { std::filesystem::remove(path_); }
    ModelFile read(const std::string& text) {
        std::ofstream{path_} << text;
        return read_model_file(path_);
    }
    std::string refused(const std::string& text) {
        const std::string found = refusal([&] { (void)read(text); });
        std::string messages;
        std::size_t begin = 0;
        for (std::size_t at = 0; (at = found.find(path_, begin)) != std::string::npos; begin = at + path_.size())
            messages += found.substr(begin, at - begin) + "f";
        messages += found.substr(begin);
        return messages;
    }
    std::string path_ = ::testing::TempDir() + "corner_test_" + std::to_string(::getpid()) + ".yaml";
};

const std::string lc =
    "description: an on-chip tank\n"
    "tank_q: {value: 10, unit: \"1\", source: \"assumed\"}\n"
    "tank_l:\n"
    "  value: 2.5\n"
    "  unit: nH\n"
    "  source: \"Lee 2004, table 3\"\n";

const std::vector<ModelParameterSpec> specs = {{"tank_q", "1", {1.0, 1000.0}}, {"tank_l", "H", positive}};

struct Resolution {
    std::map<std::string, ResolvedParameter> parameters;
    std::vector<std::string> messages;
};

Resolution resolve(const ModelFile& file, const std::vector<RawEntry>& overrides = {}, const std::vector<ModelParameterSpec>& wanted = specs) {
    Diagnostics diagnostics;
    Resolution out{resolve_corner(file, wanted, overrides, diagnostics), {}};
    for (auto diagnostic : diagnostics.found()) {
        if (diagnostic.where.file != "c.yaml") diagnostic.where.file = std::string{"f"};
        out.messages.push_back(to_string(diagnostic));
    }
    return out;
}

TEST_F(Corner, ReadsValueUnitAndSource) {
    const ModelFile file = read(lc);
    ASSERT_EQ(file.entries.size(), 2U) << "the description is no parameter";
    const ModelEntry& inductor = file.entries.at("tank_l");
    EXPECT_EQ(inductor.value, 2.5);
    EXPECT_EQ(inductor.unit, "nH");
    EXPECT_EQ(inductor.source, "Lee 2004, table 3");
    EXPECT_EQ(inductor.where, (Location{path_, 3, 1}));
}

TEST_F(Corner, RefusesEntriesThatDoNotSayWhereTheyComeFrom) {
    EXPECT_EQ(refused("q: {value: 1, unit: \"1\"}\n"), "f:1:4: missing key 'q.source' (expected text: where the value comes from)");
    EXPECT_EQ(refused("q: {value: 1, unit: \"1\", source: \"\"}\n"), "f:1:34: q.source is empty (expected where the value comes from)");
    EXPECT_EQ(refused("q: {value: 1, source: x}\n"), "f:1:4: missing key 'q.unit' (expected text: unit of the value, \"1\" for dimensionless)");
    EXPECT_EQ(refused("q: {value: 1, unit: \"\", source: x}\n"), "f:1:21: q.unit is empty (expected a unit, \"1\" for dimensionless)");
    EXPECT_EQ(refused("q: {unit: \"1\", source: x}\n"), "f:1:4: missing key 'q.value' (expected number: the number, in its unit)");
}

TEST_F(Corner, RefusesValuesThatAreNoFiniteNumbers) {
    for (const char* value : {".nan", ".inf", "1e999", "ten", "2 nH"})
        EXPECT_EQ(refused(std::string{"q: {value: "} + value + ", unit: H, source: x}\n"),
                  std::string{"f:1:12: q.value is '"} + value + "' (expected a number)");
    EXPECT_EQ(refused("q: {value: \"1\", unit: H, source: x}\n"), "f:1:12: q.value is the text '1' (expected a number, without quotes)");
}

TEST_F(Corner, ReportsAllMistakesOfTheFile) {
    EXPECT_EQ(refused("a: 5\nb: {value: 1, unit: H, source: x, sorce: y}\ndescription: [1]\n"),
              "f:1:4: a is '5' (expected a map of keys and values)\n"
              "f:2:35: unknown key 'b.sorce' (expected value, unit, source). Did you mean 'source'?\n"
              "f:3:14: description is no text (expected text)");
}

TEST_F(Corner, ResolvesToSiValues) {
    const auto [parameters, messages] = resolve(read(lc));
    EXPECT_THAT(messages, IsEmpty());
    EXPECT_EQ(parameters.at("tank_q").value, 10.0);
    EXPECT_EQ(parameters.at("tank_l").value, 2.5e-9);
    EXPECT_EQ(parameters.at("tank_l").unit, "H");
    EXPECT_EQ(parameters.at("tank_l").source, "Lee 2004, table 3");
}

TEST_F(Corner, TakesOverridesWithTheirUnit) {
    EXPECT_EQ(resolve(read(lc), {{"tank_l", "3 pH", {}}}).parameters.at("tank_l").value, 3e-12);
    EXPECT_THAT(resolve(read(lc), {{"tank_l", "1.5", {"c.yaml", 1, 3}}}).messages, ElementsAre(HasSubstr("has no unit")));  // 1.5 of what?
    const auto overridden = resolve(read(lc), {{"tank_q", "20", {}}}).parameters;
    EXPECT_EQ(overridden.at("tank_q").value, 20.0);
    EXPECT_EQ(overridden.at("tank_q").source, "configuration");
    EXPECT_EQ(overridden.at("tank_l").source, "Lee 2004, table 3");
}

TEST_F(Corner, ReportsOverridesThatDoNotFit) {
    const auto at = [](int line) { return Location{"c.yaml", line, 3}; };
    EXPECT_THAT(resolve(read(lc), {{"tank_w", "1", at(1)}, {"tank_q", "0", at(2)}, {"tank_l", "5 V", at(3)}}).messages,
                ElementsAre("c.yaml:1:3: unknown parameter 'tank_w' (expected tank_q, tank_l). Did you mean 'tank_q'?",
                            "c.yaml:2:3: tank_q is '0' (expected 1 .. 1000)",
                            "c.yaml:3:3: tank_l: 'V' is not a unit of H (expected a quantity in H, for example '5 H')."));
    EXPECT_THAT(resolve(read(lc), {{"tank_q", "nan", at(1)}}).messages,
                ElementsAre("c.yaml:1:3: tank_q: 'nan' is not a finite number (expected a number without a unit)"));
    EXPECT_THAT(resolve(read(lc), {{"tank_q", "20 nH", at(1)}}).messages, ElementsAre(HasSubstr("expected a number without a unit")));
}

TEST_F(Corner, ReportsFilesThatDoNotFitTheSubstrate) {
    EXPECT_THAT(resolve(read("tank_q: {value: 0.5, unit: \"1\", source: x}\ntank_ll: {value: 1, unit: nH, source: x}\n")).messages,
                ElementsAre("f:2:1: unknown parameter 'tank_ll' (expected tank_q, tank_l). Did you mean 'tank_l'?",
                            "f:1:1: tank_q is '0.5' (expected 1 .. 1000)",
                            "f:1:1: missing parameter 'tank_l' (expected tank_l: {value: ..., unit: \"H\", source: ...})"));
    EXPECT_THAT(resolve(read("tank_q: {value: 5, unit: V, source: x}\ntank_l: {value: 1, unit: \"1\", source: x}\n")).messages,
                ElementsAre("f:1:1: tank_q: '5 V' is not a finite number (expected a number without a unit)",
                            "f:2:1: tank_l: '1' has no unit (expected a quantity in H, for example '1 H')."));
}

TEST(PlainName, LeadsNowhereElse) {
    for (const char* name : {"typical", "slow_125C", "a.b", "tt-1.0V", "-"}) EXPECT_TRUE(is_plain_name(name)) << name;
    for (const char* name : {"", ".", "..", ".hidden", "../x", "a/b", "/etc/passwd", "a\\b", "a b", "a\n", "caf\xC3\xA9", "~", "$HOME"})
        EXPECT_FALSE(is_plain_name(name)) << name;
    EXPECT_FALSE(is_plain_name(std::string_view{"a\0b", 3}));
}

}  // namespace
}  // namespace entrain::config

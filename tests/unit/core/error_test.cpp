#include "core/error.hpp"

#include <gtest/gtest.h>

namespace entrain {
namespace {

TEST(Diagnostic, ShowsTheKnownPartsOfThePlace) {
    EXPECT_EQ(to_string({{"a.yaml", 3, 7}, "wrong"}), "a.yaml:3:7: wrong");
    EXPECT_EQ(to_string({{"cell.cir", 3}, "wrong"}), "cell.cir:3: wrong");
    EXPECT_EQ(to_string({{"a.npz"}, "wrong"}), "a.npz: wrong");
    EXPECT_EQ(to_string({{}, "wrong"}), "wrong");
}

TEST(Diagnostics, ReportsEverythingAtOnce) {
    Diagnostics diagnostics;
    EXPECT_NO_THROW(diagnostics.throw_if_any());
    diagnostics.add({"a.yaml", 1, 2}, "first");
    diagnostics.add({"a.yaml", 3, 4}, "second");
    try {
        diagnostics.throw_if_any();
        FAIL() << "nothing thrown";
    } catch (const UserError& error) {
        EXPECT_STREQ(error.what(), "a.yaml:1:2: first\na.yaml:3:4: second");
        EXPECT_EQ(error.diagnostics().size(), 2U);
    }
}

TEST(Suggestion, FindsOneSlip) {
    const std::vector<std::string> keys = {"heads", "coupling", "causal", "readout_power"};
    EXPECT_EQ(closest("hedas", keys), "heads");        // swap
    EXPECT_EQ(closest("couplng", keys), "coupling");   // left out
    EXPECT_EQ(closest("caussal", keys), "causal");     // doubled
    EXPECT_EQ(closest("COUPLING", keys), "coupling");  // case
    EXPECT_EQ(did_you_mean("readoutpower", keys), " Did you mean 'readout_power'?");
}

TEST(Suggestion, IsSilentWhenNothingIsClose) {
    EXPECT_EQ(did_you_mean("temperature", {"heads", "causal"}), "");
    EXPECT_EQ(closest("ab", {"lc", "jj"}), "") << "every letter would have to change";
    EXPECT_EQ(closest("heads", {}), "");
    EXPECT_EQ(closest(std::string(100'000, 'h'), {"heads"}), "");
}

TEST(Suggestion, PrefersTheExactCase) {
    EXPECT_EQ(closest("mhz", {"Hz", "mHz", "MHz"}), "mHz");
    EXPECT_EQ(closest("GHZ", {"Hz", "mHz", "MHz", "GHz"}), "GHz");
}

TEST(Shown, KeepsForeignTextOnOneShortLine) {
    EXPECT_EQ(shown("a b"), "'a b'");
    EXPECT_EQ(shown("a\nb\t\x1b[31m"), "'a\\nb\\t\\x1b[31m'");
    EXPECT_EQ(shown(std::string(60, 'x')), "'" + std::string(60, 'x') + "'");
    EXPECT_EQ(shown(std::string(61, 'x')), "'" + std::string(60, 'x') + "...'");
    EXPECT_EQ(shown(std::string(59, 'x') + "\xC3\xA9"), "'" + std::string(59, 'x') + "...'") << "never half a UTF-8 character";
}

}  // namespace
}  // namespace entrain

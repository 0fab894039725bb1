#include "contract/fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace entrain::contract {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(CheckOptions, AcceptsAnOrdinaryList) {
    Hertz frequency{1e9};
    bool trim = false;
    EXPECT_THAT(check_options(
                    [&](FieldVisitor& v) {
                        v.quantity("frequency", frequency, {1e6, 1e12}, "free-running frequency");
                        v.flag("trim", trim, "trim it");
                    },
                    {"kind"}),
                IsEmpty());
}

TEST(CheckOptions, ReportsEveryKindOfMistake) {
    double gain = 3.0;
    std::string note;
    std::string cell = "small";
    int calls = 0;
    const WordField careless{{"small"}, [](const std::string&) { return ""; }, [&] { return cell; }};
    EXPECT_THAT(check_options(
                    [&](FieldVisitor& v) {
                        v.number("gain", gain, fraction, "outside its range");
                        v.text("gain", note, "a second time");
                        v.text("kind", note, "a key of the section");
                        v.text("Note", note, "not in snake_case");
                        v.text("remark", note, "");
                        v.word("cell", careless, "accepts everything");
                        note = std::to_string(++calls);
                    },
                    {"kind"}),
                UnorderedElementsAre(HasSubstr("gain has a default outside"), HasSubstr("gain is described twice"),
                                     HasSubstr("kind is a key of the whole section"), HasSubstr("Note is not in snake_case"),
                                     HasSubstr("remark has no doc"), HasSubstr("cell accepts a word"), HasSubstr("the options changed")));
}

}  // namespace
}  // namespace entrain::contract

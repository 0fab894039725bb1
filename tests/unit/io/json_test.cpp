#include "io/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "support/program.hpp"

namespace entrain::io {
namespace {

using testing::HasSubstr;

class JsonFile : public testing::Test {
 protected:
    test::TemporaryFolder folder_;
    std::filesystem::path path_ = folder_.path() / "result.json";
    void put(const std::string& text) const { std::ofstream{path_, std::ios::binary} << text; }
    [[nodiscard]] std::string refusal() const {
        try {
            static_cast<void>(read_json(path_));
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        ADD_FAILURE() << "the file was accepted";
        return "";
    }
};

TEST_F(JsonFile, KeepsTheOrderOfKeysAndEveryDigit) {
    write_json(path_, {{"z", 0.1}, {"a", {1, 2}}, {"nan", number_or_null(std::numeric_limits<double>::quiet_NaN())}});
    EXPECT_EQ(test::content_of(path_), "{\n  \"z\": 0.1,\n  \"a\": [\n    1,\n    2\n  ],\n  \"nan\": null\n}\n");
    EXPECT_EQ(read_json(path_).at("z").get<double>(), 0.1);
    EXPECT_FALSE(std::filesystem::exists(path_.string() + ".tmp"));
}

TEST_F(JsonFile, WritesBytesThatAreNotUtf8) {
    write_json(path_, {{"message", "r\xe9sistance"}});
    EXPECT_EQ(read_json(path_).at("message").get<std::string>(), "r\xef\xbf\xbdsistance");
}

TEST_F(JsonFile, RefusesWhatIsNotJsonAndNamesTheFile) {
    for (const std::string text : {"", "{", "{} {}", "{\"a\":}", "nan", "\xff"}) {
        put(text);
        EXPECT_THAT(refusal(), testing::AllOf(HasSubstr(path_.string()), HasSubstr("is not JSON"))) << text;
    }
    put(std::string{"{}\0{", 4});
    EXPECT_THAT(refusal(), HasSubstr("NUL byte"));
}

TEST_F(JsonFile, LimitsNesting) {
    put(std::string(64, '[') + std::string(64, ']'));
    EXPECT_NO_THROW(static_cast<void>(read_json(path_)));
    put(std::string(65, '[') + std::string(65, ']'));
    EXPECT_THAT(refusal(), HasSubstr("nested deeper than 64 levels"));
    put(std::string(1'000'000, '['));
    EXPECT_THAT(refusal(), HasSubstr("nested deeper than 64 levels"));
}

TEST_F(JsonFile, LimitsSize) {
    put("");
    std::filesystem::resize_file(path_, (std::uintmax_t{64} << 20) + 1);
    EXPECT_THAT(refusal(), HasSubstr("expected at most 67108864"));
}

}  // namespace
}  // namespace entrain::io

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "support/program.hpp"
#include "unit/io/refusal.hpp"
#include "unit/io/tensor_bytes.hpp"

namespace entrain::io {
namespace {

using test::f32;
using test::f64;
using test::little;
using test::refusal;
using test::safetensors;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// One tensor 'a' whose header entry is `entry`, over 8 bytes of data.
std::string with_entry(const std::string& entry) { return safetensors(R"({"a":)" + entry + "}", std::string(8, '\0')); }

std::string with_offsets(const std::string& offsets) { return with_entry(R"({"dtype":"F32","shape":[2],"data_offsets":)" + offsets + "}"); }

std::vector<double> decoded(const std::string& dtype, std::size_t count, const std::string& data) {
    return TensorFile::from_bytes(safetensors({{"a", dtype, {count}, data}}), "user.file").get("a").values;
}

TEST(Safetensors, ReadsTensorsInAnyOrderOfTheirData) {
    const auto file = TensorFile::from_bytes(
        safetensors(
            R"({"late":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},"early":{"data_offsets":[0,8],"shape":[],"dtype":"F64"}, "__metadata__":{"format":"pt"}}  )",
            f64({0.1}) + f32({1.5F, -2.0F})),
        "user.file");
    EXPECT_THAT(file.names(), ElementsAre("early", "late"));
    EXPECT_TRUE(file.has("late"));
    EXPECT_FALSE(file.has("__metadata__"));
    const Tensor late = file.get("late");
    EXPECT_EQ(late.dtype, "F32");
    EXPECT_THAT(late.shape, ElementsAre(2, 1));
    EXPECT_THAT(late.values, ElementsAre(1.5, -2.0));
    EXPECT_THAT(file.get("early").shape, ElementsAre());
    EXPECT_THAT(file.get("early").values, ElementsAre(0.1));
}

TEST(Safetensors, ReadsTheSameFromDisk) {
    const test::TemporaryFolder folder;
    const std::filesystem::path path = folder.write("layer.bin", safetensors({{"a", "F32", {2}, f32({3.0F, 4.0F})}}));
    EXPECT_THAT(TensorFile{path}.get("a").values, ElementsAre(3.0, 4.0));
    EXPECT_EQ(TensorFile{path}.path(), path);
    std::filesystem::remove(path);
    EXPECT_THROW(TensorFile{path}, UserError);
}

TEST(Safetensors, DecodesEveryType) {
    EXPECT_THAT(decoded("BOOL", 3, std::string{"\0\1\2", 3}), ElementsAre(0.0, 1.0, 1.0));
    EXPECT_THAT(decoded("U8", 1, "\xff"), ElementsAre(255.0));
    EXPECT_THAT(decoded("I8", 1, "\xff"), ElementsAre(-1.0));
    EXPECT_THAT(decoded("U16", 1, little(0xfffe, 2)), ElementsAre(65534.0));
    EXPECT_THAT(decoded("I16", 1, little(0xfffe, 2)), ElementsAre(-2.0));
    EXPECT_THAT(decoded("U32", 1, little(0xfffffffe, 4)), ElementsAre(4294967294.0));
    EXPECT_THAT(decoded("I32", 1, little(0xfffffffe, 4)), ElementsAre(-2.0));
    EXPECT_THAT(decoded("U64", 1, little(std::uint64_t{1} << 63, 8)), ElementsAre(0x1p63));
    EXPECT_THAT(decoded("I64", 1, little(~std::uint64_t{2}, 8)), ElementsAre(-3.0));
    // IEEE 754-2008 binary16: 1/3, largest, smallest normal, largest and smallest subnormal, -0.
    EXPECT_THAT(
        decoded("F16", 6, little(0x3555, 2) + little(0x7bff, 2) + little(0x0400, 2) + little(0x03ff, 2) + little(0x0001, 2) + little(0x8000, 2)),
        ElementsAre(0.333251953125, 65504.0, 0x1p-14, 0x1p-14 - 0x1p-24, 0x1p-24, 0.0));
    EXPECT_THAT(decoded("BF16", 3, little(0x4049, 2) + little(0xff7f, 2) + little(0x0001, 2)), ElementsAre(3.140625, -0x1.fep127, 0x1p-133));
}

TEST(Safetensors, KeepsNanAndInfinityForTheCallerToJudge) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    EXPECT_THAT(decoded("F16", 2, little(0x7c00, 2) + little(0xfc00, 2)), ElementsAre(infinity, -infinity));
    EXPECT_TRUE(std::isnan(decoded("F16", 1, little(0x7c01, 2)).front()));
    EXPECT_TRUE(std::isnan(decoded("BF16", 1, little(0x7fc0, 2)).front()));
    EXPECT_TRUE(std::isnan(decoded("F64", 1, f64({std::nan("")})).front()));
}

TEST(Safetensors, AcceptsEmptyTensorsAndNoTensors) {
    EXPECT_TRUE(TensorFile::from_bytes(safetensors({}), "user.file").names().empty());
    EXPECT_TRUE(TensorFile::from_bytes(safetensors({{"a", "F32", {0, 5}, ""}, {"b", "U8", {1}, "x"}}), "user.file").get("a").values.empty());
}

TEST(Safetensors, NamesTheTensorsThereAreWhenOneIsMissing) {
    const auto file = TensorFile::from_bytes(safetensors({{"anchors", "U8", {1}, "x"}, {"W_q.weight", "U8", {1}, "x"}}), "user.file");
    EXPECT_THAT(
        [&] { static_cast<void>(file.get("anchor")); },
        testing::ThrowsMessage<UserError>("user.file: has no tensor 'anchor' (the file has 'W_q.weight', 'anchors'). Did you mean 'anchors'?"));
}

TEST(Safetensors, RefusesWhatIsNoSafetensorsFile) {
    EXPECT_THAT(refusal(""), HasSubstr("has 0 bytes (expected a safetensors file or an npz archive)"));
    EXPECT_THAT(refusal("hello, world"), HasSubstr("is not a safetensors file or an npz archive"));
    EXPECT_THAT(refusal(std::string(64, '\0')), HasSubstr("no header"));
    EXPECT_THAT(refusal(safetensors("[1]", "")), HasSubstr("expected '{' at byte 8"));
}

TEST(Safetensors, RefusesHeaderLengthsBeyondTheFileOrTheLimit) {
    EXPECT_THAT(refusal(little(3, 8) + "{}"), HasSubstr("header length is 3 but only 2 bytes follow (is the file truncated?)"));
    EXPECT_THAT(refusal(little(100'000'001, 8) + "{}"), HasSubstr("header length 100000001 (expected at most 100000000)"));
    EXPECT_THAT(refusal(little(std::numeric_limits<std::uint64_t>::max(), 8) + "{}"), HasSubstr("header length 18446744073709551615"));
    EXPECT_THAT(refusal(little(std::numeric_limits<std::uint64_t>::max() - 7, 8) + "{}"), HasSubstr("header length"));
}

TEST(Safetensors, RefusesHeadersThatAreNotJson) {
    EXPECT_THAT(refusal(safetensors("{", "")), HasSubstr("header is not JSON from byte"));
    EXPECT_THAT(refusal(safetensors("{} x", "")), HasSubstr("header is not JSON from byte"));
    EXPECT_THAT(refusal(safetensors("{\"\xff\":1}", "")), HasSubstr("header is not JSON from byte"));
    EXPECT_THAT(refusal(safetensors(std::string{"{}\0{", 4}, "")), HasSubstr("NUL byte at 2"));
}

TEST(Safetensors, RefusesDeepNestingAtOnce) {
    EXPECT_THAT(refusal(safetensors(R"({"a":)" + std::string(10'000'000, '['), "")), HasSubstr("header key 'a' has a list (expected a map"));
    EXPECT_THAT(refusal(safetensors(R"({"a":{"shape":)" + std::string(10'000'000, '['), "")),
                HasSubstr("tensor 'a': shape has a list (expected non-negative integers)"));
    std::string maps = "{";
    for (int i = 0; i < 100'000; ++i) maps += R"("a":{)";
    EXPECT_THAT(refusal(safetensors(maps, "")), HasSubstr("unknown key 'a'"));
}

TEST(Safetensors, RefusesEntriesOfAnotherForm) {
    EXPECT_THAT(refusal(with_entry("3")), HasSubstr("header key 'a' has 3 (expected a map with dtype, shape and data_offsets)"));
    EXPECT_THAT(refusal(with_entry(R"({"shape":[2],"data_offsets":[0,8]})")),
                HasSubstr("tensor 'a' has no dtype (expected dtype, shape and data_offsets)"));
    EXPECT_THAT(refusal(with_entry(R"({"dtype":"F32","data_offsets":[0,8]})")), HasSubstr("has no shape"));
    EXPECT_THAT(refusal(with_entry(R"({"dtype":"F32","shape":[2]})")), HasSubstr("has no data_offsets"));
    EXPECT_THAT(refusal(with_entry(R"({"dtype":"F32","dtype":"F32"})")), HasSubstr("has dtype twice"));
    EXPECT_THAT(refusal(with_entry(R"({"strides":[2]})")), HasSubstr("unknown key 'strides'"));
    EXPECT_THAT(refusal(with_entry(R"({"dtype":4})")), HasSubstr("dtype has 4 (expected the name of a type)"));
    EXPECT_THAT(refusal(with_entry(R"({"dtype":["F32"]})")), HasSubstr("dtype has a list (expected the name of a type)"));
    EXPECT_THAT(refusal(with_entry(R"({"shape":"2"})")), HasSubstr("shape has a string (expected a list of non-negative integers)"));
    EXPECT_THAT(refusal(with_entry(R"({"shape":[true]})")), HasSubstr("shape has a boolean (expected non-negative integers)"));
    EXPECT_THAT(refusal(with_entry(R"({"shape":[null]})")), HasSubstr("shape has null"));
    EXPECT_THAT(refusal(safetensors(R"({"__metadata__":{"a":1}})", "")), HasSubstr("expected text"));
    EXPECT_THAT(refusal(safetensors(R"({"__metadata__":"pt"})", "")), HasSubstr("expected a map of texts"));
}

TEST(Safetensors, RefusesNamesGivenTwice) {
    const std::string entry = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
    EXPECT_THAT(refusal(safetensors(R"({"a":)" + entry + R"(,"a":)" + entry + "}", "")), HasSubstr("header has 'a' twice"));
    EXPECT_THAT(refusal(safetensors(R"({"__metadata__":{},"__metadata__":{}})", "")), HasSubstr("header has '__metadata__' twice"));
    EXPECT_THAT(refusal(safetensors(R"({"__metadata__":{"k":"","k":""}})", "")), HasSubstr("__metadata__ has 'k' twice"));
}

TEST(Safetensors, RefusesUnknownTypes) {
    EXPECT_THAT(refusal(with_entry(R"({"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]})")),
                HasSubstr("tensor 'a': dtype 'F8_E4M3' is not supported (expected one of BOOL, U8"));
    EXPECT_THAT(refusal(with_entry(R"({"dtype":"f32","shape":[2],"data_offsets":[0,8]})")), HasSubstr("dtype 'f32' is not supported"));
}

TEST(Safetensors, RefusesShapesThatOverflowOrDisagreeWithTheData) {
    const auto shape = [](const std::string& text) { return with_entry(R"({"dtype":"F32","shape":)" + text + R"(,"data_offsets":[0,8]})"); };
    EXPECT_THAT(refusal(shape("[3]")), HasSubstr("tensor 'a': data_offsets [0, 8] hold 8 bytes (expected 12 for F32 [3])"));
    EXPECT_THAT(refusal(shape("[0]")), HasSubstr("expected 0 for F32 [0]"));
    EXPECT_THAT(refusal(shape("[4611686018427387906]")), HasSubstr("shape has more bytes than 64 bits can count"));  // 4 * (2^62 + 2) = 8 modulo 2^64
    EXPECT_THAT(refusal(shape("[4294967296,4294967296,2]")), HasSubstr("shape has more bytes than 64 bits can count"));
    EXPECT_THAT(refusal(shape("[0,4294967296,4294967296]")), HasSubstr("shape has more bytes than 64 bits can count"));
    EXPECT_THAT(refusal(shape("[18446744073709551616]")), HasSubstr("shape has '18446744073709551616' (expected non-negative integers)"));
    EXPECT_THAT(refusal(shape("[-2]")), HasSubstr("shape has -2 (expected non-negative integers)"));
    EXPECT_THAT(refusal(shape("[2.0]")), HasSubstr("shape has '2.0' (expected non-negative integers)"));
    std::string ones = "1";
    for (int i = 0; i < 32; ++i) ones += ",1";
    EXPECT_THAT(refusal(shape("[2," + ones + "]")), HasSubstr("tensor 'a': shape has more than 32 numbers"));
}

TEST(Safetensors, RefusesRangesOutsideTheData) {
    EXPECT_THAT(refusal(with_offsets("[0,8,8]")), HasSubstr("data_offsets has 3 numbers (expected 2)"));
    EXPECT_THAT(refusal(with_offsets("[]")), HasSubstr("data_offsets has 0 numbers"));
    EXPECT_THAT(refusal(with_offsets("[4,12]")), HasSubstr("data_offsets [4, 12] lie outside the data of 8 bytes (is the file truncated?)"));
    EXPECT_THAT(refusal(with_offsets("[8,0]")), HasSubstr("lie outside the data"));
    EXPECT_THAT(refusal(with_offsets("[18446744073709551608,0]")), HasSubstr("lie outside the data"));
    EXPECT_THAT(refusal(with_offsets("[-1,7]")), HasSubstr("data_offsets has -1 (expected non-negative integers)"));
    EXPECT_THAT(refusal(with_offsets("[0.5,8]")), HasSubstr("data_offsets has '0.5'"));
    EXPECT_THAT(refusal(with_offsets("[0,1e1]")), HasSubstr("data_offsets has '1e1'"));
}

TEST(Safetensors, RefusesOverlapsAndHoles) {
    const auto two = [](const std::string& first, const std::string& second) {
        return safetensors(
            R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first + R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}",
            std::string(9, 'x'));
    };
    EXPECT_THAT(refusal(two("[0,4]", "[3,7]")), HasSubstr("tensor 'b': data begin at 3 (expected 4: they overlap another tensor)"));
    EXPECT_THAT(refusal(two("[0,4]", "[0,4]")), HasSubstr("overlap"));
    EXPECT_THAT(refusal(two("[0,4]", "[5,9]")), HasSubstr("tensor 'b': data begin at 5 (expected 4: bytes between tensors belong to none)"));
    EXPECT_THAT(refusal(two("[1,5]", "[5,9]")), HasSubstr("tensor 'a': data begin at 1 (expected 0"));
    EXPECT_THAT(refusal(two("[0,4]", "[4,8]")), HasSubstr("has 1 bytes after the last tensor (expected none)"));
}

TEST(Safetensors, RefusesEveryTruncation) {
    const std::string whole = safetensors({{"a", "F32", {2}, f32({1.0F, 2.0F})}, {"b", "U8", {3}, "xyz"}});
    for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(refusal(whole.substr(0, size)), "") << size;
}

TEST(Safetensors, MessagesStayShortAndPrintable) {
    EXPECT_THAT(refusal(safetensors("{\"\\u001b[31m\":1}", "")), AllOf(HasSubstr("'\\x1b[31m'"), testing::Not(HasSubstr("\x1b"))));
    EXPECT_LT(refusal(safetensors("{\"" + std::string(1'000'000, 'a') + "\":1}", "")).size(), 300U);
    const auto file = TensorFile::from_bytes(safetensors({{std::string(5'000'000, 'a'), "U8", {1}, "x"}}), "user.file");
    EXPECT_THAT([&] { static_cast<void>(file.get("anchors")); }, testing::ThrowsMessage<UserError>(testing::SizeIs(testing::Lt(300))));
}

}  // namespace
}  // namespace entrain::io

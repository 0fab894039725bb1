#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "support/program.hpp"
#include "unit/io/refusal.hpp"
#include "unit/io/tensor_bytes.hpp"

namespace entrain::io {
namespace {

using test::f32;
using test::little;
using test::npy;
using test::refusal;
using test::zip;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string two_by_three =
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }                                                          \n";

std::string npz(const std::string& npy_bytes) { return zip({{"a.npy", npy_bytes}}); }

std::string with_header(const std::string& literal) { return npz(npy(literal, f32({1, 2, 3, 4, 5, 6}))); }

TEST(Npz, ReadsStoredMembers) {
    const auto file =
        TensorFile::from_bytes(zip({{"a.npy", npy(two_by_three, f32({1, 2, 3, 4, 5, 6}))},
                                    {"layers.0.b.npy", npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", std::string{"\0\1", 2})},
                                    {"c.npy", npy("{\"shape\": (), \"fortran_order\": False, \"descr\": \"<f8\"}", test::f64({2.5}))}}),
                               "user.file");
    EXPECT_THAT(file.names(), ElementsAre("a", "c", "layers.0.b"));
    EXPECT_THAT(file.get("a").shape, ElementsAre(2, 3));
    EXPECT_THAT(file.get("a").values, ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_EQ(file.get("layers.0.b").dtype, "BOOL");
    EXPECT_THAT(file.get("layers.0.b").values, ElementsAre(0, 1));
    EXPECT_THAT(file.get("c").shape, ElementsAre());
    EXPECT_THAT(file.get("c").values, ElementsAre(2.5));
}

TEST(Npz, ReadsVersionTwoHeaders) {
    const std::string version_two = std::string{"\x93NUMPY\2\0", 8} + little(two_by_three.size(), 4) + two_by_three + f32({1, 2, 3, 4, 5, 6});
    EXPECT_THAT(TensorFile::from_bytes(npz(version_two), "user.file").get("a").values, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Npz, TurnsFortranOrderIntoRows) {
    // a[i][j][k] = 100 i + 10 j + k, first index fastest in the file
    std::vector<float> values;
    for (int k = 0; k < 2; ++k)
        for (int j = 0; j < 3; ++j)
            for (int i = 0; i < 2; ++i) values.push_back(static_cast<float>(100 * i + 10 * j + k));
    const auto file = TensorFile::from_bytes(npz(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3, 2), }", f32(values))), "user.file");
    EXPECT_THAT(file.get("a").values, ElementsAre(0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121));
}

TEST(Npz, ReadsDeflatedMembersOfNumpy) {
    // numpy.savez_compressed(f, a=numpy.zeros((4, 50), '<f4'), b=numpy.arange(6, dtype='<i8').reshape(2, 3)) of numpy 1.24
    const std::string hex =
        "504b0304140000000800000021002ae20e864f000000a003000005001400612e6e707901001000a0030000000000004f000000000000009bec17ea1b"
        "10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a263a0aa6069a3a0a"
        "b50ae4022e8651300a46014e0000504b030414000000080000002100599bda7d56000000b000000005001400622e6e707901001000b0000000000000"
        "0056000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a1767"
        "2416a402f91a463a0ac69a3a0ab50a64032e06286084d24c509a194ab3406956280d00504b01021403140000000800000021002ae20e864f000000a0"
        "030000050000000000000000000000800100000000612e6e7079504b0102140314000000080000002100599bda7d56000000b0000000050000000000"
        "000000000000800186000000622e6e7079504b0506000000000200020066000000130100000000";
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    const auto file = TensorFile::from_bytes(bytes, "user.file");
    EXPECT_THAT(file.get("a").shape, ElementsAre(4, 50));
    EXPECT_THAT(file.get("a").values, Each(0.0));
    EXPECT_THAT(file.get("b").values, ElementsAre(0, 1, 2, 3, 4, 5));
    for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_NE(refusal(bytes.substr(0, size)), "") << size;
}

TEST(Npz, ReadsWhatNumpyWrites) {
    if (std::system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) GTEST_SKIP() << "no /usr/bin/python3 with numpy";
    const test::TemporaryFolder folder;
    const auto path = folder.path() / "a.npz";
    for (const std::string save : {"savez", "savez_compressed"}) {
        const std::string script =
            "import numpy as n; x = n.arange(24).reshape(2, 3, 4) - 5.5; n." + save + "(\"" + path.string() +
            "\", f2=x.astype(\"f2\"), f4=x.astype(\"f4\"), f8=x, i1=x.astype(\"i1\"), i2=x.astype(\"i2\"), i4=x.astype(\"i4\"), i8=x.astype(\"i8\"), "
            "u1=(x*x).astype(\"u1\"), b1=x > 0, fortran=n.asfortranarray(x), empty=x[:0], scalar=n.float32(2.5))";
        ASSERT_EQ(std::system(("/usr/bin/python3 -c '" + script + "'").c_str()), 0);
        const TensorFile file{path};
        EXPECT_EQ(file.names().size(), 12U);
        for (std::size_t i = 0; i < 24; ++i) {
            const double x = static_cast<double>(i) - 5.5;
            for (const char* const name : {"f2", "f4", "f8", "fortran"}) EXPECT_EQ(file.get(name).values.at(i), x) << name;
            for (const char* const name : {"i1", "i2", "i4", "i8"}) EXPECT_EQ(file.get(name).values.at(i), static_cast<int>(x)) << name;
            EXPECT_EQ(file.get("u1").values.at(i), static_cast<unsigned char>(static_cast<int>(x * x)));
            EXPECT_EQ(file.get("b1").values.at(i), x > 0 ? 1.0 : 0.0);
        }
        EXPECT_THAT(file.get("fortran").shape, ElementsAre(2, 3, 4));
        EXPECT_THAT(file.get("empty").shape, ElementsAre(0, 3, 4));
        EXPECT_THAT(file.get("scalar").values, ElementsAre(2.5));
    }
}

TEST(Npz, RefusesTypesThatAreNotPlainLittleEndianNumbers) {
    const auto descr = [](const std::string& text) { return with_header("{'descr': " + text + ", 'fortran_order': False, 'shape': (2, 3), }"); };
    EXPECT_THAT(
        refusal(descr("'|O'")),
        HasSubstr("tensor 'a': npy header has dtype '|O' (Python objects are refused, reading them could run commands; expected for example '<f4')"));
    EXPECT_THAT(refusal(descr("'>f4'")), HasSubstr("dtype '>f4' (big-endian numbers are not supported"));
    EXPECT_THAT(refusal(descr("'<c8'")), HasSubstr("dtype '<c8' (not a number type"));
    EXPECT_THAT(refusal(descr("'<U4'")), HasSubstr("not a number type"));
    EXPECT_THAT(refusal(descr("[('x', '<f4')]")), HasSubstr("structured types are not supported"));
}

TEST(Npz, RefusesMalformedNpyHeaders) {
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (6), }")), HasSubstr("npy header has '), }' (expected ',')"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3], }")), HasSubstr("(expected '(')"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }")), HasSubstr("a dimension of at most 64 bits"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }")), HasSubstr("'L, 3L), }' (expected ',')"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616, 3), }")),
                HasSubstr("a dimension of at most 64 bits"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3), }")), HasSubstr("(expected True or False)"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, }")),
                HasSubstr("missing keys (expected descr, fortran_order and shape)"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }")),
                HasSubstr("key 'descr' (expected"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'x': 1}")), HasSubstr("key 'x' (expected"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } x")), HasSubstr("(expected the end of the header)"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4")), HasSubstr("(expected a closing quote)"));
    EXPECT_THAT(refusal(with_header("{'descr'")), HasSubstr("nothing more (expected ':')"));
    EXPECT_THAT(refusal(with_header("")), HasSubstr("nothing more (expected '{')"));
    EXPECT_THAT(refusal(with_header("__import__('os')")), HasSubstr("(expected '{')"));
    EXPECT_THAT(refusal(with_header(std::string(60000, '{'))), HasSubstr("text between quotes"));
}

TEST(Npz, RefusesMembersThatAreNotNpy) {
    EXPECT_THAT(refusal(npz("hello world")), HasSubstr("tensor 'a': is not an npy array"));
    EXPECT_THAT(refusal(npz("\x93NUM")), HasSubstr("tensor 'a': ends 4 bytes early"));
    EXPECT_THAT(refusal(npz(std::string{"\x93NUMPY\3\0\1\0\0\0{", 13})), HasSubstr("has npy version 3 (expected 1 or 2)"));
    EXPECT_THAT(refusal(npz(std::string{"\x93NUMPY\2\0\xff\xff\xff\xff{", 13})),
                HasSubstr("npy header of 4294967295 bytes (expected at most 65536)"));
    EXPECT_THAT(refusal(npz(std::string{"\x93NUMPY\1\0\xff\xff{", 11})), HasSubstr("ends 65534 bytes early"));
    EXPECT_THAT(refusal(zip({{"archive/data.pkl", "x"}})),
                AllOf(HasSubstr("member 'archive/data.pkl' is not an .npy array"), HasSubstr("safetensors.torch.save_file")));
    EXPECT_THAT(refusal(zip({{"a.npy", npy(two_by_three, std::string(24, 'x'))}, {"a.npy", npy(two_by_three, std::string(24, 'x'))}})),
                HasSubstr("has tensor 'a' twice"));
}

TEST(Npz, RefusesDataThatDisagreeWithTheShape) {
    EXPECT_THAT(refusal(npz(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", std::string(20, 'x')))),
                HasSubstr("has 89 bytes (expected 93: npy header and F32 [2, 3])"));
    EXPECT_THAT(refusal(npz(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", std::string(28, 'x')))),
                HasSubstr("has 97 bytes (expected 93"));
    std::string ones;
    for (int i = 0; i < 33; ++i) ones += "1, ";
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (" + ones + "), }")),
                HasSubstr("shape has more than 32 dimensions"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }")),
                HasSubstr("shape has more bytes than 64 bits can count"));
    EXPECT_THAT(refusal(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387910,), }")),
                HasSubstr("shape has more bytes than 64 bits can count"));
}

TEST(Npz, RefusesDamagedAndForeignZipEntries) {
    const std::string good = npy(two_by_three, f32({1, 2, 3, 4, 5, 6}));
    EXPECT_THAT(refusal(zip({{.name = "a.npy", .content = good, .wrong_crc = 1}})), HasSubstr("tensor 'a': cannot be read: CRC error"));
    EXPECT_THAT(refusal(zip({{.name = "a.npy", .content = good, .flags = 1}})), HasSubstr("tensor 'a': is encrypted"));
    EXPECT_THAT(refusal(zip({{.name = "a.npy", .content = good, .method = 14}})),
                HasSubstr("has compression method 14 (expected stored or deflated)"));
    EXPECT_THAT(refusal(zip({{.name = "a.npy", .content = good, .method = 8}})), HasSubstr("tensor 'a': cannot be read"));
    EXPECT_THAT(refusal("PK\3\4 and nothing else"), HasSubstr("is not a readable zip archive"));
}

TEST(Npz, RefusesMembersThatPromiseMoreThanTheArchiveCanHold) {
    // 4 GB announced by npy header and zip entry, 24 bytes there: refused before anything is allocated
    const std::string lying = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4000000000,), }", std::string(24, 'x'));
    EXPECT_THAT(refusal(zip({{.name = "a.npy", .content = lying, .method = 8, .excess_size = 4'000'000'000 - 24}})), HasSubstr("cannot be read"));
    const std::string stored = refusal(zip({{.name = "a.npy", .content = lying, .excess_size = 4'000'000'000 - 24}}));
    EXPECT_THAT(stored, testing::AnyOf(HasSubstr("expand beyond 67108864 bytes"), HasSubstr("cannot be read"), HasSubstr("not a readable zip")));
}

TEST(Npz, RefusesDecompressionBombs) {
    if (std::system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) GTEST_SKIP() << "no /usr/bin/python3 with numpy";
    const test::TemporaryFolder folder;
    const auto path = folder.path() / "bomb.npz";
    const std::string script = "import numpy as n; n.savez_compressed(\"" + path.string() + "\", a=n.zeros(70 << 20, \"u1\"))";
    ASSERT_EQ(std::system(("/usr/bin/python3 -c '" + script + "'").c_str()), 0);
    EXPECT_THAT([&] { TensorFile{path}; },
                testing::ThrowsMessage<UserError>(HasSubstr("tensor 'a': makes the archive expand beyond 67108864 bytes (a decompression bomb?)")));
}

}  // namespace
}  // namespace entrain::io

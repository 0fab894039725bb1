#include "io/hdf5.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "support/program.hpp"

namespace entrain::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Hdf5File : public testing::Test {
 protected:
    test::TemporaryFolder folder_;
    std::filesystem::path path_ = folder_.path() / "arrays.h5";
};

/// 256 x 2048 doubles, 4 MiB, of a smooth curve.
Array large() {
    Array array{"/reference/attention", {256, 2048}, std::vector<double>(256 * 2048)};
    for (std::size_t i = 0; i < array.values.size(); ++i) array.values[i] = std::round(1000 * std::sin(1e-3 * static_cast<double>(i)));
    return array;
}

TEST_F(Hdf5File, KeepsShapesAndValues) {
    const std::vector<Array> arrays = {{"/sequence", {3}, {0, 4, 9}},
                                       {"/reference/phase_rad", {2, 1, 2}, {0.1, -0.0, std::numeric_limits<double>::infinity(), 1e-310}},
                                       {"/settling_time_s", {1}, {std::nan("")}},
                                       {"/none", {0, 5}, {}},
                                       {"/scalar", {}, {7}},
                                       large()};
    write_hdf5(path_, arrays);
    EXPECT_FALSE(std::filesystem::exists(path_.string() + ".tmp"));
    for (const auto& array : arrays) {
        const Array read = read_hdf5(path_, array.name);
        EXPECT_EQ(read.shape, array.shape) << array.name;
        if (array.name != "/settling_time_s") {
            EXPECT_EQ(read.values, array.values) << array.name;
        }
    }
    EXPECT_TRUE(std::isnan(read_hdf5(path_, "/settling_time_s").values.front()));
    EXPECT_TRUE(std::signbit(read_hdf5(path_, "/reference/phase_rad").values[1]));
}

TEST_F(Hdf5File, CompressesLargeArrays) {
    write_hdf5(path_, std::vector<Array>{large()});
    EXPECT_LT(std::filesystem::file_size(path_), std::uintmax_t{1} << 20);  // 4 MiB of numbers with at most 11 significant bits
}

TEST_F(Hdf5File, IsReadByH5py) {
    if (std::system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0) GTEST_SKIP() << "no /usr/bin/python3 with h5py";
    write_hdf5(path_, std::vector<Array>{{"/output", {2, 3}, {1, 2, 3, 4, 5, std::nan("")}}, large()});
    const std::string script =
        "import h5py, numpy as n; f = h5py.File(\"" + path_.string() +
        "\"); o = f[\"output\"]; assert o.dtype == \"<f8\" and o.shape == (2, 3) and o[1, 1] == 5 and n.isnan(o[1, 2]); a = "
        "f[\"reference/attention\"]; "
        "assert a.compression == \"gzip\" and (a[()].ravel() == n.round(1000 * n.sin(1e-3 * n.arange(256 * 2048)))).mean() > 0.999";
    EXPECT_EQ(std::system(("/usr/bin/python3 -c '" + script + "'").c_str()), 0);  // a sine may round differently at a half: 0.1 % of the values
}

TEST_F(Hdf5File, SaysWhatCannotBeWrittenOrRead) {
    EXPECT_THAT(
        [&] {
            write_hdf5("/nonexistent/folder/arrays.h5", std::vector<Array>{{"/a", {1}, {1}}});
        },
        testing::ThrowsMessage<std::runtime_error>(HasSubstr("cannot write /nonexistent/folder/arrays.h5: No such file or directory")));
    EXPECT_THAT(
        [&] {
            write_hdf5(path_, std::vector<Array>{{"/a", {1}, {1}}, {"/a", {1}, {1}}});
        },
        testing::ThrowsMessage<std::runtime_error>(HasSubstr("cannot write " + path_.string())));
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_THROW(write_hdf5(path_, std::vector<Array>{{"/a", {2}, {1}}}), std::logic_error);
    EXPECT_THROW(static_cast<void>(read_hdf5(path_, "/a")), std::runtime_error);
    write_hdf5(path_, std::vector<Array>{{"/group/a", {1}, {1}}});
    EXPECT_THAT([&] { static_cast<void>(read_hdf5(path_, "/b")); }, testing::ThrowsMessage<std::runtime_error>(HasSubstr(path_.string() + ": /b: ")));
    EXPECT_THROW(static_cast<void>(read_hdf5(path_, "/group")), std::runtime_error);
}

}  // namespace
}  // namespace entrain::io

#include "io/hdf5.hpp"

#include <hdf5.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "core/file.hpp"

namespace entrain::io {
namespace {

constexpr std::size_t compress_above = std::size_t{1} << 20;  // [B]
constexpr std::size_t chunk_elements = std::size_t{1} << 16;  // 512 KiB of doubles: fits HDF5's default chunk cache of 1 MiB
constexpr unsigned deflate_level = 4;                         // higher levels gain about 1 % on doubles for several times the time
constexpr std::size_t memory_increment = std::size_t{1} << 20;

/// The library's own description of what went wrong, from the innermost call.
std::string last_error() {
    std::string text = "HDF5 error";
    H5Ewalk2(
        H5E_DEFAULT, H5E_WALK_UPWARD,
        [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
            if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
            return 0;
        },
        &text);
    return text;
}

template <class T>
T checked(T result) {
    if (result < 0) throw std::runtime_error{last_error()};
    return result;
}

class Handle {
 public:
    Handle(hid_t id, herr_t (*close)(hid_t)) : id_{checked(id)}, close_{close} {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { close_(id_); }
    operator hid_t() const { return id_; }  // NOLINT(google-explicit-constructor): stands for the identifier in calls of the library

 private:
    hid_t id_;
    herr_t (*close_)(hid_t);
};

/// Keeps the library from printing its error stack: errors are exceptions here.
class QuietErrors {
 public:
    QuietErrors() {
        H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    }
    QuietErrors(const QuietErrors&) = delete;
    QuietErrors& operator=(const QuietErrors&) = delete;
    ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

 private:
    H5E_auto2_t function_ = nullptr;
    void* data_ = nullptr;
};

std::size_t product(const std::vector<std::size_t>& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>{});
}

/// The shape with its slowest dimensions halved until a chunk has at most chunk_elements: what is read together (a row, a head) stays together.
std::vector<hsize_t> chunk_shape(std::vector<std::size_t> shape) {
    for (auto& dimension : shape)
        while (product(shape) > chunk_elements && dimension > 1) dimension = (dimension + 1) / 2;
    return {shape.begin(), shape.end()};
}

void write_array(hid_t file, const Array& array) {
    if (product(array.shape) != array.values.size()) throw std::logic_error{array.name + ": shape and number of values differ"};
    const std::vector<hsize_t> dimensions{array.shape.begin(), array.shape.end()};
    const Handle space{dimensions.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(static_cast<int>(dimensions.size()), dimensions.data(), nullptr),
                       H5Sclose};
    const Handle groups{H5Pcreate(H5P_LINK_CREATE), H5Pclose};
    checked(H5Pset_create_intermediate_group(groups, 1));
    const Handle layout{H5Pcreate(H5P_DATASET_CREATE), H5Pclose};
    checked(H5Pset_obj_track_times(layout, false));  // the same arrays give the same bytes
    if (array.values.size() * sizeof(double) > compress_above) {
        const auto chunk = chunk_shape(array.shape);
        checked(H5Pset_chunk(layout, static_cast<int>(chunk.size()), chunk.data()));
        checked(H5Pset_shuffle(layout));
        checked(H5Pset_deflate(layout, deflate_level));
    }
    const Handle dataset{H5Dcreate2(file, array.name.c_str(), H5T_IEEE_F64LE, space, groups, layout, H5P_DEFAULT), H5Dclose};
    checked(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()));
}

/// The file is made in memory: an error of the disk is then reported once, by the function that writes every other file, while HDF5 would
/// meet it when a file closes and again at exit.
std::string file_image(const std::string& name, std::span<const Array> arrays) {
    const Handle access{H5Pcreate(H5P_FILE_ACCESS), H5Pclose};
    checked(H5Pset_fapl_core(access, memory_increment, 0));
    const Handle file{H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose};
    for (const auto& array : arrays) write_array(file, array);
    checked(H5Fflush(file, H5F_SCOPE_LOCAL));
    std::string image(static_cast<std::size_t>(checked(H5Fget_file_image(file, nullptr, 0))), '\0');
    checked(H5Fget_file_image(file, image.data(), image.size()));
    return image;
}

}  // namespace

void write_hdf5(const std::filesystem::path& path, std::span<const Array> arrays) {
    const QuietErrors quiet;
    std::string image;
    try {
        image = file_image(path.string(), arrays);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error{"cannot write " + path.string() + ": " + error.what()};
    }
    write_file_atomically(path, image);
}

Array read_hdf5(const std::filesystem::path& path, const std::string& name) {
    const QuietErrors quiet;
    try {
        const Handle file{H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose};
        const Handle dataset{H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose};
        const Handle type{H5Dget_type(dataset), H5Tclose};
        if (H5Tget_class(type) != H5T_FLOAT || H5Tget_size(type) != sizeof(double)) throw std::runtime_error{"is not a float64 array"};
        const Handle space{H5Dget_space(dataset), H5Sclose};
        std::vector<hsize_t> dimensions(static_cast<std::size_t>(checked(H5Sget_simple_extent_ndims(space))));
        if (!dimensions.empty()) checked(H5Sget_simple_extent_dims(space, dimensions.data(), nullptr));
        Array array{name, {dimensions.begin(), dimensions.end()}, {}};
        array.values.resize(product(array.shape));
        checked(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()));
        return array;
    } catch (const std::runtime_error& error) {
        throw std::runtime_error{path.string() + ": " + name + ": " + error.what()};
    }
}

}  // namespace entrain::io

#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace entrain::io {

/// A float64 array in row-major order.
struct Array {
    std::string name;  ///< "/reference/attention": groups are made as needed
    std::vector<std::size_t> shape;
    std::vector<double> values;
};

/// Writes all arrays to a new HDF5 file under a temporary name, then renames. NaN is kept. Arrays above 1 MiB are chunked and compressed losslessly
/// (deflate). std::runtime_error when the file cannot be written; std::logic_error when a shape disagrees with its values. Not for several threads at
/// once.
void write_hdf5(const std::filesystem::path& path, std::span<const Array> arrays);

/// Reads one float64 array (tests and tools). std::runtime_error naming the file and the array.
[[nodiscard]] Array read_hdf5(const std::filesystem::path& path, const std::string& name);

}  // namespace entrain::io

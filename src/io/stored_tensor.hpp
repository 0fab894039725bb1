#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace entrain::io {

/// Where a tensor's bytes are, checked when the file was opened: size = product(shape) * size of dtype, offset + size within the bytes.
struct StoredTensor {
    std::string dtype;
    std::vector<std::size_t> shape;
    std::size_t offset = 0;
    std::size_t size = 0;  ///< [B]
    bool fortran_order = false;
};

struct StoredTensors {
    std::string bytes;
    std::map<std::string, StoredTensor> entries;
};

/// A stored type and how one value of it reads as a double (little-endian).
struct Dtype {
    std::string_view name;
    std::size_t size;  ///< [B]
    double (*decode)(const char* bytes);
};

/// nullptr if no such type is supported.
[[nodiscard]] const Dtype* find_dtype(std::string_view name);

/// "BOOL, U8, ...": for messages.
[[nodiscard]] std::string dtype_names();

constexpr std::size_t max_dimensions = 32;  // of numpy 1; deeper shapes are attacks or accidents

/// Bytes of a tensor; std::overflow_error when they do not fit in size_t (a dimension of 0 hides no others that do not) or there are too many
/// dimensions.
[[nodiscard]] std::size_t byte_size(const std::vector<std::size_t>& shape, std::size_t item_size);

/// The header of a safetensors file: 8 bytes of length, JSON, then the data without holes. UserError naming `file`.
[[nodiscard]] StoredTensors read_safetensors(std::string bytes, const std::string& file);

/// The members of an npz archive (zip of .npy), decompressed one after another. UserError naming `file`.
[[nodiscard]] StoredTensors read_npz(const std::string& bytes, const std::string& file);

}  // namespace entrain::io

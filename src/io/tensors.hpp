#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "io/stored_tensor.hpp"

namespace entrain::io {

/// A tensor from a user's file, converted to double (exact for every stored type up to 53 bits).
struct Tensor {
    std::string dtype;  ///< as stored: "F32", "F64", "F16", "BF16", "BOOL", "U8", "I64", ...
    std::vector<std::size_t> shape;
    std::vector<double> values;  ///< row-major
};

/// "[200, 9, 32]"
[[nodiscard]] std::string shape_text(const std::vector<std::size_t>& shape);

/// The tensors of a safetensors or npz file, by name; which of the two is decided by the content. Values are decoded when a tensor is asked for; they
/// may be NaN or Inf. Memory is bounded by a small multiple of the file size, whatever its header says (npz: 64 MiB or 100 times the file size).
class TensorFile {
 public:
    /// UserError with file, tensor, found and expected for anything malformed: truncated file, header length beyond the file or 100 MB, header that
    /// is not the expected JSON (depth limited), unknown dtype, shape product that overflows or disagrees with the byte range, ranges that overlap,
    /// leave holes or lie outside the data; npz: bad zip, encrypted or oversized members (decompressed size is checked against the header, no bombs),
    /// npy header errors, Fortran order is accepted, objects are refused.
    explicit TensorFile(const std::filesystem::path& path);

    /// The same from memory; `name` stands for the file in messages.
    [[nodiscard]] static TensorFile from_bytes(std::string bytes, const std::string& name) { return {std::move(bytes), std::filesystem::path{name}}; }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] bool has(const std::string& name) const { return stored_.entries.contains(name); }
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] std::string listing() const;  ///< "the file has 'a', 'b' and 7 more": for messages
    /// UserError: missing (with a suggestion and the names there are).
    [[nodiscard]] Tensor get(const std::string& name) const;

 private:
    TensorFile(std::string bytes, std::filesystem::path path);

    std::filesystem::path path_;
    StoredTensors stored_;
};

}  // namespace entrain::io

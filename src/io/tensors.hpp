#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace entrain::io {

/// A tensor from a user's file, converted to double (exact for every stored type up to 53 bits).
struct Tensor {
    std::string dtype;                ///< as stored: "F32", "F64", "F16", "BF16", "BOOL", "U8", "I64", ...
    std::vector<std::size_t> shape;
    std::vector<double> values;       ///< row-major
};

/// "[200, 9, 32]"
[[nodiscard]] std::string shape_text(const std::vector<std::size_t>& shape);

/// The tensors of a safetensors or npz file, by name; which of the two is decided by the content. Values are decoded when a tensor is asked for.
class TensorFile {
 public:
    /// UserError with file, tensor, found and expected for anything malformed: truncated file, header length beyond the file or 100 MB, header that is not the expected
    /// JSON (depth limited), unknown dtype, shape product that overflows or disagrees with the byte range, ranges that overlap, leave holes or lie outside the data;
    /// npz: bad zip, encrypted or oversized members (decompressed size is checked against the header, no bombs), npy header errors, Fortran order is accepted, objects are refused.
    explicit TensorFile(std::filesystem::path path);

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] bool has(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> names() const;
    /// UserError: missing (with a suggestion and the names there are).
    [[nodiscard]] Tensor get(const std::string& name) const;

 private:
    struct Entry {
        std::string dtype;
        std::vector<std::size_t> shape;
        std::size_t offset = 0;  ///< into bytes_
        std::size_t size = 0;    ///< [B]
        bool fortran_order = false;
    };
    std::filesystem::path path_;
    std::string bytes_;          ///< safetensors: the file; npz: the members' data one after another
    std::map<std::string, Entry> entries_;
};

}  // namespace entrain::io

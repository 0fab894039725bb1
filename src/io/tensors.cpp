#include "io/tensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"

namespace entrain::io {
namespace {

constexpr std::size_t names_listed = 20;  // a state dict has hundreds; the message stays on one screen

StoredTensors read_tensors(std::string&& bytes, const std::string& file) {
    // A safetensors file of 64 MiB and more may begin with "PK\3\4" too, but its JSON begins at byte 8, where a zip has the compression method.
    const bool zip = (bytes.starts_with("PK\3\4") || bytes.starts_with("PK\5\6")) && !(bytes.size() > 8 && bytes[8] == '{');
    if (zip) return read_npz(bytes, file);
    return read_safetensors(std::move(bytes), file);
}

/// For each element in row-major order its position in column-major order.
std::vector<std::size_t> column_major_positions(const std::vector<std::size_t>& shape, std::size_t count) {
    std::vector<std::size_t> positions(count);
    std::vector<std::size_t> stride(shape.size(), 1);
    for (std::size_t k = 1; k < shape.size(); ++k) stride[k] = stride[k - 1] * shape[k - 1];
    std::vector<std::size_t> index(shape.size(), 0);
    std::size_t position = 0;
    for (auto& entry : positions) {
        entry = position;
        for (std::size_t k = shape.size(); k-- > 0;) {
            position += stride[k];
            if (++index[k] < shape[k]) break;
            position -= stride[k] * shape[k];
            index[k] = 0;
        }
    }
    return positions;
}

}  // namespace

std::string shape_text(const std::vector<std::size_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

TensorFile::TensorFile(const std::filesystem::path& path) : TensorFile{read_file(path), path} {}

TensorFile::TensorFile(std::string bytes, std::filesystem::path path)
    : path_{std::move(path)}, stored_{read_tensors(std::move(bytes), path_.string())} {}

std::vector<std::string> TensorFile::names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : stored_.entries) names.push_back(name);
    return names;
}

std::string TensorFile::listing() const {
    if (stored_.entries.empty()) return "the file has no tensors";
    std::string text = "the file has ";
    std::size_t listed = 0;
    for (const auto& [name, entry] : stored_.entries) {
        if (listed == names_listed) return text + fmt::format(" and {} more", stored_.entries.size() - listed);
        text += (listed++ == 0 ? "" : ", ") + shown(name);
    }
    return text;
}

Tensor TensorFile::get(const std::string& name) const {
    const auto found = stored_.entries.find(name);
    if (found == stored_.entries.end())
        throw UserError{Location{path_.string()}, fmt::format("has no tensor {} ({}).{}", shown(name), listing(), did_you_mean(name, names()))};
    const StoredTensor& stored = found->second;
    const Dtype& dtype = *find_dtype(stored.dtype);
    const char* const bytes = stored_.bytes.data() + stored.offset;
    Tensor tensor{stored.dtype, stored.shape, std::vector<double>(stored.size / dtype.size)};
    if (stored.fortran_order && stored.shape.size() > 1) {
        const auto positions = column_major_positions(stored.shape, tensor.values.size());
        for (std::size_t i = 0; i < positions.size(); ++i) tensor.values[i] = dtype.decode(bytes + positions[i] * dtype.size);
    } else {
        for (std::size_t i = 0; i < tensor.values.size(); ++i) tensor.values[i] = dtype.decode(bytes + i * dtype.size);
    }
    return tensor;
}

}  // namespace entrain::io

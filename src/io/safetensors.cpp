#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "io/stored_tensor.hpp"
#include "io/tensors.hpp"

namespace entrain::io {
namespace {

constexpr std::uint64_t length_bytes = 8;
constexpr std::uint64_t max_header = 100'000'000;  // [B] the format's own limit

struct Declared {
    std::optional<std::string> dtype;
    std::optional<std::vector<std::size_t>> shape;
    std::optional<std::vector<std::size_t>> data_offsets;
};

/// Follows the parser through the only form a header may have,
///     {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"key": "text", ...}}
/// and refuses the first token that does not belong there, so that nothing is built from nonsense and nesting stops at the third level.
class Header {
 public:
    Header(std::string_view json, const std::string& file) : file_{file} {
        // The parser takes a NUL for the end of its input and would ignore what follows.
        if (const auto nul = json.find('\0'); nul != std::string::npos) throw fail(fmt::format("header has a NUL byte at {} (expected JSON)", nul));
        nlohmann::json::sax_parse(json.begin(), json.end(), this);
    }
    std::map<std::string, Declared> tensors;

    bool null() { unexpected("null"); }
    bool boolean(bool) { unexpected("a boolean"); }
    bool number_integer(std::int64_t value) { unexpected(std::to_string(value)); }  // the parser calls this one for negative numbers only
    bool number_unsigned(std::uint64_t value) {
        if (place_ != Place::list) unexpected(std::to_string(value));
        if (list_->size() == max_dimensions) throw fail(fmt::format("tensor {}: {} has more than {} numbers", shown(name_), field_, max_dimensions));
        list_->push_back(value);
        return true;
    }
    bool number_float(double, const std::string& text) { unexpected(shown(text)); }
    bool string(std::string& text) {
        if (place_ == Place::metadata) return true;
        if (place_ != Place::tensor || field_ != "dtype") unexpected("a string");
        tensor_->dtype = text;
        return true;
    }
    bool binary(nlohmann::json::binary_t&) { unexpected("binary data"); }
    bool start_object(std::size_t) {
        if (place_ == Place::start)
            place_ = Place::file;
        else if (place_ == Place::file)
            place_ = metadata_next_ ? Place::metadata : Place::tensor;
        else
            unexpected("a map");
        return true;
    }
    bool key(std::string& name) {
        if (place_ == Place::file)
            start_entry(name);
        else if (place_ == Place::tensor)
            start_field(name);
        else if (!metadata_.insert(name).second)
            throw fail(fmt::format("header key __metadata__ has {} twice", shown(name)));
        return true;
    }
    bool end_object() {
        if (place_ == Place::tensor && !(tensor_->dtype && tensor_->shape && tensor_->data_offsets))
            throw fail(fmt::format("tensor {} has no {} (expected dtype, shape and data_offsets)", shown(name_),
                                   !tensor_->dtype   ? "dtype"
                                   : !tensor_->shape ? "shape"
                                                     : "data_offsets"));
        place_ = Place::file;
        return true;
    }
    bool start_array(std::size_t) {
        if (place_ != Place::tensor || field_ == "dtype") unexpected("a list");
        list_ = &(field_ == "shape" ? tensor_->shape : tensor_->data_offsets).emplace();
        place_ = Place::list;
        return true;
    }
    bool end_array() {
        place_ = Place::tensor;
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
        throw fail(fmt::format("header is not JSON from byte {} on", position));
    }

 private:
    enum class Place { start, file, metadata, tensor, list };

    [[nodiscard]] UserError fail(const std::string& problem) const { return {Location{file_}, problem}; }

    [[noreturn]] void unexpected(const std::string& found) const {
        const char* const expected = place_ == Place::start                         ? "a map of tensors"
                                     : place_ == Place::metadata                    ? "text"
                                     : place_ == Place::list                        ? "non-negative integers"
                                     : place_ == Place::tensor && field_ == "dtype" ? "the name of a type"
                                     : place_ == Place::tensor                      ? "a list of non-negative integers"
                                     : metadata_next_                               ? "a map of texts"
                                                                                    : "a map with dtype, shape and data_offsets";
        const std::string where = place_ == Place::tensor || place_ == Place::list ? fmt::format("tensor {}: {}", shown(name_), field_)
                                  : place_ == Place::start                         ? "header"
                                                                                   : fmt::format("header key {}", shown(name_));
        throw fail(fmt::format("{} has {} (expected {})", where, found, expected));
    }

    void start_entry(const std::string& name) {
        name_ = name;
        metadata_next_ = name == "__metadata__";
        const bool twice = metadata_next_ ? std::exchange(metadata_seen_, true) : tensors.contains(name);
        if (twice) throw fail(fmt::format("header has {} twice", shown(name)));
        if (!metadata_next_) tensor_ = &tensors[name];
    }

    void start_field(const std::string& field) {
        if (field != "dtype" && field != "shape" && field != "data_offsets")
            throw fail(fmt::format("tensor {} has an unknown key {} (expected dtype, shape and data_offsets)", shown(name_), shown(field)));
        if (field == "dtype" ? tensor_->dtype.has_value() : field == "shape" ? tensor_->shape.has_value() : tensor_->data_offsets.has_value())
            throw fail(fmt::format("tensor {} has {} twice", shown(name_), field));
        field_ = field;
    }

    const std::string& file_;
    Place place_ = Place::start;
    std::string name_;
    std::string field_;
    bool metadata_next_ = false;
    bool metadata_seen_ = false;
    std::set<std::string> metadata_;
    Declared* tensor_ = nullptr;
    std::vector<std::size_t>* list_ = nullptr;
};

/// Checks one tensor against the data section of `data_size` bytes; offsets stay relative to it.
StoredTensor checked(const std::string& name, const Declared& declared, std::size_t data_size, const std::string& file) {
    const auto fail = [&](const std::string& problem) { return UserError{Location{file}, fmt::format("tensor {}: {}", shown(name), problem)}; };
    const Dtype* const dtype = find_dtype(*declared.dtype);
    if (dtype == nullptr) throw fail(fmt::format("dtype {} is not supported (expected one of {})", shown(*declared.dtype), dtype_names()));
    std::size_t needed = 0;
    try {
        needed = byte_size(*declared.shape, dtype->size);
    } catch (const std::overflow_error& error) {
        throw fail(fmt::format("shape has {}", error.what()));
    }
    const auto& range = *declared.data_offsets;
    if (range.size() != 2) throw fail(fmt::format("data_offsets has {} numbers (expected 2)", range.size()));
    if (range[0] > range[1] || range[1] > data_size)
        throw fail(fmt::format("data_offsets {} lie outside the data of {} bytes (is the file truncated?)", shape_text(range), data_size));
    if (range[1] - range[0] != needed)
        throw fail(fmt::format("data_offsets {} hold {} bytes (expected {} for {} {})", shape_text(range), range[1] - range[0], needed,
                               *declared.dtype, shape_text(*declared.shape)));
    return {*declared.dtype, *declared.shape, range[0], needed};
}

/// The data are exactly the tensors, one after another in any order: two names for the same bytes or bytes without a name are a damaged or hostile
/// file.
void require_contiguous(const std::map<std::string, StoredTensor>& entries, std::size_t data_size, const std::string& file) {
    std::vector<const std::pair<const std::string, StoredTensor>*> sorted;
    for (const auto& entry : entries) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
        return std::pair{a->second.offset, a->second.size} < std::pair{b->second.offset, b->second.size};
    });
    std::size_t end = 0;
    for (const auto* const tensor : sorted) {
        const auto& [name, entry] = *tensor;
        if (entry.offset != end)
            throw UserError{Location{file}, fmt::format("tensor {}: data begin at {} (expected {}: {})", shown(name), entry.offset, end,
                                                        entry.offset < end ? "they overlap another tensor" : "bytes between tensors belong to none")};
        end += entry.size;
    }
    if (end != data_size) throw UserError{Location{file}, fmt::format("has {} bytes after the last tensor (expected none)", data_size - end)};
}

}  // namespace

StoredTensors read_safetensors(std::string bytes, const std::string& file) {
    const auto fail = [&](const std::string& problem) { return UserError{Location{file}, problem}; };
    if (bytes.size() < length_bytes) throw fail(fmt::format("has {} bytes (expected a safetensors file or an npz archive)", bytes.size()));
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), length_bytes);
    if (header > max_header)
        throw fail(fmt::format("is not a safetensors file or an npz archive: header length {} (expected at most {})", header, max_header));
    if (header > bytes.size() - length_bytes)
        throw fail(fmt::format("header length is {} but only {} bytes follow (is the file truncated?)", header, bytes.size() - length_bytes));
    if (header == 0 || bytes[length_bytes] != '{') throw fail("is not a safetensors file or an npz archive: no header (expected '{' at byte 8)");

    const Header parsed{std::string_view{bytes}.substr(length_bytes, header), file};
    const std::size_t data = length_bytes + header;
    StoredTensors result;
    for (const auto& [name, declared] : parsed.tensors) result.entries.emplace(name, checked(name, declared, bytes.size() - data, file));
    require_contiguous(result.entries, bytes.size() - data, file);
    for (auto& [name, entry] : result.entries) entry.offset += data;
    result.bytes = std::move(bytes);
    return result;
}

}  // namespace entrain::io

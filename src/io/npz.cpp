#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/error.hpp"
#include "io/stored_tensor.hpp"
#include "io/tensors.hpp"

namespace entrain::io {
namespace {

constexpr std::size_t free_expansion = std::size_t{64}
                                       << 20;            // [B] an honest archive of zeros (a padding mask) shrinks 1000 times; harmless up to here
constexpr std::size_t max_expansion = 100;               // times the file size above that: weights and activations shrink 2 to 20 times
constexpr std::size_t max_total = std::size_t{4} << 30;  // [B] as for a file that is read whole
constexpr std::size_t max_npy_header = 65536;            // [B] all that version 1 can have; a plain array needs about 120
constexpr std::size_t chunk = 65536;                     // [B] read at once, so that memory follows the data and not what a header promises

struct CloseFile {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};
struct CloseArchive {
    void operator()(zip_t* archive) const { zip_discard(archive); }
};
using File = std::unique_ptr<zip_file_t, CloseFile>;
using Archive = std::unique_ptr<zip_t, CloseArchive>;

Archive open_archive(const std::string& bytes, const std::string& file) {
    zip_error_t error;
    zip_error_init(&error);
    const auto fail = [&] {
        UserError problem{Location{file}, fmt::format("is not a readable zip archive: {} (expected safetensors or npz)", zip_error_strerror(&error))};
        zip_error_fini(&error);
        return problem;
    };
    zip_source_t* const source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
    if (source == nullptr) throw fail();
    Archive archive{zip_open_from_source(source, ZIP_RDONLY, &error)};
    if (!archive) {
        zip_source_free(source);  // an opened archive owns its source
        throw fail();
    }
    zip_error_fini(&error);
    return archive;
}

struct NpyHeader {
    std::string dtype;
    std::vector<std::size_t> shape;
    bool fortran_order = false;
};

/// The name of a numpy type string as safetensors has it; std::invalid_argument for what is not a plain little-endian number.
std::string dtype_of(const std::string& descr) {
    constexpr std::pair<std::string_view, std::string_view> types[] = {
        {"|b1", "BOOL"}, {"|u1", "U8"},  {"|i1", "I8"},  {"<u2", "U16"}, {"<i2", "I16"}, {"<f2", "F16"},
        {"<u4", "U32"},  {"<i4", "I32"}, {"<f4", "F32"}, {"<u8", "U64"}, {"<i8", "I64"}, {"<f8", "F64"},
    };
    for (const auto& [numpy, name] : types)
        if (descr == numpy) return std::string{name};
    const std::string_view why = descr.find('O') != std::string::npos ? "Python objects are refused, reading them could run commands"
                                 : descr.starts_with('>')             ? "big-endian numbers are not supported"
                                                                      : "not a number type";
    throw std::invalid_argument{fmt::format("dtype {} ({}; expected for example '<f4')", shown(descr), why)};
}

/// Reads the literal of an npy header, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, with its keys in any order.
class NpyLiteral {
 public:
    explicit NpyLiteral(std::string_view text) : rest_{text} {}

    NpyHeader read() {
        std::optional<std::string> descr;
        std::optional<bool> fortran_order;
        std::optional<std::vector<std::size_t>> shape;
        expect("{");
        while (!accept("}")) {
            const std::string key = string();
            expect(":");
            if (key == "descr" && !descr)
                descr = string();
            else if (key == "fortran_order" && !fortran_order)
                fortran_order = boolean();
            else if (key == "shape" && !shape)
                shape = tuple();
            else
                throw std::invalid_argument{fmt::format("key {} (expected descr, fortran_order and shape, each once)", shown(key))};
            if (!accept(",")) {
                expect("}");
                break;
            }
        }
        skip_spaces();
        if (!rest_.empty()) throw unexpected("the end of the header");
        if (!descr || !fortran_order || !shape) throw std::invalid_argument{"missing keys (expected descr, fortran_order and shape)"};
        return {dtype_of(*descr), std::move(*shape), *fortran_order};
    }

 private:
    void skip_spaces() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) rest_.remove_prefix(1);
    }
    bool accept(std::string_view token) {
        skip_spaces();
        if (!rest_.starts_with(token)) return false;
        rest_.remove_prefix(token.size());
        return true;
    }
    void expect(std::string_view token) {
        if (!accept(token)) throw unexpected(shown(token));
    }
    [[nodiscard]] std::invalid_argument unexpected(std::string_view expected) const {
        return std::invalid_argument{fmt::format("{} (expected {})", rest_.empty() ? "nothing more" : shown(rest_.substr(0, 16)), expected)};
    }
    std::string string() {
        skip_spaces();
        if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"'))
            throw unexpected("text between quotes; structured types are not supported");
        const auto end = rest_.find(rest_.front(), 1);
        if (end == std::string_view::npos) throw unexpected("a closing quote");
        std::string text{rest_.substr(1, end - 1)};
        rest_.remove_prefix(end + 1);
        return text;
    }
    bool boolean() {
        if (accept("True")) return true;
        if (accept("False")) return false;
        throw unexpected("True or False");
    }
    std::size_t integer() {
        skip_spaces();
        std::size_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (error != std::errc{}) throw unexpected("a dimension of at most 64 bits");
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return value;
    }
    /// "()", "(3,)", "(3, 4)" and "(3, 4,)"; "(3)" is a number in Python.
    std::vector<std::size_t> tuple() {
        std::vector<std::size_t> values;
        expect("(");
        while (!accept(")")) {
            values.push_back(integer());
            if (values.size() == 1) {
                expect(",");
            } else if (!accept(",")) {
                expect(")");
                break;
            }
        }
        return values;
    }

    std::string_view rest_;
};

/// One member of the archive, read from front to back.
class Member {
 public:
    Member(zip_t* archive, zip_uint64_t index) : file_{zip_fopen_index(archive, index, 0)} {
        if (!file_) throw std::runtime_error{zip_strerror(archive)};
    }
    /// Appends the next `count` bytes to `bytes`.
    void read(std::string& bytes, std::size_t count) {
        while (count > 0) {
            const std::size_t had = bytes.size();
            const std::size_t wanted = std::min(count, chunk);
            bytes.resize(had + wanted);
            const auto got = checked(zip_fread(file_.get(), bytes.data() + had, wanted));
            bytes.resize(had + got);
            if (got == 0) throw std::runtime_error{fmt::format("ends {} bytes early", count)};
            count -= got;
        }
    }
    [[nodiscard]] std::string read(std::size_t count) {
        std::string bytes;
        read(bytes, count);
        return bytes;
    }
    /// The checksum is compared when the end is seen.
    void expect_end() {
        char extra = 0;
        if (checked(zip_fread(file_.get(), &extra, 1)) != 0) throw std::runtime_error{"has more data than its npy header says"};
    }

 private:
    [[nodiscard]] std::size_t checked(zip_int64_t result) const {
        if (result < 0) throw std::runtime_error{fmt::format("cannot be read: {}", zip_file_strerror(file_.get()))};
        return static_cast<std::size_t>(result);
    }

    File file_;
};

struct NpyStart {
    NpyHeader header;
    std::size_t size = 0;  ///< [B] before the data
};

NpyStart read_npy_start(Member& member) {
    const std::string magic = member.read(8);
    if (!magic.starts_with("\x93NUMPY")) throw std::invalid_argument{"is not an npy array (no magic number)"};
    const int version = static_cast<unsigned char>(magic[6]);
    if (version != 1 && version != 2) throw std::invalid_argument{fmt::format("has npy version {} (expected 1 or 2)", version)};
    const std::string length_text = member.read(version == 1 ? 2 : 4);
    std::size_t length = 0;
    for (std::size_t i = 0; i < length_text.size(); ++i) length |= std::size_t{static_cast<unsigned char>(length_text[i])} << (8 * i);
    if (length > max_npy_header)
        throw std::invalid_argument{fmt::format("has an npy header of {} bytes (expected at most {})", length, max_npy_header)};
    try {
        return {NpyLiteral{member.read(length)}.read(), magic.size() + length_text.size() + length};
    } catch (const std::invalid_argument& error) {
        throw std::invalid_argument{fmt::format("npy header has {}", error.what())};
    }
}

/// Appends the data of member `index` to `bytes`, which may grow to `limit`.
StoredTensor read_member(zip_t* archive, zip_uint64_t index, const zip_stat_t& status, std::string& bytes, std::size_t limit) {
    constexpr zip_uint64_t needed_fields = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((status.valid & needed_fields) != needed_fields) throw std::runtime_error{"has an incomplete zip entry"};
    if (status.encryption_method != ZIP_EM_NONE) throw std::runtime_error{"is encrypted"};
    if (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE)
        throw std::runtime_error{fmt::format("has compression method {} (expected stored or deflated)", status.comp_method)};
    Member member{archive, index};
    auto [header, header_size] = read_npy_start(member);
    std::size_t data = 0;
    try {
        data = byte_size(header.shape, find_dtype(header.dtype)->size);
    } catch (const std::overflow_error& error) {
        throw std::runtime_error{fmt::format("shape has {}", error.what())};
    }
    if (status.size < header_size || status.size - header_size != data)
        throw std::runtime_error{
            fmt::format("has {} bytes (expected {}: npy header and {} {})", status.size, data + header_size, header.dtype, shape_text(header.shape))};
    if (data > limit - bytes.size()) throw std::runtime_error{fmt::format("makes the archive expand beyond {} bytes (a decompression bomb?)", limit)};
    const std::size_t offset = bytes.size();
    member.read(bytes, data);
    member.expect_end();
    return {header.dtype, std::move(header.shape), offset, data, header.fortran_order};
}

}  // namespace

StoredTensors read_npz(const std::string& bytes, const std::string& file) {
    const Archive archive = open_archive(bytes, file);
    const std::size_t limit = std::min(max_total, std::max(free_expansion, max_expansion * bytes.size()));
    StoredTensors result;
    const zip_int64_t members = zip_get_num_entries(archive.get(), 0);
    for (zip_int64_t i = 0; i < members; ++i) {
        const auto index = static_cast<zip_uint64_t>(i);
        zip_stat_t status;
        if (zip_stat_index(archive.get(), index, 0, &status) != 0 || (status.valid & ZIP_STAT_NAME) == 0)
            throw UserError{Location{file}, fmt::format("zip entry {} is damaged: {}", i, zip_strerror(archive.get()))};
        std::string name = status.name;
        if (!name.ends_with(".npy"))
            throw UserError{Location{file},
                            fmt::format("member {} is not an .npy array (expected an npz of arrays; a PyTorch checkpoint has to be saved with "
                                        "safetensors.torch.save_file)",
                                        shown(name))};
        name.resize(name.size() - 4);
        if (result.entries.contains(name)) throw UserError{Location{file}, fmt::format("has tensor {} twice", shown(name))};
        try {
            result.entries.emplace(name, read_member(archive.get(), index, status, result.bytes, limit));
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception& error) {
            throw UserError{Location{file}, fmt::format("tensor {}: {}", shown(name), error.what())};
        }
    }
    return result;
}

}  // namespace entrain::io

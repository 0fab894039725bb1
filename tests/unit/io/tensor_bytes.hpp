#pragma once
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Writers of the file formats that src/io reads, straight from the formats' descriptions and without checks, so that tests can also write wrong
/// files.
namespace entrain::test {

/// The low `size` bytes of a number, little-endian.
inline std::string little(std::uint64_t number, int size) {
    std::string bytes;
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i));
    return bytes;
}

inline std::string f32(const std::vector<float>& values) {
    std::string bytes(values.size() * sizeof(float), '\0');
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

inline std::string f64(const std::vector<double>& values) {
    std::string bytes(values.size() * sizeof(double), '\0');
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

inline std::string safetensors(const std::string& header, const std::string& data) { return little(header.size(), 8) + header + data; }

/// A tensor for a well-formed safetensors file.
struct RawTensor {
    std::string name;
    std::string dtype;
    std::vector<std::size_t> shape;
    std::string data;
};

inline std::string safetensors(const std::vector<RawTensor>& tensors) {
    std::string header;
    std::string data;
    for (const auto& tensor : tensors) {
        header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", header.empty() ? "" : ",", tensor.name, tensor.dtype,
                              fmt::join(tensor.shape, ","), data.size(), data.size() + tensor.data.size());
        data += tensor.data;
    }
    return safetensors("{" + header + "}", data);
}

/// An npy file of version 1 with this literal as its header.
inline std::string npy(const std::string& literal, const std::string& data) {
    return std::string{"\x93NUMPY\1\0", 8} + little(literal.size(), 2) + literal + data;
}

inline std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t crc = 0xffffffff;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
    }
    return ~crc;
}

/// What a zip archive says about a member; the defaults are the truth of a stored one.
struct ZipMember {
    std::string name;
    std::string content;
    std::uint16_t flags = 0;
    std::uint16_t method = 0;
    std::uint32_t wrong_crc = 0;   ///< xor
    std::int64_t excess_size = 0;  ///< added to the uncompressed size
};

inline std::string zip(const std::vector<ZipMember>& members) {
    std::string bytes;
    std::string directory;
    for (const auto& member : members) {
        const std::string common = little(member.flags, 2) + little(member.method, 2) + little(0, 2) + little(0x21, 2) +  // 1980-01-01
                                   little(crc32(member.content) ^ member.wrong_crc, 4) + little(member.content.size(), 4) +
                                   little(member.content.size() + static_cast<std::uint64_t>(member.excess_size), 4) + little(member.name.size(), 2) +
                                   little(0, 2);
        directory += "PK\1\2" + little(20, 2) + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4) +
                     little(bytes.size(), 4) + member.name;
        bytes += "PK\3\4" + little(20, 2) + common + member.name + member.content;
    }
    return bytes + directory + "PK\5\6" + little(0, 4) + little(members.size(), 2) + little(members.size(), 2) + little(directory.size(), 4) +
           little(bytes.size(), 4) + little(0, 2);
}

}  // namespace entrain::test

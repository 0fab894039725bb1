#include "io/stored_tensor.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace entrain::io {
namespace {

static_assert(std::endian::native == std::endian::little, "stored tensors are little-endian");

template <class T>
T load(const char* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

template <class T>
double number(const char* bytes) {
    return static_cast<double>(load<T>(bytes));
}

double boolean(const char* bytes) { return *bytes != 0 ? 1.0 : 0.0; }

/// IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits.
double half(const char* bytes) {
    const auto bits = load<std::uint16_t>(bytes);
    const int exponent = (bits >> 10) & 0x1f;
    const int fraction = bits & 0x3ff;
    double magnitude = 0.0;
    if (exponent == 0)
        magnitude = std::ldexp(fraction, -24);  // subnormal: fraction * 2^(1 - 15 - 10)
    else if (exponent == 0x1f)
        magnitude = fraction == 0 ? HUGE_VAL : std::nan("");
    else
        magnitude = std::ldexp(fraction + 0x400, exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// bfloat16: the upper half of a binary32.
double brain(const char* bytes) { return std::bit_cast<float>(std::uint32_t{load<std::uint16_t>(bytes)} << 16U); }

constexpr std::array<Dtype, 13> dtypes = {{{"BOOL", 1, boolean},
                                           {"U8", 1, number<std::uint8_t>},
                                           {"I8", 1, number<std::int8_t>},
                                           {"U16", 2, number<std::uint16_t>},
                                           {"I16", 2, number<std::int16_t>},
                                           {"F16", 2, half},
                                           {"BF16", 2, brain},
                                           {"U32", 4, number<std::uint32_t>},
                                           {"I32", 4, number<std::int32_t>},
                                           {"F32", 4, number<float>},
                                           {"U64", 8, number<std::uint64_t>},
                                           {"I64", 8, number<std::int64_t>},
                                           {"F64", 8, number<double>}}};

}  // namespace

const Dtype* find_dtype(std::string_view name) {
    for (const auto& dtype : dtypes)
        if (dtype.name == name) return &dtype;
    return nullptr;
}

std::string dtype_names() {
    std::string text;
    for (const auto& dtype : dtypes) text += (text.empty() ? "" : ", ") + std::string{dtype.name};
    return text;
}

std::size_t byte_size(const std::vector<std::size_t>& shape, std::size_t item_size) {
    if (shape.size() > max_dimensions) throw std::overflow_error{fmt::format("more than {} dimensions", max_dimensions)};
    std::size_t product = item_size;
    bool empty = false;
    for (const std::size_t dimension : shape) {
        if (dimension == 0)
            empty = true;
        else if (__builtin_mul_overflow(product, dimension, &product))
            throw std::overflow_error{"more bytes than 64 bits can count"};
    }
    return empty ? 0 : product;
}

}  // namespace entrain::io

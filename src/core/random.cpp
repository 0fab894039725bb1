#include "core/random.hpp"

#include <Random123/philox.h>

#include <cmath>

#include "core/quantity.hpp"

namespace entrain {
namespace {

struct Uniforms {
    double first;
    double second;
};

r123::Philox4x32::ctr_type block(std::uint64_t seed, std::uint32_t trial, Stream stream, std::uint64_t element) {
    const r123::Philox4x32::ctr_type counter = {
        {static_cast<std::uint32_t>(element), static_cast<std::uint32_t>(element >> 32U), static_cast<std::uint32_t>(stream), trial}};
    const r123::Philox4x32::key_type key = {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)}};
    return r123::Philox4x32{}(counter, key);
}

Uniforms uniforms(std::uint64_t seed, std::uint32_t trial, Stream stream, std::uint64_t element) {
    const auto bits = block(seed, trial, stream, element);
    const auto open_unit = [](std::uint32_t high, std::uint32_t low) {
        const std::uint64_t mantissa = ((std::uint64_t{high} << 32U) | low) >> 12U;
        return (static_cast<double>(mantissa) + 0.5) * 0x1p-52;  // 52 bits: with 53, the largest plus a half rounds to 1
    };
    return {open_unit(bits[0], bits[1]), open_unit(bits[2], bits[3])};
}

}  // namespace

double RandomStreams::uniform(Stream stream, std::uint64_t element) const { return uniforms(seed_, trial_, stream, element).first; }

std::uint64_t RandomStreams::bits(Stream stream, std::uint64_t element) const {
    const auto words = block(seed_, trial_, stream, element);
    return (std::uint64_t{words[0]} << 32U) | words[1];
}

double RandomStreams::normal(Stream stream, std::uint64_t element) const {
    const auto [u, v] = uniforms(seed_, trial_, stream, element);
    return std::sqrt(-2.0 * std::log(u)) * std::cos(turn * v);
}

}  // namespace entrain

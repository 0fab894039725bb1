#pragma once
#include <cstdint>

namespace entrain {

/// What a random number is for. Part of the generator's key: adding one never changes the numbers of another.
enum class Stream : std::uint32_t {
    start_phase = 1,
    frequency_disorder = 2,
    coupling_mismatch = 3,
    state_noise = 4,
    readout_noise = 5,
    circuit_noise = 6,
    bench = 7,
    phase_noise = 8,
    agreement = 16
};

/// Counter-based random numbers (Philox4x32-10; Salmon et al., SC 2011) keyed by (study seed, trial, stream): element i is a pure function of the
/// key and i, so results do not depend on the order of work, on threads or on processes. Normal deviates use a fixed transform (Box-Muller on two
/// 52-bit uniforms), since the standard library's differ between vendors.
class RandomStreams {
 public:
    explicit RandomStreams(std::uint64_t seed, std::uint32_t trial = 0) : seed_{seed}, trial_{trial} {}
    [[nodiscard]] double uniform(Stream stream, std::uint64_t element) const;      ///< in (0, 1)
    [[nodiscard]] double normal(Stream stream, std::uint64_t element) const;       ///< mean 0, variance 1
    [[nodiscard]] std::uint64_t bits(Stream stream, std::uint64_t element) const;  ///< 64 random bits: the seed of a stream of its own

 private:
    std::uint64_t seed_;
    std::uint32_t trial_;
};

/// Element number of component k of a token's oscillator: depends on the sequence's original index, the head and the token only, so that choosing
/// fewer sequences does not change the others. sequence < 2^20, head < 2^12, token < 2^20, component < 2^12.
[[nodiscard]] constexpr std::uint64_t element(std::uint64_t sequence, std::uint64_t head, std::uint64_t token, std::uint64_t component = 0) {
    return (sequence << 44) | (head << 32) | (token << 12) | component;
}

}  // namespace entrain

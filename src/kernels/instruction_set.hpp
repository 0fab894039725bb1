#pragma once
#include <span>
#include <string_view>

namespace entrain::kernels {

/// The loops of this module are compiled once for each of these and chosen at run time: a program built anywhere uses what the machine has.
enum class InstructionSet {
    baseline,  ///< what the compiler assumes of every machine of this architecture
    avx2,      ///< x86-64-v3: 4 doubles at a time, fused multiply-add
    avx512     ///< x86-64-v4: 8 doubles at a time
};

[[nodiscard]] std::string_view name(InstructionSet set);

/// What this machine can run, weakest first; never empty.
[[nodiscard]] std::span<const InstructionSet> supported();
[[nodiscard]] InstructionSet best();

}  // namespace entrain::kernels

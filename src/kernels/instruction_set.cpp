#include "kernels/instruction_set.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/loops.hpp"

namespace entrain::kernels {

extern const Loops baseline_loops;
#ifdef ENTRAIN_KERNELS_X86
extern const Loops avx2_loops;
extern const Loops avx512_loops;
#endif

namespace {

std::vector<InstructionSet> find_supported() {
    std::vector<InstructionSet> found{InstructionSet::baseline};
#ifdef ENTRAIN_KERNELS_X86
    // The extensions of x86-64-v3 and v4 that the compiler may use in loops of doubles; the other ones (lzcnt, movbe) came with the same processors.
    if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 && __builtin_cpu_supports("bmi") != 0 &&
        __builtin_cpu_supports("bmi2") != 0) {
        found.push_back(InstructionSet::avx2);
        if (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512cd") != 0 &&
            __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0)
            found.push_back(InstructionSet::avx512);
    }
#endif
    return found;
}

}  // namespace

std::string_view name(InstructionSet set) {
    switch (set) {
        case InstructionSet::avx2:
            return "avx2";
        case InstructionSet::avx512:
            return "avx512";
        case InstructionSet::baseline:
            break;
    }
    return "baseline";
}

std::span<const InstructionSet> supported() {
    static const std::vector<InstructionSet> sets = find_supported();
    return sets;
}

InstructionSet best() { return supported().back(); }

const Loops& loops(InstructionSet set) {
    if (set > best()) throw std::invalid_argument{"kernels: this machine does not run " + std::string{name(set)} + ". Take one of supported()."};
    switch (set) {
#ifdef ENTRAIN_KERNELS_X86
        case InstructionSet::avx2:
            return avx2_loops;
        case InstructionSet::avx512:
            return avx512_loops;
#endif
        default:
            return baseline_loops;
    }
}

}  // namespace entrain::kernels

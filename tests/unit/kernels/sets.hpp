#pragma once
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/instruction_set.hpp"

namespace entrain::kernels {

/// A test for each instruction set of this machine.
class EachInstructionSet : public testing::TestWithParam<InstructionSet> {};

inline const auto each_set = testing::ValuesIn(supported().begin(), supported().end());
inline std::string set_name(const testing::TestParamInfo<InstructionSet>& info) { return std::string{name(info.param)}; }

/// Numbers that are the same on every machine.
class Draw {
 public:
    explicit Draw(unsigned seed) : engine_{seed} {}
    double between(double low, double high) { return low + (high - low) * static_cast<double>(engine_() >> 11U) * 0x1p-53; }
    std::vector<double> many(std::size_t n, double low, double high) {
        std::vector<double> numbers(n);
        for (double& x : numbers) x = between(low, high);
        return numbers;
    }

 private:
    std::mt19937_64 engine_;
};

}  // namespace entrain::kernels

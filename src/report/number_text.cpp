#include "report/number_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace entrain::report {

std::string engineering(const io::Json& value, std::string_view unit) {
    if (!value.is_number()) return "-";
    const double x = value.get<double>();
    if (x == 0.0) return fmt::format("0 {}", unit);
    constexpr std::array<const char*, 11> prefixes = {"a", "f", "p", "n", "u", "m", "", "k", "M", "G", "T"};
    // A number that three digits round up to 1000 belongs to the next prefix.
    const int group = std::clamp(static_cast<int>(std::floor(std::log10(std::abs(x) * (1000.0 / 999.5)) / 3.0)), -6, 4);
    return fmt::format("{:.3g} {}{}", x / std::pow(1000.0, group), prefixes[static_cast<std::size_t>(group + 6)], unit);
}

std::string number(const io::Json& value, std::string_view unit) {
    if (!value.is_number()) return "-";
    return fmt::format("{:.3g}{}", value.get<double>(), unit);
}

}  // namespace entrain::report

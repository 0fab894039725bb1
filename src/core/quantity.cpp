#include "core/quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

namespace entrain {
namespace {

struct Prefix {
    std::string_view letter;
    double factor;
};
constexpr std::array<Prefix, 10> prefixes = {{{"", 1.0}, {"f", 1e-15}, {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6}, {"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}}};

bool dimensionless(std::string_view symbol) { return symbol.empty() || symbol == "1"; }

std::invalid_argument expected(std::string_view text, std::string_view symbol) {
    if (dimensionless(symbol)) return std::invalid_argument{fmt::format("'{}' is not a finite number (expected a number without a unit)", text)};
    const std::string example = symbol == unit::Radian::symbol ? "1 deg" : symbol == unit::Hertz::symbol ? "1 GHz" : symbol == unit::Second::symbol ? "40 ns" : fmt::format("1 {}", symbol);
    return std::invalid_argument{fmt::format("'{}' is not a quantity in {} (expected a number with its unit, for example '{}')", text, symbol, example)};
}

}  // namespace

double wrap(double angle) {
    const double wrapped = angle - turn * std::floor((angle + std::numbers::pi) / turn);
    return wrapped >= std::numbers::pi ? wrapped - turn : wrapped;
}

double parse_quantity(std::string_view text, std::string_view symbol) {
    std::string_view rest = text;
    const auto trim = [](std::string_view s) {
        while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
        while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
        return s;
    };
    rest = trim(rest);
    if (!rest.empty() && rest.front() == '+') rest.remove_prefix(1);
    double number = 0.0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc{} || !std::isfinite(number)) throw expected(text, symbol);
    const std::string_view unit_text = trim(rest.substr(static_cast<std::size_t>(end - rest.data())));
    if (dimensionless(symbol)) {
        if (!unit_text.empty()) throw expected(text, symbol);
        return number;
    }
    if (symbol == unit::Radian::symbol && unit_text == "deg") return radians(number);
    for (const auto& [letter, factor] : prefixes)
        if (unit_text.size() == letter.size() + symbol.size() && unit_text.starts_with(letter) && unit_text.ends_with(symbol)) {
            // A division by an exact power of ten rounds once, so that "40 ns" is the double nearest to 4e-8.
            const double value = factor < 1.0 ? number / std::round(1.0 / factor) : number * factor;
            if (!std::isfinite(value)) throw expected(text, symbol);
            return value;
        }
    throw expected(text, symbol);
}

std::string format_quantity(double si_value, std::string_view symbol) {
    const std::string plain = fmt::format("{}", si_value);
    if (dimensionless(symbol)) return plain;
    std::string best = fmt::format("{} {}", plain, symbol);
    const auto consider = [&](double scaled, std::string_view unit_text) {
        const std::string candidate = fmt::format("{} {}", scaled, unit_text);
        if (candidate.size() < best.size() && candidate.find('e') == std::string::npos && parse_quantity(candidate, symbol) == si_value) best = candidate;
    };
    if (symbol == unit::Radian::symbol) {
        const double in_degrees = degrees(si_value);
        consider(std::round(in_degrees * 1e6) / 1e6, "deg");
        return best;
    }
    for (const auto& [letter, factor] : prefixes)
        if (!letter.empty()) consider(std::strtod(fmt::format("{:.15g}", si_value / factor).c_str(), nullptr), std::string{letter} + std::string{symbol});
    return best;
}

}  // namespace entrain

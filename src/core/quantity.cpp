#include "core/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace entrain {
namespace {

struct Prefix {
    std::string_view letter;
    double factor;
};
constexpr std::array<Prefix, 10> prefixes = {
    {{"", 1.0}, {"f", 1e-15}, {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6}, {"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}}};

bool dimensionless(std::string_view symbol) { return symbol.empty() || symbol == "1"; }

constexpr std::string_view degree = "deg";

std::invalid_argument not_a_number(std::string_view text, std::string_view symbol) {
    if (dimensionless(symbol)) return std::invalid_argument{fmt::format("{} is not a finite number (expected a number without a unit)", shown(text))};
    const std::string_view example = symbol == unit::Radian::symbol   ? "1 deg"
                                     : symbol == unit::Hertz::symbol  ? "5 GHz"
                                     : symbol == unit::Second::symbol ? "40 ns"
                                                                      : "";
    return std::invalid_argument{fmt::format("{} is not a quantity (expected a finite number with a unit of {}, for example '{}')", shown(text),
                                             symbol, example.empty() ? fmt::format("1 {}", symbol) : std::string{example})};
}

/// `number_text` is the number as written: the example repeats it.
std::invalid_argument wrong_unit(std::string_view text, std::string_view number_text, std::string_view unit_text, std::string_view symbol) {
    const auto same_letter = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
    std::vector<std::string> same_letters;  // a unit written in the wrong case; other near ones, such as nHz for ns, are not what was meant
    for (const auto& prefix : prefixes) {
        std::string spelling = fmt::format("{}{}", prefix.letter, symbol);
        if (std::equal(spelling.begin(), spelling.end(), unit_text.begin(), unit_text.end(), same_letter))
            same_letters.push_back(std::move(spelling));
    }
    const std::string_view usual = symbol == unit::Radian::symbol   ? degree
                                   : symbol == unit::Hertz::symbol  ? "GHz"
                                   : symbol == unit::Second::symbol ? "ns"
                                                                    : symbol;
    const std::string problem =
        unit_text.empty() ? fmt::format("{} has no unit", shown(text)) : fmt::format("{} is not a unit of {}", shown(unit_text), symbol);
    return std::invalid_argument{fmt::format("{} (expected a quantity in {}, for example '{} {}').{}", problem, symbol,
                                             number_text.size() < 20 ? number_text : "1", usual, did_you_mean(std::string{unit_text}, same_letters))};
}

}  // namespace

double wrap(double angle) {
    const double wrapped = std::remainder(angle, turn);  // exact, in [-pi, pi]
    return wrapped >= std::numbers::pi ? -std::numbers::pi : wrapped;
}

double parse_quantity(std::string_view text, std::string_view symbol) {
    const auto trim = [](std::string_view s) {
        while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
        while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
        return s;
    };
    std::string_view rest = trim(text);
    if (rest.starts_with('+') && !rest.starts_with("+-")) rest.remove_prefix(1);
    double number = 0.0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc{} || !std::isfinite(number)) throw not_a_number(text, symbol);
    const auto length = static_cast<std::size_t>(end - rest.data());
    const std::string_view unit_text = trim(rest.substr(length));
    if (dimensionless(symbol)) {
        if (!unit_text.empty()) throw not_a_number(text, symbol);
        return number;
    }
    if (symbol == unit::Radian::symbol && unit_text == degree) return radians(number);
    for (const auto& [letter, factor] : prefixes)
        if (unit_text.size() == letter.size() + symbol.size() && unit_text.starts_with(letter) && unit_text.ends_with(symbol)) {
            // A division by an exact power of ten rounds once, so that "40 ns" is the double nearest to 4e-8.
            const double value = factor < 1.0 ? number / std::round(1.0 / factor) : number * factor;
            if (!std::isfinite(value)) throw not_a_number(text, symbol);
            return value;
        }
    throw wrong_unit(text, rest.substr(0, length), unit_text, symbol);
}

std::string format_quantity(double si_value, std::string_view symbol) {
    const std::string plain = fmt::format("{}", si_value);
    if (dimensionless(symbol)) return plain;
    std::string best = fmt::format("{} {}", plain, symbol);
    const auto consider = [&](double scaled, std::string_view unit_text) {
        const std::string number = fmt::format("{}", scaled);
        if (!std::isfinite(scaled) || number.find('e') != std::string::npos || number.size() + 1 + unit_text.size() >= best.size()) return;
        std::string candidate = fmt::format("{} {}", number, unit_text);
        if (parse_quantity(candidate, symbol) == si_value) best = std::move(candidate);
    };
    if (symbol == unit::Radian::symbol) {
        const double in_degrees = degrees(si_value);
        consider(std::round(in_degrees * 1e6) / 1e6, "deg");
        return best;
    }
    for (const auto& [letter, factor] : prefixes)
        if (!letter.empty())
            consider(std::strtod(fmt::format("{:.15g}", si_value / factor).c_str(), nullptr), std::string{letter} + std::string{symbol});
    return best;
}

}  // namespace entrain

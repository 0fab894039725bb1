#include "config/field_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/overloaded.hpp"

namespace entrain::config {
namespace {

std::string bounds_text(const std::string& low, bool open_low, const std::string& high) {
    if (low.empty() && high.empty()) return "";
    if (low.empty()) return "<= " + high;
    if (high.empty()) return (open_low ? "> " : ">= ") + low;
    return open_low ? fmt::format("> {}, <= {}", low, high) : fmt::format("{} .. {}", low, high);
}

/// Infinity and NaN are no values of a configuration.
double finite(const Field& field, double x) {
    if (!std::isfinite(x)) throw std::logic_error{fmt::format("field {} holds {}, which no configuration can state", field.name, x)};
    return x;
}

std::string_view without_plus(std::string_view text) {
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
    return text;
}

}  // namespace

std::optional<double> read_number(std::string_view text) {
    text = without_plus(text);
    double x = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), x);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(x)) return std::nullopt;
    return x;
}

std::optional<std::int64_t> read_integer(std::string_view text) {
    text = without_plus(text);
    std::int64_t i = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), i);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return i;
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) { return fmt::format("{}", fmt::join(words, separator)); }

std::string type_text(const Field& field) {
    return std::visit(
        Overloaded{
            [](const QuantityField& f) {
                return f.symbol.empty() || f.symbol == "1" ? std::string{"number"} : fmt::format("quantity [{}]", f.symbol);
            },
            [](const NumberField&) { return std::string{"number"}; }, [](const OptionalNumberField&) { return std::string{"number or null"}; },
            [](const IntegerField&) { return std::string{"integer"}; }, [](const OptionalIntegerField&) { return std::string{"integer or null"}; },
            [](const FlagField&) { return std::string{"true | false"}; }, [](const TextField&) { return std::string{"text"}; },
            [](const IntegerListField&) { return std::string{"list of integers"}; }, [](const WordField& f) { return joined(f.allowed, " | "); },
            [](const SectionField&) { return std::string{"map"}; }, [](const SectionListField&) { return std::string{"list of maps"}; },
            [](const RawMapField&) { return std::string{"map of names and values"}; }},
        field.value);
}

std::string range_text(const Interval& range, std::string_view symbol) {
    const auto text = [&](double x) { return std::isfinite(x) ? format_quantity(x, symbol) : std::string{}; };
    return bounds_text(text(range.low), range.open_low, text(range.high));
}

std::string range_text(std::int64_t low, std::int64_t high) {
    using limits = std::numeric_limits<std::int64_t>;
    return bounds_text(low == limits::min() ? "" : std::to_string(low), false, high == limits::max() ? "" : std::to_string(high));
}

std::string range_text(const Field& field) {
    return std::visit(
        Overloaded{[](const QuantityField& f) { return range_text(f.range, f.symbol); }, [](const NumberField& f) { return range_text(f.range, ""); },
                   [](const OptionalNumberField& f) { return range_text(f.range, ""); },
                   [](const IntegerField& f) { return range_text(f.low, f.high); },
                   [](const OptionalIntegerField& f) { return range_text(f.low, f.high); },
                   [](const IntegerListField& f) { return range_text(f.low, f.high); }, [](const auto&) { return std::string{}; }},
        field.value);
}

std::string value_text(const Field& field) {
    return std::visit(
        Overloaded{[&](const QuantityField& f) { return format_quantity(finite(field, *f.si), f.symbol); },
                   [&](const NumberField& f) { return fmt::format("{}", finite(field, *f.value)); },
                   [&](const OptionalNumberField& f) { return *f.value ? fmt::format("{}", finite(field, **f.value)) : std::string{"null"}; },
                   [](const IntegerField& f) { return std::to_string(*f.value); },
                   [](const OptionalIntegerField& f) { return *f.value ? std::to_string(**f.value) : std::string{"null"}; },
                   [](const FlagField& f) { return std::string{*f.value ? "true" : "false"}; },
                   [](const TextField& f) { return yaml_scalar(*f.value); },
                   [](const IntegerListField& f) { return fmt::format("[{}]", fmt::join(*f.value, ", ")); },
                   [](const WordField& f) { return f.text() == "null" ? f.text() : yaml_scalar(f.text()); },
                   [](const auto&) -> std::string { throw std::logic_error{"a map has no text on one line"}; }},
        field.value);
}

std::string yaml_scalar(std::string_view text) {
    const auto letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    const bool plain = !text.empty() && letter_or_digit(text.front()) && text.back() != ' ' && std::all_of(text.begin(), text.end(), [&](char c) {
        return letter_or_digit(c) || std::string_view{"_./+- "}.find(c) != std::string_view::npos;
    });
    if (plain && text != "null" && text != "Null" && text != "NULL") return std::string{text};
    std::string quoted = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            quoted += {'\\', c};
        else if (c == '\n')
            quoted += "\\n";
        else if (c == '\t')
            quoted += "\\t";
        else if (byte < 0x20 || byte == 0x7F)
            quoted += fmt::format("\\x{:02x}", byte);
        else
            quoted += c;
    }
    return quoted + '"';
}

}  // namespace entrain::config

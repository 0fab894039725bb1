#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fields.hpp"

namespace entrain::config {

/// The finite number `text` spells (YAML core schema without .inf, .nan and other bases), or nothing.
[[nodiscard]] std::optional<double> read_number(std::string_view text);

/// The integer `text` spells: an optional sign and decimal digits, or nothing.
[[nodiscard]] std::optional<std::int64_t> read_integer(std::string_view text);

/// "number", "quantity [Hz]", "a | b | c", "list of integers", ...
[[nodiscard]] std::string type_text(const Field& field);

/// "0 .. 1", "> 0 Hz", "<= 8"; "" where every value is allowed.
[[nodiscard]] std::string range_text(const Interval& range, std::string_view symbol);
[[nodiscard]] std::string range_text(std::int64_t low, std::int64_t high);
/// Of the field's value; "" for fields without a range.
[[nodiscard]] std::string range_text(const Field& field);

[[nodiscard]] std::string joined(const std::vector<std::string>& words, std::string_view separator);

/// The field's present value as YAML on one line, read back to the same value by Reader. Not for sections and raw maps.
[[nodiscard]] std::string value_text(const Field& field);

/// `text` as a YAML scalar: quoted unless it is one word or number that reads back unchanged.
[[nodiscard]] std::string yaml_scalar(std::string_view text);

}  // namespace entrain::config

#pragma once
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace entrain::io {

/// JSON with keys in the order they were written. The only door to the JSON library.
using Json = nlohmann::ordered_json;

/// The number, or null where it does not exist (NaN, infinite).
[[nodiscard]] inline Json number_or_null(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }

/// Writes with two-space indentation under a temporary name, then renames.
void write_json(const std::filesystem::path& path, const Json& json);

/// Reads a JSON file of at most 64 MiB and nesting depth 64; std::runtime_error that names the file if it is not one.
[[nodiscard]] Json read_json(const std::filesystem::path& path);

}  // namespace entrain::io

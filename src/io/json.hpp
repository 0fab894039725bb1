#pragma once
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace entrain::io {
/// What the JSON library asserts, such as that a key exists, may be untrue of a file that was read: std::logic_error in every build.
inline void require_json(bool holds, const char* what) {
    if (!holds) throw std::logic_error{std::string{"not the JSON that was expected: "} + what};
}
}  // namespace entrain::io
#define JSON_ASSERT(condition) ::entrain::io::require_json(static_cast<bool>(condition), #condition)
#include <nlohmann/json.hpp>

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

#include "io/json.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>

#include "core/file.hpp"

namespace entrain::io {
namespace {

constexpr std::uintmax_t max_bytes = std::uintmax_t{64} << 20;
constexpr int max_depth = 64;

}  // namespace

void write_json(const std::filesystem::path& path, const Json& json) {
    // Messages of ngspice and file names need not be UTF-8: their odd bytes become U+FFFD, the rest of the result stays readable.
    write_file_atomically(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
}

Json read_json(const std::filesystem::path& path) {
    const auto fail = [&](const std::string& problem) { return std::runtime_error{path.string() + ": " + problem}; };
    const std::string text = read_file(path, max_bytes);
    // The parser takes a NUL for the end of its input and would ignore what follows.
    if (text.find('\0') != std::string::npos) throw fail("is not JSON (has a NUL byte)");
    const auto limit_depth = [&](int depth, Json::parse_event_t event, Json&) {
        const bool opens = event == Json::parse_event_t::array_start || event == Json::parse_event_t::object_start;
        if (opens && depth >= max_depth) throw fail("is nested deeper than 64 levels");
        return true;
    };
    try {
        return Json::parse(text, limit_depth);
    } catch (const Json::exception& error) {
        throw fail(std::string{"is not JSON: "} + error.what());
    }
}

}  // namespace entrain::io

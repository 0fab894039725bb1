#pragma once
#include <span>
#include <string>

namespace entrain::io {

/// One line of a CSV file (RFC 4180, with "\n"): cells with a comma, a quote or a line break stand between quotes, quotes inside are doubled.
[[nodiscard]] inline std::string csv_row(std::span<const std::string> cells) {
    std::string row;
    for (const auto& cell : cells) {
        if (&cell != cells.data()) row += ',';
        if (cell.find_first_of(",\"\r\n") == std::string::npos) {
            row += cell;
            continue;
        }
        row += '"';
        for (const char c : cell) row += c == '"' ? std::string{"\"\""} : std::string{c};
        row += '"';
    }
    return row + '\n';
}

}  // namespace entrain::io

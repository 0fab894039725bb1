#include "core/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace entrain {
namespace {

std::string joined(const std::vector<Diagnostic>& diagnostics) {
    std::string text;
    for (const auto& d : diagnostics) {
        if (!text.empty()) text += '\n';
        text += to_string(d);
    }
    return text;
}

std::string lower_case(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
std::size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i)
        for (std::size_t j = 1; j <= b.size(); ++j) {
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[a.size()][b.size()];
}

}  // namespace

std::string to_string(const Diagnostic& d) {
    if (d.where.file.empty()) return d.message;
    if (d.where.line == 0) return fmt::format("{}: {}", d.where.file, d.message);
    if (d.where.column == 0) return fmt::format("{}:{}: {}", d.where.file, d.where.line, d.message);
    return fmt::format("{}:{}:{}: {}", d.where.file, d.where.line, d.where.column, d.message);
}

UserError::UserError(std::vector<Diagnostic> diagnostics) : std::runtime_error{joined(diagnostics)}, diagnostics_{std::move(diagnostics)} {}
UserError::UserError(Location where, std::string message) : UserError{std::vector<Diagnostic>{{std::move(where), std::move(message)}}} {}
UserError::UserError(std::string message) : UserError{Location{}, std::move(message)} {}

void Diagnostics::throw_if_any() const {
    if (!found_.empty()) throw UserError{found_};
}

std::string shown(std::string_view text) {
    constexpr std::size_t longest = 60;  // a message stays on one line of a terminal
    std::size_t length = std::min(text.size(), longest);
    if (length < text.size())
        while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) --length;  // not within a UTF-8 character
    std::string out = "'";
    for (const char c : text.substr(0, length)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (byte < 0x20 || byte == 0x7F)
            out += fmt::format("\\x{:02x}", byte);
        else
            out += c;
    }
    return out + (length < text.size() ? "...'" : "'");
}

std::string closest(const std::string& word, const std::vector<std::string>& candidates) {
    if (word.size() > 64) return "";  // no key is that long; keeps the distance cheap on hostile input
    std::string best;
    std::pair best_distance{std::max<std::size_t>(2, word.size() / 3) + 1, std::size_t{0}};
    for (const auto& candidate : candidates) {
        if (candidate.size() > word.size() + best_distance.first) continue;  // further away than that; keeps a hostile file's long names cheap
        const std::pair distance{edit_distance(lower_case(word), lower_case(candidate)), edit_distance(word, candidate)};
        if (distance < best_distance && distance.first < candidate.size()) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
    const std::string best = closest(word, candidates);
    return best.empty() ? "" : fmt::format(" Did you mean '{}'?", best);
}

}  // namespace entrain

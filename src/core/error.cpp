#include "core/error.hpp"

#include <fmt/format.h>

#include <algorithm>

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
    return fmt::format("{}:{}:{}: {}", d.where.file, d.where.line, d.where.column, d.message);
}

UserError::UserError(std::vector<Diagnostic> diagnostics) : std::runtime_error{joined(diagnostics)}, diagnostics_{std::move(diagnostics)} {}
UserError::UserError(Location where, std::string message) : UserError{std::vector<Diagnostic>{{std::move(where), std::move(message)}}} {}
UserError::UserError(std::string message) : UserError{Location{}, std::move(message)} {}

void Diagnostics::throw_if_any() const {
    if (!found_.empty()) throw UserError{found_};
}

std::string closest(const std::string& word, const std::vector<std::string>& candidates) {
    if (word.size() > 64) return "";  // no key is that long; keeps the distance cheap on hostile input
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        if (candidate.size() >= word.size() + best_distance) continue;  // at least that far away; keeps a hostile file's long names cheap
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance && distance < candidate.size()) {
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

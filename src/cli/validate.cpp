#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/comparison.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"

namespace entrain::cli {

namespace {

/// What a good file holds, for people.
std::string checked(const std::string& file, const std::vector<std::string>& overrides) {
    if (lists_rows(file, overrides)) {
        const Comparison comparison = load_comparison(file, overrides);
        std::string text = fmt::format("{}: good: {} rows", file, comparison.rows.size());
        for (const ComparisonRow& row : comparison.rows)
            text += fmt::format("\n  {}{}", row.name, row.configuration.impossible.empty() ? "" : " will fail: " + row.configuration.impossible);
        for (const SkippedPair& pair : comparison.skipped) text += fmt::format("\n  {} will be skipped: {}", pair.name, pair.reason);
        return text;
    }
    Configuration configuration = load_configuration(file, overrides, Scope::whole);
    const Inputs inputs = load_inputs_for_substrate(configuration);
    return fmt::format("{}: good: {} on {} with {}, {} sequences, {} heads, d = {}", file, configuration.layer.mechanism,
                       configuration.substrate.kind, configuration.engine, inputs.chosen.size(), inputs.layer.heads,
                       inputs.layer.oscillator_dimension);
}

}  // namespace

int validate_command(const std::vector<std::string>& configs, const CommonOptions& options) {
    std::vector<Diagnostic> found;
    for (const std::string& file : configs) {
        try {
            const std::string good = checked(file, overrides_of(options));
            if (!options.quiet && !options.json) fmt::print("{}\n", good);
        } catch (const UserError& error) {
            found.insert(found.end(), error.diagnostics().begin(), error.diagnostics().end());
        }
    }
    if (!found.empty()) throw UserError{found};
    if (options.json) fmt::print("{}\n", io::Json({{"valid", true}, {"files", configs}}).dump(2));
    return done;
}

}  // namespace entrain::cli

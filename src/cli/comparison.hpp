#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "cli/configuration.hpp"
#include "energy/ledger.hpp"

namespace entrain::cli {

/// One substrate with one engine: a row of compare.
struct ComparisonRow {
    std::string name;  ///< unique, and the name of the row's folder
    Configuration configuration;
};

/// A pair that cannot exist.
struct SkippedPair {
    std::string name;
    std::string substrate;
    std::string engine;
    std::string reason;
};

/// A file of compare as read: every substrate with every engine on one layer.
struct Comparison {
    std::vector<ComparisonRow> rows;  ///< in the order of the file, substrates outside; an impossible cell is among them
    std::vector<SkippedPair> skipped;
    Inputs inputs;
    energy::DigitalCosts digital;
    std::string resolved;  ///< text of resolved.yaml, which `entrain compare` runs to the same numbers
};

/// Whether the file, with these --set overrides, lists rows: `compare` takes both kinds of file, `run` only those that do not.
[[nodiscard]] bool lists_rows(const std::filesystem::path& file, const std::vector<std::string>& overrides);

/// Reads `substrates:` and `engines:` (or one map each) and the rest of the file strictly for every pair, and the layer. All mistakes of all rows at
/// once as UserError, each one once.
[[nodiscard]] Comparison load_comparison(const std::filesystem::path& file, const std::vector<std::string>& overrides);

}  // namespace entrain::cli

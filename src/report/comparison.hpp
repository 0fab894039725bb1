#pragma once
#include <string>
#include <vector>

#include "io/json.hpp"

namespace entrain::report {

/// What compare.json says besides its rows.
struct ComparisonInfo {
    io::Json rows = io::Json::array();        ///< result.json of each row, `name` first
    io::Json skipped = io::Json::array();     ///< {name, substrate, engine, reason}
    io::Json not_run = io::Json::array();     ///< names of rows an interrupt came before
    io::Json held_equal = io::Json::array();  ///< {what, value}
    io::Json free = io::Json::array();        ///< {what, unit, values: {row: value}}
    io::Json equal;                           ///< {mode, target_deg, formula}; with mode error rows have `equal_error`
    bool interrupted = false;
    double wall_s = 0.0;
    io::Json provenance;
};

/// compare.json (schema entrain.compare/1). status: ok if every row is; failed if every row is; else, or when interrupted, partial.
[[nodiscard]] io::Json comparison_json(const ComparisonInfo& info);

/// compare.csv of a compare.json: one line per row, units in the column names, empty cells for null.
[[nodiscard]] std::string comparison_csv(const io::Json& comparison);

/// The table for standard output: errors, then times and energies, a line per row; what is held equal, what is free, what failed or was skipped.
[[nodiscard]] std::string comparison_table(const io::Json& comparison);

/// With equal: error, what was chosen, predicted and measured for each row, a sentence each; else none.
[[nodiscard]] std::vector<std::string> equal_error_notes(const io::Json& comparison);

/// Pairs that were skipped, and rows that an interrupt came before, a sentence each.
[[nodiscard]] std::vector<std::string> missing_rows(const io::Json& comparison);

/// The plans of --dry-run, {rows, skipped}, a line per row.
[[nodiscard]] std::string plans_table(const io::Json& plans);

}  // namespace entrain::report

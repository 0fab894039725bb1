#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/fields.hpp"

namespace entrain::config {

/// Whether `name` can name a file beside others (a corner): letters, digits, '_', '.', '-', not beginning with '.'. Everything else could lead
/// elsewhere ("../x", "/etc/passwd").
[[nodiscard]] bool is_plain_name(std::string_view name);

/// An entry of models/<substrate>/<corner>.yaml as written: `value` counts in `unit`, which may have an SI prefix; "1" is dimensionless.
struct ModelEntry {
    double value = 0.0;
    std::string unit;
    std::string source;
    Location where;
};

struct ModelFile {
    Location where;
    std::map<std::string, ModelEntry> entries;
};

/// Reads a map of `name: {value: 10, unit: "1", source: "..."}`; a top-level `description` is allowed. UserError with all mistakes: an entry without
/// value, unit or source, a value that is no finite number, unknown keys, and what parse() refuses.
[[nodiscard]] ModelFile read_model_file(const std::filesystem::path& path);

/// What a substrate reads from its model file.
struct ModelParameterSpec {
    std::string name;
    std::string unit;  ///< SI unit without prefix; "1" for dimensionless
    Interval range;    ///< of the SI value
};

struct ResolvedParameter {
    double value = 0.0;  ///< [unit]
    std::string unit;    ///< the spec's
    std::string source;  ///< the file's; "configuration" for an overridden value
};

/// The value of every parameter in `specs`: from the file, or from `overrides` (substrate.parameters): a number with its unit ("1.5 nH"), without one
/// only if dimensionless ("20"). Adds to `diagnostics`, with place: parameters that are missing in the file, names no spec has, units of another
/// dimension, values outside the range.
[[nodiscard]] std::map<std::string, ResolvedParameter> resolve_corner(const ModelFile& file, const std::vector<ModelParameterSpec>& specs,
                                                                      const std::vector<RawEntry>& overrides, Diagnostics& diagnostics);

}  // namespace entrain::config

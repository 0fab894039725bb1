#pragma once
#include <string>

#include "cli/session.hpp"
#include "io/json.hpp"

namespace entrain::cli {

/// What a run would do: shown by --dry-run, which simulates nothing but a missing calibration.
[[nodiscard]] io::Json plan_json(const Experiment& experiment);

/// The plan of one run, a line for each of its figures.
[[nodiscard]] std::string plan_table(const io::Json& plan);

}  // namespace entrain::cli

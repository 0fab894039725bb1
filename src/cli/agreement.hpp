#pragma once
#include <optional>
#include <string>

#include "cli/configuration.hpp"
#include "core/progress.hpp"
#include "io/json.hpp"
#include "study/agreement.hpp"

namespace entrain::cli {

/// The comparison of the configured cell's phase model with its circuit: the stored one, or measured and stored.
[[nodiscard]] study::Agreement agreement_for(const Configuration& configuration, int jobs, const Progress& progress);

/// Where the phase model of the configured cell agrees with its circuit, if `characterize` ever compared them; measures nothing.
[[nodiscard]] std::optional<problem::Validity> stored_validity(const Configuration& configuration);

/// Adds validity, agreement and agreement_by_injection to characterization.json; without an agreement they are null.
void add_agreement(io::Json& characterization, const std::optional<study::Agreement>& agreement);

/// The rows of characterize's table about it.
[[nodiscard]] std::string agreement_table(const study::Agreement& agreement);

}  // namespace entrain::cli

#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/comparison.hpp"
#include "core/progress.hpp"
#include "problem/solution.hpp"
#include "study/equal_error.hpp"

namespace entrain::cli {

/// What a row of compare needs before it can run: a calibration, or the reason why there is none.
struct Ready {
    problem::Calibration calibration;
    std::optional<problem::Failure> failure;
    std::optional<study::OperatingPoint> point;  ///< with compare.equal: error
};

/// Nothing measured: every number of a circuit is missing.
[[nodiscard]] problem::Calibration unmeasured(const substrates::Substrate& substrate);

/// Turns what a row throws into its failure. A missing component and an interrupt concern every row and are passed on.
[[nodiscard]] std::optional<problem::Failure> failure_of(const std::function<void()>& work);

/// The same experiment with keys set as by --set; UserError or ModelError if its cell cannot be configured so.
[[nodiscard]] Configuration reread(const Configuration& configuration, const std::vector<std::string>& overrides);

/// Calibrates every row, one measurement for all rows with the same key, several of them side by side on `jobs` threads in total.
[[nodiscard]] std::vector<Ready> calibrate_rows(const Comparison& comparison, int jobs, const Progress& progress);

/// The same for compare.equal: error, which also chooses: the rows' injection and read time are set to the operating points found.
[[nodiscard]] std::vector<Ready> choose_operating_points(Comparison& comparison, int jobs, const Progress& progress);

}  // namespace entrain::cli

#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5.hpp"
#include "io/json.hpp"
#include "readout/reading.hpp"
#include "study/trial.hpp"

namespace entrain::report {

/// What a result says about its own making, beyond the trial.
struct RunInfo {
    std::string status;  ///< ok | partial | failed
    std::string mechanism;
    std::string substrate_kind;
    std::string corner;
    io::Json engine;  ///< kind and options
    double wall_s = 0.0;
    io::Json provenance;
};

/// The word for a verdict in result files: settled, unsettled, ...
[[nodiscard]] std::string_view verdict_word(readout::Verdict verdict);

/// The status of a finished trial: ok; partial if a simulation failed, was interrupted or an oscillator did not settle; failed if nothing was read.
[[nodiscard]] std::string status_of(const study::TrialRecord& record);

/// result.json (schema entrain.result/1), SI units in the key names.
[[nodiscard]] io::Json result_json(const RunInfo& info, const study::TrialInput& input, const study::TrialRecord& record);

/// result.json of a trial that could not be simulated at all: the same keys, null for what was not measured, the failure listed.
[[nodiscard]] io::Json failed_result_json(const RunInfo& info, const study::TrialInput& input, const problem::Failure& failure);

/// The datasets of arrays.h5.
[[nodiscard]] std::vector<io::Array> result_arrays(const study::TrialInput& input, const study::TrialRecord& record);

/// One summary table for standard output: what ran, the errors, settling, energy, what failed; ends with a newline.
[[nodiscard]] std::string summary_table(const io::Json& result);

/// Options of a struct as JSON, from the same describe() that reads them.
class JsonEcho final : public FieldVisitor {
 public:
    void visit(const Field& field) override;
    [[nodiscard]] const io::Json& json() const { return json_; }

 private:
    io::Json json_ = io::Json::object();
};

}  // namespace entrain::report

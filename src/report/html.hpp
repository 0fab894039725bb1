#pragma once
#include <string>
#include <vector>

#include "io/json.hpp"
#include "study/trial.hpp"

namespace entrain::report {

/// What the page's charts draw of a trial beyond result.json: error over read times, settling curves, worst tokens, attention matrices. Bounded
/// whatever the layer's size; matrices are left out beyond 200,000 entries, the ones with the largest difference first, and the page says so.
[[nodiscard]] io::Json charts_json(const study::TrialInput& input, const study::TrialRecord& record);

/// One result on the page.
struct ReportRow {
    std::string name;  ///< unique on the page
    io::Json result;   ///< result_json()
    io::Json charts;   ///< charts_json(); may be null for a row that failed before its trial
};

/// report.html: one file without references to others; its charts need no network. Rows appear in this order. `notes` are sentences printed below
/// the table. Texts are carried as JSON data and shown as text: none can become markup or script.
[[nodiscard]] std::string html_report(const std::string& title, const std::vector<ReportRow>& rows, const std::vector<std::string>& notes = {});

/// report.html of a measured cell, from characterization.json.
[[nodiscard]] std::string html_characterization(const std::string& title, const io::Json& characterization);

}  // namespace entrain::report

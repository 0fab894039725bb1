#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/quantity.hpp"
#include "report/html.hpp"
#include "report/result.hpp"

namespace entrain::report {
namespace {

using Eigen::Index;
using io::Json;
using io::number_or_null;

constexpr std::size_t worst_listed = 10;
constexpr Index most_entries = 200'000;  // of attention matrices per result: about 1.5 MB of page

/// Four significant digits: more than a chart shows, and a third of the bytes.
Json rounded(double x) { return std::isfinite(x) ? Json(std::strtod(fmt::format("{:.4g}", x).c_str(), nullptr)) : Json(nullptr); }

template <class Values>
Json rounded_list(const Values& values) {
    Json list = Json::array();
    for (const double x : values) list.push_back(rounded(x));
    return list;
}

/// Rows of a matrix; null where `states` has none: padding, or an oscillator without a phase.
Json rows_of(const Eigen::MatrixXd& matrix, const Eigen::MatrixXd& states) {
    Json rows = Json::array();
    for (Index i = 0; i < matrix.rows(); ++i) rows.push_back(states.row(i).allFinite() ? rounded_list(matrix.row(i)) : Json(nullptr));
    return rows;
}

Json error_over_time_json(const std::vector<study::ReadPoint>& points) {
    Json time = Json::array();
    Json rms = Json::array();
    Json energy = Json::array();
    for (const study::ReadPoint& p : points) {
        time.push_back(rounded(p.time));
        rms.push_back(rounded(p.phase_rms_deg));
        energy.push_back(rounded(p.energy_j));
    }
    return {{"time_s", time}, {"phase_rms_deg", rms}, {"energy_per_query_j", energy}};
}

Json settling_curves_json(const std::vector<study::SettlingCurve>& curves) {
    Json list = Json::array();
    for (const study::SettlingCurve& c : curves) {
        std::vector<double> angle_deg;
        for (const double a : c.angle) angle_deg.push_back(degrees(a));
        list.push_back({{"sequence", c.id.sequence},
                        {"head", c.id.head},
                        {"token", c.id.token},
                        {"drive", rounded(c.drive_ratio)},
                        {"settling_time_s", rounded(c.settling_time)},
                        {"time_s", rounded_list(c.time)},
                        {"angle_deg", rounded_list(angle_deg)}});
    }
    return list;
}

/// One head of one sequence, with its place in the record.
struct Panel {
    const study::SequenceRecord* sequence;
    std::size_t head;
    double largest;  ///< largest |simulated - reference| of the rows that were read
};

double largest_difference(const study::SequenceRecord& s, std::size_t head) {
    double largest = 0.0;
    for (Index i = 0; i < s.simulated.attention[head].rows(); ++i)
        if (s.simulated.states[head].row(i).allFinite())
            largest = std::max(largest, (s.simulated.attention[head].row(i) - s.reference.attention[head].row(i)).cwiseAbs().maxCoeff());
    return largest;
}

Json attention_json(const study::TrialRecord& record) {
    std::vector<Panel> panels;
    for (const study::SequenceRecord& s : record.sequences)
        for (std::size_t h = 0; h < s.reference.attention.size(); ++h) panels.push_back({&s, h, largest_difference(s, h)});
    std::stable_sort(panels.begin(), panels.end(), [](const Panel& a, const Panel& b) { return a.largest > b.largest; });
    Json shown = Json::array();
    Index entries = 0;
    for (const Panel& p : panels) {
        const Eigen::MatrixXd& simulated = p.sequence->simulated.attention[p.head];
        entries += 2 * simulated.size();
        if (entries > most_entries) break;
        shown.push_back({{"sequence", p.sequence->sequence->index},
                         {"head", p.head},
                         {"max_abs", rounded(p.largest)},
                         {"reference", rows_of(p.sequence->reference.attention[p.head], p.sequence->reference.states[p.head])},
                         // A difference of rounded weights would show the rounding.
                         {"difference", rows_of(simulated - p.sequence->reference.attention[p.head], p.sequence->simulated.states[p.head])}});
    }
    return {{"total", panels.size()}, {"shown", shown}};
}

double angle_deg(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, Index row) {
    return degrees(2.0 * std::atan2((a.row(row) - b.row(row)).norm(), (a.row(row) + b.row(row)).norm()));
}

/// Settled and unsettled tokens with the largest phase error at the read time; a degenerate token's error says nothing of the circuit.
Json worst_tokens_json(const study::TrialRecord& record) {
    struct Token {
        const study::SequenceRecord* sequence;
        std::size_t head;
        Index token;
        double at_read;
    };
    std::vector<Token> tokens;
    for (const study::SequenceRecord& s : record.sequences)
        for (std::size_t h = 0; h < s.simulated.states.size(); ++h)
            for (Index t = 0; t < s.simulated.states[h].rows(); ++t) {
                const auto verdict = static_cast<readout::Verdict>(s.verdict(static_cast<Index>(h), t));
                if (verdict != readout::Verdict::settled && verdict != readout::Verdict::unsettled) continue;
                const double error = angle_deg(s.at_read.states[h], s.reference.states[h], t);
                if (std::isfinite(error)) tokens.push_back({&s, h, t, error});
            }
    const auto listed = std::min(worst_listed, tokens.size());
    std::partial_sort(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(listed), tokens.end(),
                      [](const Token& a, const Token& b) { return a.at_read > b.at_read; });
    tokens.resize(listed);
    Json list = Json::array();
    for (const Token& token : tokens) {
        const study::SequenceRecord& s = *token.sequence;
        const auto h = static_cast<Index>(token.head);
        const Eigen::RowVectorXd difference = s.at_read.attention[token.head].row(token.token) - s.reference.attention[token.head].row(token.token);
        list.push_back({{"sequence", s.sequence->index},
                        {"head", token.head},
                        {"token", token.token},
                        {"drive", number_or_null(s.reference.drive[token.head](token.token))},
                        {"phase_error_at_read_deg", token.at_read},
                        {"phase_error_deg", number_or_null(angle_deg(s.simulated.states[token.head], s.reference.states[token.head], token.token))},
                        {"attention_error_at_read", difference.cwiseAbs().maxCoeff()},
                        {"settling_time_s", number_or_null(s.settling_time(h, token.token))},
                        {"energy_j", number_or_null(s.energy(h, token.token))},
                        {"verdict", verdict_word(static_cast<readout::Verdict>(s.verdict(h, token.token)))}});
    }
    return list;
}

template <class Options>
Json echo(Options options) {
    JsonEcho visitor;
    options.describe(visitor);
    return visitor.json();
}

}  // namespace

Json charts_json(const study::TrialInput& input, const study::TrialRecord& record) {
    return {{"readout", echo(input.readout)},
            {"start", echo(input.start)},
            {"error_over_time", error_over_time_json(record.error_over_time)},
            {"settling_curves", settling_curves_json(record.settling_curves)},
            {"attention", attention_json(record)},
            {"worst_tokens", worst_tokens_json(record)}};
}

}  // namespace entrain::report

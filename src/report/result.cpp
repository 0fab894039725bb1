#include "report/result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/quantity.hpp"
#include "metrics/quantile.hpp"

namespace entrain::report {
namespace {

using Eigen::Index;
using io::Json;
using io::number_or_null;
using readout::Verdict;

constexpr std::size_t listed_failures = 200;  // unsettled oscillators are listed too; a broken run must not write a gigabyte

Json error_json(const metrics::AttentionError& e, bool with_states) {
    Json json;
    json["attention_max_abs"] = number_or_null(e.attention_max_abs);
    json["attention_max_abs_times_tokens"] = number_or_null(e.attention_max_abs_times_tokens);
    json["attention_rms"] = number_or_null(e.attention_rms);
    json["attention_kl_mean"] = number_or_null(e.attention_kl_mean);
    json["top1_agreement"] = number_or_null(e.top1_agreement);
    if (with_states) {
        json["phase_rms_deg"] = number_or_null(e.phase_rms_deg);
        json["phase_max_deg"] = number_or_null(e.phase_max_deg);
        json["output_relative"] = number_or_null(e.output_relative);
    }
    json["n"] = e.n;
    json["n_total"] = e.n_total;
    return json;
}

Json spread(const std::vector<double>& values, double scale) {
    const metrics::Quantiles q = metrics::quantiles(values);
    return {{"median", number_or_null(scale * q.median)}, {"p95", number_or_null(scale * q.p95)}, {"max", number_or_null(scale * q.max)}};
}

const char* origin_word(problem::Origin origin) {
    switch (origin) {
        case problem::Origin::simulated:
            return "simulated";
        case problem::Origin::modelled:
            return "modelled";
        case problem::Origin::cited:
            return "cited";
    }
    return "";
}

/// Why an oscillator is listed, and what helps.
std::string message_of(const study::TrialRecord& record, std::size_t i, std::string_view time_unit) {
    const auto k = static_cast<Index>(i);
    const std::string drive = fmt::format("drive r = {:.4g}", record.drive_ratio(k));
    if (record.readings[i].verdict != Verdict::unsettled) return drive;
    return fmt::format("{}, predicted to be within the tolerance after {:.3g} {}; readout.max_periods waits longer", drive,
                       record.predicted_settling_time(k), time_unit);
}

/// What went wrong, netlist by netlist and oscillator by oscillator.
Json failures_json(const study::TrialRecord& record, std::string_view time_unit) {
    Json list = Json::array();
    for (const problem::Failure& failure : record.failures) {
        Json entry{{"category", failure.category}, {"message", failure.message}};
        if (failure.chunk >= 0) entry["chunk"] = failure.chunk;
        entry["oscillators"] = failure.oscillators.size();
        list.push_back(entry);
    }
    for (std::size_t i = 0; i < record.readings.size() && list.size() < listed_failures; ++i) {
        const Verdict verdict = record.readings[i].verdict;
        if (verdict == Verdict::settled || verdict == Verdict::failed) continue;
        const network::TokenId& id = record.free[i];
        list.push_back({{"sequence", id.sequence},
                        {"head", id.head},
                        {"token", id.token},
                        {"category", verdict_word(verdict)},
                        {"drive", number_or_null(record.drive_ratio(static_cast<Index>(i)))},
                        {"message", message_of(record, i, time_unit)}});
    }
    return list;
}

/// Where the run lies against the validity range of its cell's phase model; null if that was never measured.
Json validity_json(const study::TrialInput& input, const study::TrialRecord& record) {
    if (!input.calibration.validity || !record.place) return nullptr;
    const problem::Validity& v = *input.calibration.validity;
    const problem::Place& p = *record.place;
    return {{"max_injection", v.max_injection},
            {"max_phase_error_deg", degrees(v.max_phase_error)},
            {"min_drive", p.min_drive},
            {"max_drive", p.max_drive},
            {"inside", p.inside},
            {"oscillators_outside", p.oscillators_outside},
            {"expected_phase_error_deg", number_or_null(degrees(p.phase_error))},
            {"expected_settling_error", number_or_null(p.settling_error)},
            {"outside", p.inside ? Json(nullptr) : Json(p.outside)}};
}

std::size_t count(const study::TrialRecord& record, Verdict verdict) {
    return static_cast<std::size_t>(
        std::count_if(record.readings.begin(), record.readings.end(), [&](const auto& r) { return r.verdict == verdict; }));
}

}  // namespace

std::string_view verdict_word(Verdict verdict) {
    constexpr std::string_view words[] = {"settled", "unsettled", "unlocked",  "never_started", "degenerate",
                                          "failed",  "masked",    "collapsed", "multimode"};
    return words[static_cast<std::size_t>(verdict)];
}

std::string status_of(const study::TrialRecord& record) {
    const std::size_t good = count(record, Verdict::settled) + count(record, Verdict::degenerate);
    if (good == record.readings.size()) return "ok";
    return count(record, Verdict::failed) == record.readings.size() ? "failed" : "partial";
}

Json result_json(const RunInfo& info, const study::TrialInput& input, const study::TrialRecord& record) {
    const problem::Calibration& c = input.calibration;
    const auto physical = [&](double x) { return c.dimensionless ? Json(nullptr) : number_or_null(x); };
    Json json;
    json["schema"] = "entrain.result/1";
    json["status"] = info.status;

    std::vector<double> drive(record.drive_ratio.begin(), record.drive_ratio.end());
    Json sequences = Json::array();
    for (const auto& s : input.sequences) sequences.push_back(s.index);
    const auto drive_at = [&](double q) { return number_or_null(metrics::quantile(drive, q)); };
    const auto below = [&](double limit) {
        return drive.empty() ? 0.0
                             : static_cast<double>(std::count_if(drive.begin(), drive.end(), [&](double r) { return r < limit; })) /
                                   static_cast<double>(drive.size());
    };
    json["layer"] = {{"mechanism", info.mechanism},
                     {"sequences", sequences},
                     {"heads", input.layer.heads},
                     {"tokens", input.sequences.front().tokens()},
                     {"d_osc", input.layer.oscillator_dimension},
                     {"free_oscillators", record.free.size()},
                     {"couplings", record.couplings},
                     {"drive",
                      {{"min", drive_at(0.0)},
                       {"p1", drive_at(0.01)},
                       {"p5", drive_at(0.05)},
                       {"median", drive_at(0.5)},
                       {"fraction_below_0.02", below(0.02)},
                       {"fraction_below_0.05", below(0.05)}}}};

    double diffusion = 0.0;  ///< [rad^2/s] of a free cell's phase at the temperature of the run
    for (const problem::NoiseShare& share : c.noise) diffusion += share.diffusion_per_kelvin * input.nonidealities.temperature.value();
    json["substrate"] = {{"kind", info.substrate_kind},
                         {"corner", c.dimensionless ? Json(nullptr) : Json(info.corner)},
                         {"cell", c.dimensionless ? Json(nullptr) : Json(input.substrate.cell())},
                         {"injection", physical(input.substrate.injection())},
                         {"reference_current_a", physical(c.reference_current_a)},
                         {"frequency_hz", physical(c.frequency_hz)},
                         {"frequency_at_step_hz", physical(c.frequency_at_step_hz)},
                         {"amplitude", physical(c.amplitude)},
                         {"coupling_rate_rad_per_s", physical(c.coupling_rate)},
                         {"offset_rad", physical(c.offset_rad)},
                         {"slope_rad", physical(c.slope_rad)},
                         {"calibration_residual_rad", physical(c.residual_rad)},
                         {"power_per_oscillator_w", physical(c.power_w)},
                         {"temperature_k", physical(input.nonidealities.temperature.value())},
                         {"phase_diffusion_rad2_per_s", diffusion > 0.0 ? Json(diffusion) : Json(nullptr)},
                         {"validity", validity_json(input, record)},
                         {"dimensionless", c.dimensionless}};
    json["engine"] = info.engine;
    json["error"] = error_json(record.error, true);
    json["error_offset_slope"] = error_json(record.error_offset_slope, true);
    json["error_at_read"] = error_json(record.error_at_read, true);
    json["softmax_error"] = error_json(record.softmax_error, false);
    json["task"] = nullptr;

    std::vector<double> settling;
    for (const auto& reading : record.readings)
        if (reading.settling_time) settling.push_back(*reading.settling_time);
    std::vector<double> predicted;
    for (const double t : record.predicted_settling_time)
        if (std::isfinite(t)) predicted.push_back(t);
    const double frequency = c.dimensionless ? 0.0 : c.frequency_at_step_hz;
    const Json no_periods = {{"median", nullptr}, {"p95", nullptr}, {"max", nullptr}};
    json["settling"] = {{"time_s", spread(settling, 1.0)},
                        {"periods", c.dimensionless ? no_periods : spread(settling, frequency)},
                        {"predicted_periods", c.dimensionless ? no_periods : spread(predicted, frequency)},
                        {"predicted_time_s", spread(predicted, 1.0)},
                        {"unsettled", count(record, Verdict::unsettled) + count(record, Verdict::unlocked)},
                        {"tolerance_deg", degrees(input.readout.settle_tolerance.value())},
                        {"read_time_s", number_or_null(record.read_time)},
                        {"latency_s", number_or_null(record.latency)}};

    const energy::Ledger& l = record.ledger;
    Json entries = Json::array();
    for (const auto& e : l.entries)
        entries.push_back(
            {{"part", e.part}, {"joules_per_query", number_or_null(e.joules_per_query)}, {"origin", origin_word(e.origin)}, {"source", e.source}});
    const auto pair = [](const energy::DigitalPair& p) { return Json{{"fp32", p.fp32}, {"int8", p.int8}}; };
    json["energy"] = {
        {"per_query_j", {{"mean", physical(l.mean)}, {"median", physical(l.median)}, {"p95", physical(l.p95)}, {"max", physical(l.max)}}},
        {"per_query_gated_j", physical(l.gated_mean)},
        {"per_layer_j", physical(l.per_layer)},
        {"entries", entries},
        {"caveat", l.caveat.empty() ? Json(nullptr) : Json(l.caveat)},
        {"digital_softmax_per_query_j", pair(l.digital_softmax_per_query)},
        {"break_even_per_pair_j", pair(l.break_even_per_pair)},
        {"operations",
         {{"softmax", l.operations.softmax},
          {"oscillator_digital", l.operations.oscillator_digital},
          {"equilibration_physical", l.operations.equilibration_physical},
          {"all_physical", l.operations.all_physical},
          {"row_normalisation", l.operations.row_normalisation}}}};
    json["failures"] = failures_json(record, c.dimensionless ? "/W" : "s");
    const std::size_t told = count(record, Verdict::settled) + count(record, Verdict::failed);  // the failed ones by their netlist
    json["failures_not_listed"] = record.failures.size() + record.readings.size() - told - json["failures"].size();
    json["retries"] = Json::array();
    for (const problem::Retry& r : record.retries)
        json["retries"].push_back({{"chunk", r.chunk}, {"category", r.category}, {"message", r.message}, {"change", r.change}, {"ok", r.ok}});
    json["cost"] = {{"wall_s", info.wall_s},
                    {"cpu_s", record.cost.cpu_s},
                    {"simulated_periods", record.cost.simulated_periods},
                    {"points", record.cost.points},
                    {"newton_iterations", record.cost.newton_iterations},
                    {"oscillator_periods", record.cost.oscillator_periods},
                    {"longest_netlist_periods", record.cost.longest_periods}};
    json["provenance"] = info.provenance;
    return json;
}

Json failed_result_json(const RunInfo& info, const study::TrialInput& input, const problem::Failure& failure) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    study::TrialRecord record;
    const network::OscillatorNetwork network = input.mechanism.lower(input.layer, input.sequences, {});
    record.free = network.free;
    record.drive_ratio = network::drive_ratio(network);
    record.couplings = network.couplings.size();
    record.read_time = record.latency = nan;
    record.failures = {failure};
    const int heads = input.layer.heads;
    const int tokens = input.sequences.front().tokens();
    record.ledger = energy::ledger({}, {}, {}, {}, 0.0, nan, input.digital,  // the digital side needs no circuit
                                   input.mechanism.operations(heads, tokens, input.layer.oscillator_dimension), heads * tokens);
    record.ledger.mean = record.ledger.median = record.ledger.p95 = record.ledger.max = record.ledger.gated_mean = record.ledger.per_layer = nan;
    Json json = result_json(info, input, record);
    json["settling"]["unsettled"] = nullptr;
    if (input.substrate.injection() == 0.0) json["substrate"]["injection"] = nullptr;  // it was never configured
    return json;
}

std::vector<io::Array> result_arrays(const study::TrialInput& input, const study::TrialRecord& record) {
    const std::size_t count = record.sequences.size();
    const auto heads = static_cast<std::size_t>(input.layer.heads);
    const auto tokens = static_cast<std::size_t>(input.sequences.front().tokens());
    const auto d = static_cast<std::size_t>(input.layer.oscillator_dimension);
    std::vector<io::Array> arrays;
    const auto add = [&](const std::string& name, std::vector<std::size_t> shape, auto&& value) {
        io::Array array{name, std::move(shape), {}};
        for (const study::SequenceRecord& s : record.sequences) value(s, array.values);
        arrays.push_back(std::move(array));
    };
    const auto append = [](std::vector<double>& out, const auto& matrix) {  // row-major
        for (Index r = 0; r < matrix.rows(); ++r)
            for (Index k = 0; k < matrix.cols(); ++k) out.push_back(static_cast<double>(matrix(r, k)));
    };
    const auto add_attention = [&](const std::string& name, auto&& get) {
        add(name, {count, heads, tokens, tokens}, [&](const auto& s, auto& out) {
            for (const auto& matrix : get(s)) append(out, matrix);
        });
    };
    const auto add_states = [&](const std::string& name, mechanisms::AttentionResult study::SequenceRecord::*result) {
        add(name, {count, heads, tokens, d}, [&](const auto& s, auto& out) {
            for (const auto& matrix : (s.*result).states) append(out, matrix);
        });
    };
    const auto add_phase = [&](const std::string& name, mechanisms::AttentionResult study::SequenceRecord::*result) {
        add(name, {count, heads, tokens}, [&](const auto& s, auto& out) {
            for (const auto& matrix : (s.*result).states)
                for (Index t = 0; t < matrix.rows(); ++t) out.push_back(wrap(std::atan2(matrix(t, 1), matrix(t, 0))));
        });
    };
    const auto add_tokens = [&](const std::string& name, auto study::SequenceRecord::*matrix) {
        add(name, {count, heads, tokens}, [&](const auto& s, auto& out) { append(out, s.*matrix); });
    };
    using study::SequenceRecord;
    add("/sequence", {count}, [](const auto& s, auto& out) { out.push_back(s.sequence->index); });
    add_attention(
        "/attention", [](const SequenceRecord& s) -> const auto& { return s.simulated.attention; });
    add_attention(
        "/reference/attention", [](const SequenceRecord& s) -> const auto& { return s.reference.attention; });
    add_attention(
        "/softmax/attention", [](const SequenceRecord& s) -> const auto& { return s.softmax; });
    const auto model = static_cast<std::size_t>(input.layer.model_dimension);
    add("/output", {count, tokens, model}, [&](const auto& s, auto& out) { append(out, s.simulated.output); });
    add("/reference/output", {count, tokens, model}, [&](const auto& s, auto& out) { append(out, s.reference.output); });
    if (d == 2) {
        add_phase("/phase_rad", &SequenceRecord::simulated);
        add_phase("/reference/phase_rad", &SequenceRecord::reference);
        add_tokens("/phase_raw_rad", &SequenceRecord::raw_phase);
    }
    add_states("/state", &SequenceRecord::simulated);
    add_states("/reference/state", &SequenceRecord::reference);
    add("/drive", {count, heads, tokens}, [&](const auto& s, auto& out) {
        for (const auto& drive : s.reference.drive) append(out, drive);
    });
    add_tokens("/settling_time_s", &SequenceRecord::settling_time);
    add_tokens("/energy_j", &SequenceRecord::energy);
    add_tokens("/verdict", &SequenceRecord::verdict);
    return arrays;
}

}  // namespace entrain::report

#include "cli/agreement.hpp"

#include <fmt/format.h>

#include <cmath>

#include "catalogue/engines.hpp"
#include "cli/operating_point.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "core/quantity.hpp"
#include "study/calibrate.hpp"

namespace entrain::cli {
namespace {

std::unique_ptr<engines::Engine> phase_engine() {
    for (const auto& entry : engines::catalogue()) {
        auto engine = entry.create();
        if (engine->fidelity() == problem::Fidelity::phase) return engine;
    }
    throw MissingComponent{"this build has no engine for the phase model, which characterize compares with the circuit (see --no-agreement)"};
}

/// The cell at another injection, with anchors of this waveform.
Configuration configured(const Configuration& c, double injection, const std::string& waveform) {
    return reread(
        c, {fmt::format("substrate.injection={}", injection), "substrate.coupling_rate=null", fmt::format("substrate.anchor_waveform={}", waveform)});
}

std::string key_of(const Configuration& c) {
    return study::agreement_key_text(*c.substrate_plugin, *circuit_engine(), {static_cast<int>(c.simulation.points_per_period)});
}

io::Json statistics_json(const study::AgreementStatistics& s) {
    return {{"oscillators", s.oscillators},
            {"phase_rms_deg", io::number_or_null(degrees(s.phase_rms))},
            {"phase_max_deg", io::number_or_null(degrees(s.phase_max))},
            {"settling_ratio",
             {{"median", io::number_or_null(s.settling_median)},
              {"p5", io::number_or_null(s.settling_p5)},
              {"p95", io::number_or_null(s.settling_p95)}}}};
}

io::Json square_json(const study::SquareStatistics& s) {
    return {{"oscillators", s.oscillators},
            {"unsettled", s.unsettled},
            {"phase_rms_deg", io::number_or_null(degrees(s.phase_rms))},
            {"phase_max_deg", io::number_or_null(degrees(s.phase_max))},
            {"sine_model_rms_deg", io::number_or_null(degrees(s.sine_rms))}};
}

io::Json drives_json(const std::vector<problem::ComparedDrives>& drives) {
    io::Json list = io::Json::array();
    for (const problem::ComparedDrives& d : drives)
        list.push_back({{"low", d.low},
                        {"high", d.high},
                        {"oscillators", d.oscillators},
                        {"phase_error_deg", io::number_or_null(degrees(d.phase_error))},
                        {"settling_error", io::number_or_null(d.settling_error)},
                        {"inside", d.inside}});
    return list;
}

}  // namespace

study::Agreement agreement_for(const Configuration& c, int jobs, const Progress& progress) {
    const std::string key = key_of(c);
    if (std::optional<study::Agreement> found = study::stored_agreement(key, study::cache_folder())) return *found;
    const std::unique_ptr<engines::Engine> model = phase_engine();
    const bool own = c.engine_plugin && c.engine_plugin->fidelity() == problem::Fidelity::circuit;
    const std::unique_ptr<engines::Engine> other = own ? nullptr : circuit_engine();
    study::AgreementStudy study{
        .cell_at =
            [&](double injection, int threads, const Progress& told) {
                Configuration sine = configured(c, injection, "sine");
                Configuration square = configured(c, injection, "square");
                problem::Calibration calibration = calibration_for(sine, threads, told);
                return study::CellAtInjection{std::move(sine.substrate_plugin), std::move(square.substrate_plugin), std::move(calibration)};
            },
        .circuit = own ? *c.engine_plugin : *other,
        .phase_model = *model,
        .points_per_period = static_cast<int>(c.simulation.points_per_period),
        .run = {.jobs = jobs, .progress = progress, .waves = {}, .waves_folder = {}, .checkpoint_folder = {}, .program = {}}};
    study::Agreement agreement = study::compare_with_circuit(study);
    if (std::ranges::none_of(agreement.levels, &study::AgreementLevel::simulation_failed))
        study::store_agreement(key, study::cache_folder(), agreement);
    return agreement;
}

std::optional<problem::Validity> stored_validity(const Configuration& c) {
    if (c.substrate_plugin->dimensionless()) return std::nullopt;
    const std::optional<study::Agreement> agreement = study::stored_agreement(key_of(c), study::cache_folder());
    if (!agreement) return std::nullopt;
    return study::validity_of(*agreement);
}

void add_agreement(io::Json& json, const std::optional<study::Agreement>& agreement) {
    if (!agreement) {
        json["validity"] = {{"max_injection", nullptr}, {"max_phase_error_deg", nullptr}};
        json["agreement"] = json["agreement_square"] = json["agreement_by_injection"] = nullptr;
        return;
    }
    const problem::Validity validity = study::validity_of(*agreement);
    json["validity"] = {{"max_injection", validity.max_injection}, {"max_phase_error_deg", degrees(validity.max_phase_error)}};
    json["validity"]["limit"] = problem::first_failure(validity);
    json["validity"].update(statistics_json(study::statistics_inside(*agreement)));
    json["validity"]["square_anchors"] = square_json(study::square_statistics_inside(*agreement));
    json["agreement"] = io::Json::array();
    json["agreement_square"] = io::Json::array();
    json["agreement_by_injection"] = io::Json::array();
    auto judged = validity.injections.begin();
    for (const study::AgreementLevel& level : agreement->levels) {
        io::Json summary{{"injection", level.injection},
                         {"not_available", level.not_available.empty() ? io::Json(nullptr) : io::Json(level.not_available)}};
        if (level.not_available.empty()) {
            summary.update(
                {{"coupling_rate_over_w0", level.rate_per_cycle}, {"softening", level.softening}, {"lock_range_ratio", level.lock_range_ratio}});
            summary.update(statistics_json(study::statistics_of(level.points)));
            summary["ppv_rate_ratio"] = io::number_or_null(level.ppv_rate_ratio);
            summary["square_anchors"] = square_json(study::statistics_of(level.square));
            summary["drives"] = drives_json(judged->drives);
            ++judged;
        }
        json["agreement_by_injection"].push_back(std::move(summary));
        for (const study::SquarePoint& p : level.square)
            json["agreement_square"].push_back({{"injection", level.injection},
                                                {"drive", p.drive},
                                                {"settled", p.settled},
                                                {"phase_error_deg", io::number_or_null(degrees(p.phase_error))},
                                                {"sine_model_error_deg", io::number_or_null(degrees(p.sine_error))}});
        for (const study::AgreementPoint& p : level.points)
            json["agreement"].push_back({{"injection", level.injection},
                                         {"drive", p.drive},
                                         {"start_angle_deg", degrees(p.start_angle)},
                                         {"settled", p.settled},
                                         {"phase_error_deg", io::number_or_null(degrees(p.phase_error))},
                                         {"settling_time_s", io::number_or_null(p.settling_time)},
                                         {"settling_ratio", io::number_or_null(p.settling_ratio)}});
    }
}

std::string agreement_table(const study::Agreement& agreement) {
    const problem::Validity validity = study::validity_of(agreement);
    const auto figure = [](double x) { return std::isfinite(x) ? fmt::format("{:.3g}", x) : std::string{"-"}; };
    std::string text = "  phase model against circuit on random networks\n";
    text += fmt::format("    {:<10} {:<9} {:<20} {:<26} {:<10} {}\n", "injection", "K/w0", "phase rms, max [deg]", "settling ratio (p5..p95)",
                        "lock range", "square anchors rms [deg]");
    for (const study::AgreementLevel& level : agreement.levels) {
        if (!level.not_available.empty()) {
            text += fmt::format("    {:<10g} not available: {}\n", level.injection, level.not_available);
            continue;
        }
        const study::AgreementStatistics s = study::statistics_of(level.points);
        text +=
            fmt::format("    {:<10g} {:<9.3g} {:<20} {:<26} {:<10.3f} {}{}\n", level.injection, level.rate_per_cycle,
                        fmt::format("{}, {}", figure(degrees(s.phase_rms)), figure(degrees(s.phase_max))),
                        fmt::format("{:.3f} ({:.3f}..{:.3f})", s.settling_median, s.settling_p5, s.settling_p95), level.lock_range_ratio,
                        figure(degrees(study::statistics_of(level.square).phase_rms)), level.injection <= validity.max_injection ? "" : "  outside");
    }
    text += fmt::format("    valid up to injection {:g}; {}\n", validity.max_injection, problem::first_failure(validity));
    return text;
}

}  // namespace entrain::cli

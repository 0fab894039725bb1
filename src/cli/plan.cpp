#include "cli/plan.hpp"

#include <fmt/format.h>

#include "metrics/quantile.hpp"
#include "problem/settling.hpp"

namespace entrain::cli {

io::Json plan_json(const Experiment& experiment) {
    const study::Prepared prepared = study::prepare(experiment.trial, {});
    const engines::CostEstimate cost = experiment.trial.engine.estimate(prepared.problem, experiment.trial.run);
    std::vector<double> drive(prepared.instance.drive_ratio.begin(), prepared.instance.drive_ratio.end());
    std::vector<double> settling;
    for (const double rate : prepared.rule.rate)
        if (rate > 0.0) settling.push_back(problem::predicted_settling_time(rate, radians(90.0), prepared.rule.tolerance.value()));
    const auto quantile = [](const std::vector<double>& values, double q) { return io::number_or_null(metrics::quantile(values, q)); };
    return {{"free_oscillators", prepared.instance.network.size()},
            {"anchors", prepared.instance.network.anchors.rows()},
            {"couplings", prepared.instance.network.couplings.size()},
            {"drive", {{"min", quantile(drive, 0.0)}, {"p5", quantile(drive, 0.05)}, {"median", quantile(drive, 0.5)}}},
            {"predicted_settling_from_90_deg_s",
             {{"median", quantile(settling, 0.5)}, {"p95", quantile(settling, 0.95)}, {"max", quantile(settling, 1.0)}}},
            {"netlists", cost.netlists},
            {"simulated_periods", cost.simulated_periods},
            {"wall_s", cost.wall_s},
            {"memory_bytes", cost.memory_bytes}};
}

std::string plan_table(const io::Json& plan) {
    const auto number = [](const io::Json& value) { return value.is_number() ? fmt::format("{:.3g}", value.get<double>()) : std::string{"-"}; };
    const io::Json& drive = plan["drive"];
    const io::Json& settling = plan["predicted_settling_from_90_deg_s"];
    return fmt::format(
        "  free oscillators, anchors    {}, {} ({} couplings)\n"
        "  drive r                      min {}, p5 {}, median {}\n"
        "  predicted settling [s]       median {}, p95 {}, max {} (from 90 deg; units of 1/W for ideal)\n"
        "  netlists, simulated periods  {}, {}\n"
        "  estimated wall, memory       {} s, {} MB\n",
        plan["free_oscillators"].dump(), plan["anchors"].dump(), plan["couplings"].dump(), number(drive["min"]), number(drive["p5"]),
        number(drive["median"]), number(settling["median"]), number(settling["p95"]), number(settling["max"]), plan["netlists"].dump(),
        number(plan["simulated_periods"]), number(plan["wall_s"]), number(plan["memory_bytes"].get<double>() / 1e6));
}

}  // namespace entrain::cli

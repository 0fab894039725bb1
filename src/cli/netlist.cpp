#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "problem/settling.hpp"

namespace entrain::cli {
namespace {

constexpr std::size_t couplings_per_deck = 50'000;  // above this, one deck per head
constexpr double run_margin = 1.2;                  // times the predicted time to 0.02 deg

/// Keeps the cells that `keep` accepts, with their crosspoints and the anchors these use.
template <class Keep>
problem::CircuitProblem restricted(const problem::CircuitProblem& whole, Keep&& keep) {
    problem::CircuitProblem part = whole;
    part.cells.clear();
    part.anchors.clear();
    part.crosspoints.clear();
    std::vector<double> rate;
    std::vector<double> max_time;
    std::vector<std::int64_t> cell_index(whole.cells.size(), -1);
    std::vector<std::int64_t> anchor_index(whole.anchors.size(), -1);
    for (std::size_t i = 0; i < whole.cells.size(); ++i) {
        if (!keep(whole.cells[i].id)) continue;
        cell_index[i] = static_cast<std::int64_t>(part.cells.size());
        part.cells.push_back(whole.cells[i]);
        rate.push_back(whole.rule.rate(static_cast<Eigen::Index>(i)));
        max_time.push_back(whole.rule.max_time(static_cast<Eigen::Index>(i)));
    }
    for (const problem::Crosspoint& crosspoint : whole.crosspoints) {
        if (cell_index[crosspoint.cell] < 0) continue;
        std::int64_t& anchor = anchor_index[crosspoint.anchor];
        if (anchor < 0) {
            anchor = static_cast<std::int64_t>(part.anchors.size());
            part.anchors.push_back(whole.anchors[crosspoint.anchor]);
        }
        part.crosspoints.push_back({static_cast<std::uint32_t>(anchor), static_cast<std::uint32_t>(cell_index[crosspoint.cell]), crosspoint.siemens});
    }
    part.rule.rate = Eigen::Map<Eigen::VectorXd>(rate.data(), static_cast<Eigen::Index>(rate.size()));
    part.rule.max_time = Eigen::Map<Eigen::VectorXd>(max_time.data(), static_cast<Eigen::Index>(max_time.size()));
    return part;
}

/// Long enough for every oscillator that `keep` accepts to come within 0.02 deg from its own start, but no longer than a run would wait for it.
template <class Keep>
double stop_time(const study::Prepared& prepared, Keep&& keep) {
    double longest = 0.0;
    for (Eigen::Index i = 0; i < prepared.rule.rate.size(); ++i) {
        if (!keep(prepared.instance.network.free[static_cast<std::size_t>(i)])) continue;
        const double predicted =
            problem::predicted_settling_time(prepared.rule.rate(i), study::distance_to_target(prepared.instance, i), prepared.rule.remaining.value());
        longest = std::max(longest, run_margin * std::min(predicted, prepared.rule.max_time(i)));
    }
    return longest;
}

}  // namespace

int netlist_command(const std::string& config, const CommonOptions& options, std::optional<int> head, std::optional<int> token) {
    const Progress progress = make_progress(options.quiet);
    OutputFolder folder{options, config, "netlist"};
    const std::unique_ptr<Experiment> experiment = load_experiment(config, options, progress);
    study::TrialInput& trial = experiment->trial;
    if (trial.engine.fidelity() != problem::Fidelity::circuit)
        throw UserError{experiment->configuration.places.at("engine.kind"),
                        fmt::format("engine.kind: {} writes no netlists (expected ngspice)", experiment->configuration.engine)};
    const int heads = trial.layer.heads;
    if (head && (*head < 0 || *head >= heads)) throw UserError{fmt::format("--head {} is out of range (expected 0..{})", *head, heads - 1)};
    if (token && (*token < 0 || *token >= trial.sequences.front().tokens()))
        throw UserError{fmt::format("--token {} is out of range (expected 0..{})", *token, trial.sequences.front().tokens() - 1)};

    trial.simulation.crossbar = problem::Crossbar::full;
    std::vector<std::string> written;
    for (const attention::Sequence& sequence : experiment->inputs.chosen) {
        trial.sequences = {&sequence, 1};
        const study::Prepared prepared = study::prepare(trial, {});
        const auto& whole = std::get<problem::CircuitProblem>(prepared.problem);
        engines::DeckReadout readout;
        readout.offset_rad = trial.calibration.offset_rad;
        readout.slope_rad = trial.calibration.slope_rad;
        readout.all_waves = std::find(options.waves.begin(), options.waves.end(), "all") != options.waves.end();
        const bool by_head = whole.crosspoints.size() > couplings_per_deck || head.has_value();
        for (int h = 0; h < (by_head ? heads : 1); ++h) {
            if (head && h != *head) continue;
            const auto keep = [&](const network::TokenId& id) { return (!by_head || id.head == h) && (!token || id.token == *token); };
            const problem::CircuitProblem part = restricted(whole, keep);
            if (part.cells.empty()) continue;  // a padded token has no oscillator
            readout.stop_time_s = stop_time(prepared, keep);
            const std::string name = fmt::format("seq{}{}.cir", sequence.index, by_head ? fmt::format("_head{}", h) : "");
            write_file_atomically(folder.path() / name, trial.engine.deck(part, readout));
            written.push_back(name);
        }
    }
    if (written.empty()) throw UserError{"nothing to write: the chosen token is padded in every sequence"};
    folder.keep();
    if (!options.json)
        fmt::print("{} decks in {}; run one with: ngspice -b {} -r {}.raw\n", written.size(), folder.path().string(), written.front(),
                   written.front().substr(0, written.front().size() - 4));
    else
        fmt::print("{}\n", io::Json({{"folder", folder.path().string()}, {"decks", written}}).dump(2));
    return done;
}

}  // namespace entrain::cli

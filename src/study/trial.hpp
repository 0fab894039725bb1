#pragma once
#include <Eigen/Core>
#include <optional>
#include <span>
#include <vector>

#include "attention/layer.hpp"
#include "core/random.hpp"
#include "energy/ledger.hpp"
#include "engines/engine.hpp"
#include "mechanisms/mechanism.hpp"
#include "metrics/error.hpp"
#include "problem/instance.hpp"
#include "problem/solution.hpp"
#include "readout/reading.hpp"
#include "study/curves.hpp"
#include "study/options.hpp"
#include "substrates/substrate.hpp"

namespace entrain::study {

/// One trial: these sequences of a layer through one mechanism, substrate and engine. References must outlive the call.
struct TrialInput {
    const attention::Layer& layer;
    std::span<const attention::Sequence> sequences;
    const mechanisms::Mechanism& mechanism;
    const substrates::Substrate& substrate;
    const engines::Engine& engine;
    const problem::Calibration& calibration;
    const energy::DigitalCosts& digital;
    substrates::Mapping mapping;
    substrates::Nonidealities nonidealities;
    Start start;
    ReadoutOptions readout;
    SimulationOptions simulation;
    RandomStreams streams;
    engines::RunOptions run;
};

/// Everything known of one sequence; per-token matrices are [H x T], NaN where there is nothing.
struct SequenceRecord {
    const attention::Sequence* sequence = nullptr;
    mechanisms::AttentionResult simulated;      ///< at equilibrium, with the configured correction
    mechanisms::AttentionResult slope_removed;  ///< at equilibrium, offset and slope removed
    mechanisms::AttentionResult at_read;        ///< at the read time, with the configured correction; without a read time as `simulated`
    mechanisms::AttentionResult reference;
    std::vector<Eigen::MatrixXd> softmax;
    Eigen::MatrixXd raw_phase;      ///< [rad]
    Eigen::MatrixXd settling_time;  ///< [s]
    Eigen::MatrixXd energy;         ///< [J] to the read time
    Eigen::MatrixXi verdict;        ///< readout::Verdict
};

struct TrialRecord {
    std::vector<SequenceRecord> sequences;
    std::vector<network::TokenId> free;       ///< [N] in the order of `readings`
    std::vector<readout::Reading> readings;   ///< [N] at equilibrium
    Eigen::VectorXd drive_ratio;              ///< [N]
    std::optional<problem::Place> place;      ///< against the validity of the cell's phase model; nothing if that is not known
    Eigen::VectorXd predicted_settling_time;  ///< [N] [s] closed form from the actual start to the tolerance
    double read_time = 0.0;                   ///< [s]; NaN if nothing settled
    double latency = 0.0;                     ///< [s] start + read time + reader window
    std::size_t couplings = 0;
    metrics::AttentionError error;  ///< at equilibrium
    metrics::AttentionError error_offset_slope;
    metrics::AttentionError error_at_read;  ///< n = 0 without a read time
    metrics::AttentionError softmax_error;  ///< attention keys only
    energy::Ledger ledger;
    std::vector<ReadPoint> error_over_time;      ///< empty without a read time
    std::vector<SettlingCurve> settling_curves;  ///< of the slowest, median and fastest settled oscillator
    std::vector<problem::Failure> failures;
    std::vector<problem::Retry> retries;
    problem::Cost cost;
};

/// Network, instance, problem of a trial before it is solved: what --dry-run and `entrain netlist` look at.
struct Prepared {
    problem::Instance instance;
    problem::SettlingRule rule;
    problem::Problem problem;
};

[[nodiscard]] Prepared prepare(const TrialInput& input, const Eigen::MatrixXd& states);

/// Angle [rad] from the start of oscillator i to where it will settle: along its drive, turned by the cell's raw phase error.
[[nodiscard]] double distance_to_target(const problem::Instance& instance, Eigen::Index i);

/// The whole data flow; the only place where all stages meet.
[[nodiscard]] TrialRecord run_trial(const TrialInput& input);

/// Largest row sum sum_j |W_ij| |r_j| per head over all sequences of the inputs file [H]: the constant of `mapping.normalisation: full_scale`.
[[nodiscard]] Eigen::VectorXd head_full_scale(const attention::Layer& layer, std::span<const attention::Sequence> sequences,
                                              const mechanisms::Mechanism& mechanism);

}  // namespace entrain::study

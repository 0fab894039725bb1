#pragma once
#include <Eigen/Core>
#include <string>
#include <vector>

#include "mechanisms/mechanism.hpp"
#include "problem/energy_model.hpp"
#include "problem/instance.hpp"
#include "problem/solution.hpp"
#include "readout/reading.hpp"

namespace entrain::energy {

/// One figure of models/energy/*.yaml.
struct CitedFigure {
    double value = 0.0;  ///< SI
    std::string source;
};

/// The digital side: energy of one multiply-accumulate.
struct DigitalCosts {
    CitedFigure mac_fp32;  ///< [J]
    CitedFigure mac_int8;  ///< [J]
};

/// One line of the ledger: a mean over the queries read.
struct Entry {
    std::string part;
    double joules_per_query = 0.0;
    problem::Origin origin = problem::Origin::simulated;
    std::string source;  ///< formula or reference
};

/// Digital counterpart of one figure.
struct DigitalPair {
    double fp32 = 0.0;
    double int8 = 0.0;
};

/// Energy per query; a query is one free oscillator read once = one head x one token. Dimensionless substrates have operations only.
struct Ledger {
    Eigen::VectorXd per_oscillator_j;  ///< [N] start to the read time, every part; NaN for failed ones; empty for dimensionless substrates
    double mean = 0.0, median = 0.0, p95 = 0.0, max = 0.0;  ///< [J] of per_oscillator_j
    double gated_mean = 0.0;                                ///< [J] to each oscillator's own settling: a lower bound
    double per_layer = 0.0;                                 ///< [J] mean over sequences of the sum over their oscillators
    std::vector<Entry> entries;                             ///< add up to `mean`
    std::string caveat;                                     ///< what every figure here leaves out, "" = nothing known
    DigitalPair digital_softmax_per_query;                  ///< [J] softmax stage of the layer over its heads x tokens rows
    DigitalPair break_even_per_pair;  ///< [J] per (query, key) pair with everything physical and an exponential-free coupling: 9 multiply-adds
    mechanisms::OperationCounts operations;
};

/// Fills the ledger up to `read_time` [s]. Oscillator: the simulated power integrated along the trajectory (beyond its end, the last periods' mean
/// power), or calibrated power x time where the engine has no circuit (then modelled). Coupling drive: class-A current drivers, sum_j |I_ij| V
/// read_time. `operations` and their shape heads x tokens are per sequence.
[[nodiscard]] Ledger ledger(const problem::Instance& instance, const problem::Solution& solution, const std::vector<readout::Reading>& readings,
                            const problem::EnergyModel& model, double full_scale_current_a, double read_time, const DigitalCosts& digital,
                            const mechanisms::OperationCounts& operations, int queries_per_sequence);

/// Mean energy per query [J] from the start to `time` [s], priced as in ledger(), whose `mean` it is at the read time. NaN for dimensionless
/// substrates and where nothing was simulated.
[[nodiscard]] double mean_energy_until(const problem::Instance& instance, const problem::Solution& solution, const problem::EnergyModel& model,
                                       double full_scale_current_a, double time);

}  // namespace entrain::energy

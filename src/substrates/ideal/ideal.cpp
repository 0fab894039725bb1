#include <Eigen/Core>
#include <string>

#include "core/error.hpp"
#include "core/random.hpp"
#include "network/oscillator_network.hpp"
#include "problem/instance.hpp"
#include "problem/problem.hpp"
#include "substrates/ideal/plugin.hpp"

namespace entrain::substrates::ideal {

namespace {

/// dz_i/dt = (I - z_i z_i^T) sum_j W_ij r_j as written in the textbook: rate 1 per unit of un-normalised weight, times in units of 1/W, no phase
/// offset, any d. There is nothing to build, so nothing to calibrate and no circuit.
class Ideal final : public Substrate {
 public:
    void describe(FieldVisitor& /*visitor*/) override {}
    void configure(const Corner& /*corner*/) override {}
    [[nodiscard]] bool dimensionless() const override { return true; }
    [[nodiscard]] bool supports(problem::Fidelity fidelity) const override { return fidelity != problem::Fidelity::circuit; }
    [[nodiscard]] int max_dimension() const override { return 0; }
    [[nodiscard]] Estimate estimate() const override { return {.frequency_hz = 0.0, .coupling_rate = 1.0, .relaxation_time_s = 0.0}; }

    /// frequency_disorder s detunes oscillator i by s |h_i| N(0, 1): the same fraction of every oscillator's own lock range, which is what makes a
    /// dimensionless s comparable between tokens. It is a rotation in the plane and has no counterpart for d != 2.
    [[nodiscard]] problem::Instance map(const network::OscillatorNetwork& network, const problem::Calibration& calibration, const Mapping& mapping,
                                        const Nonidealities& nonidealities, const RandomStreams& streams) const override {
        problem::Instance instance = map_without_disorder(network, calibration, mapping);
        if (nonidealities.temperature.value() > 0.0)
            throw ModelError{"ideal: a textbook oscillator has no temperature. Use nonidealities.temperature: 0 K or another substrate."};
        if (nonidealities.frequency_disorder == 0.0) return instance;
        if (network.dimension != 2)
            throw ModelError{"ideal: frequency_disorder needs oscillators in the plane, this layer has d = " + std::to_string(network.dimension) +
                             " (a detuning is a rotation, and for d > 2 its plane is not defined). Use frequency_disorder: 0 or a layer with d = 2."};
        for (Eigen::Index i = 0; i < network.size(); ++i) {
            const network::TokenId& id = network.free[static_cast<std::size_t>(i)];
            const std::uint64_t number =
                element(static_cast<std::uint64_t>(id.sequence), static_cast<std::uint64_t>(id.head), static_cast<std::uint64_t>(id.token));
            instance.detuning(i) +=
                nonidealities.frequency_disorder * instance.drive.row(i).norm() * streams.normal(Stream::frequency_disorder, number);
        }
        return instance;
    }

    [[nodiscard]] problem::Problem problem(const problem::Instance& instance, problem::Fidelity fidelity,
                                           const ProblemOptions& options) const override {
        switch (fidelity) {
            case problem::Fidelity::exact:
                return exact_problem(instance, options.rule);
            case problem::Fidelity::phase:
                return phase_problem(instance, options.rule);
            case problem::Fidelity::circuit:
                break;
        }
        throw ModelError{"ideal: there is no circuit of a textbook oscillator. Use engine exact or phase, or another substrate."};
    }
};

}  // namespace

std::unique_ptr<Substrate> create() { return std::make_unique<Ideal>(); }

}  // namespace entrain::substrates::ideal

#include "substrates/substrate.hpp"

#include <cmath>
#include <stdexcept>

namespace entrain::substrates {

double Substrate::reference_current(double /*amplitude*/, double /*frequency_hz*/) const { return 0.0; }

problem::CircuitProblem Substrate::bench(std::span<const BenchCell> /*cells*/, double /*reference_hz*/, int /*points_per_period*/,
                                         const problem::Calibration& /*calibration*/) const {
    throw std::logic_error{"this substrate has no circuit"};
}

problem::Instance map_without_disorder(const network::OscillatorNetwork& network, const problem::Calibration& calibration, const Mapping& mapping) {
    problem::Instance instance;
    instance.calibration = calibration;
    instance.drive_ratio = network::drive_ratio(network);
    const Eigen::Index n = network.size();
    if (calibration.dimensionless) {
        instance.network = network;
        instance.row_scale = Eigen::VectorXd::Ones(n);
    } else {
        instance.row_scale = network::row_sum(network);
        if (mapping.normalisation == network::Normalisation::full_scale)
            for (Eigen::Index i = 0; i < n; ++i) instance.row_scale(i) = mapping.head_full_scale(network.free[static_cast<std::size_t>(i)].head);
        instance.network = network::normalised(network, mapping.normalisation, mapping.head_full_scale);
    }
    instance.drive = network::anchor_drive(instance.network);
    // A detuning the mechanism asks for is in units of the un-normalised weights. A row without weights has no such unit: its oscillator is undriven
    // anyway.
    instance.coupling_rate.resize(n);
    for (Eigen::Index i = 0; i < n; ++i) instance.coupling_rate(i) = problem::coupling_rate_at(calibration, instance.drive.row(i).norm());
    instance.detuning.resize(n);
    for (Eigen::Index i = 0; i < n; ++i)
        instance.detuning(i) = instance.row_scale(i) > 0.0 ? instance.coupling_rate(i) * network.detuning(i) / instance.row_scale(i) : 0.0;
    instance.deviation = Eigen::VectorXd::Zero(n);
    instance.nominal_raw_shift = Eigen::VectorXd::Zero(n);
    for (Eigen::Index i = 0; i < n; ++i) instance.nominal_raw_shift(i) = problem::raw_phase_error(calibration, instance.drive.row(i).norm());
    return instance;
}

problem::ExactProblem exact_problem(const problem::Instance& instance, const problem::SettlingRule& rule) {
    return {instance.network.dimension, instance.coupling_rate.asDiagonal() * instance.drive,
            instance.detuning,          instance.nominal_raw_shift,
            instance.network.start,     rule};
}

problem::PhaseProblem phase_problem(const problem::Instance& instance, const problem::SettlingRule& rule) {
    Eigen::VectorXd softening(instance.network.size());
    for (Eigen::Index i = 0; i < softening.size(); ++i) softening(i) = problem::softening_at(instance.calibration, instance.drive.row(i).norm());
    Eigen::VectorXd diffusion;
    if (instance.phase_diffusion > 0.0) diffusion = Eigen::VectorXd::Constant(instance.network.size(), instance.phase_diffusion);
    return {instance.network, instance.coupling_rate, softening, instance.detuning, instance.nominal_raw_shift, diffusion, instance.noise_seed, rule};
}

}  // namespace entrain::substrates

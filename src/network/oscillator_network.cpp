#include "network/oscillator_network.hpp"

#include <cmath>

namespace entrain::network {

Eigen::MatrixXd anchor_drive(const OscillatorNetwork& network) {
    Eigen::MatrixXd drive = Eigen::MatrixXd::Zero(network.size(), network.dimension);
    for (const Coupling& c : network.couplings) {
        if (c.kind != Coupling::From::anchor) continue;
        const auto anchor = network.anchors.row(c.from);
        const std::complex<double> weight = c.weight * std::polar(1.0, -c.phase_lag);
        if (weight.imag() == 0.0) {
            drive.row(c.to) += weight.real() * anchor;
        } else {  // a complex weight rotates the drive; defined in the plane only
            const std::complex<double> rotated = weight * std::complex<double>{anchor(0), anchor(1)};
            drive(c.to, 0) += rotated.real();
            drive(c.to, 1) += rotated.imag();
        }
    }
    return drive;
}

Eigen::VectorXd row_sum(const OscillatorNetwork& network) {
    const Eigen::VectorXd length = network.anchors.rowwise().norm();
    Eigen::VectorXd sum = Eigen::VectorXd::Zero(network.size());
    for (const Coupling& c : network.couplings)
        if (c.kind == Coupling::From::anchor) sum(c.to) += std::abs(c.weight) * length(c.from);
    return sum;
}

Eigen::VectorXd drive_ratio(const OscillatorNetwork& network) {
    const Eigen::VectorXd sum = row_sum(network);
    Eigen::VectorXd ratio = anchor_drive(network).rowwise().norm();
    for (Eigen::Index i = 0; i < ratio.size(); ++i) ratio(i) = sum(i) > 0.0 ? ratio(i) / sum(i) : 0.0;
    return ratio;
}

OscillatorNetwork normalised(OscillatorNetwork network, Normalisation rule, const Eigen::VectorXd& head_full_scale) {
    const Eigen::VectorXd sum = row_sum(network);
    for (Coupling& c : network.couplings) {
        const double scale = rule == Normalisation::row ? sum(c.to) : head_full_scale(network.free[c.to].head);
        c.weight = scale > 0.0 ? c.weight / scale : 0.0;
    }
    return network;
}

}  // namespace entrain::network

#pragma once
#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "network/oscillator_network.hpp"
#include "problem/calibration.hpp"

namespace entrain::problem {

/// As-built hardware: the network after normalisation, quantisation and mismatch, with the calibration of its cell.
struct Instance {
    network::OscillatorNetwork network;  ///< weights as fractions of full scale (ideal: un-normalised)
    Calibration calibration;
    Eigen::VectorXd row_scale;      ///< [N] un-normalised weight of one full scale: times in units of 1/W are t * coupling_rate / row_scale
    Eigen::MatrixXd drive;          ///< [N x d] h_i of `network`: fraction of full scale (ideal: in units of the weights)
    Eigen::VectorXd coupling_rate;  ///< [N] [rad/s] per unit weight, at the oscillator's own drive (ideal: 1)
    Eigen::VectorXd drive_ratio;    ///< [N] r_i in [0, 1]
    Eigen::VectorXd detuning;       ///< [N] [rad/s] of the as-built cell from the calibrated one (ideal: dimensionless)
    Eigen::VectorXd deviation;      ///< [N] relative frequency deviation df/f of the as-built cell; 0 without disorder
    Eigen::VectorXd
        nominal_raw_shift;         ///< [N] [rad] raw phase error the calibrated cell has at its drive: offset + slope (|drive| - 0.25); 0 for ideal
    double noise_density = 0.0;    ///< [A^2/Hz] of each cell's white current noise, 0 = none
    double phase_diffusion = 0.0;  ///< [rad^2/s] of the free cell's phase by all noise that is known of it, 0 = none
    std::vector<std::uint64_t> noise_seed;  ///< [N] with noise: of each cell's random stream

    [[nodiscard]] bool noisy() const { return noise_density > 0.0 || phase_diffusion > 0.0; }
};

}  // namespace entrain::problem

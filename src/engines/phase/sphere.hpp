#pragma once
#include <Eigen/Core>
#include <vector>

#include "engines/phase/dynamics.hpp"

namespace entrain::engines::phase {

/// Unit vectors on the sphere, dz_i/dt = (I - z_i z_i^T) (drive_i + sum_j w_ij z_j). The length of a state is neutral (the field is tangential at
/// every radius), so that it cannot run away near the antipode; whoever reads a state normalises it.
class Sphere final : public Dynamics {
 public:
    struct Edge {
        std::size_t from = 0;
        std::size_t to = 0;
        double weight = 0.0;  ///< [1/s]
    };

    /// Matrices [d x n]: unit vectors and [1/s] the anchors' pull.
    Sphere(const Eigen::MatrixXd& states, Eigen::MatrixXd drive, std::vector<Edge> edges);

    void derivative(const State& state, State& rate) const override;
    void contraction(const State& state, std::span<double> each) const override;
    [[nodiscard]] std::size_t components() const override { return static_cast<std::size_t>(drive_.rows()); }

 private:
    void sum_pulls(const State& state) const;

    Eigen::MatrixXd drive_;
    std::vector<Edge> edges_;
    mutable Eigen::MatrixXd total_;  // work space
};

}  // namespace entrain::engines::phase

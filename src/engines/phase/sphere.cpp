#include "engines/phase/sphere.hpp"

#include <cmath>

namespace entrain::engines::phase {

Sphere::Sphere(const Eigen::MatrixXd& states, Eigen::MatrixXd drive, std::vector<Edge> edges) : drive_{std::move(drive)}, edges_{std::move(edges)} {
    start.assign(states.data(), states.data() + states.size());
    const Eigen::VectorXd drives = drive_.colwise().norm();
    Eigen::VectorXd coupling = Eigen::VectorXd::Zero(drive_.cols());
    for (const Edge& e : edges_) coupling(static_cast<Eigen::Index>(e.to)) += std::abs(e.weight);
    scale = (drives + coupling).maxCoeff();
    stiffness = (0.5 * drives + coupling).maxCoeff();
}

void Sphere::sum_pulls(const State& state) const {
    total_ = drive_;
    const Eigen::Map<const Eigen::MatrixXd> z{state.data(), drive_.rows(), drive_.cols()};
    for (const Edge& e : edges_) total_.col(static_cast<Eigen::Index>(e.to)) += e.weight * z.col(static_cast<Eigen::Index>(e.from));
}

void Sphere::derivative(const State& state, State& rate) const {
    sum_pulls(state);
    const Eigen::Map<const Eigen::MatrixXd> z{state.data(), drive_.rows(), drive_.cols()};
    Eigen::Map<Eigen::MatrixXd> out{rate.data(), drive_.rows(), drive_.cols()};
    for (Eigen::Index i = 0; i < drive_.cols(); ++i) out.col(i) = total_.col(i) - z.col(i) * (z.col(i).dot(total_.col(i)) / z.col(i).squaredNorm());
}

void Sphere::contraction(const State& state, std::span<double> each) const {
    sum_pulls(state);
    const Eigen::Map<const Eigen::MatrixXd> z{state.data(), drive_.rows(), drive_.cols()};
    for (Eigen::Index i = 0; i < drive_.cols(); ++i) each[static_cast<std::size_t>(i)] = z.col(i).dot(total_.col(i));
}

}  // namespace entrain::engines::phase

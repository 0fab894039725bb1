#include "engines/phase/dynamics.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numeric>
#include <string>

#include "core/error.hpp"

namespace entrain::engines::phase {
namespace {

using network::Coupling;

/// Phases in the plane.
class Planar final : public Dynamics {
 public:
    struct Pull {  ///< of all anchors on an oscillator through one harmonic
        std::size_t to;
        std::size_t harmonic;  ///< index into harmonics
        std::complex<double> drive;
    };
    struct Edge {  ///< from another free oscillator
        std::size_t from;
        std::size_t to;
        std::size_t harmonic;
        std::complex<double> weight;
    };

    std::vector<double> detuning;
    std::vector<double> softening;
    std::vector<int> harmonics;
    std::vector<Pull> pulls;
    std::vector<Edge> edges;

    void derivative(const State& state, State& rate) const override {
        const std::size_t n = state.size();
        // e^(i m theta) of every harmonic that occurs. The engine solves components in parallel, and each has its own Dynamics.
        powers_.resize(harmonics.size() * n);
        for (std::size_t h = 0; h < harmonics.size(); ++h)
            for (std::size_t i = 0; i < n; ++i) powers_[h * n + i] = std::polar(1.0, harmonics[h] * state[i]);
        pull_.assign(n, 0.0);
        for (const Pull& p : pulls) pull_[p.to] += p.drive * std::conj(powers_[p.harmonic * n + p.to]);
        for (const Edge& e : edges) pull_[e.to] += e.weight * powers_[e.harmonic * n + e.from] * std::conj(powers_[e.harmonic * n + e.to]);
        rate = detuning;
        for (std::size_t i = 0; i < n; ++i) {
            const double s = softening[i];
            rate[i] += s == 0.0 ? pull_[i].imag() : pull_[i].imag() * (1.0 + s) / (1.0 + s * cosine(pull_[i]));
        }
    }

    [[nodiscard]] double contraction(const State& state, std::size_t index) const override {
        std::complex<double> sum;
        const auto add = [&](int m, std::complex<double> drive) { sum += static_cast<double>(m) * drive * std::polar(1.0, -m * state[index]); };
        for (const Pull& p : pulls)
            if (p.to == index) add(harmonics[p.harmonic], p.drive);
        for (const Edge& e : edges)
            if (e.to == index) add(harmonics[e.harmonic], e.weight * std::polar(1.0, harmonics[e.harmonic] * state[e.from]));
        const double s = softening[index];
        if (s == 0.0) return sum.real();
        const double c = cosine(sum);  // d/dx of sin(x) (1 + s)/(1 + s cos(x))
        return std::abs(sum) * (1.0 + s) * (c + s) / ((1.0 + s * c) * (1.0 + s * c));
    }

    [[nodiscard]] std::size_t components() const override { return 1; }

    void set_scale() override {
        std::vector<double> sum(detuning.size());
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = std::abs(detuning[i]);
        for (const Pull& p : pulls) sum[p.to] += harmonics[p.harmonic] * std::abs(p.drive);
        for (const Edge& e : edges) sum[e.to] += harmonics[e.harmonic] * std::abs(e.weight);
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] *= (1.0 + softening[i]) / (1.0 - softening[i]);  // steepest at x = pi
        scale = *std::max_element(sum.begin(), sum.end());
    }

    std::size_t harmonic_index(int harmonic) {
        const auto found = std::find(harmonics.begin(), harmonics.end(), harmonic);
        if (found == harmonics.end()) {
            harmonics.push_back(harmonic);
            return harmonics.size() - 1;
        }
        return static_cast<std::size_t>(found - harmonics.begin());
    }

    void add_pull(std::size_t to, std::size_t harmonic, std::complex<double> drive) {
        // Couplings come sorted by `to`: what belongs together is at the end.
        for (auto p = pulls.rbegin(); p != pulls.rend() && p->to == to; ++p)
            if (p->harmonic == harmonic) {
                p->drive += drive;
                return;
            }
        pulls.push_back({to, harmonic, drive});
    }

 private:
    /// Of the angle between a pull and the phase; 0 without pull.
    static double cosine(std::complex<double> pull) {
        const double size = std::abs(pull);
        return size > 0.0 ? pull.real() / size : 0.0;
    }

    mutable std::vector<std::complex<double>> powers_;  // work space
    mutable std::vector<std::complex<double>> pull_;
};

/// Unit vectors on the sphere. The length of a state is neutral (the field is tangential at every radius), so that it cannot run away near the
/// antipode; whoever reads a state normalises it.
class Sphere final : public Dynamics {
 public:
    struct Edge {
        std::size_t from;
        std::size_t to;
        double weight;
    };

    Eigen::Index dimension = 3;
    Eigen::MatrixXd drive;  ///< [d x n]
    std::vector<Edge> edges;

    void derivative(const State& state, State& rate) const override {
        total_ = drive;
        const Eigen::Map<const Eigen::MatrixXd> z{state.data(), dimension, drive.cols()};
        for (const Edge& e : edges) total_.col(static_cast<Eigen::Index>(e.to)) += e.weight * z.col(static_cast<Eigen::Index>(e.from));
        rate.resize(state.size());
        Eigen::Map<Eigen::MatrixXd> out{rate.data(), dimension, drive.cols()};
        for (Eigen::Index i = 0; i < drive.cols(); ++i)
            out.col(i) = total_.col(i) - z.col(i) * (z.col(i).dot(total_.col(i)) / z.col(i).squaredNorm());
    }

    [[nodiscard]] double contraction(const State& state, std::size_t index) const override {
        const Eigen::Map<const Eigen::MatrixXd> z{state.data(), dimension, drive.cols()};
        const auto i = static_cast<Eigen::Index>(index);
        double sum = z.col(i).dot(drive.col(i));
        for (const Edge& e : edges)
            if (e.to == index) sum += e.weight * z.col(i).dot(z.col(static_cast<Eigen::Index>(e.from)));
        return sum;
    }

    [[nodiscard]] std::size_t components() const override { return static_cast<std::size_t>(dimension); }

    void set_scale() override {
        Eigen::VectorXd sum = drive.colwise().norm();
        for (const Edge& e : edges) sum(static_cast<Eigen::Index>(e.to)) += std::abs(e.weight);
        scale = sum.maxCoeff();
    }

 private:
    mutable Eigen::MatrixXd total_;  // work space
};

void check(const problem::PhaseProblem& problem) {
    const network::OscillatorNetwork& net = problem.network;
    for (const Coupling& c : net.couplings) {
        if (c.delay != 0.0) throw ModelError{"phase: coupling delays are not supported (the model has no memory). Set delay to 0."};
        if (c.harmonic < 1) throw ModelError{"phase: coupling harmonic " + std::to_string(c.harmonic) + " has no meaning. Use 1 or more."};
        if (net.dimension > 2 && (c.harmonic != 1 || c.phase_lag != 0.0 || c.weight.imag() != 0.0))
            throw ModelError{"phase: harmonics, phase lags and complex weights need oscillator dimension 2 (they rotate in the plane)."};
    }
    if (net.dimension > 2 && (problem.detuning.array() != 0.0).any())
        throw ModelError{"phase: detuning needs oscillator dimension 2 (on the sphere it has no axis)."};
}

/// Component number of each oscillator, numbered by first appearance.
std::vector<std::size_t> component_numbers(const network::OscillatorNetwork& net) {
    const std::size_t n = net.free.size();
    std::vector<std::size_t> parent(n);
    std::iota(parent.begin(), parent.end(), std::size_t{0});
    const auto root = [&](std::size_t i) {
        while (parent[i] != i) i = parent[i] = parent[parent[i]];
        return i;
    };
    for (const Coupling& c : net.couplings)
        if (c.kind == Coupling::From::free) {
            const std::size_t a = root(c.from);
            const std::size_t b = root(c.to);
            parent[std::max(a, b)] = std::min(a, b);  // the root is the smallest member
        }
    std::vector<std::size_t> number(n);
    std::size_t next = 0;
    for (std::size_t i = 0; i < n; ++i) number[i] = root(i) == i ? next++ : number[root(i)];
    return number;
}

}  // namespace

Eigen::VectorXd rate_bound(const problem::PhaseProblem& problem) {
    const network::OscillatorNetwork& net = problem.network;
    Eigen::VectorXd sum = Eigen::VectorXd::Zero(net.size());
    for (const Coupling& c : net.couplings)
        sum(c.to) += problem.coupling_rate(c.to) * std::abs(c.weight) * (c.kind == Coupling::From::anchor ? net.anchors.row(c.from).norm() : 1.0);
    return sum;
}

std::vector<Component> components(const problem::PhaseProblem& problem) {
    check(problem);
    const network::OscillatorNetwork& net = problem.network;
    const std::vector<std::size_t> number = component_numbers(net);
    std::vector<Component> result;
    std::vector<std::size_t> local(net.free.size());
    for (std::size_t i = 0; i < net.free.size(); ++i) {
        if (number[i] == result.size()) result.emplace_back();
        local[i] = result[number[i]].oscillators.size();
        result[number[i]].oscillators.push_back(static_cast<std::uint32_t>(i));
    }

    for (Component& component : result) {
        std::unique_ptr<Dynamics> dynamics;
        if (net.dimension == 2) {
            auto planar = std::make_unique<Planar>();
            for (const std::uint32_t i : component.oscillators) {
                planar->detuning.push_back(problem.detuning(i));
                planar->softening.push_back(problem.softening.size() > 0 ? problem.softening(i) : 0.0);
                planar->start.push_back(std::atan2(net.start(i, 1), net.start(i, 0)));
            }
            dynamics = std::move(planar);
        } else {
            auto sphere = std::make_unique<Sphere>();
            sphere->dimension = net.dimension;
            sphere->drive = Eigen::MatrixXd::Zero(net.dimension, static_cast<Eigen::Index>(component.oscillators.size()));
            for (const std::uint32_t i : component.oscillators) {
                const Eigen::VectorXd unit = net.start.row(i).normalized();
                sphere->start.insert(sphere->start.end(), unit.begin(), unit.end());
            }
            dynamics = std::move(sphere);
        }
        component.dynamics = std::move(dynamics);
    }

    for (const Coupling& c : net.couplings) {
        Dynamics& dynamics = *result[number[c.to]].dynamics;
        const double k = problem.coupling_rate(c.to);
        const bool anchor = c.kind == Coupling::From::anchor;
        if (net.dimension == 2) {
            auto& planar = static_cast<Planar&>(dynamics);
            const std::size_t harmonic = planar.harmonic_index(c.harmonic);
            const std::complex<double> weight = k * c.weight * std::polar(1.0, c.harmonic * problem.raw_shift(c.to) - c.phase_lag);
            if (anchor) {
                const std::complex<double> position{net.anchors(c.from, 0), net.anchors(c.from, 1)};
                planar.add_pull(local[c.to], harmonic, weight * std::polar(std::abs(position), c.harmonic * std::arg(position)));
            } else {
                planar.edges.push_back({local[c.from], local[c.to], harmonic, weight});
            }
        } else {
            auto& sphere = static_cast<Sphere&>(dynamics);
            if (anchor)
                sphere.drive.col(static_cast<Eigen::Index>(local[c.to])) += k * c.weight.real() * net.anchors.row(c.from).transpose();
            else
                sphere.edges.push_back({local[c.from], local[c.to], k * c.weight.real()});
        }
    }
    for (Component& component : result) component.dynamics->set_scale();
    return result;
}

}  // namespace entrain::engines::phase

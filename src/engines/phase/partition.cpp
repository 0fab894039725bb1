#include "engines/phase/partition.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>

#include "core/error.hpp"
#include "engines/phase/planar.hpp"
#include "engines/phase/sphere.hpp"

namespace entrain::engines::phase {
namespace {

using network::Coupling;

/// What has no equation here, of the problem as a whole and of one coupling.
void check(const problem::PhaseProblem& problem, bool noisy) {
    if (problem.network.dimension == 2) return;
    if ((problem.detuning.array() != 0.0).any()) throw ModelError{"phase: detuning needs oscillator dimension 2 (on the sphere it has no axis)."};
    if (noisy) throw ModelError{"phase: phase noise needs oscillator dimension 2. Set temperature to 0."};
}

void check(const Coupling& c, int dimension, bool noisy) {
    if (c.harmonic < 1) throw ModelError{"phase: coupling harmonic " + std::to_string(c.harmonic) + " has no meaning. Use 1 or more."};
    if (dimension > 2 && (c.harmonic != 1 || c.phase_lag != 0.0 || c.weight.imag() != 0.0 || c.delay != 0.0))
        throw ModelError{"phase: harmonics, phase lags, complex weights and delays need oscillator dimension 2 (they rotate in the plane)."};
    if (!(c.delay >= 0.0 && std::isfinite(c.delay)))
        throw ModelError{"phase: coupling delay " + std::to_string(c.delay) + " has no meaning. Use a finite delay of 0 or more."};
    if (noisy && c.delay > 0.0 && c.kind == Coupling::From::free)
        throw ModelError{"phase: noise together with coupling delays is not supported. Set temperature or the delays to 0."};
}

/// Sets that are joined two at a time; a set is called by its smallest member.
class Sets {
 public:
    explicit Sets(std::size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), 0U); }
    void join(std::uint32_t a, std::uint32_t b) {
        if (parent_[a] == parent_[b]) return;
        a = root(a);
        b = root(b);
        parent_[std::max(a, b)] = std::min(a, b);
    }
    /// Number of each member's set, by first appearance.
    [[nodiscard]] std::vector<std::uint32_t> numbers() {
        std::vector<std::uint32_t> number(parent_.size());
        std::uint32_t next = 0;
        for (std::uint32_t i = 0; i < number.size(); ++i) number[i] = root(i) == i ? next++ : number[root(i)];
        return number;
    }

 private:
    std::uint32_t root(std::uint32_t i) {
        while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
        return i;
    }
    std::vector<std::uint32_t> parent_;
};

std::complex<double> turned_by(double angle) { return angle == 0.0 ? 1.0 : std::polar(1.0, angle); }

}  // namespace

Partition::Partition(const problem::PhaseProblem& problem) : problem_{problem} {
    const bool noisy = (problem.diffusion.array() > 0.0).any();
    check(problem, noisy);
    const network::OscillatorNetwork& net = problem.network;
    const std::size_t n = net.free.size();
    // One look at each coupling: of a large batch they fill memory, not caches.
    Sets connected{n};
    first_coupling_.assign(n + 1, net.couplings.size());
    std::size_t row = 0;
    for (std::size_t k = 0; k < net.couplings.size(); ++k) {
        const Coupling& c = net.couplings[k];
        check(c, net.dimension, noisy);
        if (c.to >= n || (k > 0 && c.to < net.couplings[k - 1].to)) throw std::invalid_argument{"phase: couplings are not sorted by their targets"};
        for (; row <= c.to; ++row) first_coupling_[row] = k;
        if (c.kind == Coupling::From::free) connected.join(c.from, c.to);
    }

    const std::vector<std::uint32_t> number = connected.numbers();
    const std::size_t count = n == 0 ? 0 : *std::max_element(number.begin(), number.end()) + 1U;
    first_.assign(count + 1, 0);
    for (const std::uint32_t k : number) ++first_[k + 1U];
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
    members_.resize(n);
    local_.resize(n);
    std::vector<std::size_t> next{first_.begin(), first_.end() - 1};
    for (std::uint32_t i = 0; i < n; ++i) {
        local_[i] = static_cast<std::uint32_t>(next[number[i]] - first_[number[i]]);
        members_[next[number[i]]++] = i;
    }
}

std::unique_ptr<Dynamics> Partition::dynamics(std::size_t component) const {
    return problem_.network.dimension == 2 ? planar(oscillators(component)) : sphere(oscillators(component));
}

std::unique_ptr<Dynamics> Partition::planar(std::span<const std::uint32_t> members) const {
    const network::OscillatorNetwork& net = problem_.network;
    const std::size_t n = members.size();
    State phases(n);
    State detuning(n);
    State softening(problem_.softening.size() > 0 ? n : 0);
    std::map<int, Harmonic> harmonics;
    std::size_t couplings = 0;
    for (const std::uint32_t i : members) couplings += couplings_to(i).size();
    for (std::size_t row = 0; row < n; ++row) {
        const std::uint32_t i = members[row];
        phases[row] = std::atan2(net.start(i, 1), net.start(i, 0));
        detuning[row] = problem_.detuning(i);
        if (!softening.empty()) softening[row] = problem_.softening(i);
        const double rate = problem_.coupling_rate(i);
        Harmonic* harmonic = nullptr;
        std::complex<double> row_factor;
        for (const Coupling& c : couplings_to(i)) {
            if (harmonic == nullptr || harmonic->order != c.harmonic) {
                harmonic = &harmonics[c.harmonic];
                harmonic->order = c.harmonic;
                if (harmonic->drive.re.empty()) harmonic->drive = Phasors{n};
                row_factor = rate * turned_by(c.harmonic * problem_.raw_shift(i));
            }
            const std::complex<double> weight = c.weight * row_factor * turned_by(-c.phase_lag);
            if (c.kind == Coupling::From::anchor) {
                std::complex<double> position{net.anchors(c.from, 0), net.anchors(c.from, 1)};
                if (c.harmonic != 1) position = std::polar(std::abs(position), c.harmonic * std::arg(position));
                const std::complex<double> drive = weight * position;
                harmonic->drive.re[row] += drive.real();
                harmonic->drive.im[row] += drive.imag();
            } else if (const kernels::Entry entry{static_cast<std::uint32_t>(row), local_[c.from], weight}; c.delay == 0.0) {
                if (harmonic->entries.empty()) harmonic->entries.reserve(couplings);
                harmonic->entries.push_back(entry);
            } else {
                harmonic->delayed.push_back({entry, c.delay / rate});
            }
        }
    }
    std::vector<Harmonic> ascending;
    for (auto& [order, harmonic] : harmonics) ascending.push_back(std::move(harmonic));
    return std::make_unique<Planar>(std::move(phases), std::move(detuning), std::move(softening), std::move(ascending));
}

std::unique_ptr<Dynamics> Partition::sphere(std::span<const std::uint32_t> members) const {
    const network::OscillatorNetwork& net = problem_.network;
    const auto n = static_cast<Eigen::Index>(members.size());
    Eigen::MatrixXd states{net.dimension, n};
    Eigen::MatrixXd drive = Eigen::MatrixXd::Zero(net.dimension, n);
    std::vector<Sphere::Edge> edges;
    for (Eigen::Index column = 0; column < n; ++column) {
        const std::uint32_t i = members[static_cast<std::size_t>(column)];
        states.col(column) = net.start.row(i).normalized();
        for (const Coupling& c : couplings_to(i)) {
            const double weight = problem_.coupling_rate(i) * c.weight.real();
            if (c.kind == Coupling::From::anchor)
                drive.col(column) += weight * net.anchors.row(c.from).transpose();
            else
                edges.push_back({local_[c.from], static_cast<std::size_t>(column), weight});
        }
    }
    return std::make_unique<Sphere>(states, std::move(drive), std::move(edges));
}

std::optional<Lone> Partition::lone(std::size_t component) const {
    const network::OscillatorNetwork& net = problem_.network;
    const auto members = oscillators(component);
    if (members.size() != 1 || net.dimension != 2) return std::nullopt;
    const std::uint32_t i = members.front();
    std::complex<double> pull;
    for (const Coupling& c : couplings_to(i)) {
        if (c.kind != Coupling::From::anchor || c.harmonic != 1) return std::nullopt;
        pull += c.weight * turned_by(-c.phase_lag) * std::complex<double>{net.anchors(c.from, 0), net.anchors(c.from, 1)};
    }
    return Lone{problem_.coupling_rate(i) * turned_by(problem_.raw_shift(i)) * pull, problem_.detuning(i),
                problem_.softening.size() > 0 ? problem_.softening(i) : 0.0, std::atan2(net.start(i, 1), net.start(i, 0))};
}

std::size_t Partition::free_couplings(std::size_t component) const {
    std::size_t sum = 0;
    for (const std::uint32_t i : oscillators(component))
        for (const Coupling& c : couplings_to(i)) sum += c.kind == Coupling::From::free ? 1U : 0U;
    return sum;
}

double Partition::rate_bound(std::uint32_t oscillator) const {
    const network::OscillatorNetwork& net = problem_.network;
    double sum = 0.0;
    for (const Coupling& c : couplings_to(oscillator))
        sum += magnitude(c.weight) * (c.kind == Coupling::From::anchor ? net.anchors.row(c.from).norm() : 1.0);
    return problem_.coupling_rate(oscillator) * sum;
}

}  // namespace entrain::engines::phase

#include "problem/interaction.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "core/quantity.hpp"

namespace entrain::problem {

double PhaseSensitivity::operator()(double theta) const {
    double sum = 0.0;
    for (std::size_t k = 0; k < harmonics.size(); ++k) sum += (harmonics[k] * std::polar(1.0, static_cast<double>(k) * theta)).real();
    return sum;
}

double coupling_rate(const PhaseSensitivity& ppv, double current) { return 0.5 * std::abs(ppv.harmonics.at(1)) * current; }

double offset(const PhaseSensitivity& ppv) { return wrap(0.5 * std::numbers::pi - std::arg(ppv.harmonics.at(1))); }

double phase_diffusion(const PhaseSensitivity& ppv, const std::vector<double>& theta, const std::vector<double>& density) {
    double sum = 0.0;
    for (std::size_t k = 0; k < theta.size(); ++k) sum += 0.5 * ppv(theta[k]) * ppv(theta[k]) * density.at(k);
    return sum / static_cast<double>(theta.size());
}

Waveform sine_waveform() { return {1.0}; }

Waveform square_waveform(int harmonics) {
    constexpr double steepness = 8.0;
    constexpr int points = 1024;  // the series falls by exp(-pi/16) a harmonic: rounding is reached before the first alias
    Waveform waveform;
    for (int k = 1; k <= harmonics; ++k) {
        double sum = 0.0;
        for (int n = 0; n < points; ++n) sum += std::tanh(steepness * std::cos(turn * n / points)) * std::cos(turn * k * n / points);
        waveform.emplace_back(k % 2 == 1 ? sum : 0.0);  // half-wave symmetry
    }
    const std::complex<double> first = waveform.front();
    for (std::complex<double>& harmonic : waveform) harmonic /= first;
    return waveform;
}

InteractionFunction::InteractionFunction(const PhaseSensitivity& ppv, const Waveform& anchor, double current) {
    for (std::size_t k = 1; k <= anchor.size() && k < ppv.harmonics.size(); ++k)
        harmonics_.push_back(0.5 * current * ppv.harmonics[k] * std::conj(anchor[k - 1]));
    if (harmonics_.empty()) throw std::logic_error{"an interaction function needs a phase sensitivity and an anchor"};
}

double InteractionFunction::operator()(double psi) const {
    double sum = 0.0;
    for (std::size_t k = 1; k <= harmonics_.size(); ++k) sum += (harmonics_[k - 1] * std::polar(1.0, static_cast<double>(k) * psi)).real();
    return sum;
}

double InteractionFunction::derivative(double psi) const {
    double sum = 0.0;
    for (std::size_t k = 1; k <= harmonics_.size(); ++k)
        sum -= static_cast<double>(k) * (harmonics_[k - 1] * std::polar(1.0, static_cast<double>(k) * psi)).imag();
    return sum;
}

std::complex<double> InteractionFunction::relative(std::size_t k) const {
    // |G_k| cos(k psi + arg G_k) = |G_k| sin(k x + pi/2 - arg G_k - k s) with x = s - psi and s = pi/2 - arg G_1, the equilibrium of the first.
    const std::complex<double> first = harmonics_.front();
    const double shift = 0.5 * std::numbers::pi - std::arg(first);
    const std::complex<double> harmonic = harmonics_.at(k - 1);
    if (k == 1) return 1.0;
    return std::polar(std::abs(harmonic) / std::abs(first), 0.5 * std::numbers::pi - std::arg(harmonic) - static_cast<double>(k) * shift);
}

PhaseProblem with_anchor_waveform(PhaseProblem problem, const InteractionFunction& interaction) {
    std::vector<network::Coupling> couplings;
    for (const network::Coupling& c : problem.network.couplings) {
        couplings.push_back(c);
        if (c.kind != network::Coupling::From::anchor) continue;
        if (c.harmonic != 1 || c.weight.imag() != 0.0 || c.phase_lag != 0.0)
            throw std::logic_error{"anchors of another waveform need couplings of harmonic 1 with real weights and without lag"};
        for (std::size_t k = 2; k <= interaction.harmonics().size(); ++k) {
            const std::complex<double> relative = interaction.relative(k);
            if (relative == 0.0) continue;
            network::Coupling higher = c;
            higher.harmonic = static_cast<std::int16_t>(k);
            higher.weight = c.weight * relative;
            couplings.push_back(higher);
        }
    }
    problem.network.couplings = std::move(couplings);
    return problem;
}

}  // namespace entrain::problem

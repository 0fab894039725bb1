#include "problem/interaction.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/quantity.hpp"

namespace {

using namespace entrain;

problem::PhaseSensitivity some_sensitivity() { return {{0.3, std::polar(2.0, 0.7), std::polar(0.4, -1.9), std::polar(0.6, 2.5)}, 0.0}; }
const problem::Waveform some_anchor = {1.0, std::polar(0.2, 0.9), std::polar(0.3, -2.2)};

/// sum |a_k| cos(k x + arg a_k), term by term.
double wave(const problem::Waveform& harmonics, double x) {
    double sum = 0.0;
    for (std::size_t k = 0; k < harmonics.size(); ++k)
        sum += std::abs(harmonics[k]) * std::cos(static_cast<double>(k + 1) * x + std::arg(harmonics[k]));
    return sum;
}

/// Mean over a period of Z(anchor phase + psi) times the anchor's current: what the averaged model approximates, without its series.
double averaged(const problem::PhaseSensitivity& ppv, const problem::Waveform& anchor, double current, double psi) {
    constexpr int points = 64;  // exact for products of harmonics up to 31
    double sum = 0.0;
    for (int n = 0; n < points; ++n) sum += ppv(turn * n / points + psi) * current * wave(anchor, turn * n / points);
    return sum / points;
}

TEST(PhaseSensitivity, IsTheSumOfItsCosines) {
    const problem::PhaseSensitivity ppv = some_sensitivity();
    for (const double x : {0.0, 1.0, -2.7})
        EXPECT_NEAR(ppv(x), 0.3 + 2.0 * std::cos(x + 0.7) + 0.4 * std::cos(2 * x - 1.9) + 0.6 * std::cos(3 * x + 2.5), 1e-14);
}

TEST(PhaseSensitivity, RateAndOffsetAreThoseOfASinusoidalCurrent) {
    const problem::PhaseSensitivity ppv = some_sensitivity();
    const double current = 1.7;
    for (const double psi : {-1.0, 0.0, 2.0})  // dtheta/dt = -K sin(psi - offset)
        EXPECT_NEAR(averaged(ppv, problem::sine_waveform(), current, psi),
                    -problem::coupling_rate(ppv, current) * std::sin(psi - problem::offset(ppv)), 1e-14);
}

TEST(PhaseSensitivity, DiffusionOfConstantNoiseIsHalfItsDensityTimesTheMeanSquare) {
    const problem::PhaseSensitivity ppv = some_sensitivity();
    std::vector<double> theta;
    for (int n = 0; n < 16; ++n) theta.push_back(turn * n / 16);
    const double mean_square = 0.3 * 0.3 + 0.5 * (2.0 * 2.0 + 0.4 * 0.4 + 0.6 * 0.6);  // Parseval
    EXPECT_NEAR(problem::phase_diffusion(ppv, theta, std::vector<double>(16, 5.0)), 0.5 * 5.0 * mean_square, 1e-13);
    // Noise that is on at one phase only is weighted with Z there.
    std::vector<double> pulse(16, 0.0);
    pulse[3] = 1.0;
    EXPECT_NEAR(problem::phase_diffusion(ppv, theta, pulse), 0.5 * std::pow(ppv(theta[3]), 2) / 16, 1e-14);
}

TEST(InteractionFunction, IsTheMeanOfSensitivityTimesAnchor) {
    const problem::InteractionFunction gamma{some_sensitivity(), some_anchor, 1.7};
    for (const double psi : {-3.0, -0.4, 0.0, 1.3, 2.8}) {
        EXPECT_NEAR(gamma(psi), averaged(some_sensitivity(), some_anchor, 1.7, psi), 1e-13);
        constexpr double h = 1e-5;
        EXPECT_NEAR(gamma.derivative(psi), (gamma(psi + h) - gamma(psi - h)) / (2 * h), 1e-8);  // h^2 times the third derivative
    }
}

TEST(SquareWaveform, IsTanhOfACosineWithUnitFundamental) {
    const problem::Waveform square = problem::square_waveform(63);
    EXPECT_EQ(square[0], 1.0);
    const double scale = std::tanh(8.0) / wave(square, 0.0);
    for (const double x : {0.3, 1.2, std::numbers::pi / 2, 2.0, 4.0})
        EXPECT_NEAR(scale * wave(square, x), std::tanh(8.0 * std::cos(x)), 2e-5);  // harmonic 65 is exp(-65 pi/16) = 3e-6 of the first
}

TEST(AnchorWaveform, CouplingsOfThePhaseProblemAddUpToTheInteractionFunction) {
    const problem::PhaseSensitivity ppv = some_sensitivity();
    const problem::InteractionFunction gamma{ppv, some_anchor, 1.7};
    problem::PhaseProblem problem;
    problem.network.anchors = Eigen::MatrixXd{{std::cos(0.4), std::sin(0.4)}, {2.0 * std::cos(-1.1), 2.0 * std::sin(-1.1)}};
    problem.network.free = {{0, 0, 0}};
    for (const std::uint32_t j : {0U, 1U}) {
        network::Coupling c;
        c.from = j;
        c.weight = j == 0 ? 0.6 : -0.2;
        problem.network.couplings.push_back(c);
    }
    problem.coupling_rate = Eigen::VectorXd::Constant(1, problem::coupling_rate(ppv, 1.7));
    problem.raw_shift = Eigen::VectorXd::Constant(1, problem::offset(ppv));
    const problem::PhaseProblem squarish = problem::with_anchor_waveform(problem, gamma);
    ASSERT_EQ(squarish.network.couplings.size(), 6U);
    for (const double theta : {-2.0, 0.1, 1.7}) {
        double rate = 0.0;  // as network::Coupling and problem::PhaseProblem define it
        for (const network::Coupling& c : squarish.network.couplings) {
            const Eigen::RowVector2d anchor = squarish.network.anchors.row(c.from);
            rate += squarish.coupling_rate(0) * std::abs(c.weight) * anchor.norm() *
                    std::sin(c.harmonic * (std::atan2(anchor(1), anchor(0)) - theta + squarish.raw_shift(0)) + std::arg(c.weight));
        }
        EXPECT_NEAR(rate, 0.6 * gamma(theta - 0.4) - 0.2 * 2.0 * gamma(theta + 1.1), 1e-13);
    }
    problem.network.couplings[0].phase_lag = 0.1;
    EXPECT_THROW(static_cast<void>(problem::with_anchor_waveform(problem, gamma)), std::logic_error);
}

}  // namespace

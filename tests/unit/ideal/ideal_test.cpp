#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "substrates/ideal/plugin.hpp"

namespace entrain::substrates::ideal {
namespace {

/// `n` oscillators, head 0 of sequence 5, each pulled with weight 3 towards one anchor of length 2: |h| = 6.
network::OscillatorNetwork pulled(int n, int dimension) {
    network::OscillatorNetwork network;
    network.dimension = dimension;
    network.anchors = Eigen::MatrixXd::Zero(1, dimension);
    network.anchors(0, 0) = 2.0;
    network.anchor_ids = {{0, 0}};
    for (int i = 0; i < n; ++i) {
        network.free.push_back({5, 0, i});
        network::Coupling coupling;
        coupling.to = static_cast<std::uint32_t>(i);
        coupling.weight = 3.0;
        network.couplings.push_back(coupling);
    }
    network.start = Eigen::MatrixXd::Constant(n, dimension, 1.0 / std::sqrt(dimension));
    network.detuning = Eigen::VectorXd::Zero(n);
    return network;
}

problem::Instance map(const network::OscillatorNetwork& network, double frequency_disorder, std::uint64_t seed = 1) {
    Nonidealities nonidealities;
    nonidealities.frequency_disorder = frequency_disorder;
    return create()->map(network, {}, {}, nonidealities, RandomStreams{seed});
}

TEST(Ideal, CarriesAnyDimensionExactlyAndAsAPhaseModelButHasNoCircuit) {
    const auto ideal = create();
    EXPECT_TRUE(ideal->dimensionless());
    EXPECT_EQ(ideal->max_dimension(), 0);
    EXPECT_TRUE(ideal->supports(problem::Fidelity::exact));
    EXPECT_TRUE(ideal->supports(problem::Fidelity::phase));
    EXPECT_FALSE(ideal->supports(problem::Fidelity::circuit));
    EXPECT_THROW((void)ideal->problem(map(pulled(1, 2), 0.0), problem::Fidelity::circuit, {}), ModelError);
}

TEST(Ideal, PullsAtTheRateOfTheUnnormalisedWeightWithoutPhaseOffset) {
    const problem::Instance instance = map(pulled(2, 3), 0.0);
    const auto problem = std::get<problem::ExactProblem>(create()->problem(instance, problem::Fidelity::exact, {}));
    EXPECT_EQ(problem.drive, (Eigen::MatrixXd{{6, 0, 0}, {6, 0, 0}}));
    EXPECT_EQ(problem.raw_shift, (Eigen::Vector2d{0, 0}));
    EXPECT_EQ(problem.detuning, (Eigen::Vector2d{0, 0}));
    EXPECT_EQ(instance.drive_ratio, (Eigen::Vector2d{1, 1}));

    const auto phase = std::get<problem::PhaseProblem>(create()->problem(instance, problem::Fidelity::phase, {}));
    EXPECT_EQ(phase.coupling_rate, Eigen::VectorXd::Ones(phase.network.size()));
    EXPECT_EQ(phase.network.couplings[0].weight, 3.0);
}

TEST(Ideal, DisorderDetunesInUnitsOfTheDrive) {
    const int n = 4000;
    const Eigen::ArrayXd detuning = map(pulled(n, 2), 0.1).detuning;
    const double sigma = std::sqrt(detuning.square().mean());
    EXPECT_NEAR(sigma, 0.1 * 6.0, 4 * 0.6 / std::sqrt(2.0 * n));        // four standard errors of a standard deviation
    EXPECT_NEAR(detuning.mean(), 0.0, 4 * 0.6 / std::sqrt(double(n)));  // and of a mean
}

TEST(Ideal, DisorderOfATokenDoesNotDependOnTheOthersInTheNetwork) {
    network::OscillatorNetwork all = pulled(3, 2);
    network::OscillatorNetwork last = pulled(1, 2);
    last.free[0] = all.free[2];
    EXPECT_EQ(map(all, 0.1).detuning(2), map(last, 0.1).detuning(0));
    EXPECT_NE(map(all, 0.1).detuning(2), map(all, 0.1, 2).detuning(2));
}

TEST(Ideal, RefusesDisorderOutsideThePlane) {
    try {
        (void)map(pulled(1, 8), 0.1);
        FAIL() << "accepted";
    } catch (const ModelError& e) {
        EXPECT_THAT(e.what(), testing::HasSubstr("d = 8"));
    }
    EXPECT_NO_THROW((void)map(pulled(1, 8), 0.0));
}

}  // namespace
}  // namespace entrain::substrates::ideal

#include "catalogue/substrates.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <filesystem>

#include "contract/fields.hpp"
#include "substrates/substrate.hpp"
#include "support/corner.hpp"

namespace entrain::substrates {
namespace {

using testing::IsEmpty;

constexpr std::array fidelities = {problem::Fidelity::exact, problem::Fidelity::phase, problem::Fidelity::circuit};

class SubstrateContract : public testing::TestWithParam<Entry> {
 protected:
    std::unique_ptr<Substrate> substrate = GetParam().create();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SubstrateContract);
INSTANTIATE_TEST_SUITE_P(Catalogue, SubstrateContract, testing::ValuesIn(catalogue().begin(), catalogue().end()),
                         [](const auto& entry) { return std::string{entry.param.name}; });

/// One free oscillator halfway between two anchors of different weight.
network::OscillatorNetwork small_network() {
    network::OscillatorNetwork network;
    network.anchors = Eigen::MatrixXd::Identity(2, 2);
    network.anchor_ids = {{0, 0}, {0, 1}};
    network.free = {{0, 0, 0}};
    network.start = Eigen::RowVector2d{-1.0, 0.0};
    network.detuning = Eigen::VectorXd::Zero(1);
    network.couplings.resize(2);
    network.couplings[0].weight = 1.0;
    network.couplings[1].from = 1;
    network.couplings[1].weight = 3.0;
    network.probes = {{.observed = 0, .reference = {}, .harmonic = 1}};
    return network;
}

TEST(SubstrateCatalogue, NamesTheFolders) {
    std::vector<std::string> names;
    for (const Entry& entry : catalogue()) names.emplace_back(entry.name);
    EXPECT_EQ(names, contract::plugin_folders("substrates"));
}

TEST_P(SubstrateContract, DescribesItsOptions) {
    EXPECT_THAT(contract::check_options([this](FieldVisitor& v) { substrate->describe(v); }, {"kind", "name", "corner", "parameters"}), IsEmpty());
}

TEST_P(SubstrateContract, GivesEveryParameterAUnitADocAndARange) {
    std::set<std::string> names;
    for (const ParameterSpec& parameter : substrate->parameters()) {
        EXPECT_TRUE(names.insert(parameter.name).second) << parameter.name << " is listed twice";
        EXPECT_TRUE(contract::snake_case(parameter.name)) << parameter.name;
        EXPECT_FALSE(parameter.unit.empty()) << parameter.name;
        EXPECT_FALSE(parameter.doc.empty()) << parameter.name;
        EXPECT_LT(parameter.range.low, parameter.range.high) << parameter.name;
    }
}

TEST_P(SubstrateContract, ShipsTheDefaultCornerOfItsParameters) {
    const auto corner = std::filesystem::path{ENTRAIN_SOURCE_DIR} / "models" / GetParam().name / "typical.yaml";
    EXPECT_EQ(std::filesystem::exists(corner), !substrate->parameters().empty()) << corner;
}

TEST_P(SubstrateContract, SupportsAnEngineAndNoCircuitWithoutUnits) {
    EXPECT_TRUE(std::ranges::any_of(fidelities, [this](problem::Fidelity f) { return substrate->supports(f); }));
    if (substrate->dimensionless()) {
        EXPECT_FALSE(substrate->supports(problem::Fidelity::circuit));
        EXPECT_EQ(substrate->calibration_key(), "");
    }
}

TEST_P(SubstrateContract, StatesTheProblemOfTheFidelityItIsAskedFor) {
    problem::Calibration calibration;  // made up for circuits: what a simulation measures, within a factor of two
    test::configure(*substrate, std::string{GetParam().name});
    if (!substrate->dimensionless()) {
        const Estimate estimate = substrate->estimate();
        const bool known = std::isfinite(estimate.frequency_hz);  // nothing is, of a user's cell
        calibration.dimensionless = false;
        calibration.frequency_at_step_hz = calibration.frequency_hz = known ? estimate.frequency_hz : 1e9;
        calibration.coupling_rate = calibration.relaxation_rate = known ? estimate.coupling_rate : 1e8;
        calibration.amplitude = 1.0;
        calibration.reference_current_a = known ? substrate->reference_current(calibration.amplitude, calibration.frequency_hz) : 1e-4;
        for (const int order : substrate->read_harmonics()) calibration.phase_terms.push_back({order, 0.1, 0.0});
    }
    const auto instance = substrate->map(small_network(), calibration, Mapping{}, Nonidealities{}, RandomStreams{1});
    ASSERT_EQ(instance.drive_ratio.size(), 1);
    EXPECT_NEAR(instance.drive_ratio(0), std::sqrt(10.0) / 4.0, 1e-15);  // |(1, 3)| / (1 + 3)
    for (const auto fidelity : fidelities) {
        if (!substrate->supports(fidelity)) continue;
        const auto problem = substrate->problem(instance, fidelity, {});
        EXPECT_EQ(std::holds_alternative<problem::ExactProblem>(problem), fidelity == problem::Fidelity::exact);
        EXPECT_EQ(std::holds_alternative<problem::PhaseProblem>(problem), fidelity == problem::Fidelity::phase);
        if (const auto* circuit = std::get_if<problem::CircuitProblem>(&problem)) {
            ASSERT_EQ(circuit->cells.size(), 1U);
            EXPECT_EQ(circuit->reference_hz, calibration.frequency_at_step_hz);
            EXPECT_EQ(circuit->phase_terms.size(), substrate->read_harmonics().size());
            // What a crossbar of anchors injects: (1 + 3 i)/4 of full scale.
            const double full_scale = substrate->injection() * calibration.reference_current_a;
            EXPECT_NEAR(std::abs(circuit->cells[0].injection - full_scale * std::complex<double>{0.25, 0.75}), 0.0, 1e-12 * full_scale);
            for (const std::string& pin : {circuit->cell.inject_plus, circuit->cell.read_plus})
                EXPECT_THAT(circuit->cell.pins, testing::Contains(pin));
        }
    }
}

}  // namespace
}  // namespace entrain::substrates

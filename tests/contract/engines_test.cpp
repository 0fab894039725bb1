#include "catalogue/engines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/fields.hpp"
#include "engines/engine.hpp"

namespace entrain::engines {
namespace {

using testing::IsEmpty;

/// A problem without oscillators, of the given fidelity.
problem::Problem empty_problem(problem::Fidelity fidelity) {
    switch (fidelity) {
        case problem::Fidelity::exact:
            return problem::ExactProblem{};
        case problem::Fidelity::phase:
            return problem::PhaseProblem{};
        case problem::Fidelity::circuit:
            return problem::CircuitProblem{};
    }
    throw std::logic_error{"a fidelity this test does not know"};
}

class EngineContract : public testing::TestWithParam<Entry> {
 protected:
    std::unique_ptr<Engine> engine = GetParam().create();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EngineContract);
INSTANTIATE_TEST_SUITE_P(Catalogue, EngineContract, testing::ValuesIn(catalogue().begin(), catalogue().end()),
                         [](const auto& entry) { return std::string{entry.param.name}; });

TEST(EngineCatalogue, NamesTheFolders) {
    std::vector<std::string> names;
    for (const Entry& entry : catalogue()) names.emplace_back(entry.name);
    EXPECT_EQ(names, contract::plugin_folders("engines"));
}

TEST_P(EngineContract, DescribesItsOptions) {
    EXPECT_THAT(contract::check_options([this](FieldVisitor& v) { engine->describe(v); }, {"kind", "points_per_period", "crossbar"}), IsEmpty());
}

TEST_P(EngineContract, RefusesProblemsOfAnotherFidelity) {
    for (const auto fidelity : {problem::Fidelity::exact, problem::Fidelity::phase, problem::Fidelity::circuit}) {
        if (fidelity == engine->fidelity()) continue;
        EXPECT_THROW((void)engine->solve(empty_problem(fidelity), RunOptions{}), std::invalid_argument);
    }
}

TEST_P(EngineContract, WritesDecksOnlyIfItSolvesCircuits) {
    if (engine->fidelity() == problem::Fidelity::circuit) GTEST_SKIP() << "what a deck contains is the engine's own test";
    EXPECT_THROW((void)engine->deck(problem::CircuitProblem{}, DeckReadout{}), UserError);
}

}  // namespace
}  // namespace entrain::engines

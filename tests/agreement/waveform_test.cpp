#include "agreement/experiment.hpp"

// Anchors that are no sines: phase model with the interaction function of the cell's phase sensitivity against circuits.

namespace {

using namespace entrain;
using namespace entrain::test;

struct Shape {
    std::string substrate;
    double least_effect_deg;  ///< rms distance of the circuits from the digital reference: what a model that knows sines only is off by
};

class AnchorWaveform : public testing::TestWithParam<Shape> {};

TEST_P(AnchorWaveform, MovesEquilibriaAsThePhaseSensitivitySays) {
    const Finished circuit = finish(sva_experiment(4, GetParam().substrate, "{kind: ngspice}"));
    const Finished model = finish(sva_experiment(4, GetParam().substrate, "{kind: phase}"));
    double squares = 0.0;
    int n = 0;
    for (std::size_t i = 0; i < circuit.raw_phase.size(); ++i) {
        if (circuit.verdict[i] != 0.0 || model.verdict[i] != 0.0 || circuit.drive[i] < 0.05) continue;
        squares += std::pow(degrees(wrap(circuit.raw_phase[i] - model.raw_phase[i])), 2);
        ++n;
    }
    ASSERT_GE(n, 30);
    EXPECT_LE(std::sqrt(squares / n), 1.0);  // first order in the current; 0.02 (lc) to 0.2 (ring) was measured
    EXPECT_GE(phase_error(circuit, circuit.reference_phase, 0.05, 1.1).rms_deg, GetParam().least_effect_deg);
}

INSTANTIATE_TEST_SUITE_P(Square, AnchorWaveform,
                         testing::Values(Shape{"{kind: ring, anchor_waveform: square}", 3.0}, Shape{"{kind: lc, anchor_waveform: square}", 1.0},
                                         Shape{"{kind: cdw, anchor_waveform: square, coupling_rate: 0.2}", 5.0}));
INSTANTIATE_TEST_SUITE_P(Own, AnchorWaveform, testing::Values(Shape{"{kind: ring, anchor_waveform: own}", 0.5}));

TEST(AnchorWaveform, IsTheSameInTheFullCrossbar) {
    const std::string ring = "{kind: ring, anchor_waveform: square}";
    const Finished reduced = finish(sva_experiment(1, ring, "{kind: ngspice}"));
    const Finished full = finish(sva_experiment(1, ring, "{kind: ngspice, crossbar: full}"));
    for (std::size_t i = 0; i < reduced.raw_phase.size(); ++i) {
        if (reduced.verdict[i] != 0.0) continue;
        EXPECT_NEAR(degrees(wrap(reduced.raw_phase[i] - full.raw_phase[i])), 0.0, 0.01);  // as with sines
    }
}

TEST(AnchorWaveform, OfTheCellItselfIsRefusedWherePhasesAreReadWithHarmonics) {
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", sva_experiment(1, "{kind: josephson, anchor_waveform: own}", "{kind: phase}"));
    const ProgramResult ran = test::entrain({"run", config, "--out", (folder.path() / "out").string(), "--quiet"});
    EXPECT_EQ(ran.status, 2);
    EXPECT_NE(ran.err.find("read with its harmonic 2"), std::string::npos) << ran.err;
}

TEST(AnchorWaveform, HasNoClosedForm) {
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", sva_experiment(1, "{kind: ring, anchor_waveform: square}", "{kind: exact}"));
    const ProgramResult ran = test::entrain({"run", config, "--out", (folder.path() / "out").string(), "--quiet"});
    EXPECT_EQ(ran.status, 2);
    EXPECT_NE(ran.err.find("sinusoidal anchors only"), std::string::npos) << ran.err;
}

}  // namespace

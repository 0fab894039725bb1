#include <algorithm>

#include "agreement/experiment.hpp"

// The textbook oscillator: closed form against the digital reference, integration against closed form.

namespace {

using namespace entrain;
using namespace entrain::test;

TEST(Ideal, ClosedFormIsTheReference) {
    const Finished exact = finish(sva_experiment(20, "{kind: ideal}", "{kind: exact}"));
    ASSERT_LE(exact.status, 1);
    double largest = 0.0;
    for (std::size_t i = 0; i < exact.attention.size(); ++i) largest = std::max(largest, std::abs(exact.attention[i] - exact.reference_attention[i]));
    EXPECT_LE(largest, 1e-12);  // both are double arithmetic on rows of 9 entries below 1
    EXPECT_EQ(exact.result["settling"]["unsettled"], 0);
}

TEST(Ideal, IntegrationFollowsClosedForm) {
    const Finished exact = finish(sva_experiment(20, "{kind: ideal}", "{kind: exact}"));
    const Finished phase = finish(sva_experiment(20, "{kind: ideal}", "{kind: phase}"));
    ASSERT_EQ(exact.phase.size(), phase.phase.size());
    int compared = 0;
    for (std::size_t i = 0; i < exact.phase.size(); ++i) {
        if (exact.verdict[i] != 0.0) continue;
        EXPECT_EQ(phase.verdict[i], 0.0);
        EXPECT_NEAR(wrap(phase.phase[i] - exact.phase[i]), 0.0, 1e-6);                               // the bound
        EXPECT_NEAR(phase.settling_time[i], exact.settling_time[i], 1e-3 * exact.settling_time[i]);  // 0.1 %
        ++compared;
    }
    EXPECT_GT(compared, 100);
}

TEST(Ideal, TheSameHoldsForOtherOptions) {
    for (const char* option : {"layer.causal=true", "layer.coupling=relu_eps", "layer.coupling=elu1", "layer.readout_power=2",
                               "layer.mask_padding_in_readout=true", "start='fixed: 40 deg'"}) {
        const Finished exact = finish(sva_experiment(8, "{kind: ideal}", "{kind: exact}"), {"--set", option});
        EXPECT_LE(exact.result["error"]["attention_max_abs"].get<double>(), 1e-12) << option;
    }
}

}  // namespace

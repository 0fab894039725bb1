#include <algorithm>
#include <iostream>

#include "agreement/experiment.hpp"

// Circuit against the digital reference, against itself in another form, and against the phase model that calibration extracted from it. Injection
// 0.2, 50 points per period, tolerance 1 deg, correction offset: the defaults.

namespace {

using namespace entrain;
using namespace entrain::test;

/// Fraction of simulated tokens with drive below `limit`.
double fraction_below(const Finished& f, double limit) {
    int all = 0;
    int below = 0;
    for (std::size_t i = 0; i < f.verdict.size(); ++i) {
        if (f.verdict[i] == 6.0) continue;
        ++all;
        below += f.drive[i] < limit;
    }
    return static_cast<double>(below) / all;
}

void report(const char* name, const Finished& f) {
    const PhaseError strong = phase_error(f, f.reference_phase, 0.05, 2.0);
    const PhaseError weak = phase_error(f, f.reference_phase, 0.02, 0.05);
    std::cout << name << ": r >= 0.05: rms " << strong.rms_deg << " deg, max " << strong.max_deg << " deg (n " << strong.n
              << "); 0.02 <= r < 0.05: rms " << weak.rms_deg << ", max " << weak.max_deg << " (n " << weak.n
              << "); below 0.05: " << fraction_below(f, 0.05) << ", below 0.02: " << fraction_below(f, 0.02) << "; wall "
              << f.result["cost"]["wall_s"] << " s\n";
}

TEST(LcCircuit, BehaviouralComputesAttention) {
    const Finished lc = finish(sva_experiment(20, "{kind: lc}", "{kind: ngspice}"));
    report("lc behavioural", lc);
    const PhaseError strong = phase_error(lc, lc.reference_phase, 0.05, 2.0);
    EXPECT_LE(strong.rms_deg, 0.05);
    EXPECT_LE(strong.max_deg, 0.2);
    EXPECT_LE(lc.result["error"]["attention_max_abs_times_tokens"].get<double>(), 0.01);
    EXPECT_EQ(unsettled_above(lc, 0.02), 0);
    EXPECT_LE(lc.result["settling"]["unsettled"].get<double>(), 0.01 * lc.result["layer"]["free_oscillators"].get<double>());

    // The phase model calibrated on one cell predicts what the array does.
    const Finished phase = finish(sva_experiment(20, "{kind: lc}", "{kind: phase}"));
    std::vector<double> ratio;
    double phase_difference = 0.0;
    for (std::size_t i = 0; i < lc.verdict.size(); ++i) {
        if (lc.verdict[i] != 0.0 || phase.verdict[i] != 0.0 || lc.drive[i] < 0.05) continue;
        if (lc.settling_time[i] > 0.0 && phase.settling_time[i] > 0.0) ratio.push_back(lc.settling_time[i] / phase.settling_time[i]);
        phase_difference = std::max(phase_difference, std::abs(wrap(lc.raw_phase[i] - phase.raw_phase[i])));
    }
    std::sort(ratio.begin(), ratio.end());
    std::cout << "settling, circuit over phase model: median " << ratio[ratio.size() / 2] << ", n " << ratio.size()
              << "; raw phases differ by at most " << degrees(phase_difference) << " deg\n";
    EXPECT_NEAR(ratio[ratio.size() / 2], 1.0, 0.1);
    EXPECT_LE(degrees(phase_difference), 0.2);
}

TEST(LcCircuit, WeaklyDrivenTokensAreReadToo) {
    // Sentences of the shipped layer that hold its tokens with drive in 0.02 .. 0.05; the first twenty have none.
    const Finished lc = finish(sva_experiment(std::vector<int>{20, 25, 53, 58, 66, 93, 97, 98}, "{kind: lc}", "{kind: ngspice}"));
    report("lc behavioural, weak drives", lc);
    const PhaseError weak = phase_error(lc, lc.reference_phase, 0.02, 0.05);
    EXPECT_GE(weak.n, 5);
    EXPECT_LE(weak.rms_deg, 0.15);  // three times the bounds for r >= 0.05: what is left of the settling and the detuning weighs more
    EXPECT_LE(weak.max_deg, 0.6);
    EXPECT_EQ(unsettled_above(lc, 0.02), 0);
}

TEST(LcCircuit, TransistorPairComputesAttention) {
    const Finished lc = finish(sva_experiment(20, "{kind: lc, cell: mos1}", "{kind: ngspice}"));
    report("lc mos1", lc);
    EXPECT_LE(phase_error(lc, lc.reference_phase, 0.05, 2.0).rms_deg, 0.2);
    EXPECT_EQ(unsettled_above(lc, 0.02), 0);
}

TEST(LcCircuit, ReducedAndFullCrossbarAgree) {
    const Finished reduced = finish(sva_experiment(2, "{kind: lc}", "{kind: ngspice}"));
    const Finished full = finish(sva_experiment(2, "{kind: lc}", "{kind: ngspice, crossbar: full}"));
    EXPECT_LE(phase_error(reduced, full.phase, 0.0, 2.0).max_deg, 0.01);  // ideal anchors: the same circuit
}

TEST(LcCircuit, JobsDoNotChangeTheResult) {
    Finished one = finish(sva_experiment(3, "{kind: lc}", "{kind: ngspice}"), {"--jobs", "1"});
    Finished two = finish(sva_experiment(3, "{kind: lc}", "{kind: ngspice}"), {"--jobs", "2"});
    for (Finished* f : {&one, &two}) {
        f->result.erase("provenance");
        f->result.erase("cost");
    }
    EXPECT_EQ(one.result, two.result);
    EXPECT_EQ(one.raw_phase.size(), two.raw_phase.size());
}

TEST(LcCircuit, OtherLayerOptionsWorkToo) {
    const Finished causal =
        finish(sva_experiment(2, "{kind: lc, injection: 0.1}", "{kind: ngspice}", "mapping: {normalisation: full_scale}\nstart: \"fixed: 0 deg\"\n"),
               {"--set", "layer.causal=true"});
    EXPECT_LE(phase_error(causal, causal.reference_phase, 0.05, 2.0).max_deg, 0.3);
}

}  // namespace

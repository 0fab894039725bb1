#include <algorithm>
#include <iostream>

#include "agreement/experiment.hpp"
#include "agreement/impulses.hpp"
#include "core/error.hpp"
#include "engines/ngspice/plugin.hpp"
#include "readout/reading.hpp"
#include "study/calibrate.hpp"
#include "substrates/ring/design.hpp"
#include "substrates/ring/plugin.hpp"
#include "support/corner.hpp"
#include "unit/io/tensor_bytes.hpp"

// Rings against what kicks under plain ngspice predict of them, against the digital reference, and against their phase model. 50 points per period,
// tolerance 1 deg, correction offset: the defaults.

namespace {

using namespace entrain;
using namespace entrain::test;

/// A cell and the injection at which its K/w0 is at most 0.1, where first order theory holds.
struct WeaklyInjected {
    std::string cell;
    double injection;
    KickedCell kicks;
};

void PrintTo(const WeaklyInjected& ring, std::ostream* out) { *out << ring.cell; }

WeaklyInjected mos1_3() { return {"mos1_3", 0.1, {{"netlists/ring/mos1_3.cir"}, "ring_mos1_3", {"s0", "s1", "s2"}, 1.2, 0.6, 2.4e-16, 1.69e9}}; }
WeaklyInjected mos1_5() {
    return {"mos1_5", 0.2, {{"netlists/ring/mos1_5.cir"}, "ring_mos1_5", {"s0", "s1", "s2", "s3", "s4"}, 1.2, 0.6, 2.4e-16, 1.01e9}};
}
WeaklyInjected bsim4_3() {
    return {"bsim4_3",
            0.2,
            {{"netlists/ring/bsim4_3.cir", "models/devices/generic_bsim4.lib"}, "ring_bsim4_3", {"s0", "s1", "s2"}, 1.2, 0.6, 2.4e-16, 0.986e9}};
}

io::Json characterized(const std::string& substrate) {
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", "version: 1\nsubstrate: " + substrate + "\nengine: {kind: ngspice}\n");
    const std::filesystem::path out = folder.path() / "out";
    const ProgramResult ran = test::entrain({"characterize", config, "--no-agreement", "--out", out.string(), "--quiet"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return io::read_json(out / "characterization.json");
}

class RingKicks : public testing::TestWithParam<WeaklyInjected> {};

TEST_P(RingKicks, PredictTheLockedOffsetAndTheLockRange) {
    const Kicked kick = kicked(GetParam().kicks);
    const io::Json measured = characterized(fmt::format("{{kind: ring, cell: {}, injection: {}}}", GetParam().cell, GetParam().injection));
    // The offset at drive 0.25, extrapolated to zero drive. Kicks are measured with half the step: it turns the offset by 0.1 deg (measured).
    const double offset = degrees(measured["offset_rad"].get<double>() - 0.25 * measured["slope_rad"].get<double>());
    const double predicted = kick.rate_per_ampere * GetParam().injection * measured["reference_current_a"].get<double>();  ///< [rad/s] K
    const double free = measured["frequency_at_step_hz"].get<double>();
    const double below = turn * (free - measured["lock_range_hz"][0].get<double>()) / predicted;
    const double above = turn * (measured["lock_range_hz"][1].get<double>() - free) / predicted;
    std::cout << GetParam().cell << ": offset from kicks " << degrees(kick.offset_rad) << " deg, locked " << offset << " deg; K/w0 from kicks "
              << predicted / (turn * free) << ", lock range over it " << below << " and " << above << "\n";
    EXPECT_NEAR(offset, degrees(kick.offset_rad), 0.5);
    EXPECT_LT(predicted / (turn * free), 0.1);
    EXPECT_NEAR(below, 1.0, 0.1);  // second order in K/w0
    EXPECT_NEAR(above, 1.0, 0.1);
    EXPECT_NEAR(measured["coupling_rate_rad_per_s"]["lock_range"].get<double>() / predicted, 1.0, 0.1);
    // The embedded engine's kicks, at the run's step and shared out over all places of the grid, against these, which fall on one place each: that is
    // worth up to 1.3 % of mos1_5's rate, 0.2 % of the others' (measured).
    EXPECT_NEAR(measured["coupling_rate_rad_per_s"]["ppv"].get<double>() / predicted, 1.0, 0.015);
    EXPECT_NEAR(degrees(measured["offset_ppv_rad"].get<double>() - kick.offset_rad), 0.0, 0.3);
}
INSTANTIATE_TEST_SUITE_P(Cells, RingKicks, testing::Values(mos1_3(), mos1_5(), bsim4_3()), [](const auto& ring) { return ring.param.cell; });

substrates::Corner typical() { return test::corner_of("ring", "typical", substrates::ring::parameters()); }

TEST(RingLockRange, OutsideItAnOscillatorIsUnlockedAndHasNoPhase) {
    const WeaklyInjected weak = mos1_3();
    const std::unique_ptr<substrates::Substrate> ring = substrates::ring::create();
    test::Setter setter{{{"injection", weak.injection}}};
    ring->describe(setter);
    ring->configure(typical());
    const std::unique_ptr<engines::Engine> engine = engines::ngspice::create();
    const study::CalibrationOptions options;
    const problem::Calibration calibration = study::cached_calibration(study::calibration_key_text(*ring, *engine, options), study::cache_folder(),
                                                                       [&] { return study::calibrate(*ring, *engine, options, {}); });
    const double predicted = kicked(weak.kicks).rate_per_ampere * weak.injection * calibration.reference_current_a;  ///< [rad/s] K

    // Each oscillator follows one anchor at full drive; what it is detuned by is built into its capacitors.
    const std::vector<double> detunings = {-1.1, -0.9, -0.5, 0.0, 0.5, 0.9, 1.1};  // in units of K
    const auto n = static_cast<Eigen::Index>(detunings.size());
    network::OscillatorNetwork network;
    network.anchors = Eigen::RowVector2d{1.0, 0.0};
    network.anchor_ids = {{0, 0}};
    network.start = Eigen::MatrixXd::Zero(n, 2);
    network.start.col(1).setOnes();
    network.detuning.resize(n);
    for (Eigen::Index i = 0; i < n; ++i) {
        network.detuning(i) = detunings[static_cast<std::size_t>(i)] * predicted / problem::coupling_rate_at(calibration, 1.0);
        network.free.push_back({0, 0, static_cast<std::int32_t>(i)});
        network::Coupling c;
        c.to = static_cast<std::uint32_t>(i);
        c.weight = 1.0;
        network.couplings.push_back(c);
        network.probes.push_back({.observed = static_cast<std::uint32_t>(i), .reference = {}, .harmonic = 1});
    }
    const problem::Instance instance = ring->map(network, calibration, {}, {}, RandomStreams{1});
    problem::SettlingRule rule;
    rule.rate = Eigen::VectorXd::Constant(n, predicted);
    rule.max_time = Eigen::VectorXd::Constant(n, 200.0 / predicted);  // 0.9 contracts at 0.44 K; 1.1 slips every 2 pi/(0.46 K)
    const problem::Solution solution = engine->solve(ring->problem(instance, problem::Fidelity::circuit, {.rule = rule}), {});
    ASSERT_TRUE(solution.failures.empty());
    const auto readings = readout::read(solution, instance, rule, readout::Correction::offset_slope);
    for (std::size_t i = 0; i < detunings.size(); ++i) {
        const readout::Reading& reading = readings[i];
        if (std::abs(detunings[i]) > 1.0) {
            EXPECT_EQ(reading.verdict, readout::Verdict::unlocked) << detunings[i];
            EXPECT_EQ(reading.state.size(), 0) << detunings[i];
        } else {
            EXPECT_EQ(reading.verdict, readout::Verdict::settled) << detunings[i];
            // Adler: sin(theta) = detuning/K, theta' = (detuning - K sin theta). What this leaves out is a part of order K/w0 of the rate.
            const double x = detunings[i];
            EXPECT_NEAR(degrees(reading.phase), degrees(std::asin(x)),
                        degrees(predicted / (turn * calibration.frequency_hz) / std::sqrt(1.0 - x * x)))
                << x;
        }
    }
}

/// Largest difference of the raw phases of settled tokens with drive >= 0.05 [deg].
double raw_difference(const Finished& a, const Finished& b) {
    double largest = 0.0;
    int compared = 0;
    for (std::size_t i = 0; i < a.verdict.size(); ++i) {
        if (a.verdict[i] != 0.0 || b.verdict[i] != 0.0 || a.drive[i] < 0.05) continue;
        largest = std::max(largest, degrees(std::abs(wrap(a.raw_phase[i] - b.raw_phase[i]))));
        ++compared;
    }
    EXPECT_GT(compared, 0);
    return largest;
}

TEST(RingCircuit, ComputesAttention) {
    const std::string ring = "{kind: ring}";
    const Finished circuit = finish(sva_experiment(20, ring, "{kind: ngspice}"));
    const PhaseError error = phase_error(circuit, circuit.reference_phase, 0.05, 2.0);
    const auto& sloped = circuit.result["error_offset_slope"];
    std::cout << "ring mos1_3: rms " << error.rms_deg << " deg, max " << error.max_deg << " deg; with slope rms " << sloped["phase_rms_deg"]
              << " deg; attention error times tokens " << circuit.result["error"]["attention_max_abs_times_tokens"] << "\n";
    EXPECT_LE(error.rms_deg, 1.0);
    EXPECT_LE(sloped["phase_rms_deg"].get<double>(), 0.1);
    EXPECT_LE(circuit.result["error"]["attention_max_abs_times_tokens"].get<double>(), 0.1);
    EXPECT_EQ(unsettled_above(circuit, 0.02), 0);
    EXPECT_LE(circuit.result["settling"]["unsettled"].get<double>(), 0.01 * circuit.result["layer"]["free_oscillators"].get<double>());

    // The phase model calibrated on one cell, offset and slope, predicts what the array does.
    const Finished phase = finish(sva_experiment(20, ring, "{kind: phase}"));
    EXPECT_LE(raw_difference(circuit, phase), 0.3);
    std::vector<double> ratio;
    for (std::size_t i = 0; i < circuit.verdict.size(); ++i)
        if (circuit.verdict[i] == 0.0 && phase.verdict[i] == 0.0 && circuit.settling_time[i] > 0.0 && phase.settling_time[i] > 0.0)
            ratio.push_back(circuit.settling_time[i] / phase.settling_time[i]);
    std::sort(ratio.begin(), ratio.end());
    EXPECT_NEAR(ratio[ratio.size() / 2], 1.0, 0.1);
}

TEST(RingCircuit, OtherCellsComputeAttentionToo) {
    for (const std::string cell : {"mos1_5", "bsim4_3"}) {
        const std::string ring = "{kind: ring, cell: " + cell + "}";
        const Finished circuit = finish(sva_experiment(3, ring, "{kind: ngspice}"));
        EXPECT_LE(phase_error(circuit, circuit.reference_phase, 0.05, 2.0).rms_deg, 1.0) << cell;
        EXPECT_LE(circuit.result["error_offset_slope"]["phase_rms_deg"].get<double>(), 0.1) << cell;
        EXPECT_EQ(unsettled_above(circuit, 0.02), 0) << cell;
        EXPECT_LE(raw_difference(circuit, finish(sva_experiment(3, ring, "{kind: phase}"))), 0.3) << cell;
    }
}

TEST(RingCircuit, SumsThroughConductancesToo) {
    const std::string ring = "{kind: ring, summing: resistive, dummy_conductance: true}";
    const Finished reduced = finish(sva_experiment(2, ring, "{kind: ngspice}"));
    const Finished full = finish(sva_experiment(2, ring, "{kind: ngspice, crossbar: full}"));
    EXPECT_LE(phase_error(reduced, reduced.reference_phase, 0.05, 2.0).rms_deg, 1.0);
    EXPECT_LE(reduced.result["error_offset_slope"]["phase_rms_deg"].get<double>(), 0.1);
    // Resistors to anchors around mid-rail are, seen from the cell, their Norton equivalents: the same circuit.
    EXPECT_LE(raw_difference(reduced, full), 0.02);
}

TEST(RingCircuit, RefusesResistiveSummingWithoutADummyConductance) {
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", sva_experiment(1, "{kind: ring, summing: resistive}", "{kind: ngspice}"));
    const ProgramResult ran = test::entrain({"run", config, "--out", (folder.path() / "out").string(), "--quiet"});
    EXPECT_EQ(ran.status, 2);
    EXPECT_NE(ran.err.find("dummy_conductance: true"), std::string::npos) << ran.err;
}

/// Deviates of a congruential generator, roughly normal: values a trained layer has nothing to do with.
std::vector<float> deviates(std::size_t count, double scale, std::uint64_t& state) {
    std::vector<float> values(count);
    for (float& value : values) {
        double sum = -6.0;
        for (int k = 0; k < 12; ++k) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            sum += static_cast<double>(state >> 11) * 0x1p-53;
        }
        value = static_cast<float>(scale * sum);
    }
    return values;
}

TEST(RingCircuit, ComputesTheAttentionOfAnyLayer) {
    constexpr std::size_t model = 12;
    constexpr std::size_t head = 4;
    constexpr std::size_t tokens = 10;
    constexpr std::size_t sentences = 3;
    std::uint64_t state = 17;
    const auto tensor = [&](const std::string& name, std::vector<std::size_t> shape, double scale) {
        std::size_t count = 1;
        for (const std::size_t n : shape) count *= n;
        return RawTensor{name, "F32", std::move(shape), f32(deviates(count, scale, state))};
    };
    const TemporaryFolder folder;
    const std::string weights = folder.write(
        "layer.safetensors",
        safetensors({tensor("W_q.weight", {head, model}, 0.4), tensor("W_k.weight", {head, model}, 0.4), tensor("W_v.weight", {head, model}, 0.4),
                     tensor("W_o.weight", {model, head}, 0.4), tensor("W_o.bias", {model}, 0.1), tensor("anchors", {1, tokens, 2}, 1.0)}));
    const std::string inputs = folder.write("inputs.safetensors", safetensors({tensor("x", {sentences, tokens, model}, 1.0)}));
    const std::string yaml = "version: 1\nlayer:\n  mechanism: fixed_query\n  weights: " + weights + "\n  inputs: " + inputs +
                             "\n  heads: 1\nsubstrate: {kind: ring}\nengine: {kind: ngspice}\nseed: 5\n";
    const Finished circuit = finish(yaml);
    const PhaseError error = phase_error(circuit, circuit.reference_phase, 0.05, 2.0);
    std::cout << "ring mos1_3, random layer: rms " << error.rms_deg << " deg (n " << error.n << "), with slope "
              << circuit.result["error_offset_slope"]["phase_rms_deg"] << " deg\n";
    EXPECT_GT(error.n, 20);
    EXPECT_LE(error.rms_deg, 1.0);
    EXPECT_LE(circuit.result["error_offset_slope"]["phase_rms_deg"].get<double>(), 0.1);
    EXPECT_LE(circuit.result["error"]["attention_max_abs_times_tokens"].get<double>(), 0.1);
    EXPECT_EQ(unsettled_above(circuit, 0.02), 0);
}

}  // namespace

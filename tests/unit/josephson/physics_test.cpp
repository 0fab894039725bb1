#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <iostream>
#include <map>
#include <numeric>

#include "core/quantity.hpp"
#include "energy/ledger.hpp"
#include "engines/ngspice/plugin.hpp"
#include "engines/phase/plugin.hpp"
#include "junctions.hpp"
#include "mechanisms/fixed_query/plugin.hpp"
#include "readout/reading.hpp"
#include "study/calibrate.hpp"
#include "study/trial.hpp"
#include "unit/fixed_query/random_layer.hpp"

// The junction in the circuit simulator against the theory of Josephson junctions. References: netlists/josephson/README.md.

namespace entrain::substrates::josephson {
namespace {

using problem::Stop;

constexpr double flux_quantum = 2.067833848461929e-15;  // [V s]
constexpr double boltzmann = 1.380649e-23;              // [J/K]

/// Phase diffusion [rad^2/s] of the overdamped junction of the typical corner: the variance of its phase grows as D t. Half the noise density
/// 4 k T/R times the mean square of the phase response (2 pi R/Phi0) (i + cos)/sqrt(i^2 - 1); D/(2 pi) is the linewidth (Likharev 1986, chapter 4).
double diffusion(double temperature) {
    constexpr double resistance = 2.0;
    constexpr double bias = 1.2;
    const double scale = turn * resistance / flux_quantum;  ///< [rad/C]
    return 2.0 * boltzmann * temperature / resistance * scale * scale * (bias * bias + 0.5) / (bias * bias - 1.0);
}

problem::Solution solve(const problem::CircuitProblem& circuit) {
    problem::Solution solution = engines::ngspice::create()->solve(circuit, {});
    for (const auto& failure : solution.failures) ADD_FAILURE() << failure.category << ": " << failure.message;
    return solution;
}

const problem::Calibration& calibrated(double coupling_rate) {
    static std::map<double, problem::Calibration> known;
    auto found = known.find(coupling_rate);
    if (found == known.end())
        found = known.emplace(coupling_rate, study::calibrate(*configured({{"coupling_rate", coupling_rate}}), *engines::ngspice::create(), {}, {}))
                    .first;
    return found->second;
}

/// Mean voltage [V] over whole periods of a free junction, and their frequency.
struct Running {
    double voltage = 0.0;
    double frequency = 0.0;
};

/// Trapezoidal integral of the recorded voltage between the first and the last rising crossing of its mean; crossings by linear interpolation.
Running running(const problem::Recording& recording, double volt_scale) {
    const auto& v = recording.read;
    const auto& t = recording.time;
    const double level = std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
    double area = 0.0;
    double area_at_last = 0.0;
    double first = 0.0;
    double last = 0.0;
    int periods = -1;
    for (std::size_t k = 1; k < v.size(); ++k) {
        const double step = t[k] - t[k - 1];
        if (v[k - 1] < level && v[k] >= level) {
            const double part = (level - v[k - 1]) / (v[k] - v[k - 1]);
            const double before = 0.5 * (v[k - 1] + level) * part * step;
            if (++periods == 0) {
                first = t[k - 1] + part * step;
                area = -before;  // the rest of this step is added below
            }
            last = t[k - 1] + part * step;
            area_at_last = area + before;
        }
        if (periods >= 0) area += 0.5 * (v[k - 1] + v[k]) * step;
    }
    return {area_at_last / (last - first) * volt_scale, periods / (last - first)};
}

Running free_junction(const std::map<std::string, double>& parameter, int points_per_period, int periods) {
    const auto junction = configured({}, parameter);
    const std::vector<BenchCell> one(1);
    problem::CircuitProblem bench = junction->bench(one, junction->estimate().frequency_hz, points_per_period, {});
    bench.fixed_time = (periods + 30) / bench.reference_hz;  // the return to the cycle takes R C, less than a tenth of a period
    bench.recorded_periods = periods;
    return running(solve(bench).oscillators.front().recording, bench.volt_scale);
}

TEST(Junction, FrequencyIsVoltageOverTheFluxQuantum) {
    for (const double bias : {1.05, 1.2, 2.0})
        for (const double capacitance : {70e-15, 500e-15}) {  // beta_c 0.085 and 0.61: the relation does not know the junction
            const Running junction = free_junction({{"bias_ratio", bias}, {"capacitance", capacitance}}, 200, 120);
            EXPECT_NEAR(junction.frequency * flux_quantum / junction.voltage, 1.0, 1e-5) << bias << " " << capacitance;
        }
}

TEST(Junction, OverdampedVoltageIsThatOfAslamazovAndLarkin) {
    // beta_c = 0.01, where capacitance adds less than 1e-4 (it goes with beta_c squared: 2.6e-3 at 0.085); 400 points a period, where the rule adds
    // 2e-5. Allowed: 1e-3.
    for (const double bias : {1.05, 1.1, 1.2, 1.5, 2.0, 3.0}) {
        const Running junction = free_junction({{"bias_ratio", bias}, {"capacitance", 8.2278e-15}}, 400, 60);
        EXPECT_NEAR(junction.voltage / (2.0 * 1e-4 * std::sqrt(bias * bias - 1.0)), 1.0, 1e-3) << bias;
    }
}

TEST(Junction, FirstShapiroStepIsAsWideAsTheWeakDrive) {
    // A drive of 0.02 Ic at the free frequency of the junction at 1.2 Ic holds it between 1.2 Ic -+ 0.02 Ic/(2 * 1.2). Cells 3 % of that inside and
    // outside of both edges. Outside, the beat is a fifth of the half width: 0.004 of the frequency, three turns in the 800 periods looked at.
    const auto junction = configured({{"injection", 0.02}}, {{"capacitance", 8.2278e-15}});
    problem::Calibration measured;
    double reference = junction->estimate().frequency_hz;
    for (int round = 0; round < 4; ++round) {  // until step and frequency agree
        const std::vector<BenchCell> one(1);
        problem::CircuitProblem bench = junction->bench(one, reference, 100, measured);
        bench.fixed_time = 150 / reference;
        reference += solve(bench).oscillators.front().frequency_difference / turn;
    }
    const double half_width = 0.02 / 2.4;
    const std::array<double, 4> places = {-1.03, -0.97, 0.97, 1.03};
    std::vector<BenchCell> cells(places.size());
    for (BenchCell& cell : cells) cell.drive = 1.0;
    problem::CircuitProblem bench = junction->bench(cells, reference, 100, measured);
    for (std::size_t k = 0; k < places.size(); ++k) bench.cells[k].parameters.push_back({"ibias", 1.2 + places[k] * half_width});
    bench.fixed_time = 1200 / reference;
    const problem::Solution solution = solve(bench);
    for (std::size_t k = 0; k < places.size(); ++k) {
        const problem::Trajectory& log = solution.oscillators[k].trajectory;
        const double turned = (log.phase(log.size() - 1) - log.phase(log.size() / 3)) / turn;
        if (std::abs(places[k]) < 1.0)
            EXPECT_NEAR(turned, 0.0, 1e-3) << places[k];
        else
            EXPECT_GT(turned * places[k], 1.0) << places[k];  // above the step it runs ahead
    }
}

TEST(Junction, LockRangeIsHalfTheInjectionOverTheExcessBias) {
    for (const double coupling_rate : {0.02, 0.05, 0.1}) {
        const problem::Calibration& c = calibrated(coupling_rate);
        const double k = 0.5 * (c.lock_range_high_hz - c.lock_range_low_hz) / c.frequency_at_step_hz;
        std::cout << "K/w0 from the lock range " << k << ", 1/(2 (i^2 - 1)) of the injection " << coupling_rate << "\n";
        EXPECT_NEAR(k / coupling_rate, 1.0, 0.1);
        // Read with two harmonics, the phase does not depend on the drive.
        EXPECT_LE(degrees(c.residual_rad), 0.01);
        EXPECT_LE(std::abs(degrees(c.slope_rad)), 0.01);
    }
}

/// Driven junctions of the typical corner, one per detuning in units of K, all at drive `drive`.
struct Detuned {
    problem::Instance instance;
    problem::SettlingRule rule;
    problem::CircuitProblem circuit;
};

Detuned detuned(const std::vector<double>& detunings, double coupling_rate) {
    const auto junctions = configured({{"coupling_rate", coupling_rate}});
    network::OscillatorNetwork network;
    network.anchors = Eigen::RowVector2d{1.0, 0.0};
    network.anchor_ids = {{0, 0}};
    network.start = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(detunings.size()), 2);
    network.start.col(1).setOnes();
    network.detuning = Eigen::Map<const Eigen::VectorXd>(detunings.data(), static_cast<Eigen::Index>(detunings.size()));
    for (std::size_t i = 0; i < detunings.size(); ++i) {
        network.free.push_back({0, 0, static_cast<std::int32_t>(i)});
        network::Coupling c;
        c.to = static_cast<std::uint32_t>(i);
        c.weight = 1.0;
        network.couplings.push_back(c);
    }
    Detuned d;
    const problem::Calibration& c = calibrated(coupling_rate);
    d.instance = junctions->map(network, c, Mapping{}, Nonidealities{}, RandomStreams{1});
    d.rule.rate = Eigen::VectorXd::Constant(network.size(), c.coupling_rate);
    d.rule.max_time = Eigen::VectorXd::Constant(network.size(), 2000.0 / c.frequency_at_step_hz);
    Substrate::ProblemOptions options;
    options.rule = d.rule;
    d.circuit = std::get<problem::CircuitProblem>(junctions->problem(d.instance, problem::Fidelity::circuit, options));
    return d;
}

TEST(Junction, HasNoPhaseOutsideItsLockRange) {
    const std::vector<double> detunings = {-0.85, -0.5, 0.0, 0.5, 0.85, -1.15, 1.15, -1.5, 1.5, 3.0};
    const Detuned d = detuned(detunings, 0.05);
    const auto readings = readout::read(solve(d.circuit), d.instance, d.rule, readout::Correction::offset);
    for (std::size_t i = 0; i < detunings.size(); ++i) {
        if (std::abs(detunings[i]) < 1.0) {
            EXPECT_EQ(readings[i].verdict, readout::Verdict::settled) << detunings[i];
            // Adler: detuning = sin(phase) in units of K. Second order in K/w0 = 0.05 changes the detuning by about 5 %: 1.7 degrees at half of K.
            if (std::abs(detunings[i]) <= 0.5) {
                EXPECT_NEAR(degrees(readings[i].phase), degrees(std::asin(detunings[i])), 3.0) << detunings[i];
            }
        } else {
            EXPECT_EQ(readings[i].verdict, readout::Verdict::unlocked) << detunings[i];
            EXPECT_EQ(readings[i].state.size(), 0) << detunings[i];
        }
    }
}

/// Junctions with the thermal noise of their shunts at 4.2 K for this many periods, read by the fundamental alone: the second harmonic would add its
/// own noise (netlists/josephson/README.md).
problem::Solution warm_junctions(double drive, int cells, int periods) {
    const problem::Calibration& c = calibrated(0.05);
    const auto junctions = configured();
    std::vector<BenchCell> bench_cells(static_cast<std::size_t>(cells));
    for (BenchCell& cell : bench_cells) {
        cell.drive = drive;
        cell.start_phase = c.offset_rad;
    }
    problem::CircuitProblem bench = junctions->bench(bench_cells, c.frequency_at_step_hz, 50, c);
    bench.phase_terms.clear();
    const RandomStreams streams{20};
    for (std::size_t k = 0; k < bench.cells.size(); ++k) {
        bench.cells[k].noise_density = 4.0 * boltzmann * 4.2 / 2.0;
        bench.cells[k].noise_seed = streams.bits(Stream::circuit_noise, k);
    }
    bench.fixed_time = periods / bench.reference_hz;
    return solve(bench);
}

TEST(ThermalNoise, FreePhaseDiffusesWithTheLinewidthOfTheJunction) {
    constexpr int span = 40;  // periods: the phase spreads by 2.4 rad, against which the reading's own 0.2 rad count 1 % of the square
    const problem::Solution solution = warm_junctions(0.0, 80, 840);
    const double period = 1.0 / calibrated(0.05).frequency_at_step_hz;
    std::vector<double> steps;
    for (const auto& cell : solution.oscillators) {
        const auto& log = cell.trajectory;
        for (std::size_t k = 40; k + span < log.size(); k += span) {
            ASSERT_NEAR(log.times()[k + span] - log.times()[k], span * period, 1e-6 * period);
            steps.push_back(log.phase(k + span) - log.phase(k));
        }
    }
    ASSERT_GE(steps.size(), 1500U);
    const double n = static_cast<double>(steps.size());
    const double mean = std::accumulate(steps.begin(), steps.end(), 0.0) / n;  // noise pulls the mean frequency, too
    double square = 0.0;
    for (const double step : steps) square += (step - mean) * (step - mean);
    const double measured = square / (n - 1.0) / (span * period);
    std::cout << "diffusion " << measured << " rad^2/s, theory " << diffusion(4.2) << ": linewidth " << measured / turn << " Hz\n";
    // Standard error of a variance of n independent normal steps sqrt(2/n) = 3.6 %, three of them; capacitance adds 0.6 %, the reading 1 %.
    EXPECT_NEAR(measured / diffusion(4.2), 1.0, 3.0 * std::sqrt(2.0 / n) + 0.02);
}

TEST(ThermalNoise, LockedPhaseFollowsVonMises) {
    // d(psi) = -K sin(psi) dt + noise of D: density exp(kappa cos psi), kappa = 2 K/D. Root mean square 30.0 degrees; 27.7 for small angles.
    const double kappa = 2.0 * 0.05 * angular(Hertz{calibrated(0.05).frequency_hz}).value() / diffusion(4.2);
    double weight = 0.0;
    double square = 0.0;
    for (int k = -1800; k <= 1800; ++k) {
        const double psi = radians(0.1 * k);
        weight += std::exp(kappa * std::cos(psi));
        square += psi * psi * std::exp(kappa * std::cos(psi));
    }
    const double theory = degrees(std::sqrt(square / weight));
    EXPECT_NEAR(degrees(1.0 / std::sqrt(kappa)), 27.7, 0.05);

    constexpr int cells = 64;
    constexpr int periods = 540;
    constexpr std::size_t start = 40;  // e^(-2 pi 0.05 40) of the start
    const problem::Solution solution = warm_junctions(1.0, cells, periods);
    std::complex<double> direction;
    for (const auto& cell : solution.oscillators)
        for (std::size_t k = start; k < cell.trajectory.size(); ++k) direction += std::polar(1.0, cell.trajectory.phase(k));
    double sum = 0.0;
    double count = 0.0;
    for (const auto& cell : solution.oscillators)
        for (std::size_t k = start; k < cell.trajectory.size(); ++k) {
            const double psi = wrap(cell.trajectory.phase(k) - std::arg(direction));
            sum += psi * psi;
            count += 1.0;
        }
    ASSERT_GE(count, 0.99 * cells * (periods - 40));
    const double measured = degrees(std::sqrt(sum / count));
    // The phase forgets itself in 1/K = 3.2 periods: count/6.4 independent squares (autocorrelation e^(-2 t/3.2) of the square would make it more).
    const double independent = count / 6.4;
    std::cout << "locked at 4.2 K, K/w0 = 0.05, r = 1: rms " << measured << " deg, von Mises " << theory << " deg (" << independent
              << " independent samples)\n";
    // Three standard errors of the root mean square, 1/sqrt(2 n) each; the reading's mean over one period of 1/3.2 forgetting times takes up to 5 %.
    EXPECT_NEAR(measured / theory, 1.0, 3.0 / std::sqrt(2.0 * independent) + 0.05);
    // The mean is where it is without noise but for what the waveform's deformation adds.
    EXPECT_NEAR(degrees(wrap(std::arg(direction) - radians(-92.1))), 0.0, 3.0);
}

TEST(JosephsonArray, ComputesAttentionOfARandomLayer) {
    const attention::Layer layer = entrain::test::random_layer(2, 4, 8, 2, 12, 5);
    std::vector<attention::Sequence> sequences;
    for (int k = 0; k < 3; ++k) sequences.push_back(entrain::test::random_sequence(k, 10, 8, 100 + k));
    const auto mechanism = mechanisms::fixed_query::create();
    const auto junctions = configured();
    const energy::DigitalCosts digital;
    const auto trial = [&](const engines::Engine& engine) {
        return study::run_trial({layer, sequences, *mechanism, *junctions, engine, calibrated(0.05), digital, Mapping{}, Nonidealities{},
                                 study::Start{}, study::ReadoutOptions{}, study::SimulationOptions{}, RandomStreams{3}, engines::RunOptions{}});
    };
    const auto circuit = trial(*engines::ngspice::create());
    const auto phase = trial(*engines::phase::create());
    std::cout << "random layer: phase rms " << circuit.error.phase_rms_deg << " deg, max " << circuit.error.phase_max_deg << " deg, attention x T "
              << circuit.error.attention_max_abs_times_tokens << ", n " << circuit.error.n << " of " << circuit.error.n_total << "\n";
    EXPECT_LE(circuit.error.phase_rms_deg, 0.05);
    EXPECT_LE(circuit.error.attention_max_abs_times_tokens, 0.01);
    double difference = 0.0;
    for (std::size_t i = 0; i < circuit.readings.size(); ++i) {
        if (circuit.drive_ratio(static_cast<Eigen::Index>(i)) < 0.02) continue;
        ASSERT_EQ(circuit.readings[i].verdict, readout::Verdict::settled);
        difference = std::max(difference, std::abs(degrees(wrap(circuit.readings[i].raw_phase - phase.readings[i].raw_phase))));
    }
    EXPECT_LE(difference, 0.3);
}

}  // namespace
}  // namespace entrain::substrates::josephson

// Phase sensitivity measured with charge impulses: against how driven cells behave, against formulas, and against noise in the circuit.
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "agreement/calibrated_cells.hpp"
#include "core/quantity.hpp"

namespace entrain {
namespace {

using namespace test;

constexpr double flux_quantum = 2.067833848461929e-15;  // [V s]

class Impulses : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Catalogue, Impulses, testing::ValuesIn(circuits()), [](const auto& kind) { return kind.param; });

TEST_P(Impulses, PredictHowWeaklyDrivenCellsLock) {
    const auto substrate = configured(GetParam());
    const problem::Calibration c = calibration_of(*substrate);
    ASSERT_EQ(c.ppv_missing, "");
    const double current = substrate->injection() * c.reference_current_a;
    const double rate = problem::coupling_rate(c.ppv, current) / c.relaxation_rate;
    const double measured_offset = c.offset_rad - problem::offset_drive * c.slope_rad;  // at no drive
    const double offset = degrees(wrap(problem::offset(c.ppv) - measured_offset));
    std::cout << GetParam() << ": K from impulses over K from return rates " << rate << ", offset from impulses minus measured " << offset
              << " deg\n";
    EXPECT_NEAR(rate, 1.0, 0.01);    // the return rates are extrapolated from five drives: their line is good to some 1e-3
    EXPECT_NEAR(offset, 0.0, 0.15);  // so is the offset's, whose largest residual is 0.05 deg (ring)
    EXPECT_LT(c.ppv.floor, 1e-4 * std::abs(c.ppv.harmonics[1]));
}

TEST(ImpulsesOfLc, AreThoseOfATank) {
    const problem::Calibration c = calibration_of(*configured("lc"));
    const substrates::Corner corner = test::corner_of("lc", "typical", created("lc")->parameters());
    const double w = turn * corner.at("frequency").value;
    const double inductance = corner.at("tank_inductance").value;
    const double capacitance = 1.0 / (w * w * inductance);
    const double first = 1.0 / (capacitance * c.amplitude);           // a charge q moves v = A cos(theta) by q/C: theta by -q sin(theta)/(C A)
    EXPECT_NEAR(std::abs(c.ppv.harmonics[1]) / first, 1.0, 0.02);     // harmonics of the waveform
    EXPECT_NEAR(degrees(std::arg(c.ppv.harmonics[1])), 90.0, 1.0);    // -sin = cos(theta + 90 deg)
    EXPECT_LT(std::abs(c.ppv.harmonics[0]), 1e-3 * std::abs(first));  // half-wave symmetry
    EXPECT_LT(std::abs(c.ppv.harmonics[2]), 1e-3 * std::abs(first));
    // Its waveform: even harmonics vanish, the third is the tanh's third over its first current through the tank's impedance there.
    double current_first = 0.0;
    double current_third = 0.0;
    constexpr int points = 512;
    for (int n = 0; n < points; ++n) {
        const double x = turn * n / points;
        const double current = std::tanh(corner.at("transconductance").value * c.amplitude * std::cos(x) / corner.at("saturation_current").value);
        current_first += current * std::cos(x);
        current_third += current * std::cos(3.0 * x);
    }
    const double third = std::abs(current_third / current_first) / std::hypot(1.0, corner.at("tank_q").value * (3.0 - 1.0 / 3.0));
    ASSERT_GE(c.waveform.size(), 3U);
    EXPECT_LT(std::abs(c.waveform[1]), 1e-4);
    EXPECT_NEAR(std::abs(c.waveform[2]) / third, 1.0, 0.03);  // the trapezoidal rule takes (3 w h)^2/12 = 1.2 % off the third's impedance
    // D of the loss is first^2/2 times half of 4 k T/Rp. The active element adds gamma of it whatever its shape: its slope weighted with sin^2 is
    // what balances the loss.
    const double loss = boltzmann * first * first / (corner.at("tank_q").value * w * inductance);
    ASSERT_EQ(c.noise.size(), 2U);
    EXPECT_NEAR(c.noise[0].diffusion_per_kelvin / loss, 1.0, 0.02);
    EXPECT_NEAR(c.noise[1].diffusion_per_kelvin / (corner.at("noise_gamma").value * loss), 1.0, 0.02);
}

TEST(ImpulsesOfAJunction, AreThoseOfTheOverdampedOneForSmallCapacitance) {
    auto junction = created("josephson");
    const substrates::Corner corner = test::corner_of("josephson", "typical", junction->parameters(), {{"capacitance", 5e-15}});
    test::Setter setter{{}};
    junction->describe(setter);
    junction->configure(corner);
    const problem::Calibration c = calibration_of(*junction);
    const double i = corner.at("bias_ratio").value;
    const double resistance = corner.at("shunt_resistance").value;
    const double scale = turn * resistance / flux_quantum;  // Z = scale (i + cos)/sqrt(i^2 - 1)
    EXPECT_NEAR(c.ppv.harmonics[0].real() / (scale * i / std::sqrt(i * i - 1.0)), 1.0, 0.01);
    EXPECT_NEAR(std::abs(c.ppv.harmonics[1]) / (scale / std::sqrt(i * i - 1.0)), 1.0, 0.01);
    EXPECT_LT(std::abs(c.ppv.harmonics[2]), 0.01 * std::abs(c.ppv.harmonics[1]));
    const double diffusion = 2.0 * boltzmann / resistance * scale * scale * (i * i + 0.5) / (i * i - 1.0);
    ASSERT_EQ(c.noise.size(), 1U);
    EXPECT_NEAR(c.noise[0].diffusion_per_kelvin / diffusion, 1.0, 0.02);
}

TEST(ImpulsesOfARelaxationOscillator, AreThoseOfItsEquation) {
    const problem::Calibration c = calibration_of(*configured("cdw"));
    // netlists/cdw/bench_relaxation.cir: the equation and its adjoint, integrated by an 8th-order Runge-Kutta method. 0.3 %: 400 points a period.
    EXPECT_NEAR(std::abs(c.ppv.harmonics[1]) / 1.66197e10, 1.0, 3e-3);
    EXPECT_NEAR(degrees(problem::offset(c.ppv)), -86.80, 0.3);
    // Sharp latch: Z = w/(C dv/dt), with harmonics 3 and 5 of 0.343 and 0.206; the latch's time constant of 2 % of the period rounds them off.
    EXPECT_NEAR(std::abs(c.ppv.harmonics[3]) / std::abs(c.ppv.harmonics[1]), 0.343, 0.03);
    EXPECT_NEAR(std::abs(c.ppv.harmonics[5]) / std::abs(c.ppv.harmonics[1]), 0.206, 0.03);
}

TEST(ThermalNoise, SpreadsFreePhasesAsTheDiffusionConstantSays) {
    const auto junction = configured("josephson");
    const problem::Calibration c = calibration_of(*junction);
    constexpr double temperature = 4.2;
    constexpr std::size_t cells = 512;
    constexpr std::size_t periods = 200;
    problem::CircuitProblem circuit =
        junction->bench(std::vector<substrates::BenchCell>(cells), c.frequency_at_step_hz, junction->default_points_per_period(), c);
    const auto noise = junction->noise();
    ASSERT_EQ(noise.sources.size(), 1U);
    for (std::size_t k = 0; k < cells; ++k) {
        circuit.cells[k].noise_density = temperature * noise.sources[0].density(0.0, {});
        circuit.cells[k].noise_seed = 1000 + k;
    }
    circuit.fixed_time = static_cast<double>(periods) / c.frequency_at_step_hz;
    engines::RunOptions run;
    run.jobs = 2;
    const problem::Solution solution = ngspice()->solve(circuit, run);
    ASSERT_TRUE(solution.failures.empty()) << solution.failures.front().message;
    // Mean square of phase differences over a lag, about their mean: D lag, and what the reading of a single period adds, the same for both lags.
    const auto spread = [&](std::size_t lag) {
        double sum = 0.0;
        double square = 0.0;
        double count = 0.0;
        for (const problem::OscillatorSolution& o : solution.oscillators)
            for (std::size_t k = 0; k + lag < o.trajectory.size(); ++k) {
                const double moved = o.trajectory.phase(k + lag) - o.trajectory.phase(k);
                sum += moved;
                square += moved * moved;
                count += 1.0;
            }
        return square / count - sum * sum / (count * count);
    };
    constexpr std::size_t near = 2;
    constexpr std::size_t far = 16;
    const double measured = (spread(far) - spread(near)) * c.frequency_at_step_hz / static_cast<double>(far - near);
    const double expected = temperature * c.noise[0].diffusion_per_kelvin;
    std::cout << "josephson at 4.2 K: D from the spread of " << cells << " phases over D from impulses " << measured / expected << "\n";
    // 512 cells times 12 independent differences over 16 periods: their variance is good to sqrt(2/6144) = 1.8 %, the difference of both to 2.1 %.
    EXPECT_NEAR(measured / expected, 1.0, 0.08);
}

}  // namespace
}  // namespace entrain

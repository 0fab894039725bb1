#pragma once
#include <complex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "substrates/lc/design.hpp"
#include "substrates/substrate.hpp"

namespace entrain::substrates::lc {

/// LC oscillators, coupled by currents into the tank. Equations, validity and references: netlists/lc/README.md.
///
/// The phase is that of the port voltage, v = A cos(w t + theta), raw. Reference current is A/Rp (fundamental); a current I pulls with
/// K = (w0/2Q) I/(A/Rp) to first order. A frequency deviation df/f is realised in the tank capacitor. A cell that runs faster than the anchors has a
/// positive detuning.
class Lc final : public Substrate {
 public:
    void describe(FieldVisitor& visitor) override;
    [[nodiscard]] std::vector<ParameterSpec> parameters() const override { return lc::parameters(); }
    void configure(const Corner& corner) override;
    [[nodiscard]] bool supports(problem::Fidelity) const override { return true; }
    [[nodiscard]] std::string calibration_key() const override;
    [[nodiscard]] Estimate estimate() const override;
    [[nodiscard]] double reference_current(double amplitude, double frequency_hz) const override;
    [[nodiscard]] double injection() const override { return full_scale_; }
    [[nodiscard]] std::string cell() const override { return cell_; }
    [[nodiscard]] problem::EnergyModel energy_model(const problem::Calibration& calibration) const override;
    [[nodiscard]] problem::CircuitProblem bench(std::span<const BenchCell> cells, double reference_hz, int points_per_period,
                                                const problem::Calibration& calibration) const override;
    [[nodiscard]] problem::Instance map(const network::OscillatorNetwork& network, const problem::Calibration& calibration, const Mapping& mapping,
                                        const Nonidealities& nonidealities, const RandomStreams& streams) const override;
    [[nodiscard]] problem::Problem problem(const problem::Instance& instance, problem::Fidelity fidelity,
                                           const ProblemOptions& options) const override;

 private:
    /// The circuit without oscillators.
    [[nodiscard]] problem::CircuitProblem circuit(const problem::Calibration& calibration, double reference_hz, int points_per_period) const;
    /// An oscillator started at `phase` on its limit cycle, running `deviation` (df/f) fast, driven by `drive` (fraction of full scale).
    [[nodiscard]] problem::Cell oscillator(double phase, double deviation, std::complex<double> drive, const problem::Calibration& calibration) const;
    /// [A] full-scale current.
    [[nodiscard]] double full_scale_current(const problem::Calibration& calibration) const;
    [[nodiscard]] double start_amplitude(const problem::Calibration& calibration) const;  ///< [V] measured, else estimated

    std::string cell_ = "behavioural";
    std::string summing_ = "current";
    std::optional<double> injection_;      ///< as configured
    std::optional<double> coupling_rate_;  ///< as configured: K/w0 at full scale
    double full_scale_ = 0.0;              ///< full-scale current over reference current
    Design design_;
};

}  // namespace entrain::substrates::lc

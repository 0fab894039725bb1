#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "problem/calibration.hpp"
#include "readout/reading.hpp"
#include "study/trial.hpp"

namespace entrain::study {

/// Predicted phase error of an array that is read at one time, rms over its tokens [rad]. Independent terms:
///     error^2 = settling^2 + calibration^2 + noise^2
struct ErrorTerms {
    double settling = 0.0;     ///< angle still to go at the read time, by the closed form
    double calibration = 0.0;  ///< raw phase error the correction leaves, from calibrations
    double noise = 0.0;        ///< thermal; 0: no cell's phase diffusion is known before the run
    [[nodiscard]] double total() const;
};
inline constexpr const char* error_formula =
    "error^2 = settling^2 + calibration^2 + noise^2, rms over tokens; settling: dx/dt = -(1 + s) K r sin(x)/(1 + s cos(x)), s the softening of K; "
    "calibration: raw phase error at drive r less the correction";

/// How a cell answers a drive (fraction of full scale).
struct Response {
    double raw_error = 0.0;  ///< [rad]
    double residual = 0.0;   ///< [rad] by which that may be off, added in squares
    double rate = 0.0;       ///< [1/s] K r, at which a small phase error shrinks
    double softening = 0.0;  ///< by how much this is less than a quarter turn away, relative
};
using CellResponse = std::function<Response(double drive)>;

/// Predicts what reading an array at a given time would give, without running it: from start phases, drives and the calibration. Tokens that are
/// degenerate or that will not have settled when a run stops waiting for them do not count, as in a run. Valid for couplings from anchors only:
///     dx/dt = detuning - K r sin(x),  x the angle to where the calibrated cell settles      (Adler 1946)
/// and, without detuning, with the growth of the amplitude under drive: dx/dt = -(1 + s) K r sin(x)/(1 + s cos(x)), s = softening, K r at
/// equilibrium.
class ReadPrediction {
 public:
    /// `power_w`: mean power per query, cell and coupling drive. Without `response` a cell behaves as the instance's calibration says.
    ReadPrediction(const Prepared& prepared, readout::Correction correction, double power_w, const CellResponse& response = {});

    [[nodiscard]] ErrorTerms at(double time) const;                           ///< time [s] after the start
    [[nodiscard]] std::optional<double> time_for(double target) const;        ///< [s] when the total error has come down to target [rad]
    [[nodiscard]] ErrorTerms settled() const;                                 ///< what no waiting removes
    [[nodiscard]] double energy(double time) const { return power_ * time; }  ///< [J] per query
    [[nodiscard]] std::size_t tokens() const { return tokens_.size(); }

 private:
    struct Token {
        double rate;       ///< [1/s] K r near equilibrium
        double softening;  ///< by how much K falls from a quarter turn away to there, relative
        double detuning;   ///< [rad/s]
        double start;      ///< [rad] from the target
    };
    std::vector<Token> tokens_;
    double calibration_ = 0.0;
    double power_ = 0.0;
    double longest_ = 0.0;  ///< [s] by then nothing is left to wait for
};

/// Mean power per query [W], cell and coupling drive, by the ledger's formulas for an engine without circuit.
[[nodiscard]] double mean_power(const problem::Instance& instance, const TrialInput& input, double injection);

/// A substrate calibrated at one injection.
struct CalibratedInjection {
    double injection = 0.0;
    problem::Calibration calibration;
};

/// Between calibrated injections (ascending): linear in ln(injection), rates and softening per injection.
[[nodiscard]] problem::Calibration interpolated(std::span<const CalibratedInjection> calibrated, double injection);

/// The response at `injection` to any drive out of all calibrated injections (ascending): a cell feels injection x drive, so that one which was
/// calibrated at another injection was seen at this current, too. Rates come from the two whose drive of 0.25 is nearest: the fit at one injection
/// describes weak drives badly once full scale is strong. Raw errors are parabolas through the measured offsets, each the raw error at 0.25 of its
/// injection: a straight line in the drive is too steep where most tokens are when the error grows with the square of the current. Cells read with
/// harmonics have factors for them of their own at each injection, and keep the line of theirs with its largest residual.
[[nodiscard]] CellResponse response_from(std::span<const CalibratedInjection> calibrated, double injection);

/// How one substrate is looked at.
struct EqualErrorSearch {
    double largest_injection = 0.0;
    double target = 0.0;                                              ///< [rad]
    std::function<problem::Calibration(double injection)> calibrate;  ///< ModelError where the cell does not lock
    std::function<ReadPrediction(double injection, const problem::Calibration& calibration, const CellResponse& response)> predict;
};

/// Injection and read time at which a query of the target error costs least.
struct OperatingPoint {
    double injection = 0.0;
    problem::Calibration calibration;  ///< measured there
    double read_time = 0.0;            ///< [s]
    ErrorTerms predicted;
    double energy_j = 0.0;  ///< predicted, per query
    std::vector<CalibratedInjection> explored;
};

/// Calibrates from the largest injection downwards by factors of two until energy rises or nothing more is to be expected, then closer to the
/// strongest injection that locks if that is not the largest; minimises the energy on a fine grid of interpolated calibrations, calibrates at the
/// minimum and takes the read time from that. ModelError naming the term in the way if no injection reaches the target.
[[nodiscard]] OperatingPoint equal_error(const EqualErrorSearch& search);

}  // namespace entrain::study

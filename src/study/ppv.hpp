#pragma once
#include <string>

#include "problem/calibration.hpp"
#include "problem/interaction.hpp"
#include "problem/solution.hpp"
#include "study/bench.hpp"

namespace entrain::study {

/// Phase sensitivity of a calibrated cell to a current from its pin `minus` to its pin `plus`, from charge impulses on the netlist that is simulated,
/// at its step: in one netlist a copy that is left alone, and pairs of copies of which one gets +q and the other -q, each pair at its own phase of
/// the limit cycle. Once amplitudes have come to rest their phases are read against the first copy's, and
///     Z = (shift(+q) - shift(-q))/(2 q).
/// All phases are read as everywhere else, from the harmonics of whole grid periods: the mean over the periods after which the time grid comes round
/// holds no error of the grid, where a crossing has that of its interpolation; the copies share what Newton's tolerance leaves.
/// The charge comes in eight parts, one a period, in which the grid comes round: the response to a single pulse depends on where the points lie by
/// more than a percent (ring mos1_5 at 50 points), and so the mean over all places is taken, which is what a current sees.
/// Pulses are as long as the distance of two kicks. That filters harmonics which would be taken for lower ones, and what it takes from these is given
/// back. q turns the phase by about `shift` [rad]; it is halved until the even part of the response, its first non-linear one, is 5 % of the odd one.
/// Uses reference_current_a, relaxation_rate and relaxation_time_s of `calibration`. ModelError if a kick stops the cell or no kick is small enough.
[[nodiscard]] problem::PhaseSensitivity phase_sensitivity(const Bench& bench, const problem::Calibration& calibration, const std::string& plus,
                                                          const std::string& minus);

/// A free cell over the periods after which the time grid comes round.
struct FreeCycle {
    double frequency_hz = 0.0;
    double phase = 0.0;  ///< [rad] of the fundamental at time 0 of the recording's clock
    const problem::Recording& recording;
};

/// Harmonics of its read port relative to the fundamental. Empty without a fundamental.
[[nodiscard]] problem::Waveform read_waveform(const FreeCycle& free, int harmonics);

/// Measures all that a calibration says about phase sensitivity and noise, into a copy of it: sensitivity of the injection pins and of pins at which
/// the cell has noise sources, waveform, diffusion. What cannot be measured is left out, with the reason.
[[nodiscard]] problem::Calibration with_sensitivity(const Bench& bench, problem::Calibration calibration, const FreeCycle& free);

}  // namespace entrain::study

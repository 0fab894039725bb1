#include "readout/reading.hpp"

#include <cmath>
#include <stdexcept>

#include "core/quantity.hpp"
#include "problem/settling.hpp"

namespace entrain::readout {
namespace {

Verdict verdict_of(problem::Stop stop, double drive_ratio) {
    switch (stop) {
        case problem::Stop::never_started:
            return Verdict::never_started;
        case problem::Stop::collapsed:
            return Verdict::collapsed;
        case problem::Stop::multimode:
            return Verdict::multimode;
        case problem::Stop::failed:
            return Verdict::failed;
        case problem::Stop::settled:
        case problem::Stop::time_limit:
        case problem::Stop::unlocked:
            break;
    }
    if (drive_ratio < degenerate_drive) return Verdict::degenerate;  // whatever it did, it does not speak about the circuit
    if (stop == problem::Stop::unlocked) return Verdict::unlocked;
    return stop == problem::Stop::settled ? Verdict::settled : Verdict::unsettled;
}

bool has_phase(const problem::OscillatorSolution& oscillator) {
    return (oscillator.stop == problem::Stop::settled || oscillator.stop == problem::Stop::time_limit) && oscillator.state.size() > 0;
}

double correction_angle(const problem::Calibration& calibration, Correction correction, double drive) {
    switch (correction) {
        case Correction::none:
            return 0.0;
        case Correction::offset:
            return calibration.offset_rad;
        case Correction::offset_slope:
            return problem::raw_phase_error(calibration, drive);
    }
    return 0.0;
}

Eigen::VectorXd raw_state_at(const problem::OscillatorSolution& oscillator, std::optional<double> time) {
    const problem::Trajectory& trajectory = oscillator.trajectory;
    if (!time || trajectory.empty() || *time >= trajectory.times().back()) return oscillator.state;
    return trajectory.state_at(*time);
}

/// Fills state and phases of a reading of oscillator i.
void read_state(Reading& reading, const problem::OscillatorSolution& oscillator, const problem::Instance& instance, Eigen::Index i,
                Correction correction, std::optional<double> time) {
    if (!has_phase(oscillator)) return;
    reading.state = raw_state_at(oscillator, time);
    if (instance.network.dimension != 2) return;
    reading.raw_phase = wrap(std::atan2(reading.state(1), reading.state(0)));
    reading.phase = wrap(reading.raw_phase - correction_angle(instance.calibration, correction, instance.drive.row(i).norm()));
    reading.state = Eigen::Vector2d{std::cos(reading.phase), std::sin(reading.phase)};
}

std::vector<Reading> readings(const problem::Solution& solution, const problem::Instance& instance, const problem::SettlingRule& rule,
                              Correction correction, std::optional<double> time) {
    if (static_cast<Eigen::Index>(solution.oscillators.size()) != instance.network.size())
        throw std::logic_error{"readout: solution and instance differ in their number of oscillators"};
    std::vector<Reading> result;
    result.reserve(solution.oscillators.size());
    for (Eigen::Index i = 0; i < instance.network.size(); ++i) {
        const problem::OscillatorSolution& oscillator = solution.oscillators[static_cast<std::size_t>(i)];
        Reading reading;
        reading.verdict = verdict_of(oscillator.stop, instance.drive_ratio(i));
        reading.frequency_difference = oscillator.frequency_difference;
        if (oscillator.stop == problem::Stop::settled)
            reading.settling_time =
                oscillator.settling_time ? oscillator.settling_time : problem::settling_time(oscillator.trajectory, oscillator.state, rule.tolerance);
        read_state(reading, oscillator, instance, i, correction, time);
        result.push_back(std::move(reading));
    }
    return result;
}

}  // namespace

std::vector<Reading> read(const problem::Solution& solution, const problem::Instance& instance, const problem::SettlingRule& rule,
                          Correction correction) {
    return readings(solution, instance, rule, correction, std::nullopt);
}

std::vector<Reading> read_at(const problem::Solution& solution, const problem::Instance& instance, const problem::SettlingRule& rule,
                             Correction correction, double time) {
    return readings(solution, instance, rule, correction, time);
}

Eigen::VectorXd state_at(const problem::OscillatorSolution& oscillator, const problem::Instance& instance, Eigen::Index i, Correction correction,
                         double time) {
    Reading reading;
    read_state(reading, oscillator, instance, i, correction, time);
    return reading.state;
}

}  // namespace entrain::readout

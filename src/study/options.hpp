#pragma once
#include <optional>
#include <string>

#include "core/fields.hpp"
#include "core/quantity.hpp"
#include "problem/problem.hpp"
#include "readout/reading.hpp"

namespace entrain::study {

/// When an array is read: hardware cannot see "settled", it is read at one time.
struct ReadTime {
    enum class Kind { slowest, quantile, fixed };
    Kind kind = Kind::slowest;
    double value = 0.0;  ///< quantile in (0, 1], or the fixed time [s] (ideal: in units of 1/W)
};

struct ReadoutOptions {
    Radians settle_tolerance{radians(1.0)};
    readout::Correction correction = readout::Correction::offset;
    ReadTime read_time;
    std::optional<double> max_periods;  ///< nothing: enough for drive 0.02 from 179 deg to 0.02 deg
    bool dimensionless = false;         ///< how a fixed read time is written; set from the substrate before reading
    void describe(FieldVisitor& visitor);
};

/// Start phases of the free oscillators.
struct Start {
    std::optional<double> fixed_phase;  ///< [rad]; nothing: random
    void describe(FieldVisitor& visitor);
};

/// Options of `engine:` that every engine takes: the step of the circuit and of the calibration behind a phase model, and the crossbar's form.
struct SimulationOptions {
    std::int64_t points_per_period = 50;
    problem::Crossbar crossbar = problem::Crossbar::reduced;
    void describe(FieldVisitor& visitor);
};

}  // namespace entrain::study

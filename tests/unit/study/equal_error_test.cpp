#include "study/equal_error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/quantity.hpp"

namespace entrain::study {
namespace {

using problem::Calibration;
using readout::Correction;
using testing::HasSubstr;

struct Token {
    double drive;
    double distance;  ///< [rad] of its start from where it settles
    double detuning = 0.0;
};

Calibration cell(double rate) {
    Calibration c;
    c.dimensionless = false;
    c.frequency_hz = c.frequency_at_step_hz = 1e9;
    c.coupling_rate = c.relaxation_rate = rate;
    c.amplitude = c.reference_current_a = c.power_w = 1.0;
    return c;
}

/// An array of these tokens, drives along the real axis.
Prepared array(const std::vector<Token>& tokens, const Calibration& c) {
    Prepared p;
    const auto n = static_cast<Eigen::Index>(tokens.size());
    problem::Instance& instance = p.instance;
    instance.calibration = c;
    instance.drive = Eigen::MatrixXd::Zero(n, 2);
    instance.network.start = Eigen::MatrixXd::Zero(n, 2);
    instance.drive_ratio = instance.coupling_rate = instance.detuning = instance.nominal_raw_shift = Eigen::VectorXd::Zero(n);
    for (Eigen::Index i = 0; i < n; ++i) {
        const Token& token = tokens[static_cast<std::size_t>(i)];
        instance.network.free.push_back({0, 0, static_cast<std::int32_t>(i)});
        instance.drive(i, 0) = instance.drive_ratio(i) = token.drive;
        instance.coupling_rate(i) = problem::coupling_rate_at(c, token.drive);
        instance.detuning(i) = token.detuning;
        instance.nominal_raw_shift(i) = problem::raw_phase_error(c, token.drive);
        const double start = instance.nominal_raw_shift(i) + token.distance;
        instance.network.start.row(i) << std::cos(start), std::sin(start);
    }
    p.rule.max_time = Eigen::VectorXd::Constant(n, 1e300);
    return p;
}

/// Runge-Kutta's fourth-order rule in 20,000 steps: an independent integration of dx/dt = speed(x).
template <class Speed>
double integrated(double x, double time, Speed&& speed) {
    constexpr int steps = 20000;
    const double h = time / steps;
    for (int k = 0; k < steps; ++k) {
        const double a = speed(x);
        const double b = speed(x + 0.5 * h * a);
        const double c = speed(x + 0.5 * h * b);
        const double d = speed(x + h * c);
        x += h * (a + 2.0 * b + 2.0 * c + d) / 6.0;
    }
    return x;
}

TEST(ReadPrediction, IdenticalTokensWithOneDriveFollowAdlersClosedForm) {
    const double rate = 3e6 * 0.3;
    const ReadPrediction prediction{array({{0.3, 2.0}, {0.3, -2.0}, {0.3, 2.0}}, cell(3e6)), Correction::offset, 5e-4};
    const double target = radians(1.0);
    const double time = std::log(std::tan(1.0) / std::tan(0.5 * target)) / rate;
    ASSERT_TRUE(prediction.time_for(target));
    EXPECT_NEAR(*prediction.time_for(target), time, 1e-9 * time);  // 60 halvings and the rounding of an exponential
    EXPECT_NEAR(prediction.at(time).total(), target, 1e-9);
    EXPECT_DOUBLE_EQ(prediction.energy(time), 5e-4 * time);
}

TEST(ReadPrediction, RmsIsOverTokensOfDifferentDrives) {
    const ReadPrediction prediction{array({{0.2, 1.0}, {0.6, 2.5}}, cell(1.0)), Correction::offset, 1.0};
    const double time = 7.0;
    const double slow = 2.0 * std::atan(std::tan(0.5) * std::exp(-0.2 * time));
    const double fast = 2.0 * std::atan(std::tan(1.25) * std::exp(-0.6 * time));
    EXPECT_NEAR(prediction.at(time).settling, std::sqrt(0.5 * (slow * slow + fast * fast)), 1e-12);
}

TEST(ReadPrediction, SofteningFollowsTheGrowthOfTheAmplitude) {
    Calibration c = cell(2.0);
    c.relaxation_softening = 1.2;
    const double drive = 0.5;
    const double softening = 1.2 * drive;
    for (const double start : {0.4, 1.5, 3.0}) {
        const ReadPrediction prediction{array({{drive, start}}, c), Correction::offset, 1.0};
        for (const double time : {0.5, 3.0, 12.0}) {
            // K r falls to 1/(1 + s) of its value a quarter turn away.
            const double expected = integrated(start, time, [&](double x) { return -2.0 * drive * std::sin(x) / (1.0 + softening * std::cos(x)); });
            EXPECT_NEAR(prediction.at(time).settling, expected, 1e-9) << start << " " << time;  // error of the rule: (h K r)^4
        }
    }
}

TEST(ReadPrediction, DetunedTokensStayOffTheirTarget) {
    for (const double detuning : {0.3, -0.3, 1.0, 1.7}) {  // inside, at and outside the lock range
        const ReadPrediction prediction{array({{0.5, 1.1, detuning}}, cell(2.0)), Correction::offset, 1.0};
        for (const double time : {0.7, 5.0}) {
            const double expected = integrated(1.1, time, [&](double x) { return detuning - std::sin(x); });
            EXPECT_NEAR(prediction.at(time).settling, std::abs(wrap(expected)), 1e-9) << detuning << " " << time;
        }
    }
    const ReadPrediction locked{array({{0.5, 1.1, 0.3}}, cell(2.0)), Correction::offset, 1.0};
    EXPECT_NEAR(locked.settled().settling, std::asin(0.3), 1e-7);
    EXPECT_FALSE(locked.time_for(0.3));  // asin(0.3) = 0.305
    EXPECT_TRUE(locked.time_for(0.31));
}

TEST(ReadPrediction, CalibrationErrorIsWhatTheCorrectionLeaves) {
    Calibration c = cell(1.0);
    c.offset_rad = 0.3;
    c.slope_rad = 0.1;
    c.residual_rad = 0.002;
    const Prepared prepared = array({{0.05, 1.0}, {0.45, 1.0}, {0.25, 1.0}}, c);
    const double slope = 0.1 * 0.2 * std::sqrt(2.0 / 3.0);
    const ReadPrediction offset{prepared, Correction::offset, 1.0};
    EXPECT_NEAR(offset.settled().calibration, std::hypot(slope, 0.002), 1e-12);
    EXPECT_NEAR(offset.settled().total(), std::hypot(slope, 0.002), 1e-8);
    const ReadPrediction both{prepared, Correction::offset_slope, 1.0};
    EXPECT_NEAR(both.settled().calibration, 0.002, 1e-12);
}

TEST(ReadPrediction, TokensThatARunDoesNotWaitForDoNotCount) {
    Prepared prepared = array({{0.3, 1.0}, {1e-4, 1.0}, {0.01, 1.0}}, cell(1.0));  // the second one is degenerate
    prepared.rule.max_time.setConstant(100.0);                                     // the third one needs ln(tan(0.5)/tan(0.01 deg))/0.01 = 800
    EXPECT_EQ((ReadPrediction{prepared, Correction::offset, 1.0}.tokens()), 1U);
    prepared.rule.max_time.setConstant(1000.0);
    EXPECT_EQ((ReadPrediction{prepared, Correction::offset, 1.0}.tokens()), 2U);
}

/// A technology with a raw phase error that grows with the square of the injected current, and a coupling rate and drive power in proportion to it.
struct Technology {
    double rate = 1e7;       ///< [1/s] per injection
    double curvature = 0.0;  ///< [rad] raw error at full scale and injection 1
    double cell_power = 1.0;
    double drive_power = 0.0;    ///< [W] per injection
    double locks_below = 1e300;  ///< injection
    double drive = 0.5;          ///< of every token
    double distance = 1.5;       ///< [rad] of every start

    [[nodiscard]] Calibration calibrated(double injection) const {
        if (injection > locks_below) throw ModelError{"does not lock"};
        Calibration c = cell(rate * injection);
        const auto raw = [&](double r) { return curvature * std::pow(injection * r, 2); };
        c.offset_rad = raw(problem::offset_drive);
        double xy = 0.0;  // least squares through the offset over the drives of a calibration
        double xx = 0.0;
        for (const double r : {0.05, 0.1, 0.5, 1.0}) {
            xy += (r - 0.25) * (raw(r) - c.offset_rad);
            xx += (r - 0.25) * (r - 0.25);
        }
        c.slope_rad = xy / xx;
        return c;
    }
    [[nodiscard]] EqualErrorSearch search(double target) const {
        EqualErrorSearch s;
        s.largest_injection = 2.0;
        s.target = target;
        s.calibrate = [this](double injection) { return calibrated(injection); };
        s.predict = [this](double injection, const Calibration& c, const CellResponse& response) {
            return ReadPrediction{array({{drive, distance}, {drive, -distance}}, c), Correction::offset, cell_power + drive_power * injection,
                                  response};
        };
        return s;
    }
    /// Energy at an injection by hand: Adler's time to what the calibration error leaves of the target.
    [[nodiscard]] double energy(double injection, double target) const {
        const double left = curvature * std::pow(injection, 2) * (drive * drive - problem::offset_drive * problem::offset_drive);
        if (left >= target) return std::numeric_limits<double>::infinity();
        const double settling = std::sqrt(target * target - left * left);
        return (cell_power + drive_power * injection) * std::log(std::tan(0.5 * distance) / std::tan(0.5 * settling)) / (rate * injection * drive);
    }
};

TEST(EqualError, WithoutPhaseErrorTheStrongestInjectionIsCheapest) {
    const Technology technology{.drive_power = 3.0};
    const double target = radians(1.0);
    const OperatingPoint point = equal_error(technology.search(target));
    EXPECT_DOUBLE_EQ(point.injection, 2.0);
    EXPECT_NEAR(point.energy_j, technology.energy(2.0, target), 1e-9 * point.energy_j);
    EXPECT_NEAR(point.predicted.total(), target, 1e-9);
    EXPECT_LE(point.explored.size(), 4U);  // weaker drives are not looked at for nothing
}

TEST(EqualError, PhaseErrorThatGrowsWithTheDriveBoundsTheInjection) {
    for (const double curvature : {0.02, 0.2, 2.0}) {
        const Technology technology{.curvature = curvature, .drive_power = 0.5};
        const double target = radians(1.0);
        double best = 0.0;
        double least = std::numeric_limits<double>::infinity();
        for (double injection = 2.0; injection > 0.01; injection *= 0.999)
            if (const double e = technology.energy(injection, target); e < least) {
                least = e;
                best = injection;
            }
        const OperatingPoint point = equal_error(technology.search(target));
        // Parabolas through offsets are exact but at the strongest currents, where the end of a fitted line stands for a measurement: 10 % of the
        // error there (0.84 instead of 0.94 of the curvature), and half as much at the drive of these tokens.
        EXPECT_NEAR(point.injection, best, 0.05 * best) << curvature;
        EXPECT_NEAR(point.energy_j, least, 0.02 * least) << curvature;
        EXPECT_NEAR(point.predicted.total(), target, 1e-9) << curvature;
        const double left = curvature * std::pow(point.injection, 2) * (0.25 - 0.0625);
        EXPECT_NEAR(point.predicted.calibration, left, 0.06 * left) << curvature;
    }
}

TEST(EqualError, GoesCloseToTheStrongestInjectionThatLocks) {
    for (const double limit : {0.51, 0.6, 0.9}) {
        const Technology technology{.locks_below = limit};
        const OperatingPoint point = equal_error(technology.search(radians(1.0)));
        EXPECT_LE(point.injection, limit);
        EXPECT_GE(point.injection, limit / std::pow(2.0, 0.25) - 0.005) << limit;  // two halvings of a factor of two, three digits
    }
}

TEST(EqualError, SaysWhichTermIsInTheWay) {
    Technology technology{.curvature = 1e6};
    try {
        static_cast<void>(equal_error(technology.search(radians(1.0))));
        FAIL() << "the target was reached";
    } catch (const ModelError& error) {
        EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("1 deg"), HasSubstr("raw phase error")));
    }
    technology.locks_below = 0.0;
    try {
        static_cast<void>(equal_error(technology.search(radians(1.0))));
        FAIL() << "a cell that never locks was read";
    } catch (const ModelError& error) {
        EXPECT_THAT(error.what(), HasSubstr("does not lock"));
    }
}

TEST(ResponseFrom, SeesTheSameCurrentAtOtherInjections) {
    const Technology technology{.curvature = 0.4};
    std::vector<CalibratedInjection> calibrated;
    for (const double injection : {0.25, 0.5, 1.0, 2.0}) calibrated.push_back({injection, technology.calibrated(injection)});
    const CellResponse response = response_from(calibrated, 2.0);
    for (const double drive : {0.0625, 0.125, 0.25})  // currents at which an offset was measured
        EXPECT_NEAR(response(drive).raw_error, 0.4 * std::pow(2.0 * drive, 2), 1e-12) << drive;
    for (const double drive : {0.02, 0.1, 0.25, 0.9}) EXPECT_NEAR(response(drive).rate, 1e7 * 2.0 * drive, 1.0) << drive;
}

TEST(Interpolated, KeepsProportionsToInjectionExactly) {
    Technology technology;
    std::vector<CalibratedInjection> calibrated;
    for (const double injection : {0.5, 1.0, 2.0}) calibrated.push_back({injection, technology.calibrated(injection)});
    for (const double injection : {0.5, 0.7, 1.3, 2.0})
        EXPECT_NEAR(interpolated(calibrated, injection).coupling_rate, 1e7 * injection, 1e-3) << injection;
}

}  // namespace
}  // namespace entrain::study

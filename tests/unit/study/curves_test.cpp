#include "study/curves.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "core/quantity.hpp"

namespace entrain::study {
namespace {

using problem::OscillatorSolution;
using problem::Stop;
using readout::Correction;

/// Phase limit + distance e^(-t), logged every 0.05 until t = 12.
struct Decay {
    double limit;
    double distance;
    Stop stop = Stop::settled;
    double drive = 0.5;
};

struct Array {
    problem::Solution solution;
    problem::Instance instance;
    std::vector<readout::Reading> readings;
};

constexpr double offset = 0.2;

Array array(const std::vector<Decay>& decays) {
    Array a;
    const auto n = static_cast<Eigen::Index>(decays.size());
    a.instance.calibration.dimensionless = false;
    a.instance.calibration.offset_rad = offset;
    a.instance.drive = Eigen::MatrixXd::Zero(n, 2);
    a.instance.drive_ratio.resize(n);
    for (Eigen::Index i = 0; i < n; ++i) {
        const Decay& d = decays[static_cast<std::size_t>(i)];
        a.instance.network.free.push_back({7, 1, static_cast<std::int32_t>(i)});
        a.instance.drive(i, 0) = a.instance.drive_ratio(i) = d.drive;
        OscillatorSolution o;
        o.stop = d.stop;
        for (int k = 0; k <= 240; ++k) o.trajectory.append(0.05 * k, std::array{d.limit + d.distance * std::exp(-0.05 * k)});
        o.phase = d.limit;
        o.state = Eigen::Vector2d{std::cos(d.limit), std::sin(d.limit)};
        a.solution.oscillators.push_back(std::move(o));
    }
    a.readings = readout::read(a.solution, a.instance, {}, Correction::offset);
    return a;
}

Eigen::MatrixXd unit_states(const std::vector<double>& phases) {
    Eigen::MatrixXd states(static_cast<Eigen::Index>(phases.size()), 2);
    for (Eigen::Index i = 0; i < states.rows(); ++i) {
        states(i, 0) = std::cos(phases[static_cast<std::size_t>(i)]);
        states(i, 1) = std::sin(phases[static_cast<std::size_t>(i)]);
    }
    return states;
}

// Slopes from parabolas are off by h^2/6 |f'''|, at the first sample by h^2/3, and a slope moves the cubic by at most 4/27 h of its error: together
// 2/27 h^3 = 9.3e-6 rad = 5.3e-4 deg for f = e^(-t) and h = 0.05.
constexpr double interpolation_deg = 6e-4;

TEST(ErrorOverTime, IsTheRmsOfWhatTheClosedFormGivesForSettledOscillators) {
    // The unsettled one and the degenerate one are a right angle off and would show.
    const Array a = array({{1.0, 0.8}, {-0.5, -0.3}, {2.0, 1.0, Stop::time_limit}, {3.0, 1.0, Stop::settled, 0.5e-3}});
    const double left[] = {0.02, -0.01};  // digital phases: the hardware is this far off at equilibrium
    const Eigen::MatrixXd reference = unit_states({1.0 - offset - left[0], -0.5 - offset - left[1], 0.3, 1.0});
    const double read_time = 4.0;
    const auto points =
        error_over_time(a.solution, a.instance, a.readings, Correction::offset, reference, read_time, [](double t) { return 3.0 * t; });
    ASSERT_EQ(points.size(), 40U);
    EXPECT_NEAR(points.front().time, 0.02 * read_time, 1e-12);
    EXPECT_EQ(points.back().time, read_time);
    for (std::size_t k = 0; k < points.size(); ++k) {
        const double decay = std::exp(-points[k].time);
        const double e0 = left[0] + 0.8 * decay;
        const double e1 = left[1] - 0.3 * decay;
        EXPECT_NEAR(points[k].phase_rms_deg, degrees(std::sqrt(0.5 * (e0 * e0 + e1 * e1))), interpolation_deg) << "at " << points[k].time;
        EXPECT_EQ(points[k].energy_j, 3.0 * points[k].time);
        if (k > 1) {
            EXPECT_NEAR(points[k].time / points[k - 1].time, points[1].time / points[0].time, 1e-9);
        }
    }
}

TEST(ErrorOverTime, HasNoErrorWithoutSettledOscillators) {
    const Array a = array({{1.0, 0.8, Stop::time_limit}});
    const auto points = error_over_time(a.solution, a.instance, a.readings, Correction::offset, unit_states({0.8}), 4.0, [](double) { return 1.0; });
    for (const ReadPoint& p : points) EXPECT_TRUE(std::isnan(p.phase_rms_deg));
}

TEST(SettlingCurves, AreThoseOfTheSlowestMedianAndFastestSettledOscillator) {
    // Settling to 1 deg takes ln(distance/1 deg): the order of the distances. The farthest one has not settled.
    const Array a = array({{0.1, 0.5}, {0.2, 2.5}, {0.3, 0.05}, {0.4, 1.0}, {0.5, 0.2}, {0.6, 3.0, Stop::time_limit}});
    const auto curves = settling_curves(a.solution, a.instance, a.readings);
    ASSERT_EQ(curves.size(), 3U);
    const int tokens[] = {1, 0, 2};
    const double distances[] = {2.5, 0.5, 0.05};
    for (std::size_t c = 0; c < 3; ++c) {
        const SettlingCurve& curve = curves[c];
        EXPECT_EQ(curve.id, (network::TokenId{7, 1, tokens[c]}));
        EXPECT_EQ(curve.drive_ratio, 0.5);
        const double settling = std::log(distances[c] / radians(1.0));
        // Linear interpolation of e^(-t) over 0.05 moves a crossing by up to h^2/8.
        EXPECT_NEAR(curve.settling_time, settling, 0.05 * 0.05 / 8.0);
        ASSERT_EQ(curve.time.size(), static_cast<std::size_t>(settling_curve_points));
        EXPECT_NEAR(curve.time.back(), std::min(12.0, 3.0 * curve.settling_time), 1e-12);
        for (std::size_t k = 0; k < curve.time.size(); ++k)
            EXPECT_NEAR(degrees(curve.angle[k]), degrees(distances[c] * std::exp(-curve.time[k])), distances[c] * interpolation_deg);
    }
}

TEST(SettlingCurves, AreFewerWhenFewerSettled) {
    const Array one = array({{0.1, 0.5}, {0.6, 3.0, Stop::time_limit}});
    EXPECT_EQ(settling_curves(one.solution, one.instance, one.readings).size(), 1U);
    const Array two = array({{0.1, 0.5}, {0.2, 2.5}});
    const auto curves = settling_curves(two.solution, two.instance, two.readings);
    ASSERT_EQ(curves.size(), 2U);
    EXPECT_EQ(curves[0].id.token, 1);
    EXPECT_EQ(curves[1].id.token, 0);
    const Array none = array({{0.6, 3.0, Stop::time_limit}});
    EXPECT_TRUE(settling_curves(none.solution, none.instance, none.readings).empty());
}

}  // namespace
}  // namespace entrain::study

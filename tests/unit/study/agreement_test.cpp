#include "study/agreement.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "core/quantity.hpp"
#include "support/program.hpp"

namespace {

using namespace entrain;
using entrain::test::TemporaryFolder;
using study::Agreement;
using study::AgreementLevel;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Two oscillators in each of the four ranges of drives, with these errors and ratios.
AgreementLevel level(double injection, double phase_error_deg, double ratio, double lock_range_ratio = 1.0) {
    AgreementLevel l;
    l.injection = injection;
    l.lock_range_ratio = lock_range_ratio;
    for (const double drive : {0.06, 0.09, 0.12, 0.18, 0.25, 0.45, 0.6, 0.95})
        l.points.push_back({drive, 1.0, true, radians(phase_error_deg), 1e-9, ratio});
    return l;
}

Eigen::VectorXd drives(std::initializer_list<double> list) {
    Eigen::VectorXd v(static_cast<Eigen::Index>(list.size()));
    std::copy(list.begin(), list.end(), v.begin());
    return v;
}

TEST(Validity, EndsBelowTheFirstInjectionThatIsOff) {
    const auto limit = [](AgreementLevel off) {
        return study::validity_of({{level(0.1, 0.1, 1.01), level(0.2, 0.2, 0.97), std::move(off), level(1.0, 0.1, 1.0)}}).max_injection;
    };
    EXPECT_EQ(limit(level(0.5, 0.9, 1.09, 1.09)), 1.0);
    EXPECT_EQ(limit(level(0.5, 1.1, 1.0)), 0.2);   // 1 deg
    EXPECT_EQ(limit(level(0.5, -1.1, 1.0)), 0.2);  // either way
    EXPECT_EQ(limit(level(0.5, 0.1, 1.11)), 0.2);  // 10 %
    EXPECT_EQ(limit(level(0.5, 0.1, 0.89)), 0.2);
    EXPECT_EQ(limit(level(0.5, 0.1, 1.0, 0.89)), 0.2);
    AgreementLevel unsettled = level(0.5, 0.1, 1.0);
    unsettled.points.back() = {0.95, 1.0, false, nan, nan, nan};
    EXPECT_EQ(limit(unsettled), 0.2);
    AgreementLevel not_available;
    not_available.injection = 0.5;
    not_available.not_available = "too strong";
    EXPECT_EQ(limit(not_available), 1.0);
}

TEST(Validity, CountsWhatLiesInsideOnly) {
    const Agreement agreement{{level(0.1, 0.3, 0.98), level(0.2, 0.4, 1.02), level(0.5, 5.0, 1.5)}};
    const study::AgreementStatistics inside = study::statistics_inside(agreement);
    EXPECT_EQ(inside.oscillators, 16);
    EXPECT_NEAR(degrees(inside.phase_rms), std::sqrt(0.5 * (0.09 + 0.16)), 1e-12);  // rounding
    EXPECT_NEAR(degrees(inside.phase_max), 0.4, 1e-12);
    EXPECT_NEAR(inside.settling_median, 1.0, 1e-12);  // halfway between 0.98 and 1.02
    EXPECT_NEAR(degrees(study::validity_of(agreement).max_phase_error), 0.4, 1e-12);
}

/// Valid up to 0.2; at 0.5 for drives up to 0.2.
problem::Validity some_validity() {
    AgreementLevel strong = level(0.5, 0.1, 1.0);
    for (auto& point : strong.points)
        if (point.drive > 0.2) point.phase_error = radians(3.0);
    return study::validity_of({{level(0.1, 0.1, 1.0), level(0.2, 0.1, 1.0), strong}});
}

TEST(Validity, SaysWhatFailsFirst) {
    const std::string limit = problem::first_failure(some_validity());
    EXPECT_NE(limit.find("off by 3 deg at injection 0.5 for drives of 0.2 to 0.5"), std::string::npos) << limit;
    EXPECT_NE(limit.find("from 0.1)"), std::string::npos) << limit;  // 0.5 x 0.2
}

TEST(Place, InsideUpToTheLargestInjectionAtAnyDrive) {
    const problem::Place place = problem::place_of(some_validity(), 0.2, drives({0.05, 0.5, 1.0}));
    EXPECT_TRUE(place.inside);
    EXPECT_EQ(place.outside, "");
    EXPECT_EQ(place.max_drive, 1.0);
}

TEST(Place, WeakDrivesAreInsideWhereTheirCurrentWasSeen) {
    // 0.05 x 0.1 is the weakest current: at injection 0.2 a drive of 0.025.
    EXPECT_TRUE(problem::place_of(some_validity(), 0.2, drives({0.026, 0.5})).inside);
    const problem::Place place = problem::place_of(some_validity(), 0.2, drives({0.024, 0.01, 0.5, 5e-4}));
    EXPECT_NEAR(place.min_drive, 0.025, 1e-12);
    EXPECT_FALSE(place.inside);
    EXPECT_EQ(place.oscillators_outside, 2);  // a drive below 1e-3 has no direction
    EXPECT_NE(place.outside.find("down to 0.01"), std::string::npos) << place.outside;
}

TEST(Place, BetweenInjectionsTheLargerDecides) {
    EXPECT_TRUE(problem::place_of(some_validity(), 0.3, drives({0.05, 0.2})).inside);
    const problem::Place place = problem::place_of(some_validity(), 0.3, drives({0.1, 0.21, 0.4}));
    EXPECT_FALSE(place.inside);
    EXPECT_EQ(place.max_drive, 0.2);
    EXPECT_EQ(place.oscillators_outside, 2);
    EXPECT_NEAR(degrees(place.phase_error), 3.0, 1e-12);
    EXPECT_NE(place.outside.find("3 deg"), std::string::npos) << place.outside;
}

TEST(Place, WhereWeakDrivesAreOffTheOthersAreStillInside) {
    AgreementLevel strong = level(0.5, 0.1, 1.0);
    for (auto& point : strong.points)
        if (point.drive < 0.1) point.phase_error = radians(2.0);
    const problem::Validity validity = study::validity_of({{level(0.1, 0.1, 1.0), strong}});
    EXPECT_TRUE(problem::place_of(validity, 0.5, drives({0.1, 1.0})).inside);
    const problem::Place place = problem::place_of(validity, 0.5, drives({0.06, 0.5}));
    EXPECT_EQ(place.oscillators_outside, 1);
    EXPECT_EQ(place.min_drive, 0.1);
    EXPECT_NE(place.outside.find("0.1 to 1"), std::string::npos) << place.outside;
}

TEST(Place, BeyondWhatWasComparedNothingIsKnown) {
    const problem::Place place = problem::place_of(some_validity(), 0.6, drives({0.1, 0.4}));
    EXPECT_FALSE(place.inside);
    EXPECT_EQ(place.oscillators_outside, 2);
    EXPECT_TRUE(std::isnan(place.phase_error));
    EXPECT_NE(place.outside.find("up to 0.5"), std::string::npos) << place.outside;
}

TEST(StoredAgreement, ComesBackWithEveryDigit) {
    const TemporaryFolder folder;
    Agreement agreement{{level(0.1, 1.0 / 3.0, 1.01)}};
    agreement.levels[0].points[1] = {0.1, -0.2, false, nan, nan, nan};
    agreement.levels.push_back({});
    agreement.levels[1].not_available = "too strong";
    study::store_agreement("key", folder.path(), agreement);
    const std::optional<Agreement> found = study::stored_agreement("key", folder.path());
    ASSERT_TRUE(found);
    ASSERT_EQ(found->levels.size(), 2U);
    EXPECT_EQ(found->levels[0].points[0].phase_error, radians(1.0 / 3.0));
    EXPECT_FALSE(found->levels[0].points[1].settled);
    EXPECT_TRUE(std::isnan(found->levels[0].points[1].settling_ratio));
    EXPECT_EQ(found->levels[1].not_available, "too strong");
    EXPECT_FALSE(study::stored_agreement("another key", folder.path()));
    EXPECT_FALSE(study::stored_agreement("key", std::nullopt));
}

TEST(StoredAgreement, ADamagedEntryIsNotFound) {
    const TemporaryFolder folder;
    study::store_agreement("key", folder.path(), {{level(0.1, 0.5, 1.0)}});
    for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
        std::string text = test::content_of(entry.path());
        const std::size_t at = text.find("0.95");  // a drive
        ASSERT_NE(at, std::string::npos);
        text[at + 3] = '4';
        std::ofstream{entry.path()} << text;
    }
    EXPECT_FALSE(study::stored_agreement("key", folder.path()));
}

}  // namespace

#include <gtest/gtest.h>

#include <fstream>

#include "io/json.hpp"
#include "study/calibrate.hpp"
#include "support/program.hpp"

namespace {

using namespace entrain;
using entrain::test::TemporaryFolder;

problem::Calibration some_calibration() {
    problem::Calibration c;
    c.dimensionless = false;
    c.frequency_hz = 0.1;  // not exactly representable: the file must carry every digit
    c.frequency_at_step_hz = 1.0 / 3.0;
    c.coupling_rate = 6.4e7;
    c.offset_rad = -1e-17;
    c.amplitude_unit = "V";
    c.relaxation_rate = 6.3e7;
    c.relaxation_softening = 0.1;
    c.phase_terms = {{2, 0.1, -1.0 / 3.0}};
    c.ppv = {{0.1, {1.0 / 3.0, -0.2}}, 1e-3};
    c.waveform = {1.0, {0.1, 0.3}};
    c.noise = {{"shunt", "4 k T/R", 1.0 / 7.0}};
    c.noise_missing = "excess noise";
    c.limit_cycle = Eigen::MatrixXd{{0.1, 0.2}, {0.3, 1.0 / 3.0}, {0.5, 0.6}};
    return c;
}

struct Counter {
    int calls = 0;
    problem::Calibration operator()() {
        ++calls;
        return some_calibration();
    }
};

std::filesystem::path only_entry(const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::directory_iterator{folder})
        if (entry.path().extension() == ".json") return entry.path();
    return {};
}

TEST(CalibrationCache, SecondUseMeasuresNothingAndKeepsEveryDigit) {
    const TemporaryFolder folder;
    Counter counter;
    const auto measure = [&] { return counter(); };
    const auto first = study::cached_calibration("key", folder.path(), measure);
    const auto second = study::cached_calibration("key", folder.path(), measure);
    EXPECT_EQ(counter.calls, 1);
    EXPECT_EQ(first.frequency_hz, second.frequency_hz);
    EXPECT_EQ(first.frequency_at_step_hz, second.frequency_at_step_hz);
    EXPECT_EQ(first.offset_rad, second.offset_rad);
    EXPECT_EQ(second.relaxation_rate, 6.3e7);
    EXPECT_EQ(second.relaxation_softening, 0.1);
    ASSERT_EQ(second.phase_terms.size(), 1U);
    EXPECT_EQ(second.phase_terms[0].order, 2);
    EXPECT_EQ(second.phase_terms[0].factor, 0.1);
    EXPECT_EQ(second.phase_terms[0].reference, -1.0 / 3.0);
    EXPECT_EQ(second.limit_cycle, some_calibration().limit_cycle);
    EXPECT_EQ(second.ppv.harmonics, some_calibration().ppv.harmonics);
    EXPECT_EQ(second.ppv.floor, 1e-3);
    EXPECT_EQ(second.waveform, some_calibration().waveform);
    ASSERT_EQ(second.noise.size(), 1U);
    EXPECT_EQ(second.noise[0].name, "shunt");
    EXPECT_EQ(second.noise[0].diffusion_per_kelvin, 1.0 / 7.0);
    EXPECT_EQ(second.noise_missing, "excess noise");
    EXPECT_EQ(first.key, second.key);
    EXPECT_FALSE(second.dimensionless);
}

TEST(CalibrationCache, AnotherKeyIsAnotherMeasurement) {
    const TemporaryFolder folder;
    Counter counter;
    static_cast<void>(study::cached_calibration("injection 0.2", folder.path(), [&] { return counter(); }));
    static_cast<void>(study::cached_calibration("injection 0.3", folder.path(), [&] { return counter(); }));
    EXPECT_EQ(counter.calls, 2);
}

/// What may happen to a file between two runs; each must lead to a new measurement.
class Damaged : public testing::TestWithParam<std::function<void(const std::filesystem::path&)>> {};

TEST_P(Damaged, IsMeasuredAgain) {
    const TemporaryFolder folder;
    Counter counter;
    static_cast<void>(study::cached_calibration("key", folder.path(), [&] { return counter(); }));
    GetParam()(only_entry(folder.path()));
    const auto again = study::cached_calibration("key", folder.path(), [&] { return counter(); });
    EXPECT_EQ(counter.calls, 2);
    EXPECT_EQ(again.coupling_rate, 6.4e7);
    static_cast<void>(study::cached_calibration("key", folder.path(), [&] { return counter(); }));
    EXPECT_EQ(counter.calls, 2);  // and the entry is good again
}

void rewrite(const std::filesystem::path& file, const std::function<void(io::Json&)>& change) {
    io::Json entry = io::read_json(file);
    change(entry);
    io::write_json(file, entry);
}

INSTANTIATE_TEST_SUITE_P(
    CalibrationCache, Damaged,
    testing::Values([](const std::filesystem::path& f) { std::filesystem::resize_file(f, std::filesystem::file_size(f) / 2); },
                    [](const std::filesystem::path& f) { std::ofstream{f} << ""; },
                    [](const std::filesystem::path& f) { rewrite(f, [](io::Json& e) { e["calibration"]["coupling_rate_rad_per_s"] = 1.0; }); },
                    [](const std::filesystem::path& f) { rewrite(f, [](io::Json& e) { e["key"] = "another cell's"; }); },
                    [](const std::filesystem::path& f) { rewrite(f, [](io::Json& e) { e["schema"] = "entrain.calibration/0"; }); },
                    [](const std::filesystem::path& f) { rewrite(f, [](io::Json& e) { e["calibration"].erase("offset_rad"); }); }));

TEST(CalibrationCache, FolderThatCannotBeWrittenCostsTimeOnly) {
    Counter counter;
    const auto c = study::cached_calibration("key", std::filesystem::path{"/proc/no-such-folder"}, [&] { return counter(); });
    EXPECT_EQ(counter.calls, 1);
    EXPECT_EQ(c.coupling_rate, 6.4e7);
}

}  // namespace

#include <gtest/gtest.h>

#include <cmath>

#include "engines/exact/plugin.hpp"
#include "mechanisms/fixed_query/plugin.hpp"
#include "report/html.hpp"
#include "report/result.hpp"
#include "substrates/ideal/plugin.hpp"
#include "unit/fixed_query/random_layer.hpp"

// What the charts show is what the result says: a trial on the textbook oscillator, whose every number is known.

namespace entrain::report {
namespace {

struct Trial {
    Trial(int sequence_count, int heads, int tokens)
        : layer{test::random_layer(heads, 4, 8, 2, tokens, 42)},
          mechanism{mechanisms::fixed_query::create()},
          substrate{substrates::ideal::create()},
          engine{engines::exact::create()} {
        for (int k = 0; k < sequence_count; ++k) sequences.push_back(test::random_sequence(10 + k, tokens, 8, 100 + static_cast<std::uint64_t>(k)));
    }
    [[nodiscard]] study::TrialInput input() const {
        return {.layer = layer,
                .sequences = sequences,
                .mechanism = *mechanism,
                .substrate = *substrate,
                .engine = *engine,
                .calibration = calibration,
                .digital = digital,
                .mapping = {},
                .nonidealities = {},
                .start = {},
                .readout = {},
                .simulation = {},
                .streams = RandomStreams{1},
                .run = {}};
    }
    attention::Layer layer;
    std::vector<attention::Sequence> sequences;
    std::unique_ptr<mechanisms::Mechanism> mechanism;
    std::unique_ptr<substrates::Substrate> substrate;
    std::unique_ptr<engines::Engine> engine;
    problem::Calibration calibration;
    energy::DigitalCosts digital;
};

constexpr double four_digits = 5e-4;  // relative rounding of the page's numbers

TEST(Charts, AgreeWithTheResult) {
    const Trial trial{3, 2, 12};
    const study::TrialInput input = trial.input();
    const study::TrialRecord record = study::run_trial(input);
    const io::Json charts = charts_json(input, record);

    const io::Json& curve = charts["error_over_time"];
    EXPECT_NEAR(curve["time_s"].back(), record.read_time, four_digits * record.read_time);
    EXPECT_EQ(record.error_over_time.back().time, record.read_time);
    // The same angles in the same order, summed by two functions: a few roundings of 1e-16 each.
    EXPECT_NEAR(record.error_over_time.back().phase_rms_deg, record.error_at_read.phase_rms_deg, 1e-12 * record.error_at_read.phase_rms_deg);
    EXPECT_TRUE(curve["energy_per_query_j"].back().is_null());  // a textbook oscillator has no joules

    // The slowest oscillator decides when the array is read.
    ASSERT_EQ(charts["settling_curves"].size(), 3U);
    EXPECT_NEAR(charts["settling_curves"][0]["settling_time_s"], record.read_time, four_digits * record.read_time);

    const io::Json& worst = charts["worst_tokens"];
    ASSERT_EQ(worst.size(), 10U);
    EXPECT_NEAR(worst[0]["phase_error_at_read_deg"], record.error_at_read.phase_max_deg, 1e-12);
    for (std::size_t k = 1; k < worst.size(); ++k) EXPECT_GE(worst[k - 1]["phase_error_at_read_deg"], worst[k]["phase_error_at_read_deg"]);
    EXPECT_EQ(charts["readout"]["correction"], "offset");
    EXPECT_EQ(charts["readout"]["read_time"], "slowest");
}

TEST(Charts, LeaveOutAttentionBeyondTheirSizeTheLargestDifferenceFirst) {
    const Trial trial{3, 2, 150};  // 2 x 150 x 150 = 45,000 entries for each of six heads: four fit into 200,000
    const study::TrialInput input = trial.input();
    const study::TrialRecord record = study::run_trial(input);
    const io::Json attention = charts_json(input, record)["attention"];
    EXPECT_EQ(attention["total"], 6);
    ASSERT_EQ(attention["shown"].size(), 4U);
    double largest_hidden = 0.0;
    for (const study::SequenceRecord& s : record.sequences)
        for (std::size_t h = 0; h < 2; ++h) {
            const double largest = (s.simulated.attention[h] - s.reference.attention[h]).cwiseAbs().maxCoeff();
            const auto is_this = [&](const io::Json& panel) { return panel["sequence"] == s.sequence->index && panel["head"] == h; };
            const auto panel = std::find_if(attention["shown"].begin(), attention["shown"].end(), is_this);
            if (panel == attention["shown"].end()) {
                largest_hidden = std::max(largest_hidden, largest);
                continue;
            }
            EXPECT_NEAR((*panel)["max_abs"], largest, four_digits * largest);
            EXPECT_NEAR((*panel)["reference"][7][3], s.reference.attention[h](7, 3), four_digits * s.reference.attention[h](7, 3));
            EXPECT_NEAR((*panel)["difference"][7][3], s.simulated.attention[h](7, 3) - s.reference.attention[h](7, 3), four_digits * largest);
        }
    for (const io::Json& panel : attention["shown"]) EXPECT_GE(panel["max_abs"].get<double>(), largest_hidden * (1.0 - four_digits));
}

TEST(Charts, HaveNoAttentionOfALayerThatIsTooLarge) {
    const Trial trial{1, 1, 320};  // 204,800 entries
    const study::TrialInput input = trial.input();
    const study::TrialRecord record = study::run_trial(input);
    const io::Json attention = charts_json(input, record)["attention"];
    EXPECT_EQ(attention["total"], 1);
    EXPECT_TRUE(attention["shown"].empty());
}

}  // namespace
}  // namespace entrain::report

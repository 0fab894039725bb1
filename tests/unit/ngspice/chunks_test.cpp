#include "engines/ngspice/chunks.hpp"

#include <gmock/gmock.h>

namespace entrain::engines::ngspice {
namespace {

using ::testing::ElementsAre;

TEST(Chunks, EqualOscillatorsShareNetlistsUpToTheLimit) {
    const auto chunks = split(std::vector<double>(100, 500.0), 64);
    ASSERT_EQ(chunks.size(), 2U);
    EXPECT_EQ(chunks[0].size() + chunks[1].size(), 100U);
    EXPECT_LE(chunks[0].size(), 64U);
}

TEST(Chunks, SlowOscillatorGetsANetlistOfItsOwn) {
    // Together: 1000 (2 + 3/2) = 3500. Apart: 1000 (2 + 1/2) + 10 (2 + 1) = 2530.
    EXPECT_THAT(split(std::vector{10.0, 1000.0, 10.0}, 64), ElementsAre(ElementsAre(1U), ElementsAre(0U, 2U)));
    // Together: 12 (2 + 3/2) = 42. Apart: 12 (2 + 1/2) + 10 (2 + 1) = 60.
    EXPECT_THAT(split(std::vector{10.0, 12.0, 10.0}, 64), ElementsAre(ElementsAre(1U, 0U, 2U)));
}

TEST(Chunks, NothingToDoIsNoNetlist) { EXPECT_TRUE(split({}, 64).empty()); }

}  // namespace
}  // namespace entrain::engines::ngspice

#include "io/csv.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace entrain::io {
namespace {

TEST(Csv, QuotesWhatNeedsQuotes) {
    // RFC 4180, sections 2.5 to 2.7
    EXPECT_EQ(csv_row(std::vector<std::string>{"lc", "0.1", "", "a,b", "say \"hi\"", "two\nlines"}),
              "lc,0.1,,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\n");
}

}  // namespace
}  // namespace entrain::io

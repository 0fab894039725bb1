#include "report/html.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/program.hpp"

namespace entrain::report {
namespace {

using test::content_of;
using test::source_file;
using testing::HasSubstr;
using testing::Not;

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
    return n;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::string without(std::string text, const std::string& part) {
    const std::size_t at = text.find(part);
    EXPECT_NE(at, std::string::npos);
    return at == std::string::npos ? text : text.erase(at, part.size());
}

/// What the page's script reads: the JSON between the data element's tags, as a browser finds it.
io::Json data_of(const std::string& page) {
    const std::string open = "<script type=\"application/json\" id=\"data\">";
    const std::size_t begin = page.find(open) + open.size();
    return io::Json::parse(page.substr(begin, page.find("</script", begin) - begin));
}

io::Json result() { return {{"status", "ok"}, {"substrate", {{"kind", "lc"}, {"dimensionless", false}}}}; }

TEST(HtmlReport, CarriesItsScriptStyleAndChartLibraryWordForWord) {
    const std::string page = html_report("title", {{"lc", result(), nullptr}});
    EXPECT_THAT(page, HasSubstr(content_of(source_file("src/report/script.js"))));
    EXPECT_THAT(page, HasSubstr(content_of(source_file("src/report/style.css"))));
    const std::string chart = content_of(CHART_JS);
    ASSERT_GT(chart.size(), 100'000U);
    EXPECT_THAT(page, HasSubstr(chart));
}

TEST(HtmlReport, RefersToNothingOutsideItself) {
    std::string page = without(html_report("title", {{"lc", result(), nullptr}}), content_of(CHART_JS));
    // The library names its home in its licence comment, which is no reference; the rest of the page knows no address at all.
    for (const char* reference : {"://", "src=", "href=", "url(", "@import", "<link", "<img", "<iframe", "import(", "fetch(", "xmlhttprequest"})
        EXPECT_THAT(lower(page), Not(HasSubstr(reference)));
    // And the browser is told to load nothing.
    EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST(HtmlReport, TextsOfUserFilesCannotLeaveTheirPlace) {
    const std::string hostile = "</script><script>alert(1)</script><!-- <b onclick=x> & {{script}} {{data}} \xff \xe2\x80\xa8";
    io::Json poisoned = result();
    poisoned["failures"] = {{{"category", hostile}, {"message", hostile}}};
    poisoned["substrate"]["corner"] = hostile;
    poisoned[hostile] = hostile;
    const std::string clean = html_report("title", {{"name", result(), nullptr}}, {"note"});
    const std::string page = html_report(hostile, {{hostile, poisoned, nullptr}}, {hostile});
    // Nothing that a parser reacts to has been added: neither tags nor comments.
    for (const char* mark : {"<script", "</script", "<!--", "-->", "<b", "</title"})
        EXPECT_EQ(count(lower(page), mark), count(lower(clean), mark)) << mark;

    // The texts arrive as they were; the byte that is not UTF-8 becomes U+FFFD.
    std::string arrived = hostile;
    arrived.replace(arrived.find('\xff'), 1, "\xef\xbf\xbd");
    const io::Json data = data_of(page);
    EXPECT_EQ(data["title"], arrived);
    EXPECT_EQ(data["notes"][0], arrived);
    EXPECT_EQ(data["rows"][0]["name"], arrived);
    EXPECT_EQ(data["rows"][0]["result"]["failures"][0]["message"], arrived);
    EXPECT_EQ(data["rows"][0]["result"]["substrate"]["corner"], arrived);
}

TEST(HtmlReport, KeepsTheOrderOfItsRows) {
    const io::Json data = data_of(html_report("title", {{"b", result(), nullptr}, {"a", result(), {{"x", 1.5}}}}));
    EXPECT_EQ(data["kind"], "results");
    ASSERT_EQ(data["rows"].size(), 2U);
    EXPECT_EQ(data["rows"][0]["name"], "b");
    EXPECT_EQ(data["rows"][1]["charts"]["x"], 1.5);
    EXPECT_EQ(data["rows"][1]["result"], result());
}

TEST(HtmlCharacterization, CarriesTheMeasurements) {
    const io::Json measured = {{"frequency_hz", 1e9}, {"lock_range_hz", {0.99e9, 1.01e9}}};
    const io::Json data = data_of(html_characterization("cell", measured));
    EXPECT_EQ(data["kind"], "characterization");
    EXPECT_EQ(data["cell"], measured);
}

}  // namespace
}  // namespace entrain::report

#include "report/html.hpp"

#include <stdexcept>
#include <string_view>

#include "embedded/report.hpp"

namespace entrain::report {
namespace {

using io::Json;

/// JSON as the text of a script element: ASCII, and without the characters that could end the element or open a comment in it.
std::string inert(const Json& json) {
    // Messages of ngspice and file names need not be UTF-8: their odd bytes become U+FFFD.
    const std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        // These occur in JSON only inside strings, where the escape means the same.
        if (c == '<') {
            out += "\\u003c";
        } else if (c == '>') {
            out += "\\u003e";
        } else if (c == '&') {
            out += "\\u0026";
        } else {
            out += c;
        }
    }
    return out;
}

std::string html_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

/// The template with every {{word}} replaced, in one pass: what is filled in is never looked at again.
std::string page(const std::string& title, const Json& data) {
    const std::string title_text = html_text(title);
    const std::string data_text = inert(data);
    const auto content = [&](std::string_view word) -> std::string_view {
        if (word == "title") return title_text;
        if (word == "style") return embedded::report_style;
        if (word == "chart") return embedded::report_chart;
        if (word == "data") return data_text;
        if (word == "script") return embedded::report_script;
        throw std::logic_error{"report: page.html has an unknown placeholder " + std::string{word}};
    };
    std::string_view rest = embedded::report_page;
    std::string out;
    for (std::size_t open = rest.find("{{"); open != std::string_view::npos; open = rest.find("{{")) {
        const std::size_t close = rest.find("}}", open);
        if (close == std::string_view::npos) throw std::logic_error{"report: page.html has an open placeholder"};
        out += rest.substr(0, open);
        out += content(rest.substr(open + 2, close - open - 2));
        rest.remove_prefix(close + 2);
    }
    out += rest;
    return out;
}

}  // namespace

std::string html_report(const std::string& title, const std::vector<ReportRow>& rows, const std::vector<std::string>& notes) {
    Json list = Json::array();
    for (const ReportRow& row : rows) list.push_back({{"name", row.name}, {"result", row.result}, {"charts", row.charts}});
    return page(title, {{"kind", "results"}, {"title", title}, {"rows", list}, {"notes", notes}});
}

std::string html_characterization(const std::string& title, const Json& characterization) {
    return page(title, {{"kind", "characterization"}, {"title", title}, {"cell", characterization}});
}

}  // namespace entrain::report

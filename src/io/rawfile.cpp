#include "io/rawfile.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "core/error.hpp"
#include "core/file.hpp"

namespace entrain::io {
namespace {

/// Free text of the header must stay on its line.
std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\0'; }, ' ');
    return text;
}

const std::string& one_word(const std::string& text) {
    if (text.empty() || std::any_of(text.begin(), text.end(), [](char c) { return c >= 0 && c <= ' '; }))
        throw std::invalid_argument{fmt::format("rawfile: '{}' cannot be the name or type of a vector", text)};
    return text;
}

/// Reads header lines and data from the front of a rawfile's bytes.
class RawReader {
 public:
    RawReader(std::string_view bytes, const std::string& file) : rest_{bytes}, file_{file} {}
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    RawPlot read() {
        RawPlot plot;
        std::optional<std::size_t> variables;
        std::optional<std::size_t> points;
        for (std::string_view text = line(); text != "Binary:"; text = line()) {
            const auto colon = text.find(':');
            if (colon == std::string_view::npos)
                throw fail(fmt::format("rawfile header has the line '{}' (expected 'key: value')", text.substr(0, 80)));
            const std::string_view key = text.substr(0, colon);
            const std::string_view value = trimmed(text.substr(colon + 1));
            if (key == "Title")
                plot.header.title = value;
            else if (key == "Date")
                plot.header.date = value;
            else if (key == "Plotname")
                plot.header.plot = value;
            else if (key == "Flags" && value != "real")
                throw fail(fmt::format("rawfile has '{}' numbers (expected real)", value));
            else if (key == "No. Variables")
                variables = count(key, value);
            else if (key == "No. Points")
                points = count(key, value);
            else if (key == "Values")
                throw fail("is a text rawfile (expected a binary one: do not set filetype=ascii)");
            else if (key == "Variables")
                plot.header.variables = read_variables(variables.value_or(0));
        }
        if (plot.header.variables.empty() || !points) throw fail("rawfile header has no variables or no number of points");
        plot.columns = columns(plot.header.variables.size(), *points);
        return plot;
    }

 private:
    [[nodiscard]] UserError fail(const std::string& problem) const { return {Location{file_}, problem}; }

    static std::string_view trimmed(std::string_view text) {
        const auto first = text.find_first_not_of(" \t\r");
        if (first == std::string_view::npos) return {};
        return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
    }
    std::string_view line() {
        const auto end = rest_.find('\n');
        if (end == std::string_view::npos) throw fail("is not a rawfile or its header is cut off (expected 'Binary:' after the header)");
        const std::string_view text = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return text;
    }
    [[nodiscard]] std::size_t count(std::string_view key, std::string_view value) const {
        std::size_t number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (error != std::errc{} || end != value.data() + value.size())
            throw fail(fmt::format("rawfile has {} '{}' (expected a number)", key, value.substr(0, 80)));
        return number;
    }
    /// Lines "<tab>index<tab>name<tab>type", a type possibly followed by attributes.
    std::vector<RawVariable> read_variables(std::size_t number) {
        std::vector<RawVariable> variables;
        while (variables.size() < number) {
            std::string_view text = line();
            const auto word = [&] {
                text = trimmed(text);
                const auto end = std::min(text.find_first_of(" \t"), text.size());
                std::string result{text.substr(0, end)};
                text.remove_prefix(end);
                return result;
            };
            const std::string index = word();
            std::string name = word();
            std::string type = word();
            if (index != std::to_string(variables.size()) || type.empty())
                throw fail(fmt::format("rawfile has no line for variable {}", variables.size()));
            variables.push_back({std::move(name), std::move(type)});
        }
        return variables;
    }
    std::vector<std::vector<double>> columns(std::size_t variables, std::size_t points) {
        if (points > rest_.size() / sizeof(double) / variables)
            throw fail(
                fmt::format("rawfile has {} bytes of data (expected {} points of {} variables; is it cut off?)", rest_.size(), points, variables));
        std::vector<std::vector<double>> result(variables, std::vector<double>(points));
        for (std::size_t i = 0; i < points; ++i)
            for (std::size_t k = 0; k < variables; ++k)
                std::memcpy(&result[k][i], rest_.data() + (i * variables + k) * sizeof(double), sizeof(double));
        rest_.remove_prefix(points * variables * sizeof(double));
        return result;
    }

    std::string_view rest_;
    const std::string& file_;
};

}  // namespace

RawWriter::RawWriter(std::filesystem::path path, std::size_t variables)
    : path_{std::move(path)}, temporary_{temporary_name(path_)}, file_{std::fopen(temporary_.c_str(), "wbe")}, variables_{variables} {
    if (!file_) throw failure();
}

// The object is complete once the other constructor returns, so its destructor removes the file if the header cannot be written.
RawWriter::RawWriter(std::filesystem::path path, const RawHeader& header) : RawWriter{std::move(path), header.variables.size()} {
    std::string text = fmt::format("Title: {}\nDate: {}\nPlotname: {}\nFlags: real\nNo. Variables: {}\nNo. Points: ", one_line(header.title),
                                   one_line(header.date), one_line(header.plot), variables_);
    points_position_ = static_cast<long>(text.size());
    text += fmt::format("{:<20}\nVariables:\n", 0);  // 20 digits hold any count
    for (std::size_t k = 0; k < variables_; ++k)
        text += fmt::format("\t{}\t{}\t{}\n", k, one_word(header.variables[k].name), one_word(header.variables[k].type));
    text += "Binary:\n";
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) throw failure();
}

RawWriter::~RawWriter() {
    if (!file_) return;
    file_.reset();
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
}

std::runtime_error RawWriter::failure() const { return std::runtime_error{fmt::format("cannot write {}: {}", path_.string(), std::strerror(errno))}; }

void RawWriter::append(std::span<const double> point) {
    if (point.size() != variables_) throw std::logic_error{"rawfile: a point needs one value per variable"};
    if (std::fwrite(point.data(), sizeof(double), point.size(), file_.get()) != point.size()) throw failure();
    ++points_;
}

void RawWriter::finish() {
    std::FILE* const file = file_.get();
    if (std::fseek(file, points_position_, SEEK_SET) != 0 || std::fputs(std::to_string(points_).c_str(), file) < 0 || std::fflush(file) != 0 ||
        ::fsync(::fileno(file)) != 0)
        throw failure();
    std::filesystem::rename(temporary_, path_);
    file_.reset();
}

std::vector<RawPlot> read_raw(const std::filesystem::path& path) {
    const std::string bytes = read_file(path);
    const std::string file = path.string();
    RawReader reader{bytes, file};
    std::vector<RawPlot> plots;
    do plots.push_back(reader.read());
    while (!reader.at_end());
    return plots;
}

}  // namespace entrain::io

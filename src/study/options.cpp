#include "study/options.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace entrain::study {
namespace {

/// The text after "word: ", trimmed; nothing if `text` does not begin so.
std::optional<std::string> after(const std::string& text, const std::string& word) {
    if (!text.starts_with(word + ":")) return std::nullopt;
    const std::size_t begin = text.find_first_not_of(' ', word.size() + 1);
    return begin == std::string::npos ? "" : text.substr(begin);
}

WordField read_time_field(ReadTime& read_time, const bool& dimensionless) {
    return {{"slowest", "quantile: 0.99", "fixed: 40 ns"},
            [&read_time, &dimensionless](const std::string& text) -> std::string {
                try {
                    if (text == "slowest") {
                        read_time = {};
                    } else if (const auto q = after(text, "quantile")) {
                        const double value = parse_quantity(*q, "1");
                        if (!(value > 0.0 && value <= 1.0)) return "the quantile must be above 0 and at most 1";
                        read_time = {ReadTime::Kind::quantile, value};
                    } else if (const auto t = after(text, "fixed")) {
                        const double value = parse_quantity(*t, dimensionless ? "1" : unit::Second::symbol);
                        if (!(value > 0.0)) return "the read time must be above 0";
                        read_time = {ReadTime::Kind::fixed, value};
                    } else {
                        return "unknown word";
                    }
                    return "";
                } catch (const std::invalid_argument& error) {
                    return error.what();
                }
            },
            [&read_time, &dimensionless]() -> std::string {
                switch (read_time.kind) {
                    case ReadTime::Kind::quantile:
                        return fmt::format("quantile: {}", read_time.value);
                    case ReadTime::Kind::fixed:
                        return fmt::format("fixed: {}", format_quantity(read_time.value, dimensionless ? "1" : unit::Second::symbol));
                    case ReadTime::Kind::slowest:
                        break;
                }
                return "slowest";
            }};
}

}  // namespace

void ReadoutOptions::describe(FieldVisitor& v) {
    v.quantity("settle_tolerance", settle_tolerance, {1e-6, 1.0}, "settled is: from here on within this angle of the final phase");
    v.choice(
        "correction", correction, {{"offset", readout::Correction::offset}, {"offset_slope", readout::Correction::offset_slope}},
        "what is removed from the raw phase: the constant offset (what hardware can do) or offset and slope in the drive (needs the digital answer)");
    v.word("read_time", read_time_field(read_time, dimensionless),
           "when the array is read: at the slowest settled oscillator, at a quantile of the settling times, or at a fixed time");
    v.word("max_periods",
           {{"auto", "20000"},
            [this](const std::string& text) -> std::string {
                if (text == "auto") {
                    max_periods.reset();
                    return "";
                }
                try {
                    const double value = parse_quantity(text, "1");
                    if (!(value >= 1.0 && value <= 1e9)) return "the number of periods must be between 1 and 1e9";
                    max_periods = value;
                    return "";
                } catch (const std::invalid_argument&) {
                    return "expected auto or a number of periods";
                }
            },
            [this] { return max_periods ? fmt::format("{}", *max_periods) : std::string{"auto"}; }},
           "simulated periods after which an oscillator is unsettled; auto: enough for drive 0.02 from 179 deg to 0.02 deg");
}

void Start::describe(FieldVisitor& v) {
    v.word("start",
           {{"random", "fixed: 0 deg"},
            [this](const std::string& text) -> std::string {
                if (text == "random") {
                    fixed_phase.reset();
                    return "";
                }
                if (text == "sequential") return "sequential start comes with the energy work; expected random or 'fixed: 0 deg' until then";
                const auto phase = after(text, "fixed");
                if (!phase) return "unknown word";
                try {
                    fixed_phase = parse_quantity(*phase, unit::Radian::symbol);
                    return "";
                } catch (const std::invalid_argument& error) {
                    return error.what();
                }
            },
            [this] { return fixed_phase ? fmt::format("fixed: {}", format_quantity(*fixed_phase, unit::Radian::symbol)) : std::string{"random"}; }},
           "start phases of the free oscillators, the same for every substrate and engine; never this query's solution");
}

void SimulationOptions::describe(FieldVisitor& v) {
    v.integer("points_per_period", points_per_period, 16, 10000,
              "fixed time steps per period, of circuits and of the calibration a phase model rests on");
    v.choice("crossbar", crossbar, {{"reduced", problem::Crossbar::reduced}, {"full", problem::Crossbar::full}},
             "circuits: one summed current per oscillator, or every anchor and crosspoint in the netlist");
}

}  // namespace entrain::study

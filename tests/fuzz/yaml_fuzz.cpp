// Feeds arbitrary bytes through everything a configuration file or --set passes: whatever is written, the answer is a value or a UserError.
// The first line of the input is a --set assignment, the rest the file.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.hpp"
#include "config/reader.hpp"

namespace {

using namespace entrain;

enum class Coupling { softplus, relu_eps };

/// Every kind of field.
struct Options {
    std::int64_t version = 0;
    Coupling coupling = Coupling::softplus;
    bool causal = false;
    std::string prefix;
    std::vector<std::int64_t> sequences;
    double injection = 0.2;
    std::optional<double> rate;
    std::optional<std::int64_t> bits;
    Hertz frequency{1e9};
    Radians tolerance{0.1};
    std::string start = "random";
    std::vector<RawEntry> parameters;

    void describe(FieldVisitor& v) {
        v.integer("version", version, 1, 1, "");
        v.section(
            "layer",
            [this](FieldVisitor& inner) {
                inner.choice("coupling", coupling, {{"softplus", Coupling::softplus}, {"relu_eps", Coupling::relu_eps}}, "");
                inner.flag("causal", causal, "");
                inner.text("prefix", prefix, "");
                inner.integers("sequences", sequences, 0, 1 << 20, "");
            },
            "");
        v.number("injection", injection, {1e-3, 2.0}, "");
        v.number("rate", rate, fraction, "");
        v.integer("bits", bits, 1, 32, "");
        v.quantity("frequency", frequency, {1e6, 1e12}, "");
        v.quantity("tolerance", tolerance, positive, "");
        v.word(
            "start",
            WordField{{"random", "fixed: 0 deg"}, [this](const std::string& text) { return start = text, std::string{}; }, [this] { return start; }},
            "");
        v.raw_map("parameters", parameters, "");
    }
};

std::string echo(Options& options) {
    config::Echo out;
    options.describe(out);
    return out.yaml();
}

Options read(const config::Node& root) {
    Diagnostics diagnostics;
    config::Places places;
    Options options;
    config::Reader reader{root, "", diagnostics, places};
    reader.require({"version", "layer.coupling"});
    options.describe(reader);
    reader.finish();
    diagnostics.throw_if_any();
    return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input{reinterpret_cast<const char*>(data), size};
    const std::size_t end = std::min(input.find('\n'), size);
    const std::string assignment{input.substr(0, end)};
    const std::string_view text = input.substr(std::min(end + 1, size));
    try {
        config::Node root = config::parse(text, "fuzz.yaml");
        try {
            config::apply_override(root, assignment);
        } catch (const UserError&) {
        }
        Options options = read(root);
        const std::string written = echo(options);
        Options again = read(config::parse(written, "echo.yaml"));
        if (echo(again) != written) std::abort();  // what was read is written so that it reads back
    } catch (const UserError&) {
    }
    return 0;
}

#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/fields.hpp"

namespace entrain::config {

enum class Coupling { softplus, relu_eps };

struct ExampleLayer {
    std::int64_t heads = 1;
    std::vector<std::int64_t> sequences;
    Radians tolerance{radians(1.0)};
    bool operator==(const ExampleLayer&) const = default;

    void describe(FieldVisitor& v) {
        v.integer("heads", heads, 1, std::numeric_limits<std::int64_t>::max(), "attention heads");
        v.integers("sequences", sequences, -1000, 1000, "sequences to run");
        v.quantity("tolerance", tolerance, {1e-6, 1.0}, "settled is within this angle");
    }
};

struct ExampleFile {
    std::string file;
    std::int64_t section = 0;
    bool operator==(const ExampleFile&) const = default;

    void describe(FieldVisitor& v) {
        v.text("file", file, "name of the file");
        v.integer("section", section, 0, 9, "which part of it");
    }
};

/// One field of every kind.
struct ExampleOptions {
    std::int64_t seed = 1;
    std::optional<std::int64_t> bits;
    double injection = 0.2;
    std::optional<double> rate;
    bool causal = false;
    std::string prefix;
    Hertz frequency{1e9};
    Coupling coupling = Coupling::softplus;
    std::string read_time = "slowest";
    ExampleLayer layer;
    std::vector<ExampleFile> models;
    std::vector<RawEntry> parameters;

    void describe(FieldVisitor& v) {
        v.integer("seed", seed, 0, std::numeric_limits<std::int64_t>::max(), "seed of all random streams");
        v.integer("bits", bits, 1, 32, "weight resolution");
        v.number("injection", injection, {1e-3, 2.0}, "full-scale injected current over oscillator current");
        v.number("rate", rate, positive, "coupling rate");
        v.flag("causal", causal, "mask later tokens");
        v.text("prefix", prefix, "of tensor names");
        v.quantity("frequency", frequency, {1e6, 1e12}, "free-running frequency");
        v.choice("coupling", coupling, {{"softplus", Coupling::softplus}, {"relu_eps", Coupling::relu_eps}}, "coupling function");
        v.word("read_time",
               {{"slowest", "quantile: 0.99"},
                [this](const std::string& text) -> std::string {
                    if (text != "slowest" && !text.starts_with("quantile: ")) return "unknown form";
                    read_time = text;
                    return "";
                },
                [this] { return read_time; }},
               "when the array is read");
        v.section(
            "layer", [this](FieldVisitor& inner) { layer.describe(inner); }, "the trained layer");
        v.sections("models", models, "model files");
        v.raw_map("parameters", parameters, "model parameters");
    }
};

}  // namespace entrain::config

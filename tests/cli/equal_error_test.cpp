#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>

#include "io/json.hpp"
#include "support/program.hpp"
#include "unit/io/tensor_bytes.hpp"

// compare with an equal phase error: what is predicted is what circuits then show, on the shipped layer and on one that has nothing to do with it.

namespace {

using namespace entrain;
using entrain::test::source_file;
using entrain::test::TemporaryFolder;
using testing::HasSubstr;

std::string config(const std::string& weights, const std::string& inputs, int heads) {
    return "version: 1\nlayer: {mechanism: fixed_query, weights: " + weights + ", inputs: " + inputs + ", heads: " + std::to_string(heads) + "}\n" +
           "compare: {equal: error, target: 1 deg}\n";
}

/// Numbers in (-1, 1); the generator's bits are the same everywhere.
std::string uniform(std::mt19937_64& bits, std::size_t count, bool on_circle = false) {
    std::vector<double> values;
    while (values.size() < count) {
        const double x = std::ldexp(static_cast<double>(bits() >> 11), -52) - 1.0;
        if (!on_circle) {
            values.push_back(x);
            continue;
        }
        values.push_back(std::cos(std::numbers::pi * x));
        values.push_back(std::sin(std::numbers::pi * x));
    }
    return test::f64(values);
}

/// A layer of two heads with random weights and anchors, and three inputs of ten tokens.
std::string random_layer(const TemporaryFolder& folder) {
    std::mt19937_64 bits{5};
    constexpr std::size_t h = 2, dh = 4, d = 8, t = 10, s = 3;
    std::vector<test::RawTensor> layer;
    for (const char* name : {"W_q.weight", "W_k.weight", "W_v.weight"}) layer.push_back({name, "F64", {h * dh, d}, uniform(bits, h * dh * d)});
    layer.push_back({"W_o.weight", "F64", {d, h * dh}, uniform(bits, d * h * dh)});
    layer.push_back({"W_o.bias", "F64", {d}, uniform(bits, d)});
    layer.push_back({"anchors", "F64", {h, t, 2}, uniform(bits, h * t * 2, true)});
    const std::string weights = folder.write("layer.safetensors", test::safetensors(layer));
    const std::string inputs = folder.write("inputs.safetensors", test::safetensors({{"x", "F64", {s, t, d}, uniform(bits, s * t * d)}}));
    return config(weights, inputs, static_cast<int>(h));
}

std::string shipped_layer() {
    return config(source_file("models/attention/sva/layer.safetensors"), source_file("models/attention/sva/inputs.safetensors"), 1);
}

io::Json compared(const TemporaryFolder& folder, const std::string& yaml, std::vector<std::string> extra = {}) {
    const std::string out = (folder.path() / "out").string();
    std::vector<std::string> arguments = {"compare", folder.write("c.yaml", yaml), "--out", out, "--quiet", "--force"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    const auto ran = test::entrain(arguments);
    EXPECT_EQ(ran.status, 0) << ran.err << ran.out;
    return io::read_json(out + "/compare.json");
}

double number(const io::Json& row, const std::string& pointer) { return row.at(io::Json::json_pointer{pointer}).get<double>(); }

/// A circuit confirms the prediction within 20 %: the bound set for this mode.
void expect_confirmed(const io::Json& row, double target_deg) {
    const double predicted = number(row, "/equal_error/predicted/phase_rms_deg");
    EXPECT_NEAR(predicted, target_deg, 1e-6 * target_deg) << row["name"];
    EXPECT_NEAR(number(row, "/equal_error/measured/phase_rms_deg"), predicted, 0.2 * predicted) << row["name"];
    EXPECT_EQ(row["equal_error"]["measured"]["phase_rms_deg"], row["error_at_read"]["phase_rms_deg"]);
    const double terms = std::hypot(number(row, "/equal_error/predicted/settling_deg"), number(row, "/equal_error/predicted/calibration_deg"));
    EXPECT_NEAR(terms, predicted, 1e-9);
    EXPECT_EQ(row["settling"]["read_time_s"], row["equal_error"]["read_time_s"]);
}

TEST(EqualError, CircuitsConfirmThePredictionOnTheShippedLayer) {
    const TemporaryFolder folder;
    const io::Json json = compared(
        folder,
        shipped_layer() + "substrates: [{kind: lc}, {kind: ideal}, {kind: josephson}, {kind: ring}]\nengines: [{kind: ngspice}, {kind: phase}]\n",
        {"--set", "layer.sequences=[1, 2, 3, 4]"});
    EXPECT_EQ(json["equal"]["mode"], "error");
    EXPECT_NEAR(json["equal"]["target_deg"].get<double>(), 1.0, 1e-12);
    EXPECT_THAT(json["equal"]["formula"].get<std::string>(), HasSubstr("settling^2"));
    ASSERT_EQ(json["rows"].size(), 7U);
    const io::Json& circuit = json["rows"][0];
    const io::Json& model = json["rows"][1];
    const io::Json& textbook = json["rows"][2];
    expect_confirmed(circuit, 1.0);
    expect_confirmed(json["rows"][3], 1.0);
    expect_confirmed(json["rows"][5], 1.0);
    EXPECT_EQ(circuit["substrate"]["injection"], circuit["equal_error"]["injection"]);
    EXPECT_EQ(model["equal_error"]["predicted"], circuit["equal_error"]["predicted"]);
    // Without a circuit the ledger charges calibrated power times the read time: what the prediction did.
    const double energy = number(model, "/equal_error/predicted/energy_per_query_j");
    EXPECT_NEAR(number(model, "/equal_error/measured/energy_per_query_j"), energy, 1e-9 * energy);
    // The textbook oscillator follows the closed form; the phase engine reads 1e-6 of it.
    EXPECT_NEAR(number(textbook, "/equal_error/measured/phase_rms_deg"), 1.0, 1e-4);
    EXPECT_TRUE(textbook["equal_error"]["injection"].is_null());

    // A row's own file runs at the operating point that was chosen.
    const std::string again = (folder.path() / "again").string();
    ASSERT_EQ(test::entrain({"run", (folder.path() / "out/lc-phase/resolved.yaml").string(), "--out", again, "--quiet"}).status, 0);
    EXPECT_EQ(io::read_json(again + "/result.json")["error_at_read"], model["error_at_read"]);
}

TEST(EqualError, CircuitsConfirmThePredictionOnALayerWithRandomWeights) {
    const TemporaryFolder folder;
    const io::Json json =
        compared(folder, random_layer(folder) + "substrates: [{kind: lc}, {kind: cdw}]\nengines: [{kind: ngspice, points_per_period: 200}]\n");
    ASSERT_EQ(json["rows"].size(), 2U);
    for (const io::Json& row : json["rows"]) expect_confirmed(row, 1.0);
}

TEST(EqualError, OtherTargetsOtherReadTimes) {
    const TemporaryFolder folder;
    const std::string rows = "substrates: [{kind: ideal}]\nengines: [{kind: exact}]\n";
    double before = 0.0;
    for (const char* target : {"3 deg", "1 deg", "0.1 deg"}) {
        const io::Json json = compared(folder, random_layer(folder) + rows, {"--set", std::string{"compare.target="} + target});
        const io::Json& row = json["rows"][0];
        EXPECT_NEAR(number(row, "/error_at_read/phase_rms_deg"), std::stod(target), 1e-4 * std::stod(target));  // the log's resolution is 1e-5 rad
        EXPECT_GT(number(row, "/settling/read_time_s"), before);
        before = number(row, "/settling/read_time_s");
    }
}

}  // namespace

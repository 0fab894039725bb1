#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "attention/layer.hpp"
#include "support/program.hpp"
#include "unit/io/tensor_bytes.hpp"

namespace entrain::attention {
namespace {

using test::f32;
using test::f64;
using test::little;
using test::RawTensor;
using testing::AllOf;
using testing::HasSubstr;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
const Location heads_where{"config.yaml", 7, 10};

/// `count` numbers first, first + 1, ...
std::string ramp(std::size_t count, float first) {
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), first);
    return f32(values);
}

/// H = 2, dh = 3, D = 4, Tmax = 5, d = 2.
std::vector<RawTensor> layer_tensors(const std::string& prefix = "") {
    return {{prefix + "W_q.weight", "F32", {6, 4}, ramp(24, 100)}, {prefix + "W_k.weight", "F32", {6, 4}, ramp(24, 200)},
            {prefix + "W_v.weight", "F32", {6, 4}, ramp(24, 300)}, {prefix + "W_o.weight", "F32", {4, 6}, ramp(24, 400)},
            {prefix + "W_o.bias", "F32", {4}, ramp(4, 500)},       {prefix + "anchors", "F32", {2, 5, 2}, ramp(20, 600)}};
}

class LayerFile : public testing::Test {
 protected:
    test::TemporaryFolder folder_;

    [[nodiscard]] Layer load(const std::vector<RawTensor>& tensors, int heads = 2, const std::string& prefix = "") const {
        return load_layer(folder_.write("layer.safetensors", safetensors(tensors)), prefix, heads, heads_where);
    }
    [[nodiscard]] std::string refusal(const std::vector<RawTensor>& tensors, int heads = 2, const std::string& prefix = "") const {
        try {
            static_cast<void>(load(tensors, heads, prefix));
        } catch (const UserError& error) {
            return error.what();
        }
        ADD_FAILURE() << "the layer was accepted";
        return "";
    }
    /// The layer with one tensor replaced, or left out.
    [[nodiscard]] std::string refusal_with(std::size_t position, const std::optional<RawTensor>& tensor) const {
        auto tensors = layer_tensors();
        if (tensor)
            tensors[position] = *tensor;
        else
            tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(position));
        return refusal(tensors);
    }

    [[nodiscard]] std::vector<Sequence> sequences(const std::vector<RawTensor>& tensors) const {
        return load_sequences(folder_.write("inputs.safetensors", safetensors(tensors)), load(layer_tensors()));
    }
    [[nodiscard]] std::string sequences_refusal(const std::vector<RawTensor>& tensors) const {
        try {
            static_cast<void>(sequences(tensors));
        } catch (const UserError& error) {
            return error.what();
        }
        ADD_FAILURE() << "the inputs were accepted";
        return "";
    }
};

TEST_F(LayerFile, FillsTheLayerRowByRow) {
    const Layer layer = load(layer_tensors());
    EXPECT_EQ(layer.heads, 2);
    EXPECT_EQ(layer.head_dimension, 3);
    EXPECT_EQ(layer.model_dimension, 4);
    EXPECT_EQ(layer.max_tokens, 5);
    EXPECT_EQ(layer.oscillator_dimension, 2);
    EXPECT_EQ(layer.w_q(0, 1), 101);
    EXPECT_EQ(layer.w_k(1, 0), 204);
    EXPECT_EQ(layer.w_v(5, 3), 323);
    EXPECT_EQ(layer.w_o.rows(), 4);
    EXPECT_EQ(layer.w_o(1, 0), 406);
    EXPECT_EQ(layer.b_o(3), 503);
    ASSERT_EQ(layer.anchors.size(), 2U);
    EXPECT_EQ(layer.anchors[0](1, 0), 602);
    EXPECT_EQ(layer.anchors[1](4, 1), 619);
}

TEST_F(LayerFile, PicksALayerOutOfAStateDict) {
    auto tensors = layer_tensors("layers.0.attn.");
    tensors.push_back({"embedding", "I64", {1}, std::string(8, '\0')});
    EXPECT_EQ(load(tensors, 2, "layers.0.attn.").w_q(0, 1), 101);
}

TEST_F(LayerFile, AcceptsEveryFloatingPointType) {
    auto tensors = layer_tensors();
    tensors[4] = {"W_o.bias", "F64", {4}, f64({0.1, 0.2, 0.3, 0.4})};
    EXPECT_EQ(load(tensors).b_o(0), 0.1);
    tensors[4] = {"W_o.bias", "F16", {4}, little(0x3c00, 2) + little(0xc000, 2) + little(0, 2) + little(0, 2)};
    EXPECT_EQ(load(tensors).b_o(1), -2.0);
    tensors[4] = {"W_o.bias", "BF16", {4}, little(0x3f80, 2) + little(0xc000, 2) + little(0, 2) + little(0, 2)};
    EXPECT_EQ(load(tensors).b_o(1), -2.0);
}

TEST_F(LayerFile, ReadsNpz) {
    const std::vector<std::pair<std::string, std::string>> shapes = {{"W_q.weight", "(6, 4)"}, {"W_k.weight", "(6, 4)"}, {"W_v.weight", "(6, 4)"},
                                                                     {"W_o.weight", "(4, 6)"}, {"W_o.bias", "(4,)"},     {"anchors", "(2, 5, 2)"}};
    std::vector<test::ZipMember> members;
    const auto tensors = layer_tensors();
    for (std::size_t i = 0; i < shapes.size(); ++i)
        members.push_back(
            {shapes[i].first + ".npy", test::npy("{'descr': '<f4', 'fortran_order': False, 'shape': " + shapes[i].second + ", }", tensors[i].data)});
    const Layer layer = load_layer(folder_.write("layer.npz", test::zip(members)), "", 2, heads_where);
    EXPECT_EQ(layer.w_v(5, 3), 323);
    EXPECT_EQ(layer.anchors[1](4, 1), 619);
}

TEST_F(LayerFile, NamesEveryMissingTensorAndSuggestsThePrefix) {
    EXPECT_THAT(refusal_with(5, std::nullopt), HasSubstr("layer.safetensors: has no tensor 'anchors' (the file has 'W_k.weight', 'W_o.bias', "));
    EXPECT_THAT(refusal(layer_tensors("layers.0.attn."), 2, "layers.attn."),
                AllOf(HasSubstr("has no tensor 'layers.attn.W_q.weight', 'layers.attn.W_k.weight', 'layers.attn.W_v.weight', "),
                      HasSubstr("Did you mean prefix: 'layers.0.attn.'?")));
    EXPECT_THAT(refusal(layer_tensors("layers.0.attn."), 2, "layers.0.attn"), HasSubstr("Did you mean prefix: 'layers.0.attn.'?"));
    auto two = layer_tensors("layers.0.attn.");
    for (const auto& tensor : layer_tensors("layers.1.attn.")) two.push_back(tensor);
    EXPECT_THAT(refusal(two, 2, "layers.2.attn."), HasSubstr("Did you mean prefix: 'layers.0.attn.' or 'layers.1.attn.'?"));
    EXPECT_THAT(refusal_with(4, RawTensor{"W_o.bais", "F32", {4}, ramp(4, 0)}), HasSubstr("has no tensor 'W_o.bias'"));
    EXPECT_THAT(refusal_with(4, RawTensor{"W_o.bais", "F32", {4}, ramp(4, 0)}), HasSubstr("Did you mean 'W_o.bais'?"));
    EXPECT_THAT(refusal({}), HasSubstr("the file has no tensors"));
}

TEST_F(LayerFile, ReportsWrongHeadsWhereTheyAreConfigured) {
    EXPECT_THAT(refusal(layer_tensors(), 0), HasSubstr("config.yaml:7:10: heads is 0 (expected at least 1)"));
    EXPECT_THAT(refusal(layer_tensors(), -2), HasSubstr("config.yaml:7:10: heads is -2"));
    EXPECT_THAT(refusal(layer_tensors(), 3), AllOf(HasSubstr("config.yaml:7:10: heads is 3 but tensor 'anchors' of "),
                                                   HasSubstr("layer.safetensors has shape [2, 5, 2] (expected heads: 2)")));
    auto tensors = layer_tensors();
    tensors[5] = {"anchors", "F32", {5, 2, 2}, ramp(20, 600)};
    EXPECT_THAT(refusal(tensors, 5), AllOf(HasSubstr("config.yaml:7:10: heads is 5 but tensor 'W_q.weight'"),
                                           HasSubstr("[6, 4] (expected a number of rows divisible by heads)")));
}

TEST_F(LayerFile, RefusesWrongShapes) {
    EXPECT_THAT(refusal_with(0, RawTensor{"W_q.weight", "F32", {24}, ramp(24, 0)}),
                HasSubstr("tensor 'W_q.weight': has shape [24] (expected [heads * head dimension, model dimension])"));
    EXPECT_THAT(refusal_with(1, RawTensor{"W_k.weight", "F32", {4, 6}, ramp(24, 0)}),
                HasSubstr("tensor 'W_k.weight': has shape [4, 6] (expected [6, 4]: as W_q.weight)"));
    EXPECT_THAT(refusal_with(2, RawTensor{"W_v.weight", "F32", {6, 4, 1}, ramp(24, 0)}),
                HasSubstr("tensor 'W_v.weight': has shape [6, 4, 1] (expected [6, 4]"));
    EXPECT_THAT(refusal_with(3, RawTensor{"W_o.weight", "F32", {6, 4}, ramp(24, 0)}),
                HasSubstr("tensor 'W_o.weight': has shape [6, 4] (expected [4, 6]: the transpose of W_q.weight)"));
    EXPECT_THAT(refusal_with(4, RawTensor{"W_o.bias", "F32", {6}, ramp(6, 0)}),
                HasSubstr("tensor 'W_o.bias': has shape [6] (expected [4]: one per row of W_o.weight)"));
    EXPECT_THAT(refusal_with(5, RawTensor{"anchors", "F32", {2, 10}, ramp(20, 0)}),
                HasSubstr("tensor 'anchors': has shape [2, 10] (expected [heads, positions, d] with d at least 2"));
    EXPECT_THAT(refusal_with(5, RawTensor{"anchors", "F32", {2, 5, 1}, ramp(10, 0)}), HasSubstr("d at least 2"));
    EXPECT_THAT(refusal_with(5, RawTensor{"anchors", "F32", {2, 0, 2}, ""}),
                HasSubstr("tensor 'anchors': has shape [2, 0, 2] (expected dimensions from 1 to 2147483647)"));
    EXPECT_THAT(refusal_with(0, RawTensor{"W_q.weight", "F32", {6, 0}, ""}), HasSubstr("has shape [6, 0] (expected dimensions from 1"));
    EXPECT_THAT(refusal_with(0, RawTensor{"W_q.weight", "F32", {}, ramp(1, 0)}), HasSubstr("has shape [] (expected"));
}

TEST_F(LayerFile, RefusesIntegersAndNumbersThatAreNotFinite) {
    EXPECT_THAT(refusal_with(4, RawTensor{"W_o.bias", "I32", {4}, ramp(4, 0)}),
                HasSubstr("tensor 'W_o.bias': has dtype I32 (expected F32, F64, F16 or BF16)"));
    EXPECT_THAT(refusal_with(4, RawTensor{"W_o.bias", "F32", {4}, f32({0, 1, nan, 3})}),
                HasSubstr("tensor 'W_o.bias': value [2] is nan (expected finite numbers)"));
    std::vector<float> anchors(20, 1.0F);
    anchors[13] = -std::numeric_limits<float>::infinity();
    EXPECT_THAT(refusal_with(5, RawTensor{"anchors", "F32", {2, 5, 2}, f32(anchors)}),
                HasSubstr("tensor 'anchors': value [1, 1, 1] is -inf (expected finite numbers)"));
}

TEST_F(LayerFile, RefusesAnchorsWithoutLength) {
    std::vector<float> anchors(20, 1.0F);
    anchors[14] = anchors[15] = 0.0F;
    EXPECT_THAT(refusal_with(5, RawTensor{"anchors", "F32", {2, 5, 2}, f32(anchors)}), HasSubstr("tensor 'anchors': anchor [1, 2] has no length"));
}

TEST_F(LayerFile, ReadsSequencesWithPadding) {
    // 2 sequences of 3 tokens; the last token of the second is padding
    const auto loaded = sequences({{"x", "F32", {2, 3, 4}, ramp(24, 0)},
                                   {"padding", "BOOL", {2, 3}, std::string{"\0\0\0\0\0\1", 6}},
                                   {"labels", "I64", {1}, std::string(8, '\0')}});
    ASSERT_EQ(loaded.size(), 2U);
    EXPECT_EQ(loaded[1].index, 1);
    EXPECT_EQ(loaded[1].tokens(), 3);
    EXPECT_EQ(loaded[1].x(2, 3), 23);
    EXPECT_EQ(loaded[0].x(1, 0), 4);
    EXPECT_EQ(loaded[0].padded, (std::vector<bool>{false, false, false}));
    EXPECT_EQ(loaded[1].padded, (std::vector<bool>{false, false, true}));
    EXPECT_TRUE(sequences({{"x", "F32", {2, 3, 4}, ramp(24, 0)}, {"padding", "U8", {2, 3}, std::string{"\0\0\7\0\0\0", 6}}})[0].padded[2]);
}

TEST_F(LayerFile, ReadsOneSequenceWithoutPadding) {
    const auto loaded = sequences({{"x", "F32", {5, 4}, ramp(20, 0)}});
    ASSERT_EQ(loaded.size(), 1U);
    EXPECT_EQ(loaded[0].tokens(), 5);
    EXPECT_EQ(loaded[0].padded, std::vector<bool>(5, false));
}

TEST_F(LayerFile, RefusesSequencesThatDoNotFitTheLayer) {
    EXPECT_THAT(sequences_refusal({{"y", "F32", {5, 4}, ramp(20, 0)}}), HasSubstr("inputs.safetensors: has no tensor 'x' (the file has 'y')"));
    EXPECT_THAT(sequences_refusal({{"x", "F32", {5, 3}, ramp(15, 0)}}),
                HasSubstr("tensor 'x': has shape [5, 3] (expected [sequences, tokens, 4] or [tokens, 4]: the layer's model dimension is 4)"));
    EXPECT_THAT(sequences_refusal({{"x", "F32", {4}, ramp(4, 0)}}), HasSubstr("has shape [4] (expected [sequences, tokens, 4]"));
    EXPECT_THAT(sequences_refusal({{"x", "F32", {6, 4}, ramp(24, 0)}}),
                HasSubstr("has shape [6, 4] (expected at most 5 tokens: the layer has that many anchors)"));
    EXPECT_THAT(sequences_refusal({{"x", "F32", {0, 5, 4}, ""}}), HasSubstr("has shape [0, 5, 4] (expected dimensions from 1"));
    EXPECT_THAT(sequences_refusal({{"x", "I64", {1, 4}, std::string(32, '\0')}}), HasSubstr("tensor 'x': has dtype I64"));
    EXPECT_THAT(sequences_refusal({{"x", "F32", {2, 4}, f32({0, 1, 2, 3, 4, nan, 6, 7})}}), HasSubstr("tensor 'x': value [1, 1] is nan"));
}

TEST_F(LayerFile, RefusesWrongPadding) {
    const RawTensor x{"x", "F32", {2, 3, 4}, ramp(24, 0)};
    EXPECT_THAT(sequences_refusal({x, {"padding", "BOOL", {3, 2}, std::string(6, '\0')}}),
                HasSubstr("tensor 'padding': has shape [3, 2] (expected [2, 3]: one per token of x)"));
    EXPECT_THAT(sequences_refusal({x, {"padding", "F32", {2, 3}, ramp(6, 0)}}), HasSubstr("tensor 'padding': has dtype F32 (expected BOOL or U8)"));
    EXPECT_THAT(sequences_refusal({x, {"padding", "BOOL", {2, 3}, std::string{"\0\0\0\1\1\1", 6}}}),
                HasSubstr("tensor 'padding': every token of sequence 1 is padded"));
}

}  // namespace
}  // namespace entrain::attention

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "attention/layer.hpp"
#include "io/tensors.hpp"

namespace entrain::attention {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Shape = std::vector<std::size_t>;

constexpr int prefixes_listed = 4;  // a large model has a hundred layers; these show the form

/// Tensors of one file under one prefix, with their mistakes reported by file, tensor, found and expected.
class Source {
 public:
    Source(const std::filesystem::path& file, std::string prefix) : tensors_{file}, prefix_{std::move(prefix)} {}

    [[nodiscard]] Location where() const { return {tensors_.path().string()}; }
    [[nodiscard]] bool has(const std::string& name) const { return tensors_.has(prefix_ + name); }

    [[nodiscard]] UserError error(const std::string& name, const std::string& problem) const {
        return {where(), fmt::format("tensor {}: {}", shown(prefix_ + name), problem)};
    }

    /// Reports all missing tensors at once; a layer inside a larger state dict has them under a prefix, which is suggested.
    void require(const std::vector<std::string>& names) const {
        std::vector<std::string> missing;
        std::string list;
        for (const auto& name : names) {
            if (has(name)) continue;
            list += (missing.empty() ? "" : ", ") + shown(prefix_ + name);
            missing.push_back(name);
        }
        if (!missing.empty())
            throw UserError{where(), fmt::format("has no tensor {} ({}).{}", list, tensors_.listing(), suggestion(missing.front()))};
    }

    /// A tensor of finite floating-point numbers without empty dimensions.
    [[nodiscard]] io::Tensor numbers(const std::string& name) const {
        io::Tensor tensor = get(name);
        if (tensor.dtype != "F32" && tensor.dtype != "F64" && tensor.dtype != "F16" && tensor.dtype != "BF16")
            throw error(name, fmt::format("has dtype {} (expected F32, F64, F16 or BF16)", tensor.dtype));
        const auto bad = std::find_if(tensor.values.begin(), tensor.values.end(), [](double x) { return !std::isfinite(x); });
        if (bad != tensor.values.end())
            throw error(name, fmt::format("value {} is {} (expected finite numbers)",
                                          io::shape_text(index(static_cast<std::size_t>(bad - tensor.values.begin()), tensor.shape)), *bad));
        return tensor;
    }

    /// Any tensor without empty dimensions, each of which fits in an int.
    [[nodiscard]] io::Tensor get(const std::string& name) const {
        io::Tensor tensor = tensors_.get(prefix_ + name);
        for (const std::size_t dimension : tensor.shape)
            if (dimension == 0 || dimension > static_cast<std::size_t>(std::numeric_limits<int>::max()))
                throw error(name, fmt::format("has shape {} (expected dimensions from 1 to 2147483647)", io::shape_text(tensor.shape)));
        return tensor;
    }

    [[nodiscard]] UserError wrong_shape(const std::string& name, const Shape& found, const std::string& expected) const {
        return error(name, fmt::format("has shape {} (expected {})", io::shape_text(found), expected));
    }

 private:
    [[nodiscard]] std::string suggestion(const std::string& name) const {
        std::string prefixes;
        int listed = 0;
        for (const auto& known : tensors_.names())
            if (known.ends_with(name) && listed++ < prefixes_listed)
                prefixes += (prefixes.empty() ? "" : " or ") + shown(known.substr(0, known.size() - name.size()));
        return prefixes.empty() ? did_you_mean(prefix_ + name, tensors_.names()) : fmt::format(" Did you mean prefix: {}?", prefixes);
    }

    /// Position of element `flat` of a row-major tensor.
    static Shape index(std::size_t flat, const Shape& shape) {
        Shape result(shape.size());
        for (std::size_t k = shape.size(); k-- > 0;) {
            result[k] = flat % shape[k];
            flat /= shape[k];
        }
        return result;
    }

    io::TensorFile tensors_;
    std::string prefix_;
};

/// Rows [first, first + rows) of a tensor seen as a table of `columns` columns.
Eigen::MatrixXd table(const io::Tensor& tensor, std::size_t first, std::size_t rows, std::size_t columns) {
    return Eigen::Map<const RowMajor>(tensor.values.data() + first * columns, static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns));
}

Eigen::MatrixXd matrix(const Source& source, const std::string& name, std::size_t rows, std::size_t columns, const std::string& because) {
    const io::Tensor tensor = source.numbers(name);
    if (tensor.shape != Shape{rows, columns})
        throw source.wrong_shape(name, tensor.shape, fmt::format("{}: {}", io::shape_text({rows, columns}), because));
    return table(tensor, 0, rows, columns);
}

/// [Tmax x d] of each head; every anchor has a direction.
std::vector<Eigen::MatrixXd> split_anchors(const Source& source, const io::Tensor& tensor) {
    const std::size_t positions = tensor.shape[1];
    std::vector<Eigen::MatrixXd> anchors;
    for (std::size_t head = 0; head < tensor.shape[0]; ++head) {
        anchors.push_back(table(tensor, head * positions, positions, tensor.shape[2]));
        for (Eigen::Index j = 0; j < anchors.back().rows(); ++j)
            if (!(anchors.back().row(j).stableNorm() > 0.0))
                throw source.error("anchors",
                                   fmt::format("anchor [{}, {}] has no length, so it points nowhere (expected a vector that is not zero)", head, j));
    }
    return anchors;
}

}  // namespace

Layer load_layer(const std::filesystem::path& file, const std::string& prefix, int heads, const Location& heads_where) {
    if (heads < 1) throw UserError{heads_where, fmt::format("heads is {} (expected at least 1)", heads)};
    const Source source{file, prefix};
    source.require({"W_q.weight", "W_k.weight", "W_v.weight", "W_o.weight", "W_o.bias", "anchors"});

    const io::Tensor anchors = source.numbers("anchors");
    if (anchors.shape.size() != 3 || anchors.shape[2] < 2)
        throw source.wrong_shape("anchors", anchors.shape, "[heads, positions, d] with d at least 2: anchors are directions");
    if (anchors.shape[0] != static_cast<std::size_t>(heads))
        throw UserError{heads_where, fmt::format("heads is {} but tensor {} of {} has shape {} (expected heads: {})", heads,
                                                 shown(prefix + "anchors"), file.string(), io::shape_text(anchors.shape), anchors.shape[0])};
    const io::Tensor w_q = source.numbers("W_q.weight");
    if (w_q.shape.size() != 2) throw source.wrong_shape("W_q.weight", w_q.shape, "[heads * head dimension, model dimension]");
    const std::size_t rows = w_q.shape[0];
    const std::size_t columns = w_q.shape[1];
    if (rows % anchors.shape[0] != 0)
        throw UserError{heads_where, fmt::format("heads is {} but tensor {} of {} has shape {} (expected a number of rows divisible by heads)", heads,
                                                 shown(prefix + "W_q.weight"), file.string(), io::shape_text(w_q.shape))};

    Layer layer;
    layer.heads = heads;
    layer.head_dimension = static_cast<int>(rows) / heads;
    layer.model_dimension = static_cast<int>(columns);
    layer.max_tokens = static_cast<int>(anchors.shape[1]);
    layer.oscillator_dimension = static_cast<int>(anchors.shape[2]);
    layer.w_q = table(w_q, 0, rows, columns);
    layer.w_k = matrix(source, "W_k.weight", rows, columns, "as W_q.weight");
    layer.w_v = matrix(source, "W_v.weight", rows, columns, "as W_q.weight");
    layer.w_o = matrix(source, "W_o.weight", columns, rows, "the transpose of W_q.weight");
    const io::Tensor bias = source.numbers("W_o.bias");
    if (bias.shape != Shape{columns})
        throw source.wrong_shape("W_o.bias", bias.shape, fmt::format("{}: one per row of W_o.weight", io::shape_text({columns})));
    layer.b_o = Eigen::Map<const Eigen::VectorXd>(bias.values.data(), static_cast<Eigen::Index>(columns));
    layer.anchors = split_anchors(source, anchors);
    return layer;
}

std::vector<Sequence> load_sequences(const std::filesystem::path& file, const Layer& layer) {
    const Source source{file, ""};
    source.require({"x"});
    const io::Tensor x = source.numbers("x");
    const std::size_t rank = x.shape.size();
    if ((rank != 2 && rank != 3) || x.shape[rank - 1] != static_cast<std::size_t>(layer.model_dimension))
        throw source.wrong_shape("x", x.shape,
                                 fmt::format("[sequences, tokens, {0}] or [tokens, {0}]: the layer's model dimension is {0}", layer.model_dimension));
    const std::size_t sequences = rank == 3 ? x.shape[0] : 1;
    const std::size_t tokens = x.shape[rank - 2];
    const std::size_t columns = x.shape[rank - 1];
    if (tokens > static_cast<std::size_t>(layer.max_tokens))
        throw source.wrong_shape("x", x.shape, fmt::format("at most {} tokens: the layer has that many anchors", layer.max_tokens));

    std::vector<double> padding(sequences * tokens, 0.0);
    if (source.has("padding")) {
        io::Tensor tensor = source.get("padding");
        if (tensor.dtype != "BOOL" && tensor.dtype != "U8")
            throw source.error("padding", fmt::format("has dtype {} (expected BOOL or U8)", tensor.dtype));
        if (tensor.shape != Shape{sequences, tokens})
            throw source.wrong_shape("padding", tensor.shape, fmt::format("{}: one per token of x", io::shape_text({sequences, tokens})));
        padding = std::move(tensor.values);
    }

    std::vector<Sequence> result;
    for (std::size_t s = 0; s < sequences; ++s) {
        Sequence sequence;
        sequence.index = static_cast<int>(s);
        sequence.x = table(x, s * tokens, tokens, columns);
        for (std::size_t t = 0; t < tokens; ++t) sequence.padded.push_back(padding[s * tokens + t] != 0.0);
        if (std::find(sequence.padded.begin(), sequence.padded.end(), false) == sequence.padded.end())
            throw source.error("padding", fmt::format("every token of sequence {} is padded (expected at least one that is not)", s));
        result.push_back(std::move(sequence));
    }
    return result;
}

}  // namespace entrain::attention

#include "kernels/panels.hpp"

#include <algorithm>

namespace entrain::kernels {

AlignedArray::AlignedArray(std::size_t size)
    : numbers_{static_cast<double*>(::operator new[](std::max<std::size_t>(size, 1) * sizeof(double), alignment))}, size_{size} {
    std::fill_n(numbers_.get(), size, 0.0);
}

PanelShape panel_shape(std::size_t rows, std::size_t columns, std::size_t width, std::size_t tallest) {
    const std::size_t vectors = (rows + width - 1) / width;
    return {rows, columns, vectors, (vectors + tallest - 1) / tallest};
}

std::size_t panel_size(const PanelShape& shape, std::size_t width) { return shape.vectors * width * shape.columns; }

RowPlace row_place(const PanelShape& shape, std::size_t width, std::size_t row) {
    const std::size_t low = shape.vectors / shape.panels;
    const std::size_t higher = shape.vectors % shape.panels;  // panels of low + 1 vectors, which come first
    const std::size_t vector = row / width;
    const std::size_t in_higher = higher * (low + 1);
    const std::size_t height = vector < in_higher ? low + 1 : low;
    const std::size_t above = vector < in_higher ? vector - vector % height : vector - (vector - in_higher) % height;  // vectors before this panel
    return {above * width * shape.columns + (vector - above) * width + row % width, height * width};
}

}  // namespace entrain::kernels

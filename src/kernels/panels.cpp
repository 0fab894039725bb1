#include "kernels/panels.hpp"

#include <sys/mman.h>

#include <algorithm>

namespace entrain::kernels {

namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20U;

double* allocate(std::size_t bytes, std::align_val_t alignment) {
    auto* numbers = static_cast<double*>(::operator new[](bytes, alignment));
#ifdef MADV_HUGEPAGE
    if (alignment >= std::align_val_t{huge_page}) (void)madvise(numbers, bytes, MADV_HUGEPAGE);  // a wish: refused, small pages remain
#endif
    return numbers;
}

}  // namespace

AlignedArray::AlignedArray(std::size_t size) : size_{size} {
    const std::size_t bytes = std::max<std::size_t>(size, 1) * sizeof(double);
    const std::align_val_t alignment{bytes >= 2 * huge_page ? huge_page : 64};
    numbers_ = {allocate(bytes, alignment), Free{alignment}};
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

#pragma once
#include <cstddef>
#include <memory>
#include <new>

#include "kernels/loops.hpp"

namespace entrain::kernels {

/// Zeros, aligned to a cache line, which is also the longest vector; from 4 MB on huge pages where the system has them: a gather from many small
/// pages waits for their addresses.
class AlignedArray {
 public:
    AlignedArray() = default;
    explicit AlignedArray(std::size_t size);
    [[nodiscard]] double* data() { return numbers_.get(); }
    [[nodiscard]] const double* data() const { return numbers_.get(); }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t bytes() const { return size_ * sizeof(double); }

 private:
    struct Free {
        std::align_val_t alignment;
        void operator()(double* numbers) const { ::operator delete[](numbers, alignment); }
    };
    std::unique_ptr<double[], Free> numbers_;
    std::size_t size_ = 0;
};

[[nodiscard]] PanelShape panel_shape(std::size_t rows, std::size_t columns, std::size_t width, std::size_t tallest);

/// Numbers in all panels, padding included.
[[nodiscard]] std::size_t panel_size(const PanelShape& shape, std::size_t width);

/// Where a row lies in the panels: column j at first + j stride.
struct RowPlace {
    std::size_t first = 0;
    std::size_t stride = 0;
};
[[nodiscard]] RowPlace row_place(const PanelShape& shape, std::size_t width, std::size_t row);

}  // namespace entrain::kernels

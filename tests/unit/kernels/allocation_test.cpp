#include <cmath>
#include <cstdlib>
#include <new>

#include "kernels/closed_form.hpp"
#include "kernels/coupling_matrix.hpp"
#include "kernels/fixed_query_pass.hpp"
#include "kernels/rates.hpp"
#include "kernels/trigonometry.hpp"
#include "unit/kernels/sets.hpp"

namespace {

long allocations = 0;

void* counted(std::size_t size, std::size_t alignment) {
    ++allocations;
    void* memory = nullptr;
    if (posix_memalign(&memory, alignment, size) != 0) throw std::bad_alloc{};
    return memory;
}

}  // namespace

// All forms that the library may use, so that none of its own meets one of these. The compiler inlines one of a pair and takes the other for the
// library's (GCC bug 103993).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, const std::nothrow_t& /*none*/) noexcept { return std::malloc(size); }
void* operator new[](std::size_t size, const std::nothrow_t& /*none*/) noexcept { return std::malloc(size); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counted(size, static_cast<std::size_t>(alignment)); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return counted(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t /*alignment*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept { std::free(memory); }

namespace entrain::kernels {
namespace {

class Loops : public EachInstructionSet {};

TEST_P(Loops, AllocatesNothingPerCall) {
    constexpr std::size_t n = 98;
    constexpr std::size_t d = 8;
    Draw draw{17};
    std::vector<Entry> dense;
    std::vector<Entry> sparse;
    for (std::uint32_t i = 0; i < n; ++i)
        for (std::uint32_t j = 0; j < n; ++j) {
            dense.push_back({i, j, {draw.between(-1.0, 1.0), draw.between(-1.0, 1.0)}});
            if (i == j) sparse.push_back(dense.back());
        }
    const auto dense_matrix = coupling_matrix(n, dense, GetParam());
    const auto sparse_matrix = coupling_matrix(n, sparse, GetParam());
    const std::vector<double> a = draw.many(n * n, -1.0, 1.0);
    std::vector<double> b(n * n), c(n * n), e(n * n);
    WeightedPass weighted{n, n, a.data(), GetParam()};
    ScoredPass scored{n, n, d, GetParam()};
    AttentionPass attention{n, d, d, a.data(), a.data(), GetParam()};
    const FreeOscillators free{a.data(), a.data(), a.data(), 1.0};

    const auto calls = [&] {
        sincos(n, a.data(), b.data(), c.data(), GetParam());
        rates(n, a.data(), a.data(), a.data(), a.data(), a.data(), e.data(), GetParam());
        dense_matrix->apply(a.data(), a.data(), b.data(), c.data());
        sparse_matrix->apply(a.data(), a.data(), b.data(), c.data());
        planar_states(n, a.data(), a.data(), a.data(), a.data(), a.data(), a.data(), b.data(), c.data(), GetParam());
        sphere_states(n, d, a.data(), a.data(), a.data(), b.data(), GetParam());
        weighted.states({a.data(), a.data()}, free, b.data(), c.data());
        scored.states(a.data(), a.data(), {a.data(), a.data()}, free, b.data(), c.data());
        attention.rows(a.data(), {a.data(), a.data()}, b.data());
    };
    const long before = allocations;
    calls();
    EXPECT_EQ(allocations, before);
    (void)coupling_matrix(n, sparse, GetParam());
    EXPECT_GT(allocations, before);  // they are counted
}

INSTANTIATE_TEST_SUITE_P(Each, Loops, each_set, set_name);

}  // namespace
}  // namespace entrain::kernels

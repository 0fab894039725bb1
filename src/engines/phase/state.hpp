#pragma once
#include <cstddef>
#include <new>
#include <vector>

namespace entrain::engines::phase {

/// Memory that starts on a cache line: vector loads of the loops over a state never straddle two.
template <class T>
struct CacheLineAllocator {
    using value_type = T;
    static constexpr std::align_val_t line{64};

    CacheLineAllocator() = default;
    template <class U>
    explicit CacheLineAllocator(const CacheLineAllocator<U>& /*other*/) noexcept {}

    [[nodiscard]] T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), line)); }
    void deallocate(T* p, std::size_t /*n*/) noexcept { ::operator delete(p, line); }
    bool operator==(const CacheLineAllocator& /*other*/) const { return true; }
};

/// State of a component: one unwrapped phase per oscillator (d = 2) or its d components one after the other (d > 2).
using State = std::vector<double, CacheLineAllocator<double>>;

}  // namespace entrain::engines::phase

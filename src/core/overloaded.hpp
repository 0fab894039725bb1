#pragma once

namespace entrain {

/// A visitor made of one lambda per alternative, for std::visit.
template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace entrain

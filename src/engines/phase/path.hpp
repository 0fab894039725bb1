#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "engines/phase/state.hpp"

namespace entrain::engines::phase {

/// The end of a step.
struct Node {
    double time = 0.0;  ///< [s]
    const double* state = nullptr;
    const double* rate = nullptr;  ///< [1/s]
};

/// The last nodes of a run, at most `capacity` of them: the first ones are overwritten when there are more.
class Path {
 public:
    Path(std::size_t numbers, std::size_t capacity) : numbers_{numbers}, capacity_{capacity} {}

    void append(double time, const State& state, const State& rate);

    [[nodiscard]] std::size_t size() const { return size_; }            ///< appended so far
    [[nodiscard]] bool complete() const { return size_ <= capacity_; }  ///< node(0) is still there
    [[nodiscard]] Node node(std::size_t k) const;                       ///< one of the last `capacity`

    [[nodiscard]] static std::size_t bytes_per_node(std::size_t numbers) { return (2 * numbers + 1) * sizeof(double); }

 private:
    [[nodiscard]] std::size_t nodes_per_block() const;

    std::size_t numbers_;
    std::size_t capacity_;
    std::size_t size_ = 0;
    std::vector<State> blocks_;  // of many nodes each: time, state, rate, one after the other
};

/// Polynomial of degree 2 w - 1 that has the states and rates of w neighbouring nodes (Hermite). On the middle one of w - 1 equal steps h it is off
/// by the derivative of order 2 w times 8e-6 h^8 (w = 4), 3e-8 h^12 (w = 6), 3e-3 h^4 (w = 2); on the outermost by three, twenty, one times that.
class Interpolant {
 public:
    static constexpr std::size_t most_nodes = 6;

    explicit Interpolant(std::span<const Node> nodes);

    [[nodiscard]] double at(double time, std::size_t number) const;
    void at(double time, std::span<double> numbers) const;  ///< all of them

 private:
    struct Weights {
        std::array<double, most_nodes> state;
        std::array<double, most_nodes> rate;
    };
    [[nodiscard]] Weights weights(double time) const;

    std::array<Node, most_nodes> nodes_;
    std::size_t count_;
    std::array<double, most_nodes> scale_;  // 1 / product of the distances to the other nodes
    std::array<double, most_nodes> slope_;  // of the node's Lagrange polynomial there
};

}  // namespace entrain::engines::phase

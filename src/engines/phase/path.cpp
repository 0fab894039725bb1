#include "engines/phase/path.hpp"

#include <algorithm>

namespace entrain::engines::phase {

namespace {
constexpr std::size_t block_bytes = 65536;  // single oscillators should not pay for more, and large networks have blocks of one node
}

std::size_t Path::nodes_per_block() const { return std::max<std::size_t>(1, block_bytes / bytes_per_node(numbers_)); }

void Path::append(double time, const State& state, const State& rate) {
    const std::size_t place = size_ % capacity_;
    const std::size_t block = place / nodes_per_block();
    const std::size_t stride = 2 * numbers_ + 1;
    if (block == blocks_.size()) {
        blocks_.emplace_back();
        blocks_.back().reserve(std::min(nodes_per_block(), capacity_ - place) * stride);
    }
    State& values = blocks_[block];
    const std::size_t offset = place % nodes_per_block() * stride;
    if (values.size() < offset + stride) values.resize(offset + stride);
    values[offset] = time;
    std::copy(state.begin(), state.end(), values.begin() + static_cast<std::ptrdiff_t>(offset + 1));
    std::copy(rate.begin(), rate.end(), values.begin() + static_cast<std::ptrdiff_t>(offset + 1 + numbers_));
    ++size_;
}

Node Path::node(std::size_t k) const {
    const std::size_t place = k % capacity_;
    const double* const values = blocks_[place / nodes_per_block()].data() + place % nodes_per_block() * (2 * numbers_ + 1);
    return {values[0], values + 1, values + 1 + numbers_};
}

Interpolant::Interpolant(std::span<const Node> nodes) : count_{nodes.size()} {
    std::copy(nodes.begin(), nodes.end(), nodes_.begin());
    for (std::size_t k = 0; k < count_; ++k) {
        double product = 1.0;
        slope_[k] = 0.0;
        for (std::size_t j = 0; j < count_; ++j)
            if (j != k) {
                product *= nodes_[k].time - nodes_[j].time;
                slope_[k] += 1.0 / (nodes_[k].time - nodes_[j].time);
            }
        scale_[k] = 1.0 / product;
    }
}

Interpolant::Weights Interpolant::weights(double time) const {
    Weights result{};
    for (std::size_t k = 0; k < count_; ++k) {
        double lagrange = scale_[k];
        for (std::size_t j = 0; j < count_; ++j)
            if (j != k) lagrange *= time - nodes_[j].time;
        const double away = time - nodes_[k].time;
        result.rate[k] = lagrange * lagrange * away;
        result.state[k] = lagrange * lagrange * (1.0 - 2.0 * slope_[k] * away);
    }
    return result;
}

double Interpolant::at(double time, std::size_t number) const {
    const Weights w = weights(time);
    double sum = 0.0;
    for (std::size_t k = 0; k < count_; ++k) sum += w.state[k] * nodes_[k].state[number] + w.rate[k] * nodes_[k].rate[number];
    return sum;
}

void Interpolant::at(double time, std::span<double> numbers) const {
    const Weights w = weights(time);
    std::fill(numbers.begin(), numbers.end(), 0.0);
    for (std::size_t k = 0; k < count_; ++k) {
        const double* const state = nodes_[k].state;
        const double* const rate = nodes_[k].rate;
        for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] += w.state[k] * state[i] + w.rate[k] * rate[i];
    }
}

}  // namespace entrain::engines::phase

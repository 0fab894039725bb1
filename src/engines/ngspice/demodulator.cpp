#include "engines/ngspice/demodulator.hpp"

#include <algorithm>
#include <cmath>

#include "core/quantity.hpp"

namespace entrain::engines::ngspice {

Demodulator::Demodulator(double frequency, std::size_t signals, std::vector<std::int32_t> harmonics)
    : frequency_{frequency},
      signals_{signals},
      harmonics_{std::move(harmonics)},
      clock_before_(harmonics_.size()),
      clock_after_(harmonics_.size()),
      clock_sum_(harmonics_.size()),
      value_before_(signals),
      value_after_(signals),
      value_sum_(signals),
      square_sum_(signals),
      power_before_(signals),
      power_after_(signals),
      power_sum_(signals),
      product_sum_(signals * harmonics_.size()) {}

void Demodulator::add(double time, std::span<const double> values, std::span<const double> powers) {
    const double turns = frequency_ * time;
    for (std::size_t h = 0; h < harmonics_.size(); ++h) clock_after_[h] = std::polar(1.0, -turn * harmonics_[h] * (turns - std::floor(turns)));
    std::ranges::copy(values, value_after_.begin());
    std::ranges::copy(powers, power_after_.begin());
    if (!started_) {
        // Constant back to the start of the first period; the clock runs on, but h/100 of it is too little to matter.
        clock_before_ = clock_after_;
        value_before_ = value_after_;
        power_before_ = power_after_;
        started_ = true;
    }
    const double step = time - time_;
    double from = 0.0;  // part of the interval already summed
    while (step > 0.0) {
        const double boundary = (static_cast<double>(period_ + 1) / frequency_ - time_) / step;
        const double to = std::min(boundary, 1.0);
        const double middle = 0.5 * (from + to);
        accumulate(step * (to - from) * (1.0 - middle), step * (to - from) * middle);
        if (boundary > 1.0) break;
        close_period();
        from = to;
    }
    time_ = time;
    std::swap(clock_before_, clock_after_);
    std::swap(value_before_, value_after_);
    std::swap(power_before_, power_after_);
}

void Demodulator::accumulate(double weight_before, double weight_after) {
    const std::size_t n = harmonics_.size();
    for (std::size_t h = 0; h < n; ++h) clock_sum_[h] += weight_before * clock_before_[h] + weight_after * clock_after_[h];
    for (std::size_t s = 0; s < signals_; ++s) {
        const double before = weight_before * value_before_[s];
        const double after = weight_after * value_after_[s];
        value_sum_[s] += before + after;
        square_sum_[s] += before * value_before_[s] + after * value_after_[s];
        power_sum_[s] += weight_before * power_before_[s] + weight_after * power_after_[s];
        for (std::size_t h = 0; h < n; ++h) product_sum_[s * n + h] += before * clock_before_[h] + after * clock_after_[h];
    }
}

void Demodulator::close_period() {
    const std::size_t n = harmonics_.size();
    for (std::size_t s = 0; s < signals_; ++s) {
        const double mean = value_sum_[s] * frequency_;
        for (std::size_t h = 0; h < n; ++h) {
            const std::complex<double> c = 2.0 * frequency_ * (product_sum_[s * n + h] - mean * clock_sum_[h]);
            done_.push_back(c.real());
            done_.push_back(c.imag());
        }
        done_.push_back(mean);
        done_.push_back(square_sum_[s] * frequency_ - mean * mean);
        done_.push_back(power_sum_[s] * frequency_);
    }
    std::ranges::fill(clock_sum_, 0.0);
    std::ranges::fill(value_sum_, 0.0);
    std::ranges::fill(square_sum_, 0.0);
    std::ranges::fill(power_sum_, 0.0);
    std::ranges::fill(product_sum_, 0.0);
    ++period_;
}

Periods Demodulator::take() {
    Periods periods{first_, period_ - first_, std::move(done_)};
    done_.clear();
    first_ = period_;
    return periods;
}

}  // namespace entrain::engines::ngspice

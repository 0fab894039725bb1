#include "engines/phase/planar.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/rates.hpp"
#include "kernels/trigonometry.hpp"

namespace entrain::engines::phase {

void multiply(Phasors& a, const Phasors& b) {
    double* const x = a.re.data();
    double* const y = a.im.data();
    const double* const u = b.re.data();
    const double* const v = b.im.data();
    for (std::size_t i = 0, n = a.re.size(); i < n; ++i) {
        const double re = x[i] * u[i] - y[i] * v[i];
        y[i] = x[i] * v[i] + y[i] * u[i];
        x[i] = re;
    }
}

Planar::Planar(State phases, State detuning, State softening, std::vector<Harmonic> harmonics)
    : detuning_{std::move(detuning)}, softening_{std::move(softening)} {
    start = std::move(phases);
    const std::size_t n = start.size();
    if (std::all_of(softening_.begin(), softening_.end(), [](double s) { return s == 0.0; })) softening_.clear();
    // Nothing acts: an empty harmonic spares the loops a case of their own.
    if (harmonics.empty()) harmonics.push_back({1, Phasors{n}, {}, {}});

    State drive(n);
    State coupling(n);
    for (Harmonic& h : harmonics) {
        for (std::size_t i = 0; i < n; ++i) drive[i] += h.order * std::hypot(h.drive.re[i], h.drive.im[i]);
        for (const kernels::Entry& e : h.entries) coupling[e.row] += h.order * magnitude(e.value);
        for (const DelayedEntry& d : h.delayed) {
            coupling[d.entry.row] += h.order * magnitude(d.entry.value);
            memory_ = std::max(memory_, d.delay);
        }
        orders_.push_back(h.order);
        drives_.push_back(std::move(h.drive));
        matrices_.push_back(h.entries.empty() ? nullptr : kernels::coupling_matrix(n, h.entries));
        delayed_.push_back(std::move(h.delayed));
        h.entries = {};  // freed before the next matrix is built
    }
    for (std::size_t i = 0; i < n; ++i) {
        const double steepest = softening_.empty() ? 1.0 : (1.0 + softening_[i]) / (1.0 - softening_[i]);  // at x = pi
        scale = std::max(scale, std::abs(detuning_[i]) + steepest * (drive[i] + coupling[i]));
        // A row of the Jacobian: centre -(drive + coupling) or nearer, radius coupling.
        stiffness = std::max(stiffness, steepest * (0.5 * drive[i] + coupling[i]));
    }

    plain_ = orders_.size() == 1 && orders_[0] == 1 && softening_.empty();
    driven_ = *std::max_element(drive.begin(), drive.end()) > 0.0;
    unit_ = Phasors{n};
    pull_ = Phasors{n};
    power_ = Phasors{orders_.back() > 1 ? n : 0};
    sum_ = Phasors{n};
    if (!softening_.empty()) moment_ = Phasors{n};
    if (plain_ && !driven_) work_.resize(4 * n);
}

std::size_t Planar::matrix_bytes() const {
    std::size_t sum = 0;
    for (const auto& matrix : matrices_) sum += matrix ? matrix->bytes() : 0;
    return sum;
}

/// sum_ = sum over harmonics of factor(m) H_m, which is all that is asked of the network.
template <class Factor>
void Planar::sum_pulls(const State& state, std::span<const Phasors> drives, const Factor& factor) const {
    const std::size_t n = state.size();
    kernels::sincos(n, state.data(), unit_.re.data(), unit_.im.data());
    std::fill(sum_.re.begin(), sum_.re.end(), 0.0);
    std::fill(sum_.im.begin(), sum_.im.end(), 0.0);
    int order = 1;
    for (std::size_t h = 0; h < orders_.size(); ++h) {
        if (orders_[h] > 1 && order == 1) {
            std::copy(unit_.re.begin(), unit_.re.end(), power_.re.begin());
            std::copy(unit_.im.begin(), unit_.im.end(), power_.im.begin());
        }
        for (; order < orders_[h]; ++order) multiply(power_, unit_);
        const Phasors& z = orders_[h] == 1 ? unit_ : power_;
        if (matrices_[h])
            matrices_[h]->apply(z.re.data(), z.im.data(), pull_.re.data(), pull_.im.data());
        else {
            std::fill(pull_.re.begin(), pull_.re.end(), 0.0);
            std::fill(pull_.im.begin(), pull_.im.end(), 0.0);
        }
        const double k = factor(orders_[h]);
        const double* const x = z.re.data();
        const double* const y = z.im.data();
        for (std::size_t i = 0; i < n; ++i) {
            const double re = pull_.re[i] + drives[h].re[i];
            const double im = pull_.im[i] + drives[h].im[i];
            sum_.re[i] += k * (re * x[i] + im * y[i]);
            sum_.im[i] += k * (im * x[i] - re * y[i]);
        }
    }
}

void Planar::derivative(const State& state, State& rate) const {
    if (plain_ && !driven_ && matrices_[0]) {
        matrices_[0]->rates(state.data(), detuning_.data(), work_.data(), rate.data());
        return;
    }
    derivative(state, drives_, rate);
}

void Planar::derivative(const State& state, std::span<const Phasors> drives, State& rate) const {
    const std::size_t n = state.size();
    const double* const detuning = detuning_.data();
    double* const out = rate.data();
    if (plain_) {
        double* const x = unit_.re.data();
        double* const y = unit_.im.data();
        kernels::sincos(n, state.data(), x, y);
        const double* re = drives[0].re.data();
        const double* im = drives[0].im.data();
        if (matrices_[0]) {
            matrices_[0]->apply(x, y, pull_.re.data(), pull_.im.data());
            for (std::size_t i = 0; i < n; ++i) pull_.re[i] += re[i];
            for (std::size_t i = 0; i < n; ++i) pull_.im[i] += im[i];
            re = pull_.re.data();
            im = pull_.im.data();
        }
        kernels::rates(n, x, y, re, im, detuning, out);
        return;
    }
    sum_pulls(state, drives, [](int /*order*/) { return 1.0; });
    if (softening_.empty()) {
        for (std::size_t i = 0; i < n; ++i) out[i] = detuning[i] + sum_.im[i];
        return;
    }
    for (std::size_t i = 0; i < n; ++i) {
        const double size = std::sqrt(sum_.re[i] * sum_.re[i] + sum_.im[i] * sum_.im[i]);
        const double cosine = size > 0.0 ? sum_.re[i] / size : 0.0;
        out[i] = detuning[i] + sum_.im[i] * (1.0 + softening_[i]) / (1.0 + softening_[i] * cosine);
    }
}

void Planar::contraction(const State& state, std::span<double> each) const {
    // Of F(theta) = Im(P) (1 + s)/(1 + s c), c = Re(P)/|P|: dP/dtheta = -i Q, with Q the sum of the pulls times their orders.
    sum_pulls(state, drives_, [](int order) { return static_cast<double>(order); });
    if (softening_.empty()) {
        std::copy(sum_.re.begin(), sum_.re.end(), each.begin());
        return;
    }
    moment_.re = sum_.re;
    moment_.im = sum_.im;
    sum_pulls(state, drives_, [](int /*order*/) { return 1.0; });
    for (std::size_t i = 0; i < state.size(); ++i) {
        const double s = softening_[i];
        const double size = std::hypot(sum_.re[i], sum_.im[i]);
        if (s == 0.0 || size == 0.0) {
            each[i] = moment_.re[i];
            continue;
        }
        const double c = sum_.re[i] / size;
        const double gain = (1.0 + s) / (1.0 + s * c);
        const double growth = (c * moment_.im[i] - sum_.im[i] / size * moment_.re[i]);  // d|P|/dtheta
        const double c_slope = (moment_.im[i] - c * growth) / size;
        each[i] = moment_.re[i] * gain + sum_.im[i] * gain * s * c_slope / (1.0 + s * c);
    }
}

}  // namespace entrain::engines::phase

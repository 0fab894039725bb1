#include "substrates/ring/inverter_ring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "core/error.hpp"
#include "core/quantity.hpp"

namespace entrain::substrates::ring {

namespace {

using State = std::vector<double>;  ///< [V] by node

State slope(const InverterRing& ring, const State& v) {
    State rate(v.size());
    for (std::size_t k = 0; k < v.size(); ++k) {
        const double gate = v[(k + v.size() - 1) % v.size()];
        rate[k] = ring.pmos.current(ring.supply - gate, ring.supply - v[k]) - ring.nmos.current(gate, v[k]);
    }
    rate[0] -= ring.load * (v[0] - 0.5 * ring.supply);
    for (double& r : rate) r /= ring.capacitance;
    return rate;
}

/// One step of the classical Runge-Kutta rule.
State stepped(const InverterRing& ring, const State& v, double step) {
    const auto moved = [&v](const State& rate, double by) {
        State to = v;
        for (std::size_t k = 0; k < v.size(); ++k) to[k] += by * rate[k];
        return to;
    };
    const State a = slope(ring, v);
    const State b = slope(ring, moved(a, 0.5 * step));
    const State c = slope(ring, moved(b, 0.5 * step));
    const State d = slope(ring, moved(c, step));
    State to = v;
    for (std::size_t k = 0; k < v.size(); ++k) to[k] += step / 6.0 * (a[k] + 2.0 * b[k] + 2.0 * c[k] + d[k]);
    return to;
}

/// Integrates from `start` until node 0 has risen through `level` `count` times or `steps` are over; the time of the last of these crossings and the
/// state after it.
struct Crossing {
    int count = 0;
    double time = 0.0;  ///< [s] from the start
    State after;        ///< one step, at most, later
    double late = 0.0;  ///< [s] by how much
};
Crossing crossing_after(const InverterRing& ring, State v, double step, double level, int count, long steps) {
    Crossing found;
    for (long n = 1; n <= steps && found.count < count; ++n) {
        const double before = v[0];
        v = stepped(ring, v, step);
        if (before >= level || v[0] < level) continue;
        ++found.count;
        found.late = step * (v[0] - level) / (v[0] - before);
        found.time = static_cast<double>(n) * step - found.late;
    }
    found.after = std::move(v);
    return found;
}

}  // namespace

double Transistor::noise_conductance(double vgs, double vds) const {
    if (vds < 0.0) return noise_conductance(vgs - vds, -vds);  // source and drain exchanged
    const double overdrive = vgs - threshold;
    if (overdrive <= 0.0) return 0.0;
    const double triode = 1.0 - std::min(vds, overdrive) / overdrive;
    return gain_factor * overdrive * (1.0 + triode + triode * triode) / (1.0 + triode);
}

double Transistor::current(double vgs, double vds) const {
    if (vds < 0.0) return -current(vgs - vds, -vds);
    const double overdrive = vgs - threshold;
    if (overdrive <= 0.0) return 0.0;
    const double saturation = overdrive / (1.0 + overdrive / critical_voltage);
    const double u = std::min(vds, saturation);
    return gain_factor * (overdrive - 0.5 * u) * u / (1.0 + u / critical_voltage) * (1.0 + lambda * vds);
}

double switching_voltage(const InverterRing& ring) {
    double low = 0.0;
    double high = ring.supply;
    for (int n = 0; n < 60; ++n) {  // 2^-60 of the supply
        const double v = 0.5 * (low + high);
        (ring.nmos.current(v, v) < ring.pmos.current(ring.supply - v, ring.supply - v) ? low : high) = v;
    }
    return 0.5 * (low + high);
}

double loop_gain(const InverterRing& ring) {
    const double v = switching_voltage(ring);
    const double d = 1e-5 * ring.supply;  // central differences: 1e-10 of the curvature
    const auto sum = [&](double gate, double drain) {
        return ring.nmos.current(gate, drain) - ring.pmos.current(ring.supply - gate, ring.supply - drain);
    };
    const double transconductance = (sum(v + d, v) - sum(v - d, v)) / (2.0 * d);                                   ///< [S]
    const double output = std::max(0.0, (sum(v, v + d) - sum(v, v - d)) / (2.0 * d));                              ///< [S] of every stage
    const double loaded = output + ring.load;                                                                      ///< [S] of stage 0
    const auto lag = [&](double b) { return (ring.stages - 1) * std::atan2(b, output) + std::atan2(b, loaded); };  // b: susceptance w C [S]
    double low = 1e-9 * transconductance;
    if (lag(low) >= std::numbers::pi) return std::numeric_limits<double>::infinity();
    double high = 1e9 * transconductance;
    for (int n = 0; n < 200; ++n) {
        const double b = std::sqrt(low * high);
        (lag(b) < std::numbers::pi ? low : high) = b;
    }
    return std::pow(transconductance / std::hypot(output, low), ring.stages - 1) * transconductance / std::hypot(loaded, low);
}

LimitCycle limit_cycle(const InverterRing& ring) {
    const double level = switching_voltage(ring);
    const double weakest = std::min(ring.nmos.current(ring.supply, ring.supply), ring.pmos.current(ring.supply, ring.supply));  ///< [A]
    double step = ring.capacitance * ring.supply / weakest / 32.0;  ///< [s] a node's swing takes more than 32 steps

    // Alternating nodes with one on its way: close to the limit cycle.
    Crossing at;
    at.after.resize(static_cast<std::size_t>(ring.stages));
    for (std::size_t k = 0; k < at.after.size(); ++k) at.after[k] = k % 2 == 1 ? ring.supply : 0.0;
    at.after[0] = 0.5 * ring.supply;
    double period = 0.0;
    constexpr double steady = 1e-4;
    constexpr int rounds = 300;
    for (int n = 0;; ++n) {
        const long patience = 32L * 100L * ring.stages;  // a hundred swings per stage
        const double late = at.late;
        Crossing next = crossing_after(ring, at.after, step, level, 1, patience);
        if (next.count == 0)
            throw ModelError{fmt::format("ring: the cell does not oscillate: no period ends within {:.4g} s", static_cast<double>(patience) * step)};
        if (n == rounds) throw ModelError{fmt::format("ring: the cell has no steady oscillation after {} periods", rounds)};
        const double found = next.time + late;
        at = std::move(next);
        const bool done = n > 3 && std::abs(found - period) < steady * found;
        period = found;
        if (done) break;
    }

    constexpr int samples = 256;
    constexpr int impulses = 16;  // exact but for the harmonics of the sensitivity beyond the 15th
    constexpr int forget = 5;     // periods until only the shift in time is left of an impulse
    step = period / samples;
    std::vector<State> cycle{at.after};
    while (cycle.size() < samples) cycle.push_back(stepped(ring, cycle.back(), step));
    std::complex<double> fundamental;
    std::complex<double> sensitivity;  ///< [s/V] of the node
    const double kick = 1e-3 * ring.supply;
    for (int k = 0; k < samples; ++k) {
        const std::complex<double> clock = std::polar(1.0, -turn * k / samples);
        fundamental += 2.0 / samples * cycle[static_cast<std::size_t>(k)][0] * clock;
        if (k % (samples / impulses) != 0) continue;
        const auto arrival = [&](double by) {
            State v = cycle[static_cast<std::size_t>(k)];
            v[0] += by;
            return crossing_after(ring, v, step, level, forget, 2L * forget * samples).time;
        };
        // A kick across the level gains or loses a crossing: the difference is meant modulo the period.
        const double shift = std::remainder(arrival(-kick) - arrival(kick), period);
        sensitivity += shift / (2.0 * kick) / impulses * clock;
    }
    const double w = turn / period;  ///< [rad/s]
    return {1.0 / period, std::abs(fundamental), std::abs(sensitivity) * w * std::abs(fundamental)};
}

}  // namespace entrain::substrates::ring

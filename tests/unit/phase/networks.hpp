#pragma once
#include <vector>

#include "core/random.hpp"
#include "engines/phase/planar.hpp"

namespace entrain::test {

/// Oscillators without couplings, all driven towards phase 0 at `rate`.
inline engines::phase::Planar driven(const std::vector<double>& start, double rate, double detuning = 0.0) {
    using namespace engines::phase;
    const std::size_t n = start.size();
    Harmonic harmonic{1, Phasors{n}, {}, {}};
    harmonic.drive.re.assign(n, rate);
    std::vector<Harmonic> harmonics;
    harmonics.push_back(std::move(harmonic));
    return Planar{{start.begin(), start.end()}, State(n, detuning), {}, std::move(harmonics)};
}

/// Everybody acts on everybody, weights (1 + 0.5 N(0, 1))/n; `delay` [s] of all couplings.
inline engines::phase::Planar all_to_all(std::size_t n, double delay = 0.0) {
    using namespace engines::phase;
    const RandomStreams random{3};
    Harmonic harmonic{1, Phasors{n}, {}, {}};
    State start(n);
    State detuning(n);
    for (std::uint32_t i = 0; i < n; ++i) {
        start[i] = 6.28 * random.uniform(Stream::start_phase, i);
        detuning[i] = 0.1 * random.normal(Stream::frequency_disorder, i);
        for (std::uint32_t j = 0; j < n; ++j) {
            const kernels::Entry entry{i, j, (1.0 + 0.5 * random.normal(Stream::coupling_mismatch, i * n + j)) / static_cast<double>(n)};
            if (delay > 0.0)
                harmonic.delayed.push_back({entry, delay});
            else
                harmonic.entries.push_back(entry);
        }
    }
    std::vector<Harmonic> harmonics;
    harmonics.push_back(std::move(harmonic));
    return Planar{start, detuning, {}, std::move(harmonics)};
}

}  // namespace entrain::test

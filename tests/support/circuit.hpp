#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <complex>
#include <numbers>
#include <string>
#include <vector>

#include "engines/ngspice/deck_writer.hpp"
#include "engines/ngspice/protocol.hpp"
#include "engines/ngspice/worker_client.hpp"

namespace entrain::engines::ngspice::testing {

// Netlists as text for a worker, past everything that writes or checks netlists.
inline constexpr double frequency = 1e9;  ///< [Hz]
inline constexpr double step = 2e-11;     ///< [s]

/// Far more than any of these netlists takes.
inline Patience patience(std::chrono::milliseconds wait = std::chrono::minutes{2}) { return {std::chrono::steady_clock::now() + wait, nullptr}; }

/// A circuit of `elements` simulated over `periods`, of which the voltage of node `read` is demodulated.
inline Load circuit(const std::vector<std::string>& elements, const std::string& read, double periods) {
    Load load;
    load.lines = {"* test"};
    load.lines.insert(load.lines.end(), elements.begin(), elements.end());
    load.stop_time = periods / frequency;
    load.lines.push_back(".options method=trap reltol=1e-6 abstol=1e-12 vntol=1e-6 trtol=1e6");
    load.lines.push_back(".tran " + number(step) + " " + number(load.stop_time) + " 0 " + number(step) + " uic");
    load.lines.push_back(".save none");
    load.lines.push_back(".end");
    load.step = step;
    load.frequency = frequency;
    load.harmonics = {1};
    load.signals.push_back({read, "", Power::none, "", 0.0});
    return load;
}

/// How the simulation of a netlist ends in this worker, which is lost for a category of its own.
inline Status ending(Worker& worker, const Load& load, std::chrono::milliseconds deadline = std::chrono::minutes{2}) {
    try {
        const Patience patience = testing::patience(deadline);
        const Status loaded = worker.load(load, patience);
        return failed(loaded) ? loaded : worker.advance({load.stop_time, {}}, patience);
    } catch (const WorkerLost& lost) {
        return {lost.category(), lost.what(), 0.0, 0};
    }
}

/// Fundamental over the last but one period: the last one ends with a cut step.
inline std::complex<double> last_phasor(Worker& worker, const Load& load) {
    const Status loaded = worker.load(load, patience());
    EXPECT_EQ(loaded.category, "ok") << loaded.message;
    const Status end = worker.advance({load.stop_time, {}}, patience());
    EXPECT_EQ(end.category, "ok") << end.message;
    const Periods periods = worker.read(patience());
    EXPECT_EQ(worker.finish(patience()).category, "ok");
    const double* v = &periods.values.at((periods.count - 2) * 5);
    return {v[0], v[1]};
}

/// Admittance of a capacitance under the trapezoidal rule: s becomes (2/h)(z - 1)/(z + 1) = j (2/h) tan(w h/2).
inline std::complex<double> discrete_capacitor(double farad) { return {0.0, farad * 2.0 / step * std::tan(std::numbers::pi * frequency * step)}; }

}  // namespace entrain::engines::ngspice::testing

#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <string>
#include <vector>

#include "core/quantity.hpp"
#include "io/rawfile.hpp"
#include "support/program.hpp"

namespace entrain::test {

/// A cell of netlists/ with one rail, and what is needed to kick it.
struct KickedCell {
    std::vector<std::string> files;  ///< in the order of inclusion, relative to the source folder
    std::string subcircuit;
    std::vector<std::string> states;  ///< its pins before the rail; the first is kicked and read; start values are the parameters v0, v1, ...
    double supply = 0.0;              ///< [V]
    double threshold = 0.0;           ///< [V] its rising crossings are the clock
    double charge = 0.0;              ///< [C] of a kick: about 1 % of what a swing moves
    double guess_hz = 0.0;
};

/// What kicks say about a weak sinusoidal current into the cell.
struct Kicked {
    double frequency_hz = 0.0;     ///< at the step of the measurement
    double rate_per_ampere = 0.0;  ///< [rad/s/A] K of a current of this amplitude
    double offset_rad = 0.0;       ///< phase of the fundamental minus that of the current, in lock at the free frequency
};

namespace kicks {

inline std::vector<double> column(const io::RawPlot& plot, const std::string& name) {
    for (std::size_t k = 0; k < plot.columns.size(); ++k)
        if (plot.header.variables[k].name == name) return plot.columns[k];
    ADD_FAILURE() << "the rawfile has no " << name;
    return {};
}

/// Runs cards under plain ngspice with a fixed step.
inline io::RawPlot simulate(const KickedCell& cell, const std::string& cards, const std::string& saved, double step, double stop) {
    std::string deck = "* kicks\n";
    for (const std::string& file : cell.files) deck += ".include " + source_file(file) + "\n";
    deck += fmt::format("{}.options method=trap reltol=1e-6 abstol=1e-12 vntol=1e-6 trtol=1e6\n.tran {:.16e} {:.16e} 0 {:.16e} uic\n.save {}\n",
                        cards, step, stop, step, saved);
    deck += ".control\nset num_threads=1\n.endc\n.end\n";
    const TemporaryFolder folder;
    const std::string file = folder.write("deck.cir", deck);
    const std::string raw = (folder.path() / "deck.raw").string();
    const ProgramResult run = RunningProgram{{"/usr/bin/ngspice", "-b", file, "-r", raw}}.wait();
    if (!std::filesystem::exists(raw)) {
        ADD_FAILURE() << run.out << run.err;
        return {};
    }
    return io::read_raw(raw).front();
}

/// Rising crossings: inverse cubic interpolation through the two points before and after.
inline std::vector<double> crossings(const std::vector<double>& time, const std::vector<double>& value, double level) {
    std::vector<double> found;
    for (std::size_t k = 2; k + 1 < time.size(); ++k) {
        if (!(value[k - 1] < level && value[k] >= level)) continue;
        double at = 0.0;
        for (std::size_t a = k - 2; a <= k + 1; ++a) {
            double share = 1.0;
            for (std::size_t b = k - 2; b <= k + 1; ++b)
                if (a != b) share *= (level - value[b]) / (value[a] - value[b]);
            at += share * (time[a] - time[k]);
        }
        found.push_back(time[k] + at);
    }
    return found;
}

/// Linear interpolation.
inline double value_at(const std::vector<double>& time, const std::vector<double>& value, double at) {
    const auto k = static_cast<std::size_t>(std::lower_bound(time.begin(), time.end(), at) - time.begin());
    return value[k - 1] + (value[k] - value[k - 1]) * (at - time[k - 1]) / (time[k] - time[k - 1]);
}

}  // namespace kicks

/// Impulse sensitivity of a cell, measured under plain ngspice on its own netlist: copies of the cell on the limit cycle, each kicked once with
/// +-charge at its own phase, against a copy that is not, in one netlist, so that all have the same time steps. The shift in time per charge v(alpha)
/// has the first harmonic v1, two-sided; a current I cos(w t + phi) averaged over a period then pulls the phase theta of the fundamental X with
///     dtheta/dt = w I |v1| cos(theta - arg X + arg v1 - phi),   X and v1 with time counted from a crossing,
/// so that K = w |v1| I and theta - phi = arg X - arg v1 + 90 degrees in lock (Demir, Mehrotra and Roychowdhury, IEEE TCAS-I 47, 2000).
inline Kicked kicked(const KickedCell& cell) {
    constexpr double points = 100.375;  // per period
    constexpr int phases = 24;
    constexpr int wait = 12;           // periods until only the shift is left of a kick
    const double swing_periods = 2.0;  // before the first kick: the start is linear between two points
    std::string pins;
    for (const std::string& state : cell.states) pins += " {0}" + state;
    const auto instance = [&](const std::string& name, const std::string& start) {
        std::string nodes = pins;
        for (std::size_t at = nodes.find("{0}"); at != std::string::npos; at = nodes.find("{0}")) nodes.replace(at, 3, name);
        return fmt::format("x{}{} rail {}{}\n", name, nodes, cell.subcircuit, start);
    };
    const std::string rail = fmt::format("vrail rail 0 {:.16e}\n", cell.supply);
    const std::string read = "v(free" + cell.states.front() + ")";

    // The frequency at this very step, and a state on the limit cycle.
    Kicked found{.frequency_hz = cell.guess_hz};
    std::string start;
    for (int round = 0; round < 4; ++round) {
        const double period = 1.0 / found.frequency_hz;
        std::string saved;
        for (const std::string& state : cell.states) saved += " v(free" + state + ")";
        const io::RawPlot plot = kicks::simulate(cell, rail + instance("free", start), saved, period / points, 60.0 * period);
        const std::vector<double> time = kicks::column(plot, "time");
        const std::vector<double> rises = kicks::crossings(time, kicks::column(plot, read), cell.threshold);
        if (rises.size() < 40) {
            ADD_FAILURE() << cell.subcircuit << " does not oscillate";
            return found;
        }
        const std::size_t last = rises.size() - 2;
        found.frequency_hz = 32.0 / (rises[last] - rises[last - 32]);  // a multiple of 8 periods: both ends lie alike between two points
        start.clear();
        for (std::size_t s = 0; s < cell.states.size(); ++s)
            start += fmt::format(" v{}={:.16e}", s, kicks::value_at(time, kicks::column(plot, "v(free" + cell.states[s] + ")"), rises[last]));
    }

    const double period = 1.0 / found.frequency_hz;
    const double half_base = period / 50.0;  // of a triangular pulse: its first harmonic is 0.1 % below an impulse's
    std::string cards = rail + instance("free", start);
    std::string saved = read;
    std::vector<double> kick_time;
    for (int k = 0; k < phases; ++k) {
        const double at = (swing_periods + static_cast<double>(k) / phases) * period;
        kick_time.push_back(at);
        for (const char sign : {'p', 'm'}) {
            const std::string name = fmt::format("k{}{}", k, sign);
            cards += instance(name, start);
            cards += fmt::format("i{0} 0 {0}{1} PWL(0 0 {2:.12e} 0 {3:.12e} {4:.12e} {5:.12e} 0)\n", name, cell.states.front(), at - half_base, at,
                                 (sign == 'p' ? 1.0 : -1.0) * cell.charge / half_base, at + half_base);
            saved += fmt::format(" v({}{})", name, cell.states.front());
        }
    }
    const io::RawPlot plot = kicks::simulate(cell, cards, saved, period / points, (wait + 12.0) * period);
    const std::vector<double> time = kicks::column(plot, "time");
    const std::vector<double> value = kicks::column(plot, read);
    const std::vector<double> rises = kicks::crossings(time, value, cell.threshold);
    const auto shift = [&](const std::string& name) {  // mean over the last crossings, but for the very last
        const auto own = kicks::crossings(time, kicks::column(plot, name), cell.threshold);
        constexpr int used = 6;
        double sum = 0.0;
        for (int n = 2; n < 2 + used; ++n) {
            const double reference = rises[rises.size() - static_cast<std::size_t>(n)];
            double nearest = own.front();
            for (const double t : own)
                if (std::abs(t - reference) < std::abs(nearest - reference)) nearest = t;
            sum += (reference - nearest) / used;
        }
        return sum;
    };
    std::complex<double> sensitivity;  ///< [s/C]
    for (int k = 0; k < phases; ++k) {
        const double per_charge =
            (shift(fmt::format("v(k{}p{})", k, cell.states.front())) - shift(fmt::format("v(k{}m{})", k, cell.states.front()))) / (2.0 * cell.charge);
        sensitivity += per_charge / phases * std::polar(1.0, -turn * found.frequency_hz * (kick_time[static_cast<std::size_t>(k)] - rises[1]));
    }
    // Fundamental over 8 periods from a crossing; the integrand is cut linearly at both ends.
    std::complex<double> fundamental;
    const double from = rises[2];
    const double to = from + 8.0 * period;
    const auto integrand = [&](std::size_t k) {
        return (value[k] - cell.threshold) * std::polar(1.0, -turn * found.frequency_hz * (time[k] - rises[1]));
    };
    for (std::size_t k = 1; k < time.size(); ++k) {
        const double width = time[k] - time[k - 1];
        const double a = std::clamp((from - time[k - 1]) / width, 0.0, 1.0);
        const double b = std::clamp((to - time[k - 1]) / width, 0.0, 1.0);
        const double middle = 0.5 * (a + b);
        fundamental += width * (b - a) * ((1.0 - middle) * integrand(k - 1) + middle * integrand(k));
    }
    found.rate_per_ampere = turn * found.frequency_hz * std::abs(sensitivity);
    found.offset_rad = wrap(std::arg(fundamental) - std::arg(sensitivity) + 0.5 * std::numbers::pi);
    return found;
}

}  // namespace entrain::test

#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engines/engine.hpp"
#include "engines/ngspice/protocol.hpp"
#include "problem/problem.hpp"

namespace entrain::engines::ngspice {

// The only home of ngspice syntax besides the cell files. Every name written is made of fixed words and integers; the one foreign text, the cell
// file, is refused (ModelError) if it holds a card that opens files or runs commands.

/// Part of a circuit problem as the worker simulates it.
struct Netlist {
    std::vector<std::string> lines;
    std::vector<Signal> signals;          ///< one per cell, in the order of `cells`; of benches that record, then one per state of each cell
    std::vector<ExternalSource> sources;  ///< one per cell with a reduced crossbar, with noise or kicked there; one per other pair of kicked pins
};

/// The netlist of the problem's `cells` up to `stop_time` [s]. It saves nothing: points are taken as they stream by. Test benches with drive offsets
/// or harmonics need the reduced crossbar. The half base of a kick becomes the nearest whole number of steps, at least two.
[[nodiscard]] Netlist worker_netlist(const problem::CircuitProblem& problem, std::span<const std::uint32_t> cells, double stop_time);

/// The whole problem with its full crossbar as a deck for `ngspice -b deck.cir -r deck.raw`: readout voltages osc_<head>_<token>, anchors
/// anchor_<head>_<position>, a comment line `* entrain-readout {JSON}`; saves readout and supply currents of the last 20 periods, or everything.
/// The cells must be of one sequence.
[[nodiscard]] std::string stand_alone_deck(const problem::CircuitProblem& problem, const DeckReadout& readout);

/// A number as ngspice reads it back exactly, always with an exponent: in SPICE `M` is milli and `F` is femto.
[[nodiscard]] std::string number(double value);

}  // namespace entrain::engines::ngspice

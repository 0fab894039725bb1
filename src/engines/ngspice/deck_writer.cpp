#include "engines/ngspice/deck_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

#include "core/error.hpp"
#include "problem/calibration.hpp"
#include "spice/card.hpp"
#include "spice/library.hpp"

namespace entrain::engines::ngspice {

namespace {

constexpr int saved_periods = 20;  // of a stand-alone deck: what its reader averages over

std::string lower_case(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

/// Names of pins, parameters and subcircuits come from substrates; anything else than a word would change the meaning of a line.
const std::string& word(const std::string& name) {
    if (name.empty() || !std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; }))
        throw std::logic_error{fmt::format("'{}' is no SPICE word", name)};
    return name;
}

std::string title(const problem::CircuitProblem& problem) {
    std::string text = "* entrain ";  // as a comment it can be no command either
    for (const char c : problem.title.substr(0, 200))
        text += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' ? c : ' ';
    return text;
}

/// Cards of the cell file, without its comments. ngspice runs `.control` sections and comments that begin with `*#` when it reads them, and include
/// cards open any file: whatever the text went through before, each card is held against the whitelist once more.
std::vector<std::string> cell_cards(const problem::CircuitProblem& problem) {
    const std::string text = spice::with_plain_line_ends(problem.netlist);
    std::vector<std::string> cards;
    spice::CardReader reader{text};
    while (const auto raw = reader.next()) {
        std::string card = spice::canonical(raw->text);
        const std::string refusal = raw->problem.empty() ? spice::refusal(card) : raw->problem;
        if (!refusal.empty()) throw ModelError{fmt::format("netlist of the cell, line {}: {}.", raw->line, refusal)};
        cards.push_back(std::move(card));
    }
    return cards;
}

/// Text of the cell file with its comments, but for those that ngspice would run.
std::string cell_text(const problem::CircuitProblem& problem) {
    static_cast<void>(cell_cards(problem));
    const std::string text = spice::with_plain_line_ends(problem.netlist);
    std::string kept;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t first = line.find_first_not_of(" \t");
        if (first == std::string::npos || (line[first] == '*' && line.find('#') != std::string::npos)) continue;
        kept += line + "\n";
    }
    return kept;
}

std::string options_line(const problem::CircuitProblem& problem) {
    // trtol switches the local-error step control off, so that every step is the same: it would change the numerical frequency between free and
    // locked runs. The others stand here so that no start file changes them.
    const problem::Integration& rule = problem.integration;
    std::string line = fmt::format(".options method={} reltol={} abstol={} vntol={} trtol=1e6", word(rule.method), number(rule.reltol),
                                   number(rule.abstol), number(rule.vntol));
    if (problem.dialect.geometry_scale != 1.0) line += fmt::format(" scale={}", number(problem.dialect.geometry_scale));
    return line;
}

/// Instance parameters: the common ones, each replaced by the cell's own of the same name.
std::vector<problem::Parameter> instance_parameters(const problem::CircuitProblem& problem, const problem::Cell& cell) {
    std::vector<problem::Parameter> all = problem.parameters;
    for (const problem::Parameter& own : cell.parameters) {
        const auto same = std::ranges::find(all, own.name, &problem::Parameter::name);
        if (same == all.end())
            all.push_back(own);
        else
            same->value = own.value;
    }
    return all;
}

/// X card of a cell whose pins go to the nodes that `node` names.
template <class Node>
std::string instance(const problem::CircuitProblem& problem, const problem::Cell& cell, const std::string& name, Node node) {
    std::string line = fmt::format("x{}", name);
    for (const std::string& pin : problem.cell.pins) line += fmt::format(" {}", node(pin));
    line += fmt::format(" {}", word(problem.cell.subcircuit));
    for (const problem::Parameter& p : instance_parameters(problem, cell)) line += fmt::format(" {}={}", word(p.name), number(p.value));
    return line;
}

/// Voltage sources in series, one per harmonic of an anchor's waveform, from node `name` to ground. `frequency` gives the text of a harmonic's; SIN's
/// last argument is the phase of a sine in degrees.
template <class Frequency>
std::vector<std::string> anchor_cards(const problem::CircuitProblem& problem, const std::string& name, Frequency frequency, double phase) {
    const bool resistive = problem.summing == problem::Summing::resistive;
    const double scale = resistive ? 1.0 / problem.volt_scale : 1.0;  // a transconductance turns one netlist volt into physical amperes
    std::vector<std::size_t> orders;
    for (std::size_t k = 1; k <= problem.anchor_waveform.size(); ++k)
        if (problem.anchor_waveform[k - 1] != 0.0) orders.push_back(k);
    std::vector<std::string> cards;
    for (std::size_t n = 0; n < orders.size(); ++n) {
        const std::size_t k = orders[n];
        const auto node = [&](std::size_t place) { return place == 0 ? name : fmt::format("{}_h{}", name, orders[place]); };
        const std::complex<double> harmonic = problem.anchor_waveform[k - 1];
        cards.push_back(fmt::format("v{} {} {} SIN({} {} {} 0 0 {})", node(n), node(n), n + 1 == orders.size() ? "0" : node(n + 1),
                                    number(n == 0 ? scale * problem.anchor_mean_v : 0.0),
                                    number(scale * problem.anchor_amplitude_v * std::abs(harmonic)), frequency(k),
                                    number(degrees(static_cast<double>(k) * phase + std::arg(harmonic)) + 90.0)));
    }
    return cards;
}

/// Conductance, or transconductance that injects into inject_plus: a G source drives its current from its first node through itself to the second.
std::string crosspoint(const problem::CircuitProblem& problem, std::size_t index, const std::string& plus, const std::string& minus,
                       const std::string& anchor, double siemens) {
    if (problem.summing == problem::Summing::resistive)
        return fmt::format("rx{} {} {} {}", index, plus, anchor, number(problem.ampere_scale / (siemens * problem.volt_scale)));
    return fmt::format("gx{} {} {} {} 0 {}", index, minus, plus, anchor, number(siemens / problem.ampere_scale));
}

/// Source i<k> whose current the worker is asked for; it flows into `plus`. No dc value: ngspice 39 crashes on `dc v external`.
std::string external_current(std::size_t k, const std::string& plus, const std::string& minus) {
    return fmt::format("i{} {} {} external", k, minus, plus);
}

using Pins = std::pair<std::string, std::string>;  ///< plus, minus
using PulsesByPins = std::map<Pins, std::vector<Pulse>>;

/// Kicks of a cell as pulses of netlist current.
PulsesByPins pulses_of(const problem::CircuitProblem& problem, const problem::Cell& cell) {
    constexpr double least_steps = 2.0;  // a shorter triangle is one or two points
    const double step = problem::step_s(problem);
    PulsesByPins pulses;
    for (const problem::Kick& kick : cell.kicks) {
        for (const std::string& pin : {kick.plus, kick.minus})
            if (pin != "0" && std::ranges::find(problem.cell.pins, pin) == problem.cell.pins.end())
                throw std::logic_error{fmt::format("a kick into '{}', which is no pin of {}", pin, problem.cell.subcircuit)};
        const double half_base = step * std::max(std::round(kick.half_base / step), least_steps);
        pulses[{kick.plus, kick.minus}].push_back({kick.time, half_base, kick.charge / half_base / problem.ampere_scale});
    }
    return pulses;
}

}  // namespace

std::string number(double value) {
    if (!std::isfinite(value)) throw std::logic_error{"a netlist holds a number that is not finite"};
    return fmt::format("{:.16e}", value);  // 17 digits
}

Netlist worker_netlist(const problem::CircuitProblem& problem, std::span<const std::uint32_t> cells, double stop_time) {
    const problem::CellInterface& port = problem.cell;
    Netlist netlist;
    netlist.lines.push_back(title(problem));
    for (std::string& card : cell_cards(problem)) netlist.lines.push_back(std::move(card));

    const auto node_of = [](std::size_t k) {
        return [k](const std::string& pin) { return pin == "0" ? pin : fmt::format("c{}_{}", k, lower_case(word(pin))); };
    };
    std::map<std::uint32_t, std::size_t> place;
    for (std::size_t k = 0; k < cells.size(); ++k) {
        place[cells[k]] = k;
        const problem::Cell& cell = problem.cells[cells[k]];
        const auto node = node_of(k);
        netlist.lines.push_back(instance(problem, cell, std::to_string(k), node));
        Signal signal;
        signal.clock_shift = cell.clock_shift;
        if (port.read_plus != "0") signal.plus = node(port.read_plus);
        if (port.read_minus != "0") signal.minus = node(port.read_minus);
        if (!port.supply_pin.empty()) {
            netlist.lines.push_back(fmt::format("vsup{} {} 0 dc {}", k, node(port.supply_pin), number(port.supply_v)));
            signal.power = Power::supply;
            signal.current = fmt::format("vsup{}#branch", k);
            signal.supply_v = port.supply_v;
        } else if (!port.active_branch.empty()) {
            signal.power = Power::active;
            signal.current = fmt::format("v.x{}.{}#branch", k, lower_case(word(port.active_branch)));
        }
        netlist.signals.push_back(std::move(signal));
        const bool reduced = problem.crossbar == problem::Crossbar::reduced;
        if (!reduced && (cell.drive_offset_hz != 0.0 || !cell.injection_harmonics.empty()))
            throw std::logic_error{"a full crossbar has anchors of one frequency; benches with drive offsets or harmonics need the reduced one"};
        PulsesByPins kicks = pulses_of(problem, cell);
        if (const Pins port_pins{port.inject_plus, port.inject_minus}; reduced || cell.noise_density > 0.0 || kicks.contains(port_pins)) {
            const double noise_rms = std::sqrt(0.5 * cell.noise_density / problem::step_s(problem));  // [A]
            ExternalSource source{.offset_hz = cell.drive_offset_hz, .noise_rms = noise_rms / problem.ampere_scale, .noise_seed = cell.noise_seed};
            if (reduced) source.phasor = cell.injection * std::polar(1.0 / problem.ampere_scale, -cell.clock_shift);
            for (const std::complex<double>& phasor : cell.injection_harmonics) {
                const double order = 2.0 + static_cast<double>(source.harmonics.size());
                source.harmonics.push_back(phasor * std::polar(1.0 / problem.ampere_scale, -order * cell.clock_shift));
            }
            if (auto there = kicks.extract(port_pins)) source.pulses = std::move(there.mapped());
            netlist.lines.push_back(external_current(netlist.sources.size(), node(port.inject_plus), node(port.inject_minus)));
            netlist.sources.push_back(std::move(source));
        }
        for (auto& [pins, pulses] : kicks) {
            netlist.lines.push_back(external_current(netlist.sources.size(), node(pins.first), node(pins.second)));
            netlist.sources.push_back({.pulses = std::move(pulses)});
        }
    }
    if (problem.recorded_periods > 0)
        for (std::size_t k = 0; k < cells.size(); ++k)
            for (const problem::StateNode& state : port.states) netlist.signals.push_back({node_of(k)(state.pin), "", Power::none, "", 0.0, 0.0});
    if (problem.crossbar == problem::Crossbar::full) {
        std::set<std::uint32_t> anchors;
        for (const problem::Crosspoint& c : problem.crosspoints) {
            const auto found = place.find(c.cell);
            if (found == place.end()) continue;
            const auto node = node_of(found->second);
            anchors.insert(c.anchor);
            netlist.lines.push_back(
                crosspoint(problem, netlist.lines.size(), node(port.inject_plus), node(port.inject_minus), fmt::format("a{}", c.anchor), c.siemens));
        }
        const auto frequency = [&](std::size_t order) { return number(static_cast<double>(order) * problem.reference_hz); };
        for (const std::uint32_t a : anchors)
            for (std::string& card : anchor_cards(problem, fmt::format("a{}", a), frequency, problem.anchors[a].phase))
                netlist.lines.push_back(std::move(card));
    }
    netlist.lines.push_back(options_line(problem));
    const double end = stop_time + problem.warm_up_periods / problem.reference_hz;
    netlist.lines.push_back(fmt::format(".tran {0} {1} 0 {0} uic", number(problem::step_s(problem)), number(end)));
    netlist.lines.push_back(".save none");
    netlist.lines.push_back(".end");
    return netlist;
}

std::string stand_alone_deck(const problem::CircuitProblem& problem, const DeckReadout& readout) {
    const problem::CellInterface& port = problem.cell;
    const double stop = std::max(std::ceil(readout.stop_time_s * problem.reference_hz), 1.0 * saved_periods) / problem.reference_hz;
    const double save_from = readout.all_waves ? 0.0 : stop - saved_periods / problem.reference_hz;

    std::string text = title(problem) + "\n";
    std::string harmonics = "{\"order\": 1, \"factor\": 1}";
    for (const problem::PhaseTerm& term : problem.phase_terms)
        harmonics +=
            fmt::format(", {{\"order\": {}, \"factor\": {}, \"reference_rad\": {}}}", term.order, number(term.factor), number(term.reference));
    text += fmt::format(
        "* entrain-readout {{\"frequency_hz\": {}, \"harmonics\": [{}], \"offset_rad\": {}, \"slope_rad\": {}, \"offset_drive\": {}, \"sign\": {}, "
        "\"volt_scale\": {}, \"ampere_scale\": {}}}\n",
        number(problem.reference_hz), harmonics, number(readout.offset_rad), number(readout.slope_rad), problem::offset_drive, readout.sign,
        number(problem.volt_scale), number(problem.ampere_scale));
    text += "* The phase of osc_<head>_<token> is that of its fundamental V1 relative to cos(2 pi frequency t), times sign, minus offset.\n";
    text += problem.dialect.behavior.empty() ? "* Run: ngspice -b FILE -r FILE.raw\n"
                                             : fmt::format("* Run: ngspice -D ngbehavior={} -b FILE -r FILE.raw\n", word(problem.dialect.behavior));
    if (problem.warm_up_periods > 0)
        text += "* Cells start as their netlist says, not at the start phases of the run: they settle at the same phases, at other times.\n";
    if (!problem.phase_terms.empty())
        text += "* Harmonics of order k > 1 correct it: arg V1 + sum of factor wrap(arg Vk - k arg V1 - reference), wrapped into [-pi, pi).\n";
    if (problem.volt_scale != 1.0 || problem.ampere_scale != 1.0) text += "* Netlist volts and amperes times the scales are physical ones.\n";
    if (!problem.cells.empty() && problem.cells.front().noise_density > 0.0)
        text += "* Without the thermal noise that the run had: a deck's sources would draw other deviates.\n";
    text += cell_text(problem);
    // After the cell's own: the last definition of a name counts.
    text +=
        fmt::format(".param reference_hz={}   $ [Hz] of the anchors: the free cell's frequency at this very step\n", number(problem.reference_hz));
    text += fmt::format(".param step_s={}   $ [s] fixed, {} steps a period\n", number(problem::step_s(problem)),
                        problem::steps_per_period(problem.points_per_period));
    text += fmt::format(".param stop_s={}   $ [s]\n", number(stop));
    text += fmt::format(".param save_from_s={}   $ [s]\n", number(save_from));
    if (!port.supply_pin.empty()) text += fmt::format(".param supply_v={}   $ [V]\n", number(port.supply_v));

    std::string saved;
    std::vector<std::string> plus_nodes;
    std::vector<std::string> minus_nodes;
    for (const problem::Cell& cell : problem.cells) {
        const std::string id = fmt::format("{}_{}", cell.id.head, cell.id.token);
        const bool single_ended = port.read_minus == "0";
        const auto node = [&](const std::string& pin) {
            if (pin == "0") return pin;
            return single_ended && pin == port.read_plus ? fmt::format("osc_{}", id) : fmt::format("cell_{}_{}", id, lower_case(word(pin)));
        };
        text += instance(problem, cell, fmt::format("cell_{}", id), node) + "\n";
        if (!single_ended) text += fmt::format("eosc_{0} osc_{0} 0 {1} {2} 1\n", id, node(port.read_plus), node(port.read_minus));
        saved += fmt::format(" v(osc_{})", id);
        if (!port.supply_pin.empty()) {
            text += fmt::format("vsup_{} {} 0 dc {{supply_v}}\n", id, node(port.supply_pin));
            saved += fmt::format(" i(vsup_{})", id);
        }
        plus_nodes.push_back(node(port.inject_plus));
        minus_nodes.push_back(node(port.inject_minus));
    }
    const auto anchor = [&](std::uint32_t a) { return fmt::format("anchor_{}_{}", problem.anchors[a].id.head, problem.anchors[a].id.position); };
    std::set<std::uint32_t> anchors;
    for (std::size_t i = 0; i < problem.crosspoints.size(); ++i) {
        const problem::Crosspoint& c = problem.crosspoints[i];
        anchors.insert(c.anchor);
        text += crosspoint(problem, i, plus_nodes[c.cell], minus_nodes[c.cell], anchor(c.anchor), c.siemens) + "\n";
    }
    const auto frequency = [](std::size_t order) { return order == 1 ? std::string{"{reference_hz}"} : fmt::format("{{{}*reference_hz}}", order); };
    for (const std::uint32_t a : anchors)
        for (const std::string& card : anchor_cards(problem, anchor(a), frequency, problem.anchors[a].phase)) text += card + "\n";
    text += options_line(problem) + "\n";
    text += ".tran {step_s} {stop_s} {save_from_s} {step_s} uic\n";
    text += fmt::format(".save{}\n", readout.all_waves ? " all" : saved);
    text += ".end\n";
    return text;
}

}  // namespace entrain::engines::ngspice

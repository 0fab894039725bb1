#include "substrates/cell_array.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/quantity.hpp"

namespace entrain::substrates {

namespace {

/// Every state of the limit cycle at `phase` [rad], linear between samples. [samples x states], sample k at phase 2 pi k/samples.
std::vector<problem::Parameter> on_limit_cycle(const Eigen::MatrixXd& cycle, const std::vector<problem::StateNode>& states, double phase) {
    std::vector<problem::Parameter> start;
    const auto samples = static_cast<double>(cycle.rows());
    const double turns = phase / turn;
    const double place = (turns - std::floor(turns)) * samples;
    const auto before = static_cast<Eigen::Index>(place) % cycle.rows();
    const Eigen::Index after = (before + 1) % cycle.rows();
    const double share = place - std::floor(place);
    for (std::size_t s = 0; s < states.size(); ++s) {
        const auto column = static_cast<Eigen::Index>(s);
        const double wound = after == 0 ? states[s].winding : 0.0;
        start.push_back({states[s].parameter, (1.0 - share) * cycle(before, column) + share * (cycle(after, column) + wound)});
    }
    return start;
}

/// Adds the harmonics 2, 3, ... of the current of one anchor, which swings with `waveform` in the direction `anchor` and times its length.
void add_harmonics(problem::Cell& cell, const problem::Waveform& waveform, double current, std::complex<double> anchor) {
    cell.injection_harmonics.resize(waveform.size() - 1);
    for (std::size_t k = 2; k <= waveform.size(); ++k)
        cell.injection_harmonics[k - 2] += current * waveform[k - 1] * std::polar(std::abs(anchor), static_cast<double>(k) * std::arg(anchor));
}

}  // namespace

CellArray::CellArray(Technology technology) : technology_{std::move(technology)}, cell_{technology_.cells.front().name} {}

void CellArray::describe(FieldVisitor& visitor) {
    std::vector<std::pair<std::string, std::string>> words;
    std::string doc;
    for (const CellKind& kind : technology_.cells) {
        words.emplace_back(kind.name, kind.name);
        doc += fmt::format("{}{}: {}", doc.empty() ? "" : "; ", kind.name, kind.doc);
    }
    if (!cell_.empty()) visitor.choice("cell", cell_, words, doc);
    const std::string preset =
        technology_.default_injection ? fmt::format("{} unless coupling_rate is given", *technology_.default_injection) : "instead of coupling_rate";
    visitor.number("injection", injection_, technology_.injection_range,
                   fmt::format("full-scale injected current over reference current {}; {}", technology_.reference_current_doc, preset));
    visitor.number("coupling_rate", coupling_rate_, {0.0, 1.0, true},
                   fmt::format("K/w0 at full scale to first order, {}; {}", technology_.rate_doc,
                               technology_.default_coupling_rate ? fmt::format("{} unless injection is given", *technology_.default_coupling_rate)
                                                                 : "instead of injection"));
    visitor.word("summing",
                 {technology_.resistive ? std::vector<std::string>{"current", "resistive"} : std::vector<std::string>{"current"},
                  [this](const std::string& text) -> std::string {
                      if (text == "resistive" && !technology_.resistive)
                          return fmt::format("resistive summing is not available for {}: {}", technology_.name, technology_.no_resistive_doc);
                      if (text != "current" && text != "resistive") return "unknown word";
                      summing_ = text == "current" ? problem::Summing::current : problem::Summing::resistive;
                      return "";
                  },
                  [this] { return summing_ == problem::Summing::current ? std::string{"current"} : std::string{"resistive"}; }},
                 technology_.resistive ? "how crosspoints add up: currents into the cell, or conductances to the anchors (needs dummy_conductance)"
                                       : "how crosspoints add up: currents into the cell");
    visitor.choice(
        "anchor_waveform", anchor_shape_, {{"sine", AnchorShape::sine}, {"square", AnchorShape::square}, {"own", AnchorShape::own}},
        "of the anchors' currents, the fundamental being that of injection: sine; square: tanh(8 cos), a comparator's output; own: the free "
        "cell's voltage. Calibrations are made with sines, and the readout removes their offset");
    if (technology_.resistive) visitor.flag("dummy_conductance", dummy_conductance_, "resistive summing: fills every row up to the same conductance");
}

void CellArray::configure(const Corner& corner) {
    if (injection_ && coupling_rate_)
        throw UserError{
            fmt::format("substrate: injection and coupling_rate are both given (expected one: either follows from the other by K/w0 = {})",
                        technology_.rate_doc)};
    if (summing_ == problem::Summing::resistive && !dummy_conductance_)
        throw UserError{fmt::format(
            "substrate: summing: resistive needs dummy_conductance: true (without it rows load their cells differently, and {} cells change "
            "frequency with load: phases would be wrong by tens of degrees or never lock)",
            technology_.name)};
    for (const CellKind& kind : technology_.cells)
        if (kind.name == cell_) design_ = kind.design(corner, summing_);
    if (!injection_ && !coupling_rate_) {
        injection_ = technology_.default_injection;
        coupling_rate_ = technology_.default_coupling_rate;
    }
    full_scale_ = injection_ ? *injection_ : *coupling_rate_ / design_.rate_per_injection;
    if (!std::isfinite(full_scale_))
        throw UserError{
            "substrate: injection is missing (expected full-scale current over reference_current: what coupling_rate it gives is not known before it "
            "is "
            "measured)"};
    constexpr double weakest = 1e-5;  // K/w0: a drive of 0.05 then returns a phase in 1e6 periods, and a calibration takes an hour
    if (full_scale_ * design_.rate_per_injection < weakest)
        throw ModelError{fmt::format(
            "{}: K/w0 = {} = {:.4g} at full scale is below {:g} (phases would take millions of periods to settle). Raise {}.", technology_.name,
            technology_.rate_doc, full_scale_ * design_.rate_per_injection, weakest, injection_ ? "injection" : "coupling_rate")};
    if (!technology_.injection_range.contains(full_scale_))
        throw ModelError{
            fmt::format("{}: coupling_rate {:.4g} needs injection {:.4g} (K/w0 = {} = {:.4g} injection), above {:.4g} ({}). Lower "
                        "coupling_rate.",
                        technology_.name, *coupling_rate_, full_scale_, technology_.rate_doc, design_.rate_per_injection,
                        technology_.injection_range.high, technology_.injection_limit_doc)};
    if (design_.largest_injection && full_scale_ >= *design_.largest_injection)
        throw ModelError{fmt::format("{}: injection {:.4g} ({} {:.4g}) is not below {:.4g} ({}). Lower {}.", technology_.name, full_scale_,
                                     injection_ ? "as configured, K/w0 =" : "for coupling_rate", full_scale_ * design_.rate_per_injection,
                                     *design_.largest_injection, design_.largest_injection_doc, injection_ ? "injection" : "coupling_rate")};
}

std::string CellArray::calibration_key() const { return key_with(fmt::format("{}", full_scale_)); }

std::string CellArray::cell_key() const { return key_with("any"); }

std::string CellArray::key_with(const std::string& injection) const {
    const problem::Integration& rule = design_.integration;
    std::string key = fmt::format("substrate={}\ncell={}\nresistive={}\ninjection={}\nsupply_v={}\nmethod={} {} {} {}\nscale={} {}\n",
                                  technology_.name, cell_, summing_ == problem::Summing::resistive, injection, design_.interface.supply_v,
                                  rule.method, rule.reltol, rule.abstol, rule.vntol, design_.volt_scale, design_.ampere_scale);
    for (const std::vector<problem::Parameter>& list : {design_.parameters, design_.deviated(0.0)})
        for (const problem::Parameter& p : list) key += fmt::format("{}={}\n", p.name, p.value);
    if (summing_ == problem::Summing::resistive) key += fmt::format("{}={}\n", design_.load_parameter, design_.row_conductance);
    const problem::CellInterface& port = design_.interface;
    key += fmt::format("port={} ({}) {} {} {} {} {}\n", port.subcircuit, fmt::join(port.pins, " "), port.inject_plus, port.inject_minus,
                       port.read_plus, port.read_minus, port.supply_pin);
    // What formulas make of made-up cells tells them apart, and a reference current that is given.
    key += fmt::format("reference_current={} {}\n", design_.reference_current(1.0, 1.0), design_.reference_current(1.0, 2.0));
    for (const int order : design_.read_harmonics) key += fmt::format("harmonic={}\n", order);
    key += fmt::format("dialect={} {}\n", design_.dialect.behavior, design_.dialect.geometry_scale);
    for (const NoiseSource& source : design_.noise.sources) {
        key += fmt::format("noise={} {} {} {}", source.name, source.plus, source.minus, source.count);
        for (const double level : {-1.0, -0.1, 0.0, 0.1, 0.3, 1.0, 3.0, 10.0})  // densities in some states tell parameters of the noise apart
            key += fmt::format(" {}", source.density(level, std::vector<double>(port.states.size(), level)));
        key += "\n";
    }
    key += design_.netlist;
    return key;
}

Estimate CellArray::estimate() const {
    return {design_.frequency_hz, angular(Hertz{design_.frequency_hz}).value() * design_.rate_per_injection * full_scale_, design_.relaxation_time_s};
}

double CellArray::reference_current(double amplitude, double frequency_hz) const { return design_.reference_current(amplitude, frequency_hz); }

problem::EnergyModel CellArray::energy_model(const problem::Calibration& calibration) const {
    const problem::CellInterface& port = design_.interface;
    const bool rail = port.supply_v > 0.0;
    return {port.power_origin,
            port.power_source,
            rail ? port.supply_v * design_.volt_scale : amplitude(calibration),
            rail ? "the cell's supply" : "amplitude at the port: the least supply a current driver into the swinging node needs",
            design_.noiseless_caveat,
            design_.energy_caveat};
}

double CellArray::amplitude(const problem::Calibration& calibration) const {
    return std::isfinite(calibration.amplitude) ? calibration.amplitude : design_.amplitude;
}

double CellArray::full_scale_current(const problem::Calibration& calibration) const {
    const double reference = std::isfinite(calibration.reference_current_a) ? calibration.reference_current_a
                                                                            : design_.reference_current(design_.amplitude, design_.frequency_hz);
    return full_scale_ * reference;
}

problem::CircuitProblem CellArray::circuit(const problem::Calibration& calibration, double reference_hz, int points_per_period) const {
    problem::CircuitProblem circuit;
    circuit.title = technology_.name + " " + cell_;
    circuit.netlist = design_.netlist;
    circuit.dialect = design_.dialect;
    circuit.warm_up_periods = calibration.warm_up_periods;
    circuit.cell = design_.interface;
    circuit.volt_scale = design_.volt_scale;
    circuit.ampere_scale = design_.ampere_scale;
    circuit.parameters = design_.parameters;
    circuit.integration = design_.integration;
    circuit.point_cost = design_.point_cost;
    circuit.reference_hz = reference_hz;
    circuit.points_per_period = points_per_period;
    circuit.start_amplitude = std::isfinite(calibration.amplitude) ? calibration.amplitude : 0.0;
    circuit.phase_terms = calibration.phase_terms;
    circuit.summing = summing_;
    if (summing_ == problem::Summing::resistive) {
        circuit.anchor_mean_v = design_.anchor_mean_v;
        circuit.anchor_amplitude_v = full_scale_current(calibration) / design_.row_conductance;
        if (circuit.anchor_amplitude_v > design_.largest_anchor_v)
            throw ModelError{
                fmt::format("{}: resistive summing at injection {:.4g} needs anchors of {:.4g} V (full-scale current {:.4g} A through "
                            "{:.4g} S), more than {:.4g} V around {:.4g} V. Lower injection or raise row_conductance.",
                            technology_.name, full_scale_, circuit.anchor_amplitude_v, full_scale_current(calibration), design_.row_conductance,
                            design_.largest_anchor_v, design_.anchor_mean_v)};
    }
    return circuit;
}

problem::Cell CellArray::oscillator(double phase, double deviation, std::complex<double> drive, const problem::Calibration& calibration) const {
    problem::Cell cell;
    cell.parameters = design_.deviated(deviation);
    std::vector<problem::Parameter> start;
    if (design_.start)
        start = design_.start(phase, deviation, amplitude(calibration));
    else if (design_.interface.states.empty())
        cell.clock_shift = calibration.warm_up_periods > 0 ? phase - calibration.free_phase : 0.0;
    else if (calibration.limit_cycle.rows() > 0)
        start = on_limit_cycle(calibration.limit_cycle, design_.interface.states, phase);
    cell.parameters.insert(cell.parameters.end(), start.begin(), start.end());
    if (summing_ == problem::Summing::resistive) cell.parameters.push_back({design_.load_parameter, design_.row_conductance});
    if (drive != 0.0) cell.injection = full_scale_current(calibration) * drive;  // before the first measurements nothing is driven
    return cell;
}

problem::CircuitProblem CellArray::bench(std::span<const BenchCell> cells, double reference_hz, int points_per_period,
                                         const problem::Calibration& calibration) const {
    problem::CircuitProblem circuit = this->circuit(calibration, reference_hz, points_per_period);
    for (const BenchCell& bench : cells) {
        problem::Cell cell = oscillator(bench.start_phase, 0.0, bench.drive, calibration);
        cell.id.token = static_cast<std::int32_t>(circuit.cells.size());
        cell.drive_offset_hz = bench.drive_offset_hz;
        cell.kicks = bench.kicks;
        circuit.cells.push_back(std::move(cell));
    }
    return circuit;
}

/// ModelError unless the array can carry the network: phases (d = 2), driven by anchors through real weights without lag or delay.
void CellArray::require_carried(const network::OscillatorNetwork& network) const {
    if (network.dimension != 2)
        throw ModelError{fmt::format(
            "{}: an oscillator has one phase and carries states of 2 dimensions, the layer's have {}. Use substrate ideal with engine exact or "
            "phase.",
            technology_.name, network.dimension)};
    for (const network::Coupling& c : network.couplings) {
        if (c.kind != network::Coupling::From::anchor)
            throw ModelError{fmt::format("{}: couplings between free oscillators are not available (their phases are not known before the run).",
                                         technology_.name)};
        if (c.harmonic != 1 || c.weight.imag() != 0.0 || c.phase_lag != 0.0 || c.delay != 0.0)
            throw ModelError{fmt::format(
                "{}: a crosspoint is a real transconductance; couplings with harmonics, complex weights, lags or delays are not available.",
                technology_.name)};
        if (summing_ == problem::Summing::resistive && c.weight.real() < 0.0)
            throw ModelError{fmt::format("{}: a conductance cannot be negative. Use summing: current for couplings below 0.", technology_.name)};
    }
}

problem::Instance CellArray::map(const network::OscillatorNetwork& network, const problem::Calibration& calibration, const Mapping& mapping,
                                 const Nonidealities& nonidealities, const RandomStreams& streams) const {
    require_carried(network);
    problem::Instance instance = map_without_disorder(network, calibration, mapping);
    const double w = angular(Hertz{calibration.frequency_at_step_hz}).value();  ///< [rad/s] of a cell without deviation, and of the anchors
    if (const double temperature = nonidealities.temperature.value(); temperature > 0.0) {
        if (design_.noise_density) instance.noise_density = design_.noise_density(temperature);
        for (const problem::NoiseShare& share : calibration.noise) instance.phase_diffusion += share.diffusion_per_kelvin * temperature;
        if (!instance.noisy())
            throw ModelError{fmt::format("{}: thermal noise of cell {} is not known ({}). Use nonidealities.temperature: 0 K.", technology_.name,
                                         cell_, calibration.noise_missing)};
    }
    for (Eigen::Index i = 0; i < instance.deviation.size(); ++i) {
        const network::TokenId& id = network.free[static_cast<std::size_t>(i)];
        const std::uint64_t number = element(id.sequence, id.head, id.token);
        const double disorder = nonidealities.frequency_disorder * streams.normal(Stream::frequency_disorder, number);
        const double deviation = instance.detuning(i) / w + disorder;  // what the mechanism asks for is built into the cell, too
        try {
            static_cast<void>(design_.deviated(deviation));
        } catch (const ModelError& error) {
            throw ModelError{
                fmt::format("{}: sequence {} head {} token {}: a frequency deviation df/f = {:.4g} cannot be built ({}). Lower "
                            "frequency_disorder.",
                            technology_.name, id.sequence, id.head, id.token, deviation, error.what())};
        }
        instance.deviation(i) = deviation;
        instance.detuning(i) = w * deviation;
        if (instance.noisy()) instance.noise_seed.push_back(streams.bits(Stream::circuit_noise, number));
    }
    return instance;
}

problem::Waveform CellArray::anchor_waveform(const problem::Calibration& calibration, int points_per_period) const {
    constexpr int least_points = 3;  // per period of a harmonic: with fewer it would be injected at another frequency
    constexpr int most = 15;         // what phase sensitivities are known up to
    const int harmonics = std::clamp(points_per_period / least_points, 1, most);
    switch (anchor_shape_) {
        case AnchorShape::square:
            return problem::square_waveform(harmonics);
        case AnchorShape::own: {
            if (!design_.read_harmonics.empty())
                throw ModelError{
                    fmt::format("{}: the phase of cell {} is read with its harmonic {}, which anchors with the cell's own waveform inject "
                                "too (phases would be off by degrees). Use anchor_waveform: sine or square.",
                                technology_.name, cell_, design_.read_harmonics.front())};
            problem::Waveform own = calibration.waveform;
            if (own.empty())
                throw ModelError{
                    fmt::format("{}: anchor_waveform: own needs the waveform of the free cell, which has no fundamental.", technology_.name)};
            own.resize(std::min(own.size(), static_cast<std::size_t>(harmonics)));
            return own;
        }
        case AnchorShape::sine:
            break;
    }
    return problem::sine_waveform();
}

problem::Problem CellArray::problem(const problem::Instance& instance, problem::Fidelity fidelity, const ProblemOptions& options) const {
    const auto without_noise = [&](std::string_view engine) {
        return ModelError{
            fmt::format("{}: thermal noise of cell {} is not in the model of engine {}. Use nonidealities.temperature: 0 K or another engine.",
                        technology_.name, cell_, engine)};
    };
    const problem::Waveform waveform = anchor_waveform(instance.calibration, options.points_per_period);
    const bool sinusoidal = waveform.size() == 1;
    if (fidelity == problem::Fidelity::exact) {
        if (instance.noisy()) throw without_noise("exact");
        if (!sinusoidal)
            throw ModelError{fmt::format(
                "{}: there is a closed form for sinusoidal anchors only. Use engine phase or ngspice, or anchor_waveform: sine.", technology_.name)};
        return exact_problem(instance, options.rule);
    }
    if (fidelity == problem::Fidelity::phase) {
        if (instance.noisy() && instance.phase_diffusion == 0.0) throw without_noise("phase");
        problem::PhaseProblem phases = phase_problem(instance, options.rule);
        if (sinusoidal) return phases;
        if (instance.calibration.ppv.harmonics.empty())
            throw ModelError{
                fmt::format("{}: the phase model of anchors that are not sinusoidal needs the cell's phase sensitivity, which is not known: {}.",
                            technology_.name, instance.calibration.ppv_missing)};
        return problem::with_anchor_waveform(std::move(phases), {instance.calibration.ppv, waveform, full_scale_current(instance.calibration)});
    }

    if (instance.noisy() && instance.noise_density == 0.0) throw without_noise("ngspice");
    const network::OscillatorNetwork& network = instance.network;
    problem::CircuitProblem circuit = this->circuit(instance.calibration, instance.calibration.frequency_at_step_hz, options.points_per_period);
    if (std::isfinite(instance.calibration.frequency_at_half_step_hz)) circuit.half_step_hz = instance.calibration.frequency_at_half_step_hz;
    circuit.crossbar = options.crossbar;
    circuit.rule = options.rule;
    for (Eigen::Index i = 0; i < network.size(); ++i) {
        const double phase = std::atan2(network.start(i, 1), network.start(i, 0));
        problem::Cell cell = oscillator(phase, instance.deviation(i), {instance.drive(i, 0), instance.drive(i, 1)}, instance.calibration);
        cell.id = network.free[static_cast<std::size_t>(i)];
        if (instance.noise_density > 0.0) {
            cell.noise_density = instance.noise_density;
            cell.noise_seed = instance.noise_seed[static_cast<std::size_t>(i)];
        }
        circuit.cells.push_back(std::move(cell));
    }
    // Anchors are sources of one amplitude; the length of an anchor vector is a gain of its weights.
    for (Eigen::Index j = 0; j < network.anchors.rows(); ++j)
        circuit.anchors.push_back({network.anchor_ids[static_cast<std::size_t>(j)], std::atan2(network.anchors(j, 1), network.anchors(j, 0))});
    circuit.anchor_waveform = waveform;
    if (!sinusoidal && options.crossbar == problem::Crossbar::reduced)
        for (const network::Coupling& c : network.couplings)
            add_harmonics(circuit.cells[c.to], waveform, full_scale_current(instance.calibration) * c.weight.real(),
                          {network.anchors(c.from, 0), network.anchors(c.from, 1)});
    const bool resistive = summing_ == problem::Summing::resistive;
    const double full_scale = resistive ? design_.row_conductance : full_scale_current(instance.calibration);
    Eigen::VectorXd used = Eigen::VectorXd::Zero(network.size());  // [S] of each row
    for (const network::Coupling& c : network.couplings) {
        if (c.weight.real() == 0.0) continue;
        const double strength = full_scale * c.weight.real() * network.anchors.row(c.from).norm();
        if (options.crossbar == problem::Crossbar::full) circuit.crosspoints.push_back({c.from, c.to, strength});  // 16 B each, millions of them
        used(c.to) += strength;
    }
    constexpr double rounding = 1e-9;  // relative
    if (resistive && used.size() > 0 && used.maxCoeff() > (1.0 + rounding) * design_.row_conductance)
        throw ModelError{
            fmt::format("{}: the crosspoints of a row add up to {:.6g} S, more than row_conductance {:.6g} S. Use mapping.normalisation: row.",
                        technology_.name, used.maxCoeff(), design_.row_conductance)};
    if (resistive && options.crossbar == problem::Crossbar::full && (instance.deviation.array() != 0.0).any())
        throw ModelError{
            fmt::format("{}: crosspoints of a full crossbar do not speed up with a cell that deviates in frequency, as its own load does. Use "
                        "crossbar: reduced with frequency_disorder.",
                        technology_.name)};
    if (resistive && options.crossbar == problem::Crossbar::full)
        for (Eigen::Index i = 0; i < network.size(); ++i)  // the crosspoints load the cell, the dummy conductance is what is missing
            for (problem::Parameter& p : circuit.cells[static_cast<std::size_t>(i)].parameters)
                if (p.name == design_.load_parameter) p.value = std::max(0.0, design_.row_conductance - used(i));  // rounding
    return circuit;
}

}  // namespace entrain::substrates

#include "engines/ngspice/worker/simulator.hpp"

#include <fmt/format.h>
#include <ngspice/sharedspice.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <complex>
#include <limits>
#include <optional>
#include <unordered_map>

#include "core/quantity.hpp"
#include "core/random.hpp"
#include "engines/ngspice/demodulator.hpp"

namespace entrain::engines::ngspice {

namespace {

constexpr std::size_t most_error_lines = 8;      // of a message: the first ones name the cause
constexpr std::size_t most_kept_lines = 256;     // the kind of failure may be told after many different warnings
constexpr std::size_t longest_error_line = 300;  // some repeat a whole netlist line
constexpr std::size_t wave_buffer = 1U << 16;    // doubles a frame

constexpr int ground = -1;

/// Places of a signal's vectors in SendData's array.
struct Places {
    int plus = ground;
    int minus = ground;
    int current = ground;
};

}  // namespace

struct Simulator::State {
    Waves send_waves;
    std::string version;

    std::optional<std::string> behavior;  ///< of the first circuit

    // The circuit.
    Load load;
    std::optional<Demodulator> demodulator;
    std::vector<std::string> errors;
    std::vector<Places> places;
    int scale = ground;
    std::string missing_vector;
    bool running = false;

    // The run.
    double pause_at = std::numeric_limits<double>::infinity();
    bool paused = false;
    bool finite = true;
    bool detach = false;
    std::uint64_t points = 0;
    std::uint64_t newton_iterations = 0;
    double time = 0.0;
    double clock_time = -1.0;  ///< of cosine and sine
    double cosine = 1.0;
    double sine = 0.0;
    std::vector<double> values;
    std::vector<double> powers;
    std::vector<double> waves;

    void map_vectors(const vecinfoall& all);
    void take_point(const vecvaluesall& all);
    void external_current(double t, const char* name, double& value);
    void flush_waves();
    [[nodiscard]] std::string first_errors() const;
    [[nodiscard]] bool said(std::string_view text) const;
    [[nodiscard]] Status failure(std::string category) const;
    [[nodiscard]] Status outcome() const;
};

namespace {

void command(const char* text) {
    std::string copy{text};  // the library wants to write into it
    ngSpice_Command(copy.data());
}

/// Whether the text consists of ngspice's compatibility modes, one after another. It becomes part of a command, where nearly every other text is
/// dangerous; ngspice itself takes any text without a word and looks for the modes in it.
bool is_behavior(std::string_view text) {
    if (text.empty()) return true;
    constexpr std::array<std::string_view, 10> modes = {"a", "eg", "hs", "ki", "ll", "lt", "ps", "s3", "spe", "xs"};
    return std::ranges::any_of(modes, [&](std::string_view mode) { return text.starts_with(mode) && is_behavior(text.substr(mode.size())); });
}

/// Sum of Re(phasor_k clock^k) over the harmonics k = 2, 3, ...; clock = exp(i w t).
double harmonics_current(const std::vector<std::complex<double>>& harmonics, std::complex<double> clock) {
    double sum = 0.0;
    std::complex<double> power = clock;
    for (const std::complex<double>& phasor : harmonics) {
        power = {power.real() * clock.real() - power.imag() * clock.imag(), power.real() * clock.imag() + power.imag() * clock.real()};
        sum += phasor.real() * power.real() - phasor.imag() * power.imag();
    }
    return sum;
}

int send_char(char* text, int /*ident*/, void* user) {
    auto& state = *static_cast<Simulator::State*>(user);
    const std::string_view line{text};
    if (state.version.empty() && line.find("** ngspice-") != std::string_view::npos) {
        const std::size_t begin = line.find("ngspice-");
        state.version = line.substr(begin, line.find_first_of(" \t", begin) - begin);
    }
    constexpr std::string_view prefix = "stderr ";
    if (!line.starts_with(prefix) || state.errors.size() >= most_kept_lines) return 0;
    const std::string_view message = line.substr(prefix.size(), longest_error_line);
    // What a pause says, and notes.
    for (const std::string_view harmless : {"condition met", "pause requested", "simulation interrupted", "Note:"})
        if (message.find(harmless) != std::string_view::npos) return 0;
    const bool blank = message.find_first_not_of(" \t\r\n") == std::string_view::npos;
    if (!blank && std::ranges::find(state.errors, message) == state.errors.end()) state.errors.emplace_back(message);
    return 0;
}

int send_status(char* /*text*/, int /*ident*/, void* /*user*/) { return 0; }

int controlled_exit(int /*status*/, NG_BOOL /*immediate*/, NG_BOOL /*quit*/, int /*ident*/, void* user) {
    static_cast<Simulator::State*>(user)->detach = true;
    return 0;
}

int send_data(pvecvaluesall all, int /*count*/, int /*ident*/, void* user) {
    static_cast<Simulator::State*>(user)->take_point(*all);
    return 0;
}

int send_init_data(pvecinfoall all, int /*ident*/, void* user) {
    static_cast<Simulator::State*>(user)->map_vectors(*all);
    return 0;
}

int thread_running(NG_BOOL /*running*/, int /*ident*/, void* /*user*/) { return 0; }

int source_current(double* value, double time, char* name, int /*ident*/, void* user) {
    static_cast<Simulator::State*>(user)->external_current(time, name, *value);
    return 0;
}

}  // namespace

void Simulator::State::map_vectors(const vecinfoall& all) {
    std::unordered_map<std::string, int> by_name;
    scale = ground;
    for (int i = 0; i < all.veccount; ++i) by_name.emplace(all.vecs[i]->vecname, i);
    missing_vector.clear();
    const auto find = [&](const std::string& name) {
        if (name.empty()) return ground;
        const auto found = by_name.find(name);
        if (found != by_name.end()) return found->second;
        missing_vector = name;
        return ground;
    };
    places.clear();
    for (const Signal& s : load.signals) places.push_back({find(s.plus), find(s.minus), find(s.current)});
}

void Simulator::State::take_point(const vecvaluesall& all) {
    if (scale == ground)
        for (int i = 0; i < all.veccount; ++i)
            if (all.vecsa[i]->is_scale) scale = i;
    const auto value = [&](int place) { return place == ground ? 0.0 : all.vecsa[place]->creal; };
    time = value(scale) - load.warm_up;
    ++points;
    double sum = time;
    for (std::size_t s = 0; s < places.size(); ++s) {
        const Signal& signal = load.signals[s];
        values[s] = value(places[s].plus) - value(places[s].minus);
        const double current = value(places[s].current);
        powers[s] = signal.power == Power::supply ? -signal.supply_v * current : signal.power == Power::active ? -values[s] * current : 0.0;
        sum += values[s] + powers[s];
    }
    if (!std::isfinite(sum)) finite = false;
    if (finite) demodulator->add(value(scale), values, powers);
    if (!load.waves.empty() && time >= 0.0) {
        waves.push_back(time);
        for (const std::uint32_t w : load.waves) waves.push_back(values[w]);
        if (waves.size() >= wave_buffer) flush_waves();
    }
    if (!paused && (time >= pause_at || !finite || points > most_points(load))) {
        // Nested in the run, this ends it at the next accepted point; a stop at a given time would add a breakpoint and change the steps.
        paused = true;
        command("stop when time > 0");
    }
}

void Simulator::State::external_current(double t, const char* name, double& value) {
    std::size_t k = load.sources.size();
    const std::string_view text{name};  // "i<k>"
    std::from_chars(text.data() + 1, text.data() + text.size(), k);
    if (k >= load.sources.size()) return;
    if (k == 0) ++newton_iterations;  // every source is asked once in each
    const ExternalSource& source = load.sources[k];
    t -= load.warm_up;
    double c = cosine;
    double s = sine;
    if (t != clock_time || source.offset_hz != 0.0) {
        const double turns = (load.frequency + source.offset_hz) * t;
        const double angle = turn * (turns - std::floor(turns));
        c = std::cos(angle);
        s = std::sin(angle);
        if (source.offset_hz == 0.0) {
            clock_time = t;
            cosine = c;
            sine = s;
        }
    }
    value = t < 0.0 ? 0.0 : source.phasor.real() * c - source.phasor.imag() * s;
    if (!source.harmonics.empty() && t >= 0.0) value += harmonics_current(source.harmonics, {c, s});
    for (const Pulse& pulse : source.pulses)
        if (const double away = std::abs(t - pulse.time); away < pulse.half_base) value += pulse.peak * (1.0 - away / pulse.half_base);
    if (source.noise_rms > 0.0) {
        const double step = std::round((t + load.warm_up) / load.step);  // ngspice asks several times for one point, and must get one answer
        value += source.noise_rms * RandomStreams{source.noise_seed}.normal(Stream::circuit_noise, static_cast<std::uint64_t>(step));
    }
}

void Simulator::State::flush_waves() {
    if (!waves.empty()) send_waves(waves);
    waves.clear();
}

std::string Simulator::State::first_errors() const {
    const std::size_t shown = std::min(errors.size(), most_error_lines);
    return fmt::format("{}", fmt::join(errors.begin(), errors.begin() + static_cast<std::ptrdiff_t>(shown), "\n"));
}

bool Simulator::State::said(std::string_view text) const {
    return std::ranges::any_of(errors, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

Status Simulator::State::failure(std::string category) const {
    std::string message = first_errors();
    if (said("can't allocate")) message = "the simulator met its memory limit\n" + message;
    return {std::move(category), std::move(message), time, points};
}

/// ngspice returns success for nearly every failure, so a run is judged by what it left behind; texts only name the kind.
Status Simulator::State::outcome() const {
    constexpr double end_tolerance = 1e-9;  // relative: the stop time is a breakpoint, hit to rounding
    if (detach) return failure("exit");
    if (!finite) return failure("not_finite");
    if (points == 0) {
        if (said("circuit not parsed") || said("Error on line")) return failure("parse");
        if (said("aren't any circuits") || said("No circuit loaded")) return failure("no_circuit");
        if (said("imestep too small") || said("singular") || said("out of range")) return failure("operating_point");
        return failure("empty");
    }
    if (!missing_vector.empty()) {
        Status status = failure("empty");
        status.message = fmt::format("the netlist has no vector {}\n{}", missing_vector, status.message);
        return status;
    }
    const bool finished = time >= load.stop_time - (load.stop_time + load.warm_up) * end_tolerance;
    if (finished || time >= pause_at) return {finished ? "ok" : "stopped", "", time, points};
    if (points > most_points(load)) {
        Status status = failure("timestep");
        status.message = fmt::format("the simulator cuts its step of {:.3g} s to a twentieth and less\n{}", load.step, status.message);
        return status;
    }
    return failure(said("imestep too small") ? "timestep" : "incomplete");
}

Simulator::Simulator(Waves waves) : state_{std::make_unique<State>()} {
    state_->send_waves = std::move(waves);
    ngSpice_Init(send_char, send_status, controlled_exit, send_data, send_init_data, thread_running, state_.get());
    ngSpice_Init_Sync(nullptr, source_current, nullptr, nullptr, state_.get());
    command("set norefvalue");     // its progress text comes without the usual prefix
    command("set num_threads=1");  // OpenMP's spinning threads cost 10x on a busy machine
}

Simulator::~Simulator() = default;

std::string Simulator::version() const { return state_->version; }

bool Simulator::must_exit() const { return state_->detach; }

Status Simulator::load(Load load) {
    State& s = *state_;
    s.load = std::move(load);
    s.demodulator.emplace(s.load.frequency, s.load.signals.size(), s.load.harmonics);
    s.errors.clear();
    s.values.assign(s.load.signals.size(), 0.0);
    s.powers.assign(s.load.signals.size(), 0.0);
    s.waves.clear();
    s.places.clear();
    s.missing_vector.clear();
    s.running = false;
    s.finite = true;
    s.points = 0;
    s.newton_iterations = 0;
    s.time = 0.0;
    s.clock_time = -1.0;
    if (!is_behavior(s.load.behavior))
        return {"parse", fmt::format("ngbehavior: '{}' is no combination of a, eg, hs, ki, ll, lt, ps, s3, spe, xs", s.load.behavior), 0.0, 0};
    // Modes are never reset completely, so numbers would depend on what a worker did before.
    if (s.behavior && *s.behavior != s.load.behavior)
        return {"parse", fmt::format("ngbehavior: this worker has '{}' and cannot change to '{}'", *s.behavior, s.load.behavior), 0.0, 0};
    if (!s.behavior && !s.load.behavior.empty()) command(("set ngbehavior=" + s.load.behavior).c_str());
    s.behavior = s.load.behavior;
    // A line with a line break inside would be joined silently with the next one.
    for (const std::string& line : s.load.lines)
        if (line.find_first_of(std::string_view{"\r\n\0", 3}) != std::string::npos) return s.failure("parse");
    std::vector<char*> cards;
    for (std::string& line : s.load.lines) cards.push_back(line.data());
    cards.push_back(nullptr);
    ngSpice_Circ(cards.data());
    if (s.detach) return s.failure("exit");
    if (s.said("No circuit loaded") || s.said("unknown subckt") || s.said("Error") || s.said("ERROR")) return s.failure("parse");
    return {"ok", "", 0.0, 0};
}

Status Simulator::advance(const Advance& advance) {
    State& s = *state_;
    if (!advance.phasors.empty())
        for (std::size_t k = 0; k < std::min(advance.phasors.size(), s.load.sources.size()); ++k) s.load.sources[k].phasor = advance.phasors[k];
    s.pause_at = advance.until;  // as `time`, after the warm-up
    s.paused = false;
    // Deletes the stop condition. Before the first run it would delete `.save none` too, and every vector would be kept.
    if (s.running) command("delete all");
    command(s.running ? "resume" : "run");
    s.running = true;
    s.flush_waves();
    Status status = s.outcome();
    status.newton_iterations = s.newton_iterations;
    return status;
}

Periods Simulator::read() {
    State& s = *state_;
    if (!s.demodulator) return {};
    Periods periods = s.demodulator->take();
    const std::size_t orders = s.load.harmonics.size();
    const std::size_t width = 2 * orders + 3;
    // The demodulator counts from the start of the simulation.
    const auto warm_up = static_cast<std::uint64_t>(std::llround(s.load.warm_up * s.load.frequency));
    const std::uint64_t dropped = std::min(periods.count, warm_up - std::min(warm_up, periods.first));
    periods.values.erase(periods.values.begin(), periods.values.begin() + static_cast<std::ptrdiff_t>(dropped * s.load.signals.size() * width));
    periods.first += dropped - std::min(warm_up, periods.first + dropped);
    periods.count -= dropped;
    for (std::size_t k = 0; k * width < periods.values.size(); ++k) {
        const double shift = s.load.signals[k % s.load.signals.size()].clock_shift;
        if (shift == 0.0) continue;
        for (std::size_t h = 0; h < orders; ++h) {
            double* phasor = &periods.values[k * width + 2 * h];
            const std::complex<double> turned = std::complex<double>{phasor[0], phasor[1]} * std::polar(1.0, s.load.harmonics[h] * shift);
            phasor[0] = turned.real();
            phasor[1] = turned.imag();
        }
    }
    return periods;
}

Status Simulator::finish() {
    command("delete all");
    command("destroy all");  // plots would pile up and slow the next runs
    command("remcirc");
    state_->running = false;
    return {"ok", "", state_->time, state_->points};
}

}  // namespace entrain::engines::ngspice

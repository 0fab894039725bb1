#include "engines/ngspice/checkpoints.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "core/file.hpp"
#include "core/sha256.hpp"
#include "engines/ngspice/protocol.hpp"

namespace entrain::engines::ngspice {

namespace {

/// Changes with the layout of the files, and whenever the engine takes other numbers out of the same answers of the worker.
constexpr std::string_view format = "entrain.chunk/1\n";
constexpr std::size_t digest_length = 64;

std::vector<double> list_of(std::span<const double> values) { return {values.begin(), values.end()}; }

void put(Packer& packer, const problem::OscillatorSolution& o) {
    packer.put(o.stop);
    packer.put(list_of(o.trajectory.times()));
    std::vector<double> phases;
    for (std::size_t k = 0; k < o.trajectory.size(); ++k) phases.push_back(o.trajectory.phase(k));
    packer.put(phases);
    packer.put(list_of(o.trajectory.energies()));
    packer.put(list_of({o.state.data(), static_cast<std::size_t>(o.state.size())}));
    for (const double number : {o.phase, o.frequency_difference, o.amplitude, o.stop_time, o.mean_power}) packer.put(number);
    packer.put(o.settling_time ? std::vector{*o.settling_time} : std::vector<double>{});
    packer.put(o.deformation);
}

void get(Unpacker& unpacker, problem::OscillatorSolution& o) {
    unpacker.get(o.stop);
    std::vector<double> times;
    std::vector<double> phases;
    std::vector<double> energies;
    std::vector<double> state;
    for (std::vector<double>* list : {&times, &phases, &energies, &state}) unpacker.get(*list);
    if (times.size() > problem::Trajectory::capacity || phases.size() != times.size() || energies.size() != times.size())
        throw std::runtime_error{"a chunk's trajectory has samples without a time"};
    for (std::size_t k = 0; k < times.size(); ++k)
        o.trajectory.append(times[k], {&phases[k], 1}, energies[k]);  // at most its capacity: none is dropped
    o.state = Eigen::Map<const Eigen::VectorXd>(state.data(), static_cast<Eigen::Index>(state.size()));
    for (double* number : {&o.phase, &o.frequency_difference, &o.amplitude, &o.stop_time, &o.mean_power}) unpacker.get(*number);
    std::vector<double> settling_time;
    unpacker.get(settling_time);
    if (!settling_time.empty()) o.settling_time = settling_time.front();
    unpacker.get(o.deformation);
}

std::string packed(const ChunkOutcome& outcome, const std::vector<std::string>& waves) {
    Packer packer;
    packer.put(waves);
    packer.put(static_cast<std::uint64_t>(outcome.retries.size()));
    for (const problem::Retry& r : outcome.retries) {
        packer.put(r.chunk);
        packer.put(r.category);
        packer.put(r.message);
        packer.put(r.change);
        packer.put(static_cast<std::uint8_t>(r.ok));
    }
    packer.put(outcome.periods);
    packer.put(outcome.points);
    packer.put(outcome.newton_iterations);
    packer.put(static_cast<std::uint64_t>(outcome.oscillators.size()));
    for (const problem::OscillatorSolution& o : outcome.oscillators) put(packer, o);
    return packer.bytes();
}

struct Stored {
    ChunkOutcome outcome;
    std::vector<std::string> waves;
};

Stored unpacked(std::string_view bytes) {
    Unpacker unpacker{bytes};
    Stored stored;
    std::uint64_t count = 0;
    unpacker.get(stored.waves);
    unpacker.get(count);
    for (; count > 0; --count) {
        problem::Retry r;
        unpacker.get(r.chunk);
        unpacker.get(r.category);
        unpacker.get(r.message);
        unpacker.get(r.change);
        std::uint8_t ok = 0;
        unpacker.get(ok);
        r.ok = ok != 0;
        stored.outcome.retries.push_back(std::move(r));
    }
    unpacker.get(stored.outcome.periods);
    unpacker.get(stored.outcome.points);
    unpacker.get(stored.outcome.newton_iterations);
    unpacker.get(count);
    for (; count > 0; --count) get(unpacker, stored.outcome.oscillators.emplace_back());
    if (!unpacker.empty()) throw std::runtime_error{"a chunk holds more than an outcome"};
    return stored;
}

/// Whether a stored outcome could be one of this run: the file may be anybody's.
bool is_possible(const ChunkOutcome& outcome, const ChunkRun& run) {
    if (outcome.oscillators.size() != run.chunk().cells.size()) return false;
    return std::ranges::all_of(outcome.oscillators, [&](const problem::OscillatorSolution& o) {
        const auto times = o.trajectory.times();
        return o.stop >= problem::Stop::settled && o.stop <= problem::Stop::failed && o.state.size() == 2 && o.state.allFinite() && !times.empty() &&
               std::ranges::all_of(times, [](double t) { return std::isfinite(t); }) &&
               std::ranges::adjacent_find(times, std::ranges::greater_equal{}) == times.end() && std::isfinite(o.phase) &&
               o.deformation.size() == run.problem().phase_terms.size();
    });
}

}  // namespace

Checkpoints::Checkpoints(std::filesystem::path folder, const std::string& program, const std::string& simulator)
    : folder_{std::move(folder)}, makers_{program + "\n" + simulator + "\n"} {}

std::string Checkpoints::key(const ChunkRun& run) const {
    const problem::CircuitProblem& problem = run.problem();
    Load load = run.load();
    load.waves.clear();  // they are watched, and change nothing
    Packer numbers;
    numbers.put(pack(load));
    const problem::SettlingRule& rule = problem.rule;
    for (const double number : {run.periods_limit(), problem.reference_hz, problem.half_step_hz, problem.volt_scale, problem.ampere_scale,
                                problem.start_amplitude, rule.remaining.value(), rule.least_time})
        numbers.put(number);
    numbers.put(rule.noisy);
    numbers.put(problem.fixed_time.has_value());
    for (const problem::PhaseTerm& term : problem.phase_terms) {
        numbers.put(term.order);
        numbers.put(term.factor);
        numbers.put(term.reference);
    }
    if (!problem.fixed_time)
        for (const std::uint32_t c : run.chunk().cells) {
            numbers.put(rule.rate(c));
            numbers.put(rule.max_time(c));
        }
    return sha256(std::string{format} + makers_ + numbers.bytes());
}

std::optional<ChunkOutcome> Checkpoints::find(const ChunkRun& run) const {
    const std::string name = key(run);
    std::error_code none;
    if (!std::filesystem::exists(file(name), none)) return std::nullopt;
    try {
        constexpr std::uintmax_t per_cell = (3 * sizeof(double) * problem::Trajectory::capacity) + 4096;
        constexpr std::uintmax_t beside = 1 << 20;  // names of waves, messages of retries
        const std::string content = read_file(file(name), beside + per_cell * run.chunk().cells.size());
        const std::string head = std::string{format} + name;
        if (content.size() < head.size() + digest_length || !content.starts_with(head)) return std::nullopt;
        const std::string_view body = std::string_view{content}.substr(0, content.size() - digest_length);
        if (std::string_view{content}.substr(body.size()) != sha256(body)) return std::nullopt;
        Stored stored = unpacked(body.substr(head.size()));
        if (!is_possible(stored.outcome, run)) return std::nullopt;
        const auto is_stored = [&](const std::string& wave) { return std::ranges::find(stored.waves, wave) != stored.waves.end(); };
        if (!run.waves().empty() && (!std::ranges::all_of(run.waves(), is_stored) || !std::filesystem::exists(run.rawfile(), none)))
            return std::nullopt;
        return std::move(stored.outcome);
    } catch (const std::exception&) {
        return std::nullopt;  // unreadable: simulated again
    }
}

void Checkpoints::store(const ChunkRun& run, const ChunkOutcome& outcome) const {
    const std::string name = key(run);
    std::string content = std::string{format} + name + packed(outcome, run.waves());
    content += sha256(content);
    write_file_atomically(file(name), content);
}

}  // namespace entrain::engines::ngspice

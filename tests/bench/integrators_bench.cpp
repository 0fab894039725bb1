// Integrators side by side: the phase engine's against odeint with a textbook right-hand side and against scipy, copies on two threads against one,
// the error of settling times. Prints one JSON object {name: {value, unit, better, note}}; `integrators_bench NAME...` measures only what it is asked
// for.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/numeric/odeint.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/random.hpp"
#include "engines/phase/integration.hpp"
#include "engines/phase/partition.hpp"
#include "engines/phase/planar.hpp"
#include "engines/phase/plugin.hpp"
#include "engines/phase/stepper.hpp"

namespace entrain::engines::phase {
namespace {

constexpr double duration = 10.0;     // of the benchmark problem
constexpr double final_error = 1e-6;  // [rad] to which methods are compared

using Clock = double (*)();

double of_wall() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Of this thread: what other programs take does not count.
double of_processor() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

std::string text(const char* format, auto... values) {
    std::array<char, 512> line;
    std::snprintf(line.data(), line.size(), format, values...);
    return line.data();
}

struct Figure {
    std::string name;
    double value;
    std::string unit;
    std::string better;
    std::string note;
};

/// Dense all-to-all coupling, A_ij = (1 + 0.5 N(0, 1))/N, frequencies of deviation 0.3, phases anywhere.
struct Network {
    explicit Network(std::size_t n, std::uint64_t seed = 1) : size{n}, weight(n * n), detuning(n), start(n) {
        const RandomStreams random{seed};
        for (std::size_t k = 0; k < n * n; ++k) weight[k] = (1.0 + 0.5 * random.normal(Stream::coupling_mismatch, k)) / static_cast<double>(n);
        for (std::size_t i = 0; i < n; ++i) {
            detuning[i] = 0.3 * random.normal(Stream::frequency_disorder, i);
            start[i] = 2.0 * M_PI * random.uniform(Stream::start_phase, i);
        }
    }

    [[nodiscard]] Planar dynamics() const {
        Harmonic harmonic{1, Phasors{size}, {}, {}};
        for (std::uint32_t i = 0; i < size; ++i)
            for (std::uint32_t j = 0; j < size; ++j) harmonic.entries.push_back({i, j, weight[i * size + j]});
        std::vector<Harmonic> harmonics;
        harmonics.push_back(std::move(harmonic));
        return Planar{{start.begin(), start.end()}, {detuning.begin(), detuning.end()}, {}, std::move(harmonics)};
    }

    std::size_t size;
    std::vector<double> weight;
    std::vector<double> detuning;
    std::vector<double> start;
};

/// What a textbook writes.
struct Textbook {
    const Network& network;
    void operator()(const std::vector<double>& theta, std::vector<double>& rate, double /*time*/) const {
        for (std::size_t i = 0; i < network.size; ++i) {
            double sum = 0.0;
            for (std::size_t j = 0; j < network.size; ++j) sum += network.weight[i * network.size + j] * std::sin(theta[j] - theta[i]);
            rate[i] = network.detuning[i] + sum;
        }
    }
};

std::vector<double> by_textbook(const Network& network, double tolerance) {
    namespace odeint = boost::numeric::odeint;
    std::vector<double> theta = network.start;
    odeint::integrate_adaptive(odeint::make_controlled(tolerance, 0.0, odeint::runge_kutta_dopri5<std::vector<double>>{}), Textbook{network}, theta,
                               0.0, duration, 0.01);
    return theta;
}

/// A run of the engine's integrator to the end of the duration, its steps kept as the engine keeps them.
struct Integrated {
    State end;
    std::size_t evaluations = 0;
    std::size_t steps = 0;
};
Integrated by_engine(const Dynamics& dynamics, Method method, double tolerance) {
    const auto moving = stepper(dynamics, method, tolerance);
    Path path{dynamics.start.size(), std::size_t{1} << 20U};
    path.append(0.0, moving->state(), moving->rate());
    Integrated result;
    while (moving->time() < duration) {
        moving->step(duration);
        path.append(moving->time(), moving->state(), moving->rate());
        ++result.steps;
    }
    result.end = moving->state();
    result.evaluations = moving->evaluations();
    return result;
}

template <class A, class B>
double distance(const A& a, const B& b) {
    double largest = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

/// Seconds of one call, the median over calls of at least `least` seconds in all.
template <class Work>
double timed(const Work& work, double least = 0.02, Clock clock = of_processor) {
    std::vector<double> rounds;
    const double began = clock();
    do {
        const double start = clock();
        work();
        rounds.push_back(clock() - start);
    } while (clock() - began < least);
    return median(rounds);
}

/// The same for what takes less than reading the clock, which is a system call: as many calls between two looks as take 0.1 ms.
template <class Work>
double timed_in_batches(const Work& work) {
    const auto batch = static_cast<int>(std::clamp(1e-4 / timed(work, 0.001), 1.0, 1e4));
    const auto several = [&] {
        for (int k = 0; k < batch; ++k) work();
    };
    return timed(several) / batch;
}

Figure odeint_ratio(std::size_t n) {
    constexpr double tolerance = 1e-6;
    const Network network{n};
    const Planar dynamics = network.dynamics();
    const State reference = by_engine(dynamics, Method::fehlberg78, 1e-13).end;
    Integrated ours;
    std::vector<double> theirs;
    std::vector<double> ratios;
    std::vector<double> times;
    for (int round = 0; round < (n > 1000 ? 3 : 7); ++round) {
        const double textbook = timed([&] { theirs = by_textbook(network, tolerance); }, 0.0);
        times.push_back(timed([&] { ours = by_engine(dynamics, Method::dopri5, tolerance); }));
        ratios.push_back(textbook / times.back());
    }
    // The profile: what a right-hand side takes without a stepper around it. How near that is to reading the matrix once is kernels_bench's.
    State rate(n);
    const double bare = timed_in_batches([&] { dynamics.derivative(dynamics.start, rate); });
    const double each = median(times) / static_cast<double>(ours.evaluations);
    return {
        text("odeint_ratio_%zu", n), median(ratios), "x", "higher",
        text("odeint dopri5, textbook double loop, std::sin, over the engine's dopri5, both at %.0e: errors %.1e and %.1e rad; %zu right-hand sides "
             "of %.3g us each, %.3g us of it the bare right-hand side (%.3g MB matrix; its share of the floor: rhs_floor)",
             tolerance, distance(theirs, reference), distance(ours.end, reference), ours.evaluations, 1e6 * each, 1e6 * bare,
             1e-6 * static_cast<double>(dynamics.matrix_bytes()))};
}

struct Rung {
    std::string method;
    double tolerance = 0.0;
    double seconds = std::numeric_limits<double>::infinity();
    double error = 0.0;
    std::size_t evaluations = 0;
};

/// The cheapest of our methods and tolerances whose end is right.
Rung best_of_engine(const Planar& dynamics, const State& reference) {
    Rung best;
    for (const auto& [name, method] : {std::pair{"dopri5", Method::dopri5}, std::pair{"fehlberg78", Method::fehlberg78}})
        for (int rung = 0; rung <= 18; ++rung) {  // six a decade, as scipy_oracle.py
            const double tolerance = std::pow(10.0, -4.0 - rung / 6.0);
            Integrated run;
            const double seconds = timed([&] { run = by_engine(dynamics, method, tolerance); }, 0.1);
            const double error = distance(run.end, reference);
            if (error <= final_error && seconds < best.seconds) best = {name, tolerance, seconds, error, run.evaluations};
        }
    return best;
}

void write_doubles(const std::filesystem::path& file, const double* values, std::size_t n) {
    std::ofstream out{file, std::ios::binary};
    out.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(n * sizeof(double)));
}

/// scipy's best, by tests/bench/scipy_oracle.py: "method tolerance seconds error evaluations blas".
Figure scipy_ratio(std::size_t n) {
    const Network network{n};
    const Planar dynamics = network.dynamics();
    const State reference = by_engine(dynamics, Method::fehlberg78, 1e-13).end;
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / text("entrain_scipy_%d", static_cast<int>(::getpid()));
    std::filesystem::create_directories(folder);
    write_doubles(folder / "weight", network.weight.data(), network.weight.size());
    write_doubles(folder / "detuning", network.detuning.data(), n);
    write_doubles(folder / "start", network.start.data(), n);
    write_doubles(folder / "reference", reference.data(), n);
    std::vector<double> ratios;
    Rung ours;
    std::string theirs;
    for (int round = 0; round < 3; ++round) {
        const std::string command = text("OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 /usr/bin/python3 %s/tests/bench/scipy_oracle.py %s %zu %g %g",
                                         ENTRAIN_SOURCE_DIR, folder.c_str(), n, duration, final_error);
        FILE* pipe = ::popen(command.c_str(), "r");
        std::array<char, 512> line{};
        const bool read = pipe != nullptr && std::fgets(line.data(), line.size(), pipe) != nullptr;
        if (pipe != nullptr && ::pclose(pipe) != 0) throw std::runtime_error{"scipy_oracle.py failed"};
        if (!read) throw std::runtime_error{"scipy_oracle.py says nothing"};
        std::istringstream in{line.data()};
        Rung best;
        std::string blas;
        in >> best.method >> best.tolerance >> best.seconds >> best.error >> best.evaluations >> blas;
        ours = best_of_engine(dynamics, reference);
        ratios.push_back(best.seconds / ours.seconds);
        theirs = text("scipy %s at %.0e, %s, one thread: %.4g ms, %zu right-hand sides, error %.1e", best.method.c_str(), best.tolerance,
                      blas.c_str(), 1e3 * best.seconds, best.evaluations, best.error);
    }
    std::filesystem::remove_all(folder);
    return {text("scipy_ratio_%zu", n), median(ratios), "x", "higher",
            theirs + text("; engine %s at %.0e: %.4g ms, %zu right-hand sides, error %.1e", ours.method.c_str(), ours.tolerance, 1e3 * ours.seconds,
                          ours.evaluations, ours.error)};
}

/// Perturbed copies of one network as one problem, through the engine.
Figure copies() {
    constexpr std::size_t n = 98;
    constexpr std::size_t count = 200;
    problem::PhaseProblem problem;
    const auto all = static_cast<Eigen::Index>(n * count);
    problem.network.free.resize(n * count);
    problem.network.start.resize(all, 2);
    problem.network.anchors.resize(0, 2);
    problem.coupling_rate = Eigen::VectorXd::Ones(all);
    problem.detuning.resize(all);
    problem.raw_shift = Eigen::VectorXd::Zero(all);
    problem.rule.rate = Eigen::VectorXd::Ones(all);
    problem.rule.max_time = Eigen::VectorXd::Constant(all, 0.25 * duration);  // the engine follows four times as long
    for (std::size_t copy = 0; copy < count; ++copy) {
        const Network network{n, copy + 1};
        for (std::size_t i = 0; i < n; ++i) {
            const auto row = static_cast<Eigen::Index>(copy * n + i);
            problem.detuning(row) = network.detuning[i];
            problem.network.start.row(row) << std::cos(network.start[i]), std::sin(network.start[i]);
            for (std::size_t j = 0; j < n; ++j)
                problem.network.couplings.push_back({static_cast<std::uint32_t>(copy * n + j), static_cast<std::uint32_t>(copy * n + i),
                                                     network::Coupling::From::free, 1, network.weight[i * n + j], 0.0, 0.0});
        }
    }
    const problem::Problem whole{std::move(problem)};
    const auto engine = create();
    // What two threads that share nothing get of the machine at this moment.
    const auto arithmetic = [] {
        volatile double sum = 0.0;
        for (int k = 0; k < 20'000'000; ++k) sum = sum + 1.0;
    };
    std::vector<double> ratios;
    std::vector<double> single;
    std::vector<double> possible;
    for (int round = 0; round < 5; ++round) {
        RunOptions run;
        single.push_back(timed([&] { (void)engine->solve(whole, run); }, 0.0, of_wall));
        run.jobs = 2;
        ratios.push_back(single.back() / timed([&] { (void)engine->solve(whole, run); }, 0.0, of_wall));
        const double alone = timed(arithmetic, 0.0, of_wall);
        possible.push_back(2.0 * alone /
                           timed(
                               [&] {
                                   const std::jthread other{arithmetic};
                                   arithmetic();
                               },
                               0.0, of_wall));
    }
    const double serial = timed([&] { (void)Partition{std::get<problem::PhaseProblem>(whole)}; });
    return {
        "copies_2_over_1", median(ratios), "x", "higher",
        text("%zu copies of N = 98 through the engine to t = %g, wall, one job over two: %.4g ms on one, %.3g copies a second; before threads start "
             "%.3g ms; two threads of additions and nothing else: %.3gx; %u processors",
             count, duration, 1e3 * median(single), static_cast<double>(count) / median(single), 1e3 * serial, median(possible),
             std::thread::hardware_concurrency())};
}

/// Settling time of an Adler oscillator at tolerance 1e-6 against its closed form.
Figure settle_error() {
    double worst = 0.0;
    std::size_t evaluations = 0;
    std::size_t recorded = 0;
    constexpr double band = M_PI / 180.0;
    for (const Method method : {Method::dopri5, Method::fehlberg78})
        for (double start = 0.1; start < 3.1; start += 0.1) {
            Harmonic harmonic{1, Phasors{1}, {}, {}};
            harmonic.drive.re[0] = 1.0;
            std::vector<Harmonic> harmonics;
            harmonics.push_back(std::move(harmonic));
            const Planar dynamics{State{start}, State{0.0}, State{}, std::move(harmonics)};
            Limits limits;
            limits.method = method;
            limits.tolerance = 1e-6;
            limits.horizon = 1e3;
            const Run run = find_end(dynamics, limits);
            const Record found = record(dynamics, limits, run, {band, 0.1 * band, {run.time}, 400});
            const double exact = std::log(std::tan(0.5 * start) / std::tan(0.5 * band));
            worst = std::max(worst, std::abs(found.entry[0] / exact - 1.0));
            evaluations += run.evaluations;
            recorded += found.evaluations;
        }
    return {"settle_error", worst, "relative", "lower",
            text("largest over 30 starts and both methods at tolerance 1e-6, against ln(tan(x0/2)/tan(0.5 deg)); %zu right-hand sides to settle, %zu "
                 "more to "
                 "find the times",
                 evaluations, recorded)};
}

}  // namespace
}  // namespace entrain::engines::phase

int main(int argc, char** argv) {
    using namespace entrain::engines::phase;
    std::vector<std::pair<std::string, std::function<Figure()>>> figures;
    for (const std::size_t n : {98, 512, 2048}) figures.emplace_back(text("odeint_ratio_%zu", n), [n] { return odeint_ratio(n); });
    for (const std::size_t n : {98, 512, 2048}) figures.emplace_back(text("scipy_ratio_%zu", n), [n] { return scipy_ratio(n); });
    figures.emplace_back("copies_2_over_1", copies);
    figures.emplace_back("settle_error", settle_error);
    const std::vector<std::string> wanted{argv + 1, argv + argc};
    const char* separator = "{";
    for (const auto& [name, measure] : figures) {
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
        const Figure figure = measure();
        std::printf("%s\"%s\": {\"value\": %.17g, \"unit\": \"%s\", \"better\": \"%s\", \"note\": \"%s\"}", separator, figure.name.c_str(),
                    figure.value, figure.unit.c_str(), figure.better.c_str(), figure.note.c_str());
        std::fflush(stdout);
        separator = ",\n ";
    }
    std::puts("}");
    return 0;
}

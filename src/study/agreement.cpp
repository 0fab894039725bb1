#include "study/agreement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <thread>

#include "core/error.hpp"
#include "core/quantity.hpp"
#include "core/random.hpp"
#include "metrics/quantile.hpp"
#include "problem/interaction.hpp"
#include "problem/settling.hpp"
#include "readout/reading.hpp"

namespace entrain::study {
namespace {

using Eigen::Index;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint64_t seed = 1;  // of the draws; not the configuration's, so that every run finds the comparison
constexpr Index anchors = 8;
constexpr double weakest_drive = 0.05;
constexpr int oscillators = 16;  // with drives from there to 1: four per bin
constexpr std::array<double, 5> drive_bins = {weakest_drive, 0.1, 0.2, 0.5, 1.0};
constexpr double weaker_drive = 0.01;         // the weakest of trained layers
constexpr double slowest_rate = 2e-4;         // K r/w0: weaker drives are compared where their oscillators do not take longer than 10,000 periods
constexpr int weaker_oscillators = 3;         // with drives from there to weakest_drive
constexpr double weight_spread = 1.5;         // sigma of ln(weight): one weight of eight may dominate, which drives near 1 need
constexpr std::uint64_t most_tries = 100000;  // a drive of 0.01 to 0.017 takes some 2,000
constexpr double weakest_square_drive = 0.2;  // below, sums of other harmonics may outweigh that of the fundamental and bring equilibria of their own
constexpr int square_oscillators = 8;
const double nearest_start = radians(20.0);    // nearer, an error of 0.1 deg in equilibrium changes the settling time by a percent
const double farthest_start = radians(170.0);  // farther, the neighbourhood of the antipode decides it

/// A range of drives.
struct Range {
    double low;
    double high;
};

/// `count` ranges that divide low .. high log-evenly.
void divide(double low, double high, int count, std::vector<Range>& ranges) {
    const double factor = std::pow(high / low, 1.0 / count);
    for (int k = 0; k < count; ++k) ranges.push_back({low * std::pow(factor, k), low * std::pow(factor, k + 1)});
}

/// Where the drives of a cell with this K/w0 at full scale shall lie, one range per oscillator.
std::vector<Range> wanted_drives(double rate_per_cycle) {
    std::vector<Range> ranges;
    const double weaker = std::max(weaker_drive, slowest_rate / rate_per_cycle);
    if (weaker < weakest_drive) divide(weaker, weakest_drive, weaker_oscillators, ranges);
    divide(weakest_drive, 1.0, oscillators, ranges);
    return ranges;
}

/// Random weights onto anchors at these phases that give oscillator i a drive within the range.
Eigen::RowVectorXd weights_for(const Eigen::VectorXd& anchor_phases, const Range& drives, std::uint64_t i, const RandomStreams& streams) {
    Eigen::RowVectorXd weights(anchors);
    for (std::uint64_t attempt = 0; attempt < most_tries; ++attempt) {
        for (Index j = 0; j < anchors; ++j)
            weights(j) = std::exp(weight_spread * streams.normal(Stream::agreement, element(1, i, attempt, static_cast<std::uint64_t>(j))));
        const double x = weights.dot(anchor_phases.array().cos().matrix());
        const double y = weights.dot(anchor_phases.array().sin().matrix());
        const double drive = std::hypot(x, y) / weights.sum();
        if (drive >= drives.low && drive < drives.high) return weights;
    }
    throw std::logic_error{"no random weights give the drive that was asked for"};
}

/// Uniform random phases [rad]; drawn again when they leave a wide gap, into which no weights can turn the sum.
Eigen::VectorXd anchor_phases(const RandomStreams& streams) {
    const double largest_gap = radians(140.0);  // at 180 deg all anchors lie on one side, and drives cannot be weak
    for (std::uint64_t attempt = 0;; ++attempt) {
        Eigen::VectorXd phases(anchors);
        for (Index j = 0; j < anchors; ++j)
            phases(j) = turn * streams.uniform(Stream::agreement, element(0, 0, attempt, static_cast<std::uint64_t>(j)));
        std::sort(phases.begin(), phases.end());
        double gap = phases(0) + turn - phases(anchors - 1);
        for (Index j = 1; j < anchors; ++j) gap = std::max(gap, phases(j) - phases(j - 1));
        if (gap <= largest_gap) return phases;
    }
}

/// The random network of an injection, with starts along the drive.
network::OscillatorNetwork random_network(const std::vector<Range>& drives, const RandomStreams& streams) {
    network::OscillatorNetwork network;
    const Eigen::VectorXd phases = anchor_phases(streams);
    network.anchors.resize(anchors, 2);
    for (Index j = 0; j < anchors; ++j) {
        network.anchors.row(j) << std::cos(phases(j)), std::sin(phases(j));
        network.anchor_ids.push_back({0, static_cast<std::int32_t>(j)});
    }
    for (std::uint32_t i = 0; i < drives.size(); ++i) {
        network.free.push_back({0, 0, static_cast<std::int32_t>(i)});
        network.probes.push_back({i, std::nullopt, 1});
        const Eigen::RowVectorXd weights = weights_for(phases, drives[i], i, streams);
        for (std::uint32_t j = 0; j < anchors; ++j) network.couplings.push_back({j, i, network::Coupling::From::anchor, 1, weights(j), 0.0, 0.0});
    }
    network.start = network::anchor_drive(network).rowwise().normalized();
    network.detuning = Eigen::VectorXd::Zero(network.size());
    return network;
}

/// Turns every start from its drive to a random angle from where the instance settles; the angles.
Eigen::VectorXd turn_starts(problem::Instance& instance, const RandomStreams& streams) {
    Eigen::VectorXd angles(instance.network.size());
    for (Index i = 0; i < angles.size(); ++i) {
        const double u = 2.0 * streams.uniform(Stream::agreement, element(2, static_cast<std::uint64_t>(i), 0)) - 1.0;
        angles(i) = std::copysign(nearest_start + std::abs(u) * (farthest_start - nearest_start), u);
        const double phase = std::atan2(instance.drive(i, 1), instance.drive(i, 0)) + instance.nominal_raw_shift(i) + angles(i);
        instance.network.start.row(i) << std::cos(phase), std::sin(phase);
    }
    return angles;
}

problem::SettlingRule rule_for(const problem::Instance& instance) {
    constexpr double least_periods = 100.0;  // the settling fit looks back over windows of eight periods, longer ones where the phase decays slowly
    constexpr double patience = 2.0;         // times the predicted time: a model that is off by more than that is wrong
    constexpr double fit_windows = 4.0;      // time constants that the settling fit looks back over
    constexpr double relaxations = 40.0;     // amplitude is then within e^-40 of its limit cycle
    problem::SettlingRule rule;
    rule.rate = instance.coupling_rate.cwiseProduct(instance.drive.rowwise().norm());
    rule.max_time.resize(rule.rate.size());
    for (Index i = 0; i < rule.rate.size(); ++i)
        rule.max_time(i) = least_periods / instance.calibration.frequency_at_step_hz + relaxations * instance.calibration.relaxation_time_s +
                           patience * problem::predicted_settling_time(rule.rate(i), farthest_start, rule.remaining.value()) +
                           fit_windows / rule.rate(i);
    return rule;
}

/// A calibrated cell on a random network.
struct Comparison {
    problem::Instance instance;
    Eigen::VectorXd start_angles;
    problem::SettlingRule rule;
    int points_per_period;

    Comparison(const substrates::Substrate& substrate, const problem::Calibration& calibration, const std::vector<Range>& drives,
               const RandomStreams& streams, int points)
        : instance{substrate.map(random_network(drives, streams), calibration, {}, {}, streams)},
          start_angles{turn_starts(instance, streams)},
          rule{rule_for(instance)},
          points_per_period{points} {}

    /// Raw readings of the substrate's problem for this engine.
    [[nodiscard]] std::vector<readout::Reading> readings(const substrates::Substrate& substrate, const engines::Engine& engine,
                                                         const engines::RunOptions& run) const {
        const problem::Solution solution = engine.solve(substrate.problem(instance, engine.fidelity(), {rule, points_per_period, {}}), run);
        if (run.progress.stop_requested()) throw Interrupted{};
        if (!solution.failures.empty())
            throw std::runtime_error{fmt::format("comparing phase model and circuit at injection {:.3g} failed ({}): {}", substrate.injection(),
                                                 solution.failures.front().category, solution.failures.front().message)};
        return readout::read(solution, instance, rule, readout::Correction::none);
    }
};

engines::RunOptions quiet(engines::RunOptions run) {
    run.progress.report = [](const std::string&, double) {};
    return run;
}

bool both_settled(const readout::Reading& a, const readout::Reading& b) {
    return a.verdict == readout::Verdict::settled && b.verdict == readout::Verdict::settled && a.settling_time && b.settling_time;
}

/// Equilibria under square-ish anchors.
std::vector<SquarePoint> compare_square(const AgreementStudy& study, const CellAtInjection& cell, const RandomStreams& streams,
                                        const engines::RunOptions& run) {
    if (cell.calibration.ppv.harmonics.size() < 2) return {};
    std::vector<Range> drives;
    divide(weakest_square_drive, 1.0, square_oscillators, drives);
    const Comparison comparison{*cell.substrate, cell.calibration, drives, streams, study.points_per_period};
    const auto seen = comparison.readings(*cell.square, study.circuit, run);
    const auto predicted = comparison.readings(*cell.square, study.phase_model, quiet(run));
    const auto sine = comparison.readings(*cell.substrate, study.phase_model, quiet(run));
    std::vector<SquarePoint> points;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        SquarePoint point{comparison.instance.drive.row(static_cast<Index>(i)).norm(), both_settled(seen[i], predicted[i]), not_a_number,
                          not_a_number};
        if (point.settled) {
            point.phase_error = wrap(seen[i].raw_phase - predicted[i].raw_phase);
            point.sine_error = wrap(seen[i].raw_phase - sine[i].raw_phase);
        }
        points.push_back(point);
    }
    return points;
}

/// Half the lock range at full scale of the phase model [rad/s]: the largest pull (1 + s) H sin(x)/(1 + s cos(x)), H = K/(1 + s), over all x.
double model_lock_rate(const problem::Calibration& c) {
    const double s = problem::softening_at(c, 1.0);
    return problem::coupling_rate_at(c, 1.0) * (1.0 + s) / std::sqrt(1.0 - s * s);
}

AgreementLevel compare_at(const AgreementStudy& study, double injection, std::size_t number, int jobs, const Progress& progress) {
    AgreementLevel level;
    level.injection = injection;
    const CellAtInjection cell = study.cell_at(injection, jobs, progress);
    const problem::Calibration& c = cell.calibration;
    level.rate_per_cycle = c.relaxation_rate / angular(Hertz{c.frequency_at_step_hz}).value();
    level.softening = c.relaxation_softening;
    level.lock_range_ratio = c.coupling_rate / model_lock_rate(c);

    if (c.ppv.harmonics.size() > 1)
        level.ppv_rate_ratio = problem::coupling_rate(c.ppv, cell.substrate->injection() * c.reference_current_a) / c.relaxation_rate;
    else
        level.ppv_rate_ratio = not_a_number;

    engines::RunOptions run = study.run;
    run.jobs = jobs;
    run.progress = progress;
    const auto trial = static_cast<std::uint32_t>(2 * number);
    const Comparison comparison{*cell.substrate, c, wanted_drives(level.rate_per_cycle), RandomStreams{seed, trial}, study.points_per_period};
    const auto circuit = comparison.readings(*cell.substrate, study.circuit, run);
    const auto model = comparison.readings(*cell.substrate, study.phase_model, quiet(run));
    for (std::size_t i = 0; i < circuit.size(); ++i) {
        const auto row = static_cast<Index>(i);
        AgreementPoint point{comparison.instance.drive.row(row).norm(),
                             comparison.start_angles(row),
                             both_settled(circuit[i], model[i]),
                             not_a_number,
                             not_a_number,
                             not_a_number};
        if (point.settled) {
            point.phase_error = wrap(circuit[i].raw_phase - model[i].raw_phase);
            point.settling_time = *circuit[i].settling_time;
            point.settling_ratio = *circuit[i].settling_time / *model[i].settling_time;
        }
        level.points.push_back(point);
    }
    level.square = compare_square(study, cell, RandomStreams{seed, trial + 1}, run);
    return level;
}

/// What is seen at an injection, or why nothing is: the others are compared all the same.
AgreementLevel level_at(const AgreementStudy& study, double injection, std::size_t number, int jobs, const Progress& progress) {
    AgreementLevel level;
    level.injection = injection;
    try {
        return compare_at(study, injection, number, jobs, progress);
    } catch (const MissingComponent&) {
        throw;
    } catch (const Interrupted&) {
        throw;
    } catch (const ModelError& error) {
        level.not_available = error.what();
    } catch (const UserError& error) {
        level.not_available = error.diagnostics().front().message;
    } catch (const std::runtime_error& error) {
        level.not_available = error.what();
        level.simulation_failed = true;
    }
    return level;
}

problem::ComparedDrives compared(const std::vector<AgreementPoint>& points, double low, double high) {
    constexpr double infinite = std::numeric_limits<double>::infinity();
    problem::ComparedDrives drives{low, high, 0, 0.0, 0.0, false};
    std::vector<double> ratios;
    for (const AgreementPoint& p : points) {
        if (!(p.drive >= low && (p.drive < high || high == drive_bins.back()))) continue;
        ++drives.oscillators;
        drives.phase_error = p.settled ? std::max(drives.phase_error, std::abs(p.phase_error)) : infinite;
        ratios.push_back(p.settling_ratio);
    }
    if (std::ranges::any_of(ratios, [](double r) { return std::isnan(r); }))
        drives.phase_error = drives.settling_error = infinite;
    else
        drives.settling_error = ratios.empty() ? infinite : std::abs(metrics::quantile(ratios, 0.5) - 1.0);
    using problem::Validity;
    drives.inside = drives.phase_error <= Validity::largest_phase_error && drives.settling_error <= Validity::largest_relative_error;
    return drives;
}

}  // namespace

Agreement compare_with_circuit(const AgreementStudy& study) {
    const int threads = std::max(1, std::min(study.run.jobs, static_cast<int>(study.injections.size())));
    Agreement agreement;
    agreement.levels.resize(study.injections.size());
    std::atomic<std::size_t> next{0};  // the weakest first: they take longest
    std::vector<std::exception_ptr> errors(study.injections.size());
    const auto take = [&] {
        for (std::size_t k = next++; k < study.injections.size(); k = next++) {
            Progress progress = study.run.progress;
            progress.report = [&, k](const std::string& stage, double done) {
                study.run.progress.report(fmt::format("injection {:g}: {}", study.injections[k], stage), done);
            };
            try {
                agreement.levels[k] = level_at(study, study.injections[k], k, std::max(1, study.run.jobs / threads), progress);
            } catch (...) {
                errors[k] = std::current_exception();
                next = study.injections.size();
            }
        }
    };
    {
        std::vector<std::jthread> others;
        for (int i = 1; i < threads; ++i) others.emplace_back(take);
        take();
    }
    for (const std::exception_ptr& error : errors)
        if (error) std::rethrow_exception(error);
    return agreement;
}

problem::Validity validity_of(const Agreement& agreement) {
    problem::Validity validity;
    bool agrees = true;
    for (const AgreementLevel& level : agreement.levels) {
        if (!level.not_available.empty()) continue;
        problem::ComparedInjection at{level.injection, std::abs(level.lock_range_ratio - 1.0), {}};
        const double weakest = std::ranges::min(level.points, {}, &AgreementPoint::drive).drive;
        if (weakest < drive_bins.front()) at.drives.push_back(compared(level.points, weakest, drive_bins.front()));
        for (std::size_t k = 0; k + 1 < drive_bins.size(); ++k) at.drives.push_back(compared(level.points, drive_bins[k], drive_bins[k + 1]));
        if (!(at.lock_range_error <= problem::Validity::largest_relative_error)) at.drives.back().inside = false;  // it is that of full scale
        agrees = agrees && std::ranges::all_of(at.drives, &problem::ComparedDrives::inside);
        if (agrees) {
            validity.max_injection = at.injection;
            for (const problem::ComparedDrives& d : at.drives) validity.max_phase_error = std::max(validity.max_phase_error, d.phase_error);
        }
        validity.injections.push_back(std::move(at));
    }
    return validity;
}

AgreementStatistics statistics_of(const std::vector<AgreementPoint>& points) {
    AgreementStatistics s;
    std::vector<double> ratios;
    double squares = 0.0;
    for (const AgreementPoint& p : points) {
        if (!p.settled) continue;
        ++s.oscillators;
        squares += p.phase_error * p.phase_error;
        s.phase_max = std::max(s.phase_max, std::abs(p.phase_error));
        ratios.push_back(p.settling_ratio);
    }
    s.phase_rms = s.oscillators > 0 ? std::sqrt(squares / s.oscillators) : not_a_number;
    if (s.oscillators == 0) s.phase_max = not_a_number;
    s.settling_median = metrics::quantile(ratios, 0.5);
    s.settling_p5 = metrics::quantile(ratios, 0.05);
    s.settling_p95 = metrics::quantile(ratios, 0.95);
    return s;
}

SquareStatistics statistics_of(const std::vector<SquarePoint>& points) {
    SquareStatistics s;
    double squares = 0.0;
    double sine_squares = 0.0;
    for (const SquarePoint& p : points) {
        if (!p.settled) {
            ++s.unsettled;
            continue;
        }
        ++s.oscillators;
        squares += p.phase_error * p.phase_error;
        sine_squares += p.sine_error * p.sine_error;
        s.phase_max = std::max(s.phase_max, std::abs(p.phase_error));
    }
    s.phase_rms = s.oscillators > 0 ? std::sqrt(squares / s.oscillators) : not_a_number;
    s.sine_rms = s.oscillators > 0 ? std::sqrt(sine_squares / s.oscillators) : not_a_number;
    if (s.oscillators == 0) s.phase_max = not_a_number;
    return s;
}

SquareStatistics square_statistics_inside(const Agreement& agreement) {
    const double limit = validity_of(agreement).max_injection;
    std::vector<SquarePoint> inside;
    for (const AgreementLevel& level : agreement.levels)
        if (level.injection <= limit) inside.insert(inside.end(), level.square.begin(), level.square.end());
    return statistics_of(inside);
}

AgreementStatistics statistics_inside(const Agreement& agreement) {
    const double limit = validity_of(agreement).max_injection;
    std::vector<AgreementPoint> inside;
    for (const AgreementLevel& level : agreement.levels)
        if (level.injection <= limit) inside.insert(inside.end(), level.points.begin(), level.points.end());
    return statistics_of(inside);
}

}  // namespace entrain::study

#include "cli/operating_point.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <limits>
#include <thread>

#include "catalogue/engines.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"

namespace entrain::cli {
namespace {

/// Rows with the same substrate, step and cell: they share a measurement.
struct Group {
    std::string key;
    std::vector<std::size_t> rows;
};

/// Puts rows that need a measurement into groups; rows that cannot be measured get their failure.
std::vector<Group> groups_of(const Comparison& comparison, std::vector<Ready>& ready) {
    std::vector<Group> groups;
    for (std::size_t i = 0; i < ready.size(); ++i) {
        const Configuration& c = comparison.rows[i].configuration;
        if (!c.impossible.empty()) {
            ready[i] = {unmeasured(*c.substrate_plugin), problem::Failure{"impossible", c.impossible, -1, {}}, {}};
            continue;
        }
        const std::string key = calibration_key(c);
        if (key.empty()) continue;
        const auto same = std::ranges::find(groups, key, &Group::key);
        if (same != groups.end())
            same->rows.push_back(i);
        else
            groups.push_back({key, {i}});
    }
    return groups;
}

/// Runs work(group, threads of its own) for every group, as many side by side as there are jobs; the first exception stops the rest and is thrown
/// here.
void side_by_side(const std::vector<Group>& groups, int jobs, const std::function<void(const Group&, int)>& work) {
    const int threads = std::max(1, std::min(jobs, static_cast<int>(groups.size())));
    std::atomic<std::size_t> next{0};
    std::vector<std::exception_ptr> errors(groups.size());
    const auto take = [&] {
        for (std::size_t k = next++; k < groups.size(); k = next++) {
            try {
                work(groups[k], jobs / threads);
            } catch (...) {
                errors[k] = std::current_exception();
                next = groups.size();
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
}

Configuration with_injection(const Configuration& c, double injection) {
    return reread(c, {fmt::format("substrate.injection={}", injection), "substrate.coupling_rate=null"});
}

/// Finds the upper end of the option `injection`.
class InjectionRange final : public FieldVisitor {
 public:
    void visit(const Field& field) override {
        if (field.name != "injection") return;
        if (const auto* number = std::get_if<OptionalNumberField>(&field.value)) largest = number->range.high;
        if (const auto* number = std::get_if<NumberField>(&field.value)) largest = number->range.high;
    }
    double largest = std::numeric_limits<double>::quiet_NaN();
};

std::unique_ptr<engines::Engine> closed_form_engine() {
    for (const auto& entry : engines::catalogue()) {
        auto engine = entry.create();
        if (engine->fidelity() == problem::Fidelity::exact) return engine;
    }
    throw MissingComponent{"this build has no engine for the closed form, which compare.equal: error predicts with"};
}

/// The row as the prediction sees it: any calibration may be put in, noise is none of its terms.
std::unique_ptr<Experiment> predicted_row(const Configuration& c, const Comparison& comparison, const Progress& progress) {
    Configuration row = reread(c, {});
    row.engine_plugin = closed_form_engine();
    row.nonidealities.temperature = Kelvin{0.0};
    return std::make_unique<Experiment>(std::move(row), comparison.inputs, comparison.digital, problem::Calibration{}, 1, progress);
}

/// Chooses for a substrate with circuits.
study::OperatingPoint choose(const Configuration& c, const Comparison& comparison, int jobs, const Progress& progress) {
    const std::unique_ptr<Experiment> row = predicted_row(c, comparison, progress);
    InjectionRange range;
    c.substrate_plugin->describe(range);
    if (!std::isfinite(range.largest)) throw ModelError{fmt::format("{} has no injection to choose", c.substrate.kind)};
    study::EqualErrorSearch search;
    search.largest_injection = range.largest;
    search.target = c.compare.target.value();
    search.calibrate = [&](double injection) {
        try {
            return calibration_for(with_injection(c, injection), jobs,
                                   named(progress, fmt::format("{} at injection {:.3g}", c.substrate.name, injection)));
        } catch (const MissingComponent&) {
            throw;
        } catch (const Interrupted&) {
            throw;
        } catch (const std::runtime_error& error) {  // a bench that failed at this injection says nothing about the others
            throw ModelError{error.what()};
        }
    };
    search.predict = [&](double injection, const problem::Calibration& calibration, const study::CellResponse& response) {
        row->calibration = calibration;
        const study::Prepared prepared = study::prepare(row->trial, {});
        return study::ReadPrediction{prepared, c.readout.correction, study::mean_power(prepared.instance, row->trial, injection), response};
    };
    return study::equal_error(search);
}

/// Chooses the read time of a substrate without units.
study::OperatingPoint choose_dimensionless(const Configuration& c, const Comparison& comparison, const Progress& progress) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const std::unique_ptr<Experiment> row = predicted_row(c, comparison, progress);
    const study::ReadPrediction prediction{study::prepare(row->trial, {}), c.readout.correction, nan};
    const std::optional<double> time = prediction.time_for(c.compare.target.value());
    if (!time || !(*time > 0.0))
        throw ModelError{fmt::format("{}: no read time has an error of {:.3g} deg", c.substrate.kind, degrees(c.compare.target.value()))};
    study::OperatingPoint point;
    point.injection = nan;
    point.read_time = *time;
    point.predicted = prediction.at(*time);
    point.energy_j = nan;
    return point;
}

}  // namespace

Configuration reread(const Configuration& c, const std::vector<std::string>& overrides) {
    config::Node root = c.root;
    for (const std::string& assignment : overrides) config::apply_override(root, assignment);
    Diagnostics diagnostics;
    Configuration again = read_configuration(c.file, std::move(root), c.scope, diagnostics);
    diagnostics.throw_if_any();
    if (!again.impossible.empty()) throw ModelError{again.impossible};
    again.layer = c.layer;  // with absolute paths and checksums
    again.checksums = c.checksums;
    return again;
}

problem::Calibration unmeasured(const substrates::Substrate& substrate) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    problem::Calibration c;
    c.dimensionless = substrate.dimensionless();
    c.coupling_rate = c.offset_rad = c.slope_rad = c.residual_rad = nan;
    return c;
}

std::optional<problem::Failure> failure_of(const std::function<void()>& work) {
    try {
        work();
        return std::nullopt;
    } catch (const MissingComponent&) {
        throw;
    } catch (const Interrupted&) {
        throw;
    } catch (const std::logic_error&) {
        throw;
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const ModelError& error) {
        return problem::Failure{"impossible", error.what(), -1, {}};
    } catch (const std::exception& error) {
        return problem::Failure{"error", error.what(), -1, {}};
    }
}

std::vector<Ready> calibrate_rows(const Comparison& comparison, int jobs, const Progress& progress) {
    std::vector<Ready> ready(comparison.rows.size());
    side_by_side(groups_of(comparison, ready), jobs, [&](const Group& group, int threads) {
        const Configuration& c = comparison.rows[group.rows.front()].configuration;
        Ready found;
        found.failure = failure_of([&] { found.calibration = calibration_for(c, threads, named(progress, c.substrate.name)); });
        if (found.failure) found.calibration = unmeasured(*c.substrate_plugin);
        for (const std::size_t row : group.rows) ready[row] = found;
    });
    return ready;
}

std::vector<Ready> choose_operating_points(Comparison& comparison, int jobs, const Progress& progress) {
    std::vector<Ready> ready(comparison.rows.size());
    side_by_side(groups_of(comparison, ready), jobs, [&](const Group& group, int threads) {
        const Configuration& c = comparison.rows[group.rows.front()].configuration;
        Ready found;
        found.failure = failure_of([&] {
            found.point = choose(c, comparison, threads, progress);
            found.calibration = found.point->calibration;
        });
        if (found.failure) found.calibration = unmeasured(*c.substrate_plugin);
        for (const std::size_t row : group.rows) ready[row] = found;
    });
    for (std::size_t i = 0; i < ready.size(); ++i) {
        Configuration& c = comparison.rows[i].configuration;
        if (ready[i].failure) continue;
        if (c.substrate_plugin->dimensionless())
            ready[i].failure = failure_of([&] { ready[i].point = choose_dimensionless(c, comparison, progress); });
        else
            c = with_injection(c, ready[i].point->injection);
        if (ready[i].point) c.readout.read_time = {study::ReadTime::Kind::fixed, ready[i].point->read_time};
    }
    return ready;
}

}  // namespace entrain::cli

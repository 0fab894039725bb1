#include <algorithm>
#include <complex>
#include <regex>

#include "agreement/experiment.hpp"
#include "io/rawfile.hpp"

// The exported deck under plain `ngspice -b` against the run that it is exported from.

namespace {

using namespace entrain;
using namespace entrain::test;

std::vector<double> column(const io::RawPlot& plot, const std::string& name) {
    for (std::size_t k = 0; k < plot.columns.size(); ++k)
        if (plot.header.variables[k].name == name) return plot.columns[k];
    ADD_FAILURE() << "the rawfile has no " << name;
    return {};
}

/// Phase [rad] of the fundamental relative to cos(2 pi f t) over the last 19 whole periods, trapezoidal rule. The span must be whole periods: a
/// hundredth of a period too many turns the phase by 0.02 deg. The integrand at the window's start is interpolated.
double fundamental_phase(const std::vector<double>& time, const std::vector<double>& value, double frequency) {
    const double from = time.back() - 19.0 / frequency;
    const auto integrand = [&](std::size_t i) { return value[i] * std::polar(1.0, -turn * frequency * time[i]); };
    std::complex<double> sum;
    for (std::size_t k = 1; k < time.size(); ++k) {
        if (time[k] <= from) continue;
        const double share = std::clamp((from - time[k - 1]) / (time[k] - time[k - 1]), 0.0, 1.0);
        const std::complex<double> before = integrand(k - 1) + share * (integrand(k) - integrand(k - 1));
        sum += 0.5 * (before + integrand(k)) * (1.0 - share) * (time[k] - time[k - 1]);
    }
    return std::arg(sum);
}

class Deck : public testing::TestWithParam<std::string> {};

TEST_P(Deck, GivesThePhasesOfTheRun) {
    const std::string yaml = sva_experiment(1, GetParam(), "{kind: ngspice}");
    const Finished run = finish(yaml);
    const TemporaryFolder folder;
    const std::string config = folder.write("e.yaml", yaml);
    const std::filesystem::path out = folder.path() / "decks";
    const ProgramResult written = test::entrain({"netlist", config, "--out", out.string(), "--quiet"});
    ASSERT_EQ(written.status, 0) << written.err;
    const std::string text = content_of(out / "seq0.cir");
    EXPECT_EQ(text.find("\n.inc"), std::string::npos);
    const ProgramResult simulated = RunningProgram{{"/usr/bin/ngspice", "-b", (out / "seq0.cir").string(), "-r", (out / "seq0.raw").string()}}.wait();
    ASSERT_TRUE(std::filesystem::exists(out / "seq0.raw")) << simulated.err;

    std::smatch found;
    ASSERT_TRUE(std::regex_search(text, found, std::regex{R"(\* entrain-readout (\{.*\}))"}));
    const io::Json readout = io::Json::parse(found[1].str());
    const double frequency = readout["frequency_hz"].get<double>();
    const io::RawPlot plot = io::read_raw(out / "seq0.raw").front();
    const std::vector<double> time = column(plot, "time");
    EXPECT_NEAR((time.back() - time.front()) * frequency, 20.0, 0.05);  // 20 whole periods, to a step
    int compared = 0;
    for (std::size_t t = 0; t < run.raw_phase.size(); ++t) {
        if (run.verdict[t] != 0.0 || run.drive[t] < 0.05) continue;
        const double phase = fundamental_phase(time, column(plot, "v(osc_0_" + std::to_string(t) + ")"), frequency);
        EXPECT_NEAR(degrees(wrap(phase - run.raw_phase[t])), 0.0, 0.05) << "token " << t;  // the issue's bound
        EXPECT_NEAR(degrees(wrap(phase - readout["offset_rad"].get<double>() - run.phase[t])), 0.0, 0.05) << "token " << t;
        ++compared;
    }
    EXPECT_GE(compared, 5);
}

INSTANTIATE_TEST_SUITE_P(Cells, Deck,
                         testing::Values("{kind: lc}", "{kind: lc, cell: mos1}", "{kind: ring}", "{kind: ring, anchor_waveform: square}",
                                         "{kind: ring, summing: resistive, dummy_conductance: true}"));
INSTANTIATE_TEST_SUITE_P(User, Deck,
                         testing::Values("{kind: user, netlist: " + source_file("netlists/user/inverter_ring.cir") +
                                         ", ports: {inject: out, read: out, supply: vdd, ground: vss}, supply_voltage: 1.2 V, corner: tt}\nmodels: "
                                         "[{file: " +
                                         source_file("models/user/corners_bsim4.lib") + "}]"));
INSTANTIATE_TEST_SUITE_P(Cdw, Deck, testing::Values("{kind: cdw, coupling_rate: 0.3}"));  // settles in a third of the default's periods

}  // namespace

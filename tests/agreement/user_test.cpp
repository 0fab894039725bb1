// Cells that a user brings in as files, against built-in cells of the same netlist, against theory, and end to end.
#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "agreement/experiment.hpp"

namespace {

using namespace entrain;
using namespace entrain::test;

io::Json characterization(const std::string& yaml) {
    const TemporaryFolder folder;
    const std::filesystem::path out = folder.path() / "out";
    const ProgramResult ran = test::entrain({"characterize", folder.write("c.yaml", yaml), "--no-agreement", "--out", out.string(), "--quiet"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return ran.status == 0 ? io::read_json(out / "characterization.json") : io::Json{};
}

/// Relative difference of two numbers of characterization.json.
double apart(const io::Json& a, const io::Json& b, const char* key) { return a[key].get<double>() / b[key].get<double>() - 1.0; }

/// The ring of netlists/user at a corner of its library.
std::string ring_at(const std::string& corner) {
    return "{kind: user, netlist: " + source_file("netlists/user/inverter_ring.cir") +
           ", ports: {inject: out, read: out, supply: vdd, ground: vss}, supply_voltage: 1.2 V, corner: " + corner +
           "}\nmodels: [{file: " + source_file("models/user/corners_bsim4.lib") + "}]";
}

TEST(UserRing, IsMeasuredAsTheBuiltInRingOfTheSameTransistors) {
    // The built-in ring presets its states and knows estimates; of the user's nothing is known, it warms up and its clock is shifted. The netlists
    // differ in their capacitors' start voltages only.
    const io::Json built_in = characterization("version: 1\nsubstrate: {kind: ring, cell: bsim4_3}\nengine: {kind: ngspice}\n");
    const io::Json own =
        characterization("version: 1\nsubstrate: {kind: user, netlist: " + source_file("netlists/ring/bsim4_3.cir") +
                         ", ports: {inject: s0, read: s0, supply: vdd, open: s1 s2}, supply_voltage: 1.2 V, injection: 0.2, reference_current: " +
                         std::to_string(1e6 * built_in["reference_current_a"].get<double>()) +
                         " uA}\nmodels: [{file: " + source_file("models/devices/generic_bsim4.lib") + "}]\nengine: {kind: ngspice}\n");
    EXPECT_NEAR(apart(own, built_in, "frequency_at_step_hz"), 0.0, 2e-9);  // twice what a calibration is content with
    EXPECT_NEAR(apart(own, built_in, "frequency_hz"), 0.0, 2e-8);          // extrapolation magnifies that by some five
    EXPECT_NEAR(apart(own, built_in, "amplitude"), 0.0, 1e-5);
    EXPECT_NEAR(apart(own, built_in, "power_w"), 0.0, 1e-5);
    EXPECT_NEAR(degrees(own["offset_rad"].get<double>() - built_in["offset_rad"].get<double>()), 0.0, 0.01);  // what Newton and the grid leave
    EXPECT_NEAR(own["coupling_rate_rad_per_s"]["lock_range"].get<double>() / built_in["coupling_rate_rad_per_s"]["lock_range"].get<double>(), 1.0,
                2e-3);  // edges are resolved to a few parts in 1,000
}

TEST(UserTank, HasTheFrequencyAndTheReferenceCurrentOfTheory) {
    // An LC tank with inductor, of which neither a start state nor a supply is known: f = 1/(2 pi sqrt(L C)), Q = R sqrt(C/L) = 10, and K = (w/2Q)
    // (Iinj/Iosc) (Adler 1946), so that K is w for a current of 2 Q A/R.
    const TemporaryFolder folder;
    const std::string netlist =
        folder.write("tank.cir",
                     "* a tank\n.subckt tank a b\nL1 a b 1e-8\nC1 a b 2.533029591058444e-12 IC=0.05\nR1 a b 628.3185307179587\n"
                     "B1 a b I=-1e-3*tanh(4e-3*v(a,b)/1e-3)\n.ends\n");
    const io::Json tank = characterization("version: 1\nsubstrate: {kind: user, netlist: " + netlist +
                                           ", ports: {inject: a, read: a, ground: b}, injection: 0.01}\nengine: {kind: ngspice}\n");
    EXPECT_NEAR(tank["frequency_hz"].get<double>() / 1e9, 1.0, 2e-3);  // harmonics of the saturated current lower it by 1/(8 Q^2) at most
    // 5 %: first order in 1/Q, and K per ampere is measured over 32 periods.
    EXPECT_NEAR(tank["reference_current_a"].get<double>() * 628.3185307179587 / (20.0 * tank["amplitude"].get<double>()), 1.0, 0.05);
    EXPECT_NEAR(tank["coupling_rate_rad_per_s"]["lock_range"].get<double>() / (0.01 * turn * 1e9), 1.0, 0.05);
}

TEST(UserRing, ComputesAttention) {
    const Finished circuit = finish(sva_experiment({1, 2}, ring_at("tt"), "{kind: ngspice}"));
    EXPECT_EQ(circuit.status, 0) << circuit.err;
    EXPECT_LE(phase_error(circuit, circuit.reference_phase, 0.05, 1.1).rms_deg, 1.0);  // the bound of the built-in ring
    const Finished model = finish(sva_experiment({1, 2}, ring_at("tt"), "{kind: phase}"));
    EXPECT_LE(phase_error(circuit, model.phase, 0.05, 1.1).max_deg, 0.3);  // as the built-in technologies
    EXPECT_NEAR(circuit.result["settling"]["time_s"]["median"].get<double>() / model.result["settling"]["time_s"]["median"].get<double>(), 1.0, 0.05);
}

TEST(UserRing, RunsAtTheCornerThatIsChosen) {
    // Fast transistors have 10 % more mobility and 30 mV less threshold, slow ones the other way round. The square law, I ~ mobility (1.2 V - vth)^n
    // with n between 1 (velocity saturation) and 2, makes that 14 .. 19 % of frequency up, and as much down; half of it at least must be seen.
    const auto frequency = [](const std::string& corner) {
        return characterization("version: 1\nsubstrate: " + ring_at(corner) + "\nengine: {kind: ngspice}\n")["frequency_hz"].get<double>();
    };
    const double typical = frequency("tt");
    EXPECT_NEAR(frequency("ff") / typical, 1.15, 0.08);
    EXPECT_NEAR(frequency("ss") / typical, 0.85, 0.08);
}

TEST(UserCells, AreComparedLikeBuiltInOnes) {
    const TemporaryFolder folder;
    std::string yaml = sva_experiment(std::vector{1}, ring_at("tt"), "{kind: ngspice}");  // the first sentence has a token that does not settle
    const auto begin = yaml.find("substrate: ");
    const auto end = yaml.find("\nmodels:");
    const std::string user = yaml.substr(begin + 11, end - begin - 11);
    yaml.replace(begin, end - begin, "substrates: [" + user + ", {kind: lc}]");
    const std::filesystem::path out = folder.path() / "out";
    const ProgramResult ran = test::entrain({"compare", folder.write("c.yaml", yaml), "--out", out.string(), "--quiet"});
    ASSERT_EQ(ran.status, 0) << ran.err;
    const io::Json rows = io::read_json(out / "compare.json")["rows"];
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0]["substrate"]["cell"], "inverter_ring");
    EXPECT_EQ(rows[0]["status"], "ok");
    // A row is a run: its resolved configuration names the files, and refuses them changed.
    EXPECT_EQ(test::entrain({"validate", (out / "user" / "resolved.yaml").string()}).status, 0);
}

}  // namespace

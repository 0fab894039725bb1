#include "substrates/cell_array.hpp"
#include "substrates/ring/design.hpp"
#include "substrates/ring/plugin.hpp"

namespace entrain::substrates::ring {

std::unique_ptr<Substrate> create() {
    return std::make_unique<CellArray>(Technology{
        .name = "ring",
        .cells = {{"mos1_3", "three level-1 CMOS inverters", &mos1_3},
                  {"mos1_5", "five level-1 CMOS inverters", &mos1_5},
                  {"bsim4_3", "three BSIM4 CMOS inverters", &bsim4_3}},
        .reference_current_doc = "w0 C |V1| of the injected node",
        .rate_doc = "injection times the first harmonic of the cell's impulse sensitivity",
        .default_injection = 0.2,
        .default_coupling_rate = {},
        .injection_range = {0.0, 1.0, true},  // K/w0 = 0.4: a few periods to lock, and offset + slope miss the phase by 0.9 deg
        .injection_limit_doc = "the phase would change within a period, which is what it is read from",
        .parameters = parameters(),
        .points_per_period = 50,
        .resistive = true,
        .no_resistive_doc = "",
    });
}

}  // namespace entrain::substrates::ring

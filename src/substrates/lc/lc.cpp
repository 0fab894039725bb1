#include "substrates/cell_array.hpp"
#include "substrates/lc/design.hpp"
#include "substrates/lc/plugin.hpp"

namespace entrain::substrates::lc {

std::unique_ptr<Substrate> create() {
    return std::make_unique<CellArray>(Technology{
        .name = "lc",
        .cells = {{"behavioural", "tank and saturating transconductor", &behavioural},
                  {"mos1", "cross-coupled level-1 pair with a mirror tail", &mos1}},
        .reference_current_doc = "A/Rp",
        .rate_doc = "injection/(2 Q)",
        .default_injection = 0.2,
        .default_coupling_rate = {},
        .injection_range = {0.0, 2.0, true},
        .injection_limit_doc = "the injected current would be the oscillator",
        .parameters = parameters(),
        .points_per_period = 50,
        .resistive = false,
        .no_resistive_doc = "its conductances load the tanks, which the calibration does not include",
    });
}

}  // namespace entrain::substrates::lc

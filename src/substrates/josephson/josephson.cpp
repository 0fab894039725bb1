#include "substrates/cell_array.hpp"
#include "substrates/josephson/design.hpp"
#include "substrates/josephson/plugin.hpp"

namespace entrain::substrates::josephson {

std::unique_ptr<Substrate> create() {
    return std::make_unique<CellArray>(Technology{
        .name = "josephson",
        .cells = {{"rcsj", "resistively and capacitively shunted junction under a bias current", &rcsj}},
        .reference_current_doc = "Ic",
        .rate_doc = "injection/(2 (i^2 - 1)), i = bias_ratio",
        .default_injection = {},
        .default_coupling_rate = 0.05,
        .injection_range = {0.0, 1.0, true},
        .injection_limit_doc = "the injected current alone would exceed the critical current",
        .parameters = parameters(),
        .points_per_period = 50,
        .resistive = false,
        .no_resistive_doc = "its conductances shunt the junctions, which the calibration does not include",
    });
}

}  // namespace entrain::substrates::josephson

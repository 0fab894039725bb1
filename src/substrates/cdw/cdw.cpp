#include "substrates/cdw/design.hpp"
#include "substrates/cdw/plugin.hpp"
#include "substrates/cell_array.hpp"

namespace entrain::substrates::cdw {

std::unique_ptr<Substrate> create() {
    return std::make_unique<CellArray>(Technology{
        .name = "cdw",
        .cells = {{"relaxation", "two-state device across a capacitor, charged through a resistor", &relaxation}},
        .reference_current_doc = "supply/load resistance",
        .rate_doc = "injection |Z1| (supply/load)/(2 w0), Z1 the first harmonic of the cell's response to charges",
        .default_injection = {},
        .default_coupling_rate = 0.1,
        .injection_range = {0.0, 1.0, true},
        .injection_limit_doc = "the injected current would be that of the load",
        .parameters = parameters(),
        .points_per_period = 400,
        .resistive = false,
        .no_resistive_doc = "its conductances load the capacitors, which the calibration does not include",
    });
}

}  // namespace entrain::substrates::cdw

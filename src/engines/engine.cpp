#include "engines/engine.hpp"

#include "core/error.hpp"

namespace entrain::engines {

std::string Engine::deck(const problem::CircuitProblem& /*problem*/, const DeckReadout& /*readout*/) const {
    throw UserError{"this engine writes no netlists (expected engine.kind: ngspice)"};
}

}  // namespace entrain::engines

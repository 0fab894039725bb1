#pragma once
#include <string_view>
#include <vector>

#include "problem/problem.hpp"
#include "substrates/substrate.hpp"

namespace entrain::substrates::lc {

/// A cell sized from the parameters of a corner: what its netlist instance needs and the formulas of netlists/lc/README.md predict.
struct Design {
    std::string_view netlist;  ///< text of the cell file
    problem::CellInterface interface;
    std::vector<problem::Parameter> parameters;  ///< the same for every instance: all but tank capacitance and initial state
    double inductance = 0.0;                     ///< [H] between the port's terminals
    double capacitance = 0.0;                    ///< [F] total between them
    double fixed_capacitance = 0.0;              ///< [F] part of it that is not the tank capacitor
    double resistance = 0.0;                     ///< [ohm]
    double amplitude = 0.0;                      ///< [V] describing-function estimate of the free amplitude at the port
    [[nodiscard]] double quality() const;        ///< Q of the tank, R sqrt(C/L)
    [[nodiscard]] double frequency_hz() const;   ///< 1/(2 pi sqrt(L C))
};

/// What the corner file must give, for all cells.
[[nodiscard]] std::vector<ParameterSpec> parameters();

/// Tank and saturating transconductor. ModelError if gm R <= 1.
[[nodiscard]] Design behavioural(const Corner& corner);

/// Cross-coupled level-1 pair with a mirror tail. ModelError if the pair's differential loop gain is not above 1, or the supply is too low to keep
/// the tail transistor saturated or the mirror's reference transistor on.
[[nodiscard]] Design mos1(const Corner& corner);

}  // namespace entrain::substrates::lc

#pragma once
#include <string>

#include "problem/problem.hpp"

namespace entrain::problem {

/// How a substrate's energy is obtained; figures that are not simulated say so.
struct EnergyModel {
    Origin oscillator_origin = Origin::simulated;  ///< of the power that circuits integrate
    std::string oscillator_source;                 ///< how that power is obtained
    double drive_v = 0.0;                          ///< [V] supply of the coupling currents
    std::string drive_source;                      ///< why this voltage
    std::string noiseless_caveat;                  ///< what figures without thermal noise leave out, "" where noise is far below the other errors
    std::string caveat;                            ///< what all figures leave out, "" = nothing known
};

}  // namespace entrain::problem

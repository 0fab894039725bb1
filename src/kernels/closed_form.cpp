#include "kernels/closed_form.hpp"

#include "kernels/loops.hpp"

namespace entrain::kernels {

void planar_states(std::size_t n, const double* drive_x, const double* drive_y, const double* detuning, const double* time, const double* start_x,
                   const double* start_y, double* x, double* y, InstructionSet set) {
    loops(set).planar_states(n, drive_x, drive_y, detuning, time, start_x, start_y, x, y);
}

void sphere_states(std::size_t n, std::size_t d, const double* drive, const double* time, const double* start, double* state, InstructionSet set) {
    loops(set).sphere_states(n, d, drive, time, start, state);
}

}  // namespace entrain::kernels

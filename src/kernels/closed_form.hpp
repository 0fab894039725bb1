#pragma once
#include <cstddef>

#include "kernels/instruction_set.hpp"

namespace entrain::kernels {

/// Phases z = x + iy on the unit circle under constant drive f and detuning w, dtheta/dt = w + Im(f e^(-i theta)), each after its own time:
///     z(t) = (C z + S (i w z + f)) / (C + S (conj(f) z - i w)),   l = sqrt(| |f|^2 - w^2 |),
/// locked (|w| <= |f|): C = cosh(l t/2), S = sinh(l t/2)/l, both over cosh; drifting: C = cos(l t/2), S = sin(l t/2)/l; S = t/2 as l t -> 0. Without
/// branches: locked, drifting and the boundary between them in one loop (a Riccati equation; Adler 1946). Absolute error at most 1e-11 where
/// |l| t < 1e3 and (|f| + |w|) min(t, 1/l) < 1e4; a drifting phase loses digits in proportion to the turns it has made (NaN beyond 3e7), and all
/// phases do near the boundary of locking and near the unstable equilibrium, where a last digit of drive, detuning or start matters as much. Arrays
/// of `n`; x and y may be start_x and start_y.
void planar_states(std::size_t n, const double* drive_x, const double* drive_y, const double* detuning, const double* time, const double* start_x,
                   const double* start_y, double* x, double* y, InstructionSet set = best());

/// Unit vectors in R^d under constant drive h, dz/dt = (I - z z^T) h, each after its own time, along the great circle through start and drive:
///     x(t) = u ((1 + c) - (1 - c) E^2)/D + (x0 - c u) 2 E/D,   u = h/|h|, c = <x0, u>, E = e^(-|h| t), D = (1 + c) + (1 - c) E^2.
/// Matrices of n unit vectors, one after the other: [n][d]. A vector without drive stays, and so does one opposite to the drive to within 4e-16.
/// Absolute error of a component at most 1e-11, except from starts closer to the opposite point than 1e-4: what a start of 16 digits says of its
/// distance from there is all that is known of the time of leaving. |h| between 1e-150 and 1e150 or 0. `state` may be `start`.
void sphere_states(std::size_t n, std::size_t d, const double* drive, const double* time, const double* start, double* state,
                   InstructionSet set = best());

}  // namespace entrain::kernels

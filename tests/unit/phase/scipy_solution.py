"""End state of dtheta_i/dt = w_i + sum_j A_ij sin(theta_j - theta_i) by scipy's DOP853 at 1e-12; A, w and the start come as text on standard input.

    scipy_solution.py N DURATION"""
import sys

import numpy
from scipy.integrate import solve_ivp

n, duration = int(sys.argv[1]), float(sys.argv[2])
numbers = numpy.array(sys.stdin.read().split(), dtype=float)
weight, detuning, start = numbers[:n * n].reshape(n, n), numbers[n * n:n * n + n], numbers[n * n + n:]


def rate(_, theta):
    return detuning + (weight * numpy.sin(theta[None, :] - theta[:, None])).sum(axis=1)


end = solve_ivp(rate, (0.0, duration), start, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
print(*(repr(float(x)) for x in end))

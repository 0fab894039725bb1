"""scipy's side of integrators_bench: the cheapest of its methods and tolerances that reaches an error, with numpy's two products of the matrix.

    scipy_oracle.py FOLDER N DURATION ERROR

FOLDER has weight, detuning, start and reference as raw doubles. Prints `method tolerance seconds error right_hand_sides blas`."""
import statistics
import sys
import time
from pathlib import Path

import numpy
from scipy.integrate import solve_ivp

folder, n, duration, wanted = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
weight = numpy.fromfile(folder / "weight").reshape(n, n)
detuning, start, reference = (numpy.fromfile(folder / name) for name in ("detuning", "start", "reference"))


def rate(_, theta):
    cosine, sine = numpy.cos(theta), numpy.sin(theta)
    return detuning + cosine * (weight @ sine) - sine * (weight @ cosine)


def blas():
    """Of the libraries that are loaded: the alternatives of Debian may be OpenBLAS or the reference one, and numpy does not know which."""
    weight @ start
    loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "blas" in line}
    return "OpenBLAS" if any("openblas" in name for name in loaded) else "reference-BLAS"


best = None
for method in ("RK45", "DOP853", "LSODA"):
    for tolerance in (10.0 ** (-4 - rung / 6) for rung in range(31)):
        took, began = [], time.monotonic()
        while not took or (time.monotonic() - began < 0.1 and len(took) < 20):
            before = time.thread_time()
            run = solve_ivp(rate, (0.0, duration), start, method=method, rtol=tolerance, atol=tolerance, t_eval=[duration])
            took.append(time.thread_time() - before)
            if best is not None and took[0] > 3.0 * best[2]:
                break
        error = float(numpy.abs(run.y[:, -1] - reference).max())
        found = (method, tolerance, statistics.median(took), error, run.nfev)
        if error <= wanted:
            if best is None or found[2] < best[2]:
                best = found
            break  # tighter ones cost more
if best is None:
    sys.exit("scipy_oracle: no method reaches the error")
print(*best, blas())

"""The phase engine: how near its loops come to what the machine allows, and its integrators to others. The programs of tests/bench measure side by side in one thread and print their
figures as JSON; here they are only run."""
import json

from harness import BUILD, Figure, load_average, measures, run


def figures_of(program, *names):
    return {name: Figure(**figure) for name, figure in json.loads(run([BUILD / program, *names]).out).items()}


def with_load(figures):
    return {name: Figure(f.value, f.unit, f.better, f"{f.note}; {load_average()}") for name, f in figures.items()}


@measures("rhs_floor_98", "rhs_floor_512", "rhs_floor_1024", "rhs_floor_2048", "sparse_ratio", "sparse_random_ratio", "fixed_query_pass_us",
          "settled_passes_per_s", "attention_rows_us")
def kernels():
    """rhs_floor_N: time to read the dense coupling matrix of N oscillators once over that of the whole right-hand side. sparse_ratio: a double loop
    with std::sin over ours, 1e6 nodes of degree 8 on a ring; sparse_random_ratio: with neighbours at random, where both wait for memory. Fixed-query
    attention of 98 queries and keys: from given weights to states, from q and k (d_head = 64) to states, from X to attention rows."""
    return with_load(figures_of("kernels_bench"))


@measures("odeint_ratio_98", "odeint_ratio_512", "odeint_ratio_2048", by_name=True)
def odeint_ratio(name):
    """Processor time of Boost.Odeint's dopri5 with a textbook double loop over that of the engine's dopri5 at the same tolerance, 1e-6, on the same
    all-to-all network of so many oscillators."""
    return with_load(figures_of("integrators_bench", name))


@measures("scipy_ratio_98", "scipy_ratio_512", "scipy_ratio_2048", by_name=True)
def scipy_ratio(name):
    """Processor time of scipy's best method (numpy, two products of the matrix, one thread) over that of the engine's best, each at the cheapest
    tolerance whose final error is at most 1e-6 rad. The note says which BLAS numpy used."""
    return with_load(figures_of("integrators_bench", name))


@measures("copies_2_over_1")
def copies():
    """Wall time of perturbed copies of a network of 98 through the engine with one job over two. On a machine with fewer than two free processors it
    says nothing about the program."""
    return with_load(figures_of("integrators_bench", "copies_2_over_1"))


@measures("settle_error")
def settle_error():
    """Largest relative error of settling times at tolerance 1e-6 against the closed form."""
    return with_load(figures_of("integrators_bench", "settle_error"))

"""The phase engine: how near its loops come to what the machine allows. The programs of tests/bench measure side by side in one thread and print their
figures as JSON; here they are only run."""
import json

from harness import BUILD, Figure, load_average, measures, run


def figures_of(program):
    return {name: Figure(**figure) for name, figure in json.loads(run([BUILD / program]).out).items()}


def with_load(figures):
    return {name: Figure(f.value, f.unit, f.better, f"{f.note}; {load_average()}") for name, f in figures.items()}


@measures("rhs_floor_98", "rhs_floor_512", "rhs_floor_1024", "rhs_floor_2048", "sparse_ratio", "sparse_random_ratio", "fixed_query_pass_us",
          "settled_passes_per_s", "attention_rows_us")
def kernels():
    """rhs_floor_N: time to read the dense coupling matrix of N oscillators once over that of the whole right-hand side. sparse_ratio: a double loop
    with std::sin over ours, 1e6 nodes of degree 8 on a ring; sparse_random_ratio: with neighbours at random, where both wait for memory. Fixed-query
    attention of 98 queries and keys: from given weights to states, from q and k (d_head = 64) to states, from X to attention rows."""
    return with_load(figures_of("kernels_bench"))

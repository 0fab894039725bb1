"""The ngspice engine: what it saves over plain ngspice, how it scales with workers and oscillators, what whole layers take.

Seconds mean little on a machine that does something else meanwhile: ratios are of processor time where that is what counts, repeats say how much they
scatter, and every note has the load average. Processor time too grows by up to 1.6x when others compete for the caches.

Points are accepted time points, summed over netlists. Newton iterations of the engine are counted where its netlists ask for their external sources,
those of ngspice -b are its own (`.options acct`); full crossbars in the engine have no such sources and are not counted. Periods are simulated periods
of the anchors, summed over netlists; oscillator-periods count each oscillator of a netlist.
"""
import json
import re

from harness import ENTRAIN, SCRATCH, SOURCE, Figure, configuration, layer, load_average, measures, median, run, say, simulate, spread

LEAST_DRIVE = 0.05
SUBSTRATES = ["lc", "ring", "josephson", "cdw"]


def seconds(text, name):
    return float(re.search(rf"^{name}\s*=\s*([0-9.]+)", text, re.MULTILINE).group(1))


def counts(cost):
    newton = f", {cost['newton_iterations']:.3g} Newton iterations" if cost["newton_iterations"] else ""
    return f"{cost['points']:.3g} points{newton}, {cost['simulated_periods']:.3g} periods"


@measures(*(f"cpu_ratio_deck_{s}" for s in SUBSTRATES), by_name=True)
def cpu_ratio_deck(name):
    """Processor time of `ngspice -b` on the exported full-crossbar deck over that of `entrain run` with all its processes, on one head of 49 tokens
    with drives from 0.05 up. The deck has the same options and runs to the time at which the engine stopped its slowest netlist. The engine on the
    full crossbar divides the ratio into (crossbar reduction) x (early stop and chunking)."""
    substrate = name.removeprefix("cpu_ratio_deck_")
    file = configuration(name, layer("head_49", "--heads", "1", "--least-drive", str(LEAST_DRIVE)), 1, substrate)
    engine = [simulate(file)]
    cost = engine[0][1]["cost"]
    frequency = engine[0][1]["substrate"]["frequency_at_step_hz"]

    folder = SCRATCH / f"{name}_deck"
    run([ENTRAIN, "netlist", file, "--quiet", "--force", "--out", folder])
    deck = (folder / "seq0.cir").read_text()
    stop = cost["longest_netlist_periods"] / frequency
    deck = re.sub(r"^\.param stop_s=\S+", f".param stop_s={stop:.16e}", deck, flags=re.MULTILINE)
    deck = re.sub(r"^\.param save_from_s=\S+", f".param save_from_s={stop - 20 / frequency:.16e}", deck, flags=re.MULTILINE)
    deck = re.sub(r"^\.options ", ".options acct ", deck, flags=re.MULTILINE)
    (folder / "bench.cir").write_text(deck)
    (folder / ".spiceinit").write_text("set num_threads=1\n")
    say(f"ngspice -b: {deck.count(chr(10) + 'gx')} crosspoints, {stop * frequency:.0f} periods")
    plain = run(["ngspice", "-b", "bench.cir", "-r", "bench.raw"], folder=folder)
    engine += [simulate(file) for _ in range(2)]
    full, _ = simulate(file, "--set", "engine.crossbar=full")

    own = [usage.cpu_s for usage, _ in engine]
    ratio = plain.cpu_s / median(own)
    return {name: Figure(ratio, "x", "higher",
                         f"= {full.cpu_s / median(own):.3g} (crossbar reduction) x {plain.cpu_s / full.cpu_s:.3g} (early stop and chunking); ngspice -b "
                         f"{plain.cpu_s:.3g} s CPU: {seconds(plain.out, 'Accepted timepoints'):.3g} points, "
                         f"{seconds(plain.out, 'Total iterations'):.3g} Newton iterations, {stop * frequency:.0f} periods of 49 oscillators; engine "
                         f"{median(own):.3g} s CPU ({spread(own)}): {counts(cost)}, {cost['oscillator_periods']:.3g} oscillator-periods; "
                         f"full crossbar in the engine {full.cpu_s:.3g} s; {load_average()}")}


@measures("workers_2_over_1")
def workers():
    """Wall time of `entrain run --jobs 1` over `--jobs 2` on 1,024 josephson oscillators of equal drive in netlists of equal size. On a machine with
    fewer than two free processors it says nothing about the program."""
    file = configuration("workers", layer("equal_1024", "--tokens", "32", "--heads", "32", "--every-drive", "0.3"), 32, "josephson")
    repeats = [(simulate(file, "--jobs", "1"), simulate(file, "--jobs", "2")) for _ in range(3)]
    ratios = [one.wall_s / two.wall_s for (one, _), (two, _) in repeats]
    cost = repeats[0][0][1]["cost"]
    netlists = json.loads(run([ENTRAIN, "run", file, "--dry-run", "--json", "--quiet"]).out)["netlists"]
    return {"workers_2_over_1": Figure(median(ratios), "x", "higher",
                                       f"{netlists} netlists, {median([one.wall_s for (one, _), _ in repeats]):.3g} s over "
                                       f"{median([two.wall_s for _, (two, _) in repeats]):.3g} s; {counts(cost)}; ratio: {spread(ratios)}; "
                                       f"{load_average()}")}


@measures("period_cost_spread")
def period_cost():
    """Largest over smallest processor time of `entrain run`, everything included, per oscillator-period at N = 98, 512 and 2,048 josephson oscillators
    with drives from 0.05 up, at most 128 in a netlist."""
    layers = {98: ("49", "2"), 512: ("32", "16"), 2048: ("32", "64")}
    cost, notes = {}, []
    for n, (tokens, heads) in layers.items():
        folder = layer(f"drawn_{n}", "--tokens", tokens, "--heads", heads, "--least-drive", str(LEAST_DRIVE))
        file = configuration(f"period_cost_{n}", folder, heads, "josephson", "")
        repeats = [simulate(file, "--set", "engine.oscillators_per_netlist=128") for _ in range(3 if n < 2048 else 1)]
        of_run = repeats[0][1]["cost"]
        per_period = [usage.cpu_s / of_run["oscillator_periods"] for usage, _ in repeats]
        cost[n] = median(per_period)
        notes.append(f"N = {n}: {1e6 * cost[n]:.3g} us ({spread(per_period)}; {counts(of_run)}, {of_run['oscillator_periods']:.3g} "
                     f"oscillator-periods)")
    return {"period_cost_spread": Figure(max(cost.values()) / min(cost.values()), "x", "lower", f"{'; '.join(notes)}; {load_average()}")}


@measures("kws_wall_s", "kws_memory_mb")
def kws():
    """Wall time of `entrain compare configs/kws_size.yaml`, calibrations in the cache, and the largest memory of all its processes together."""
    file = SOURCE / "configs" / "kws_size.yaml"
    say("calibrating the four cells, if the cache does not have them")
    run([ENTRAIN, "compare", file, "--dry-run", "--quiet"])
    usage = run([ENTRAIN, "compare", file, "--json", "--quiet", "--force", "--out", SCRATCH / "kws"], memory=True, good=(0, 1))
    rows = json.loads(usage.out)["rows"]
    note = "; ".join(f"{row['name']}: {row['cost']['wall_s']:.3g} s, {counts(row['cost'])}, {row['settling']['unsettled']} of "
                     f"{row['layer']['free_oscillators']} unsettled" for row in rows)
    return {"kws_wall_s": Figure(usage.wall_s, "s", "lower", f"{note}; {usage.cpu_s:.3g} s CPU; {load_average()}"),
            "kws_memory_mb": Figure(usage.peak_bytes / 1e6, "MB", "lower", "sum over processes of the proportional set size, sampled 20 times a second")}


@measures("large_layer_wall_s", "large_layer_memory_mb", long=True)
def large():
    """Wall time of `entrain run` on lc for T = 512, H = 8 (4,096 oscillators, 2,097,152 couplings), calibration in the cache, and the largest memory
    of all its processes together."""
    file = configuration("large", layer("large", "--tokens", "512", "--heads", "8"), 8, "lc")
    plan = json.loads(run([ENTRAIN, "run", file, "--dry-run", "--json", "--quiet"]).out)
    say(f"{plan['netlists']} netlists, estimated {plan['wall_s']:.0f} s")
    usage, result = simulate(file, memory=True)
    cost = result["cost"]
    return {"large_layer_wall_s": Figure(usage.wall_s, "s", "lower",
                                         f"{counts(cost)}, {cost['oscillator_periods']:.3g} oscillator-periods, {result['settling']['unsettled']} of "
                                         f"4096 unsettled; {usage.cpu_s:.4g} s CPU; {plan['wall_s']:.3g} s were estimated; {load_average()}"),
            "large_layer_memory_mb": Figure(usage.peak_bytes / 1e6, "MB", "lower",
                                            "sum over processes of the proportional set size, sampled 20 times a second")}


CELLS = ["lc_behavioural", "lc_mos1", "ring_mos1_3", "ring_mos1_5", "ring_bsim4_3", "josephson_rcsj", "cdw_relaxation"]


@measures(*(f"point_cost_{cell}_us" for cell in CELLS), by_name=True, long=True)
def point_cost(name):
    """Processor time of the workers per accepted point and cell: the slope of a line through netlists of 1 to 64 cells, fitted to the least relative
    error. Its ordinate and it are CellDesign::point_cost, which decides how oscillators are split into netlists."""
    kind, cell = name.removeprefix("point_cost_").removesuffix("_us").split("_", 1)
    file = configuration(name, layer("equal_128", "--tokens", "32", "--heads", "4", "--every-drive", "0.3"), 4, f"{kind}, cell: {cell}")
    measured = {}
    for n in (1, 2, 4, 8, 16, 32, 64):
        _, result = simulate(file, "--set", f"engine.oscillators_per_netlist={n}", "--jobs", "1")
        cost = result["cost"]
        measured[cost["oscillator_periods"] / cost["simulated_periods"]] = 1e6 * cost["cpu_s"] / cost["points"]
    # Least sum of ((fixed + slope n)/measured - 1)^2.
    rows = [(1.0 / y, n / y) for n, y in measured.items()]
    uu, uv, vv = sum(u * u for u, _ in rows), sum(u * v for u, v in rows), sum(v * v for _, v in rows)
    su, sv = sum(u for u, _ in rows), sum(v for _, v in rows)
    fixed, slope = ((su * vv - sv * uv) / (uu * vv - uv * uv), (uu * sv - uv * su) / (uu * vv - uv * uv))
    return {name: Figure(slope, "us", "lower", f"fixed {fixed:.3g} us; per point at mean size: " +
                         ", ".join(f"{n:.3g}: {y:.3g} us" for n, y in measured.items()) + f"; {load_average()}")}

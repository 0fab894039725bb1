"""What every measurement needs: the list of figures, programs run under a clock, layers and configurations to run them on."""
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BUILD = SOURCE / "build" / "release"
ENTRAIN = BUILD / "entrain"
SCRATCH = BUILD / "bench"  # layers, configurations, run folders and calibrations; may be deleted


@dataclass
class Figure:
    value: float
    unit: str
    better: str  # "higher" | "lower"
    note: str


@dataclass
class Measurement:
    names: list
    run: object  # () -> {name: Figure}, or (name) -> {name: Figure} with by_name
    by_name: bool
    long: bool
    text: str


MEASUREMENTS = []


def measures(*names, by_name=False, long=False):
    """Registers a function that measures the figures `names`; its docstring says what they are. With by_name it is called for each name asked for,
    otherwise once for all of its names. Long ones run only when they are asked for."""

    def register(function):
        MEASUREMENTS.append(Measurement(list(names), function, by_name, long, " ".join(function.__doc__.split())))
        return function

    return register


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


@dataclass
class Usage:
    wall_s: float
    cpu_s: float  # of the program and everything it started and waited for, user and system
    peak_bytes: int  # of all its processes together, sampled: pages they share count once (PSS); 0 if not asked for
    out: str
    status: int


def children(process):
    found = [process]
    try:
        for task in os.listdir(f"/proc/{process}/task"):
            for child in Path(f"/proc/{process}/task/{task}/children").read_text().split():
                found += children(int(child))
    except OSError:
        pass  # it has ended meanwhile
    return found


def proportional_size(process):
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 0


def run(arguments, memory=False, good=(0,), folder=None):
    """Runs a program to its end; SystemExit with what it said if its status is not among `good`."""
    environment = dict(os.environ, ENTRAIN_CACHE=str(SCRATCH / "cache"))
    began = time.monotonic()
    process = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder)
    texts = {}
    readers = [threading.Thread(target=lambda name=name, pipe=pipe: texts.update({name: pipe.read()}))
               for name, pipe in (("out", process.stdout), ("err", process.stderr))]
    for reader in readers:
        reader.start()
    peak = 0
    while memory and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak = max(peak, sum(proportional_size(p) for p in children(process.pid)))
        time.sleep(0.05)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    for reader in readers:
        reader.join()
    if process.returncode not in good:
        raise RuntimeError(f"{' '.join(str(a) for a in arguments)} ended with {process.returncode}: {texts['err'][-600:]}")
    return Usage(wall, usage.ru_utime + usage.ru_stime, peak, texts["out"], process.returncode)


def layer(name, *options):
    """Folder with a generated layer, made at the first call."""
    folder = SCRATCH / name
    command = ["/usr/bin/python3", SOURCE / "tools" / "generate_layer.py", folder, *options]
    made_by = " ".join(str(c) for c in command[3:])
    stamp = folder / "options.txt"
    if not stamp.exists() or stamp.read_text() != made_by:
        say(f"generating layer {name}")
        run(command)
        stamp.write_text(made_by)
    return folder


def configuration(name, folder, heads, substrate, more=""):
    file = SCRATCH / f"{name}.yaml"
    file.write_text(f"""version: 1
layer: {{mechanism: fixed_query, weights: {folder}/layer.safetensors, inputs: {folder}/inputs.safetensors, heads: {heads}}}
substrate: {{kind: {substrate}}}
engine: {{kind: ngspice}}
{more}""")
    run([ENTRAIN, "run", file, "--dry-run", "--quiet"])  # so that the calibration is in the cache
    return file


def simulate(file, *options, memory=False):
    """One `entrain run`: its usage, and its result."""
    out = SCRATCH / "run"
    usage = run([ENTRAIN, "run", file, "--json", "--quiet", "--force", "--out", out, *options], memory=memory, good=(0, 1))
    return usage, json.loads(usage.out)


def median(values):
    return statistics.median(values)


def spread(values):
    """Largest over smallest, as text."""
    return f"{len(values)} repeats within {max(values) / min(values):.2f}x"


def load_average():
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"

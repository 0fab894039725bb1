"""The phase engine against the ngspice engine on the same layer: what it saves, and what it costs in degrees."""
import h5py
import numpy as np

from harness import SCRATCH, SOURCE, Figure, load_average, measures, median, run, simulate, spread

SENTENCES = 20


def configuration(substrate):
    """The trained layer, its first sentences, and a calibration in the cache."""
    folder = SOURCE / "models" / "attention" / "sva"
    file = SCRATCH / f"phase_over_circuit_{substrate}.yaml"
    file.write_text(f"""version: 1
layer: {{mechanism: fixed_query, weights: {folder}/layer.safetensors, inputs: {folder}/inputs.safetensors, heads: 1,
         sequences: {list(range(SENTENCES))}}}
substrate: {{kind: {substrate}}}
engine: {{kind: ngspice}}
""")
    return file


def solved(file, engine):
    usage, result = simulate(file, "--set", f"engine={{kind: {engine}}}", "--jobs", "1")
    with h5py.File(SCRATCH / "run" / "arrays.h5") as arrays:
        return result["cost"]["cpu_s"], {name: np.array(arrays[name]) for name in ("phase_raw_rad", "settling_time_s", "verdict", "drive")}


@measures("phase_over_circuit_lc", "phase_over_circuit_ring", by_name=True)
def phase_over_circuit(name):
    """Processor time of the ngspice engine over that of the phase engine, both as they report it (simulation only), on the first 20 sentences of the
    trained layer, and how far the raw phases and settling times of tokens with r >= 0.05 that settle in both differ."""
    file = configuration(name.removeprefix("phase_over_circuit_"))
    run_circuit, circuit = solved(file, "ngspice")
    phases = [solved(file, "phase") for _ in range(5)]
    seconds = [cpu for cpu, _ in phases]
    phase = phases[0][1]
    both = (circuit["verdict"] == 0) & (phase["verdict"] == 0) & (circuit["drive"] >= 0.05) & (phase["settling_time_s"] > 0)
    angle = np.degrees(np.angle(np.exp(1j * (circuit["phase_raw_rad"] - phase["phase_raw_rad"])))[both])
    settling = circuit["settling_time_s"][both] / phase["settling_time_s"][both]
    note = (f"{run_circuit:.3g} s over {median(seconds):.3g} s CPU ({spread(seconds)}) for {np.sum(circuit['verdict'] <= 5)} oscillators; it costs "
            f"{np.sqrt(np.mean(angle**2)):.2g} deg rms, {np.max(np.abs(angle)):.2g} at most, and settling times are {np.median(settling):.3f} of the phase "
            f"engine's in the median ({np.percentile(settling, 5):.2f} .. {np.percentile(settling, 95):.2f}); n = {np.sum(both)}; {load_average()}")
    return {name: Figure(run_circuit / median(seconds), "x", "higher", note)}

#!/usr/bin/env python3
"""Generate an attention layer of a given size whose oscillators are driven as those of a trained layer are.

    python3 tools/generate_layer.py models/attention/kws_size           the shipped layer: T = 49, H = 2, d = 2
    python3 tools/generate_layer.py DIR --tokens 512 --heads 8          the same kind of layer, larger
    python3 tools/generate_layer.py DIR --least-drive 0.05              without weakly driven tokens
    python3 tools/generate_layer.py DIR --every-drive 0.3               all tokens driven alike

Needs numpy (Debian: python3-numpy). Writes layer.safetensors and inputs.safetensors (one sequence, no padding) to DIR and prints what they hold.

Nothing is trained and there is no task: the layer exists to be simulated. Only what decides a simulation is chosen, the drive of each oscillator

    r_i = |h_i| / sum_j W_ij |r_j|,    h_i = sum_j W_ij r_j,    W_ij = softplus(q_i . k_j / sqrt(dh)),

and its direction; the rest is random. Drives follow 1 - (1 - r^a)^b on [0, 1] (Kumaraswamy's distribution: a power law towards 0, so that weak drives
are as common as in trained layers, and no drive above 1), drawn at random and never clipped; a and b are such that the median and the 1st percentile
of this very sample are the wanted ones. Scores are m + A_i cos(phase_j - B_i) - focus(A_i) + noise; A_i and B_i give token i its drive and direction by
Newton's method, m brings the median of |h| to the wanted value. Queries and keys are made of these scores, and W_q and W_k turn random inputs into them.
"""
import argparse
import json
from pathlib import Path

import numpy as np

MEDIAN_DRIVE = 0.17
FIRST_PERCENTILE = 0.006
MEDIAN_FIELD = 8.0  # of |h|
SHAPE = (1.25, 6.0)  # a and b of a large sample with these quantiles, for layers without weak drives
HEAD_SIZE = 8  # 3 for the mean score and its first harmonic, the rest noise
SCORE_NOISE = 0.5
FOCUS = 0.7  # scores fall by this share of A_i on average: with 0 no A_i would drive an oscillator above 0.79, with 0.7 the limit is 0.94
ANCHOR_LENGTH = (0.75, 1.6)  # of the trained layers in models/attention/sva


def root(function, low, high, steps=60):
    """Zero of an increasing function by bisection."""
    for _ in range(steps):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if function(middle) < 0.0 else (low, middle)
    return 0.5 * (low + high)


def draw_drives(random, count, least, every):
    u = random.random_sample(count)
    if every > 0.0:
        return np.full(count, every)

    def drives(a, b):
        return (1.0 - (1.0 - u) ** (1.0 / b)) ** (1.0 / a)

    if least > 0.0:
        a, b = SHAPE
        below = 1.0 - (1.0 - least ** a) ** b
        u = below + (1.0 - below) * u
        return drives(a, b)

    def second_shape(a):
        return root(lambda b: MEDIAN_DRIVE - np.median(drives(a, b)), 0.1, 100.0)

    a = root(lambda a: np.percentile(drives(a, second_shape(a)), 1.0) - FIRST_PERCENTILE, 0.3, 5.0)
    return drives(a, second_shape(a))


def softplus(x):
    return np.logaddexp(0.0, x)


def focus(p):
    """By how much token i's scores are lowered [T, 1], and the slope of that in p [T, 2]."""
    size = np.sqrt(1.0 + np.sum(p ** 2, axis=1, keepdims=True))
    return FOCUS * (size - 1.0), FOCUS * p / size


def solve_scores(mean, noise, anchors, target):
    """Amplitude times direction [T, 2] of the scores' first harmonic that gives h_i/(row sum) = target_i [T, 2]; and |h| [T]."""
    length = np.linalg.norm(anchors, axis=1)
    unit = anchors / length[:, None]
    products = (anchors[:, :, None] * unit[:, None, :]).reshape(-1, 4)

    def response(p):
        lowered, lowered_slope = focus(p)
        score = mean + noise + p @ unit.T - lowered
        weight, slope = softplus(score), 1.0 / (1.0 + np.exp(-score))
        row = weight @ length
        ratio = weight @ anchors / row[:, None]
        field_slope = (slope @ products).reshape(-1, 2, 2) - (slope @ anchors)[:, :, None] * lowered_slope[:, None, :]
        row_slope = (slope * length) @ unit - (slope @ length)[:, None] * lowered_slope
        return ratio, row, (field_slope - ratio[:, :, None] * row_slope[:, None, :]) / row[:, None, None]

    p = np.zeros_like(target)
    for _ in range(200):
        ratio, row, jacobian = response(p)
        step = np.linalg.solve(jacobian, (target - ratio)[:, :, None])[:, :, 0]
        size = np.linalg.norm(step, axis=1)
        if size.max() < 1e-12:
            return p, np.linalg.norm(ratio, axis=1) * row
        p += step / np.maximum(size, 1.0)[:, None]  # steps of at most 1: far out the scores' response flattens and Newton's steps overshoot
    raise SystemExit(f"generate_layer: no scores give these drives (largest {np.linalg.norm(target, axis=1).max():.3g})")


def generate(random, tokens, heads, least, every):
    drives = draw_drives(random, heads * tokens, least, every).reshape(heads, tokens)
    direction = 2.0 * np.pi * random.random_sample((heads, tokens))
    target = drives[:, :, None] * np.stack([np.cos(direction), np.sin(direction)], axis=2)
    angle = 2.0 * np.pi * random.random_sample((heads, tokens))
    length = ANCHOR_LENGTH[0] + (ANCHOR_LENGTH[1] - ANCHOR_LENGTH[0]) * random.random_sample((heads, tokens))
    anchors = length[:, :, None] * np.stack([np.cos(angle), np.sin(angle)], axis=2)
    extra = HEAD_SIZE - 3
    query_noise = random.standard_normal((heads, tokens, extra))
    key_noise = SCORE_NOISE / np.sqrt(extra) * random.standard_normal((heads, tokens, extra))

    def solved(mean):
        return [solve_scores(mean, query_noise[h] @ key_noise[h].T, anchors[h], target[h]) for h in range(heads)]

    mean = root(lambda m: np.median([field for _, field in solved(m)]) - MEDIAN_FIELD, -8.0, 8.0, steps=20)  # to 1.5e-5 of a score
    features = -(-(tokens + 15) // 16) * 16  # more than tokens: W then exists that turns any inputs into any queries, and is not ill-conditioned
    x = random.standard_normal((tokens, features)).astype("f4")
    inverse = np.linalg.pinv(x.astype("f8"))
    queries, keys = [], []
    for h, (p, _) in enumerate(solved(mean)):
        queries.append(np.sqrt(HEAD_SIZE) * np.hstack([mean - focus(p)[0], p, query_noise[h]]))
        keys.append(np.hstack([np.ones((tokens, 1)), anchors[h] / length[h][:, None], key_noise[h]]))
    weights = {
        "W_q.weight": np.hstack([inverse @ q for q in queries]).T,
        "W_k.weight": np.hstack([inverse @ k for k in keys]).T,
        "W_v.weight": random.standard_normal((heads * HEAD_SIZE, features)) / np.sqrt(features),
        "W_o.weight": random.standard_normal((features, heads * HEAD_SIZE)) / np.sqrt(heads * HEAD_SIZE),
        "W_o.bias": np.zeros(features),
        "anchors": anchors,
    }
    return {name: tensor.astype("f4") for name, tensor in weights.items()}, x


def write_safetensors(path, tensors):
    """Layout of safetensors: u64 header length, JSON header padded with spaces to 8 bytes, data; everything here is F32."""
    header, data = {}, b""
    for name, array in sorted(tensors.items()):
        raw = np.ascontiguousarray(array, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def figures(weights, x):
    """Drive and |h| of every token, from the rounded tensors as they are written."""
    drive, field = [], []
    layer = {name: tensor.astype("f8") for name, tensor in weights.items()}
    for h, anchors in enumerate(layer["anchors"]):
        rows = slice(h * HEAD_SIZE, (h + 1) * HEAD_SIZE)
        q, k = (x.astype("f8") @ layer[name][rows].T for name in ("W_q.weight", "W_k.weight"))
        w = softplus(q @ k.T / np.sqrt(HEAD_SIZE))
        h_norm = np.linalg.norm(w @ anchors, axis=1)
        field.append(h_norm)
        drive.append(h_norm / (w @ np.linalg.norm(anchors, axis=1)))
    return np.concatenate(drive), np.concatenate(field)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, default=49)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--least-drive", type=float, default=0.0, help="draw from the part of the distribution above it")
    parser.add_argument("--every-drive", type=float, default=0.0, help="drive every oscillator alike")
    parser.add_argument("--seed", type=int, default=49)
    options = parser.parse_args()

    random = np.random.RandomState(options.seed)  # its streams are frozen (NEP 19), those of newer generators are not
    weights, x = generate(random, options.tokens, options.heads, options.least_drive, options.every_drive)
    options.folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(options.folder / "layer.safetensors", weights)
    write_safetensors(options.folder / "inputs.safetensors", {"x": x})
    drive, field = figures(weights, x)
    print(f"T = {options.tokens}, H = {options.heads}, dh = {HEAD_SIZE}, D = {x.shape[1]}, d = 2, seed {options.seed}: {drive.size} oscillators, "
          f"{options.heads * options.tokens ** 2} couplings")
    print(f"drive r: min {drive.min():.5f}, p1 {np.percentile(drive, 1):.5f}, p5 {np.percentile(drive, 5):.4f}, median {np.median(drive):.4f}, "
          f"max {drive.max():.3f}; below 0.05: {np.mean(drive < 0.05):.1%}, below 0.02: {np.mean(drive < 0.02):.1%}")
    print(f"|h|: median {np.median(field):.3f}, min {field.min():.3g}, max {field.max():.3g}")


if __name__ == "__main__":
    main()

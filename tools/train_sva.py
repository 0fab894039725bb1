#!/usr/bin/env python3
"""Train the subject-verb-agreement layer shipped in models/attention/sva.

    python3 tools/train_sva.py             train 5 seeds of both mechanisms, export the median oscillator seed, write the README
    python3 tools/train_sva.py --verify    recompute the shipped files with numpy alone and compare with the torch model
    python3 tools/train_sva.py --export-seed N --out DIR    train oscillator seed N alone and write its files, without README, to DIR

Needs torch and numpy (Debian: python3-torch). Nothing else in the project calls it.

Sentences are "the NOUN VERB ." or "the NOUN PREP the NOUN VERB ."; half of the verbs have the wrong number, and the label says
whether the verb agrees with the first noun. A sentence is hard if the noun next to the verb has the other number.
Mechanism and set-up: Pasqualetti & Guo, arXiv:2606.12059, section on subject-verb agreement; grammar and words are our own.
"""
import argparse
import json
import math
import random
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

NOUNS = """author baker bird boat book bridge cat chair clerk cloud coin doctor dog door driver engine farmer flag friend garden
guard horse island judge king lamp lawyer letter mirror nurse painter pilot player poet queen river robot sailor singer soldier
student table teacher tower tree truck village waiter window writer""".split()
VERBS = """appear arrive bend break burn fall float glow grow help jump laugh lean listen move rest return run shake shine sing
sink sleep smile speak stop swim wait walk work""".split()
PREPOSITIONS = "above behind below beside by near with".split()
assert (len(set(NOUNS)), len(set(VERBS)), len(set(PREPOSITIONS))) == (50, 30, 7)

PAD = "<pad>"
NUMBERS = ("singular", "plural")
VOCABULARY = [PAD, "<bos>", "<eos>", "the", ".", *PREPOSITIONS, *NOUNS, *(n + "s" for n in NOUNS), *(v + "s" for v in VERBS), *VERBS]
TOKEN = {word: row for row, word in enumerate(VOCABULARY)}

SPLIT_SIZES = {"train": 40_000, "validation": 4_000, "test": 4_000}
PHRASE_FRACTION = 0.6  # sentences with a prepositional phrase
DATA_SEED = 2606
TRAINING_SEEDS = (0, 1, 2, 3, 4)
FORMER_SEED = 2  # shipped while ties were broken by test loss; the README names it
TOKENS, D_MODEL, HEADS, D_FF, D_OSC = 9, 32, 1, 64, 2
EPOCHS, BATCH, LEARNING_RATE = 20, 64, 5e-4
SHIPPED = 200
SHIPPED_PATTERN = ("hard", "short", "hard", "easy", "hard")  # 120 hard, 40 short, 40 easy; the first three sequences differ in kind
SMALLEST_FIELD = 1e-12  # floor of |h| in z* = h / |h|, as in the published code
# F32 rounding of the scores (a few 1e-7) turns a weakly driven z* by up to 1/r ~ 100 times as much, and a row of 9 weights divides that by about 9.
ROW_TOLERANCE = 1e-5


# ---------------------------------------------------------------- sentences

@dataclass(frozen=True)
class Sentence:
    words: tuple
    agrees: bool
    kind: str  # hard | easy (a phrase whose noun has the subject's number) | short (no phrase)

    def tokens(self):
        """BOS words EOS, padded to TOKENS."""
        row = ["<bos>", *self.words, "<eos>"]
        return row + [PAD] * (TOKENS - len(row))

    def verb_position(self):
        return len(self.words) - 1  # the verb stands before the full stop, and BOS shifts every word by one


def noun_form(noun, number):
    return noun + "s" if number == "plural" else noun


def verb_form(verb, number):
    return verb if number == "plural" else verb + "s"


def short_sentences():
    """All 6000 sentences without a phrase."""
    return [Sentence(("the", noun_form(noun, number), verb_form(verb, form), "."), number == form, "short")
            for noun in NOUNS for number in NUMBERS for verb in VERBS for form in NUMBERS]


def draw_long(rng):
    subject, distractor = rng.sample(NOUNS, 2)
    number, other, form = (rng.choice(NUMBERS) for _ in range(3))
    words = ("the", noun_form(subject, number), rng.choice(PREPOSITIONS), "the", noun_form(distractor, other),
             verb_form(rng.choice(VERBS), form), ".")
    return Sentence(words, number == form, "easy" if number == other else "hard")


def generate_splits(seed):
    """Splits that share no sentence: long ones never repeat; the 6000 short ones are dealt 80/10/10 and drawn with repetition."""
    rng = random.Random(seed)
    short = short_sentences()
    rng.shuffle(short)
    tenth = len(short) // 10
    pools = {"test": short[:tenth], "validation": short[tenth:2 * tenth], "train": short[2 * tenth:]}
    seen = set()
    splits = {}
    for name, size in SPLIT_SIZES.items():
        splits[name] = []
        while len(splits[name]) < size:
            if rng.random() >= PHRASE_FRACTION:
                splits[name].append(rng.choice(pools[name]))
                continue
            sentence = draw_long(rng)
            if sentence.words not in seen:
                seen.add(sentence.words)
                splits[name].append(sentence)
    return splits


def pick_shipped(test):
    """SHIPPED distinct test sentences in the order of SHIPPED_PATTERN."""
    distinct = list(dict.fromkeys(test))
    queues = {kind: iter([s for s in distinct if s.kind == kind]) for kind in set(SHIPPED_PATTERN)}
    return [next(queues[SHIPPED_PATTERN[n % len(SHIPPED_PATTERN)]]) for n in range(SHIPPED)]


@dataclass(frozen=True)
class Batch:
    tokens: torch.Tensor  # [N, TOKENS] rows of the embedding
    verb: torch.Tensor    # [N] index of the verb
    label: torch.Tensor   # [N] 1.0 if the verb agrees
    hard: torch.Tensor    # [N]

    def rows(self, index):
        return Batch(self.tokens[index], self.verb[index], self.label[index], self.hard[index])


def to_batch(sentences):
    return Batch(torch.tensor([[TOKEN[word] for word in s.tokens()] for s in sentences]),
                 torch.tensor([s.verb_position() for s in sentences]),
                 torch.tensor([float(s.agrees) for s in sentences]),
                 torch.tensor([s.kind == "hard" for s in sentences]))


# ---------------------------------------------------------------- model

class AttentionProjections(nn.Module):
    """Maps shared by both mechanisms; only W_o has a bias."""

    def __init__(self):
        super().__init__()
        self.W_q = nn.Linear(D_MODEL, D_MODEL, bias=False)
        self.W_k = nn.Linear(D_MODEL, D_MODEL, bias=False)
        self.W_v = nn.Linear(D_MODEL, D_MODEL, bias=False)
        self.W_o = nn.Linear(D_MODEL, D_MODEL)

    @staticmethod
    def split(x):
        return x.view(x.shape[0], x.shape[1], HEADS, D_MODEL // HEADS).transpose(1, 2)

    def scores(self, x):
        q, k = self.split(self.W_q(x)), self.split(self.W_k(x))
        return q @ k.transpose(-1, -2) / math.sqrt(D_MODEL // HEADS)

    def forward(self, x, padding):
        heads = self.rows(x, padding) @ self.split(self.W_v(x))
        return self.W_o(heads.transpose(1, 2).reshape(x.shape))


class OscillatorAttention(AttentionProjections):
    """Fixed-query oscillator attention: W_ij = softplus(q_i . k_j / sqrt(d_head)), z*_i = h_i / |h_i| with h_i = sum_j W_ij r_j,
    a_ij = max(0, 1 + z*_i . r_j) / sum_k. Padding masks the coupling W and not the readout (published behaviour)."""

    def __init__(self):
        super().__init__()
        direction = torch.randn(HEADS, TOKENS, D_OSC)  # isotropic: for d = 2 a uniform phase
        self.anchors = nn.Parameter(direction / direction.norm(dim=-1, keepdim=True))

    def coupling(self, x, padding):
        return functional.softplus(self.scores(x)) * (~padding)[:, None, None, :]

    def rows(self, x, padding):
        anchors = self.anchors[:, :x.shape[1]]
        field = self.coupling(x, padding) @ anchors
        state = field / field.norm(dim=-1, keepdim=True).clamp_min(SMALLEST_FIELD)
        weight = (1 + state @ anchors.transpose(-1, -2)).clamp_min(0)
        return weight / weight.sum(dim=-1, keepdim=True)


class SoftmaxAttention(AttentionProjections):
    def rows(self, x, padding):
        return self.scores(x).masked_fill(padding[:, None, None, :], -math.inf).softmax(dim=-1)


MECHANISMS = {"oscillator": OscillatorAttention, "softmax": SoftmaxAttention}


def sinusoidal_positions():
    angle = torch.arange(TOKENS)[:, None] / 10000 ** (torch.arange(0, D_MODEL, 2) / D_MODEL)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).reshape(TOKENS, D_MODEL)


class AgreementModel(nn.Module):
    """One post-norm encoder layer, so that x is also the residual stream; the logit is read at the verb."""

    def __init__(self, mechanism):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), D_MODEL)
        self.register_buffer("positions", sinusoidal_positions())
        self.attention = MECHANISMS[mechanism]()
        self.norm_attention = nn.LayerNorm(D_MODEL)
        self.expand = nn.Linear(D_MODEL, D_FF)
        self.contract = nn.Linear(D_FF, D_MODEL)
        self.norm_output = nn.LayerNorm(D_MODEL)
        self.classifier = nn.Linear(D_MODEL, 1)

    def attention_input(self, tokens):
        return self.embedding(tokens) + self.positions, tokens == TOKEN[PAD]

    def forward(self, batch):
        x, padding = self.attention_input(batch.tokens)
        y = self.norm_attention(x + self.attention(x, padding))
        u = self.norm_output(y + self.contract(functional.relu(self.expand(y))))
        return self.classifier(u[torch.arange(len(u)), batch.verb])[:, 0]


# ---------------------------------------------------------------- training

@dataclass(frozen=True)
class Score:
    hard: float  # [%]
    overall: float  # [%]
    loss: float  # mean binary cross-entropy [nats]


@torch.no_grad()
def evaluate(model, batch):
    logit = model(batch)
    right = (logit > 0) == (batch.label > 0.5)
    return Score(100 * right[batch.hard].float().mean().item(), 100 * right.float().mean().item(),
                 functional.binary_cross_entropy_with_logits(logit, batch.label).item())


def train(mechanism, seed, splits):
    torch.manual_seed(seed)
    model = AgreementModel(mechanism)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    data = splits["train"]
    for epoch in range(1, EPOCHS + 1):
        started = time.perf_counter()
        total = 0.0
        for index in torch.randperm(len(data.label)).split(BATCH):
            batch = data.rows(index)
            loss = functional.binary_cross_entropy_with_logits(model(batch), batch.label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        score = evaluate(model, splits["validation"])
        print(f"{mechanism} seed {seed} epoch {epoch}/{EPOCHS}: train loss {total / len(data.label):.4f}, validation loss {score.loss:.4f}, "
              f"accuracy {score.overall:.2f} % (hard {score.hard:.2f} %), {time.perf_counter() - started:.1f} s", flush=True)
    return model


def median_seed(scores, median_drives):
    """Middle seed by hard test accuracy; equal accuracies are ordered by the median drive over all unpadded queries of the shipped
    sentences. The task saturates, so accuracy and loss do not tell the seeds apart in what matters to a circuit; the drive decides
    the settling time on hardware, so the shipped layer should be typical in it."""
    ranked = sorted(scores, key=lambda seed: (scores[seed].hard, median_drives[seed], seed))
    return ranked[len(ranked) // 2]


@torch.no_grad()
def drive(attention, x, padding):
    """r_i = |sum_j W_ij r_j| / sum_j W_ij |r_j| of every query of the one head, sequences x tokens."""
    coupling = attention.coupling(x, padding)
    length = attention.anchors.norm(dim=-1)
    r = (coupling @ attention.anchors).norm(dim=-1) / (coupling @ length[..., None])[..., 0]
    return r[:, 0].numpy()


def spread(r):
    low, p1, p5, median = np.quantile(r, [0, 0.01, 0.05, 0.5])
    return {"min": low, "p1": p1, "p5": p5, "median": median, "below 0.05": np.mean(r < 0.05), "below 0.02": np.mean(r < 0.02)}


# ---------------------------------------------------------------- files

SAFETENSORS_TYPES = {"F32": np.dtype("<f4"), "U8": np.dtype("u1")}


def write_safetensors(path, tensors):
    """Layout of safetensors: u64 header length, JSON header padded with spaces to 8 bytes, data. Sorted like the reference
    implementation: wider types first, then by name."""
    names = {dtype: name for name, dtype in SAFETENSORS_TYPES.items()}
    header, data = {}, b""
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read_safetensors(path):
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    tensors = {}
    for name, entry in json.loads(raw[8:start]).items():
        first, last = entry["data_offsets"]
        tensors[name] = np.frombuffer(raw[start + first:start + last], SAFETENSORS_TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


@torch.no_grad()
def export(model, shipped, folder):
    batch = to_batch(shipped)
    x, padding = model.attention_input(batch.tokens)
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    prefix = "attention."
    write_safetensors(folder / "layer.safetensors", {n[len(prefix):]: t for n, t in state.items() if n.startswith(prefix)})
    write_safetensors(folder / "head.safetensors", {n: t for n, t in state.items() if not n.startswith(prefix)})
    write_safetensors(folder / "inputs.safetensors", {"x": x.numpy(), "padding": padding.numpy().astype("u1")})
    write_safetensors(folder / "labels.safetensors", {"labels": batch.label.numpy().astype("u1"), "hard": batch.hard.numpy().astype("u1"),
                                                      "verb_position": batch.verb.numpy().astype("u1")})
    (folder / "vocabulary.txt").write_text("".join(word + "\n" for word in VOCABULARY))
    (folder / "sentences.txt").write_text(
        "".join(f"{' '.join(s.words)}\t{int(s.agrees)}\t{int(s.kind == 'hard')}\n" for s in shipped))


# ---------------------------------------------------------------- verification

def numpy_rows(layer, x, padding):
    """Attention rows and the matching softmax rows in float64, written from the formulas and not from the torch modules."""
    q, k = x @ layer["W_q.weight"].T, x @ layer["W_k.weight"].T
    scores = np.einsum("sid,sjd->sij", q, k) / np.sqrt(q.shape[-1])
    keys = ~padding[:, None, :]
    anchors = layer["anchors"][0, :x.shape[1]]
    field = np.einsum("sij,jd->sid", np.logaddexp(0, scores) * keys, anchors)
    state = field / np.maximum(np.linalg.norm(field, axis=-1, keepdims=True), SMALLEST_FIELD)
    weight = np.maximum(0, 1 + state @ anchors.T)
    exponential = np.exp(scores - scores.max(axis=-1, keepdims=True)) * keys
    return weight / weight.sum(axis=-1, keepdims=True), exponential / exponential.sum(axis=-1, keepdims=True)


def layer_norm(x, weight, bias):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred ** 2, axis=-1, keepdims=True) + 1e-5) * weight + bias  # eps of torch's LayerNorm


def numpy_logits(layer, head, x, rows, verb):
    attention = rows @ (x @ layer["W_v.weight"].T) @ layer["W_o.weight"].T + layer["W_o.bias"]
    y = layer_norm(x + attention, head["norm_attention.weight"], head["norm_attention.bias"])
    hidden = np.maximum(0, y @ head["expand.weight"].T + head["expand.bias"])
    u = layer_norm(y + hidden @ head["contract.weight"].T + head["contract.bias"], head["norm_output.weight"], head["norm_output.bias"])
    return u[np.arange(len(u)), verb] @ head["classifier.weight"][0] + head["classifier.bias"][0]


@dataclass(frozen=True)
class Verification:
    correct: int
    correct_softmax: int  # softmax of the same scores instead of the oscillator rows, through the same head
    row_difference: float
    logit_difference: float
    smallest_logit: float
    faults: tuple


@torch.no_grad()
def verify(folder):
    layer, head, inputs, labels = ({name: t.astype("f8") if t.dtype.kind == "f" else t for name, t in read_safetensors(folder / f).items()}
                                   for f in ("layer.safetensors", "head.safetensors", "inputs.safetensors", "labels.safetensors"))
    x, padding, verb = inputs["x"], inputs["padding"] != 0, labels["verb_position"].astype(int)
    rows, softmax_rows = numpy_rows(layer, x, padding)
    logits = numpy_logits(layer, head, x, rows, verb)
    softmax_logits = numpy_logits(layer, head, x, softmax_rows, verb)
    expected = labels["labels"] != 0

    sentences = pick_shipped(generate_splits(DATA_SEED)["test"])
    batch = to_batch(sentences)
    model = AgreementModel("oscillator")
    model.load_state_dict({**{n: torch.tensor(t, dtype=torch.float32) for n, t in head.items()},
                           **{"attention." + n: torch.tensor(t, dtype=torch.float32) for n, t in layer.items()}})
    torch_x, torch_padding = model.attention_input(batch.tokens)
    row_difference = np.abs(model.attention.rows(torch_x, torch_padding)[:, 0].numpy() - rows).max()
    torch_logits = model(batch).numpy()

    listed = [tuple(line.split("\t")) for line in (folder / "sentences.txt").read_text().splitlines()]
    generated = [(" ".join(s.words), str(int(s.agrees)), str(int(s.kind == "hard"))) for s in sentences]
    same_labels = (np.array_equal(labels["labels"], batch.label.numpy()) and np.array_equal(labels["hard"], batch.hard.numpy())
                   and np.array_equal(verb, batch.verb.numpy()))
    checks = {
        "sentences.txt is not the generated test selection": listed == generated,
        "labels.safetensors disagrees with the sentences": same_labels,
        "x is not embedding + positions of the sentences": np.array_equal(x, torch_x.numpy()),
        "padding disagrees with the sentences": np.array_equal(padding, torch_padding.numpy()),
        f"attention rows differ from torch by more than {ROW_TOLERANCE:g}": row_difference <= ROW_TOLERANCE,
        "a prediction differs from torch": np.array_equal(logits > 0, torch_logits > 0),
    }
    return Verification(int(np.sum((logits > 0) == expected)), int(np.sum((softmax_logits > 0) == expected)), row_difference,
                        np.abs(logits - torch_logits).max(), np.abs(logits).min(), tuple(text for text, ok in checks.items() if not ok))


def print_verification(result):
    print(f"numpy forward pass of the shipped files: {result.correct} of {SHIPPED} sentences right; "
          f"softmax of the same scores: {result.correct_softmax} of {SHIPPED}")
    print(f"largest difference from torch: attention row {result.row_difference:.1e}, logit {result.logit_difference:.1e} "
          f"(smallest |logit| {result.smallest_logit:.2f})")
    for fault in result.faults:
        print(f"fault: {fault}")
    print("verification " + ("failed" if result.faults else "passed"))


# ---------------------------------------------------------------- report

def mean_and_deviation(values):
    return f"{statistics.mean(values):.2f} +- {statistics.stdev(values):.2f}"


def write_readme(folder, splits, scores, chosen, spreads, lengths, checked):
    shapes = {name: read_safetensors(folder / f"{name}.safetensors") for name in ("layer", "inputs", "labels", "head")}
    types = {dtype: name for name, dtype in SAFETENSORS_TYPES.items()}

    def tensor_list(name):
        return "\n".join(f"    {t:24} {types[a.dtype]:4} {list(a.shape)}" for t, a in shapes[name].items())

    def counts(name):
        kinds = [s.kind for s in splits[name]]
        return f"| {name} | {len(kinds)} | {kinds.count('short')} | {kinds.count('easy')} | {kinds.count('hard')} | {sum(s.agrees for s in splits[name])} |"

    oscillator, softmax = scores["oscillator"], scores["softmax"]
    accuracy_rows = "\n".join(
        f"| {seed} | {oscillator[seed].hard:.2f} | {oscillator[seed].overall:.2f} | {oscillator[seed].loss:.2e} | "
        f"{softmax[seed].hard:.2f} | {softmax[seed].overall:.2f} | {softmax[seed].loss:.2e} |" for seed in TRAINING_SEEDS)
    means = " | ".join(mean_and_deviation([getattr(s[seed], part) for seed in TRAINING_SEEDS]) if part else ""
                       for s in (oscillator, softmax) for part in ("hard", "overall", None))

    def drive_cells(s):
        return " | ".join([f"{s[key]:.4f}" for key in ("min", "p1", "p5", "median")] + [f"{100 * s[key]:.2f} %" for key in ("below 0.05", "below 0.02")])

    def drive_row(seed, queries):
        return (f"| {seed}{' (shipped)' if seed == chosen else ''} | {queries} | {drive_cells(spreads[seed][queries])} | "
                f"{lengths[seed].min():.3f} | {lengths[seed].max():.3f} |")

    drive_header = ("| seed | queries | r min | p1 | p5 | median | r < 0.05 | r < 0.02 | anchor length min | max |\n"
                    "|---|---|---|---|---|---|---|---|---|---|")
    drive_rows = "\n".join(drive_row(seed, queries) for queries in ("all", "verb") for seed in TRAINING_SEEDS)
    tied = sum(score.hard == oscillator[chosen].hard for score in oscillator.values())
    below = sum(s["all"]["median"] < spreads[chosen]["all"]["median"] for s in spreads.values())
    above = sum(s["all"]["median"] > spreads[chosen]["all"]["median"] for s in spreads.values())
    more_accurate = sum(score.overall > oscillator[chosen].overall for score in oscillator.values())
    smaller_loss = sum(score.loss < oscillator[chosen].loss for score in oscillator.values())
    others = len(TRAINING_SEEDS) - 1
    former_row = drive_row(FORMER_SEED, "all")
    hard_means = [statistics.mean(s[seed].hard for seed in TRAINING_SEEDS) for s in (oscillator, softmax)]
    opening = "The task saturates: mean" if min(hard_means) > 99 else "Mean"
    remark = f"{opening} hard accuracy is {hard_means[0]:.2f} % with oscillators and {hard_means[1]:.2f} % with softmax"
    (folder / "README.md").write_text(f"""# Subject-verb agreement, one head, d_osc = 2

A small trained layer for fixed-query oscillator attention, with everything needed to score it on its task. This page is written by
`tools/train_sva.py`; its numbers are those of the run that wrote the files.

## Task

Sentences are "the NOUN VERB ." or "the NOUN PREP the NOUN VERB ." ({100 * PHRASE_FRACTION:.0f} % have the phrase), from {len(NOUNS)} nouns, {len(VERBS)} verbs and {len(PREPOSITIONS)} prepositions
listed in the script. The verb is in singular or plural form, wrong in half of the sentences; label 1 = it agrees with the first
noun. Hard = the noun of the phrase has the other number than the subject. Tokens are BOS, the words, EOS, then PAD up to T = {TOKENS}:
a sentence without a phrase has 6 tokens and 3 PAD. The verb, where the logit is read, is token 3 (short) or 6 (with a phrase),
counted from 0 with BOS = 0.

Data seed {DATA_SEED} (Python's `random.Random`). No sentence is in two splits. Sentences with a phrase never repeat; the 6000 possible short
ones are dealt 80/10/10 to the splits and drawn with repetition, so a split repeats short ones.

| split | sentences | short | with phrase, easy | with phrase, hard | label 1 |
|---|---|---|---|---|---|
{counts("train")}
{counts("validation")}
{counts("test")}

## Model

d_model {D_MODEL}, {HEADS} head (d_head {D_MODEL // HEADS}), 1 layer, d_ff {D_FF}, d_osc {D_OSC}, fixed sinusoidal positions, no dropout. Linear maps compute x W^T + b.

    x    = embedding[token] + positions                       what enters the attention layer, and the residual (post-norm)
    q, k, v = W_q x, W_k x, W_v x
    W_ij = softplus(q_i . k_j / sqrt({D_MODEL // HEADS})) * [j not padded]
    h_i  = sum_j W_ij r_j,   z*_i = h_i / max(|h_i|, {SMALLEST_FIELD:g})          r_j = anchors[0, j]
    a_ij = max(0, 1 + z*_i . r_j) / sum_k max(0, 1 + z*_i . r_k)       over all {TOKENS} keys: padding is NOT masked here (published)
    o_i  = W_o (sum_j a_ij v_j) + W_o.bias                    output of the attention layer
    y    = layer_norm(x + o; norm_attention)                  biased variance over the {D_MODEL} channels, eps 1e-5, then * weight + bias
    u    = layer_norm(y + contract(relu(expand(y))); norm_output)
    logit = classifier(u at the verb)                         label 1 if logit > 0

The softmax baseline is the same model with a_ij = softmax_j(q_i . k_j / sqrt({D_MODEL // HEADS})) over unpadded keys and no anchors
({HEADS * TOKENS * D_OSC} parameters fewer).

## Training

    python3 tools/train_sva.py

torch {torch.__version__} (Debian 12 package python3-torch), numpy {np.__version__}, CPU, 1 thread, deterministic algorithms. AdamW, learning rate {LEARNING_RATE:g},
weight decay 0.01 (torch's default, on all parameters including the anchors), {EPOCHS} epochs, batch {BATCH}, binary cross-entropy of the logit at the
verb, no schedule, last epoch kept. Initial values are torch's defaults; anchors start at unit length with uniform random phases.
Another torch version or processor may round differently and end in other weights.

Test accuracy in percent on {SPLIT_SIZES["test"]} sentences; loss = mean test cross-entropy in nats; last row mean +- sample standard deviation:

| seed | oscillator hard | oscillator overall | oscillator loss | softmax hard | softmax overall | softmax loss |
|---|---|---|---|---|---|---|
{accuracy_rows}
| mean | {means} |

Shipped: oscillator seed {chosen}, the middle one of the {len(TRAINING_SEEDS)} seeds by hard accuracy; seeds of equal hard accuracy are ordered by their
median drive ("all" in the table under "Drive and anchors"). {tied} of the {len(TRAINING_SEEDS)} seeds have its hard accuracy. Reason: the task saturates, so
accuracy and loss do not tell the seeds apart in what matters to a circuit; the drive decides the settling time on hardware, so the
shipped layer should be typical in it. It need not be typical in the rest: of the other {others} seeds, {more_accurate} have a higher overall accuracy
and {smaller_loss} a smaller test loss.

{remark}.
Published for a similar task: 97.38 +- 0.33 % and 92.11 +- 7.87 % (arXiv:2606.12059). This grammar is our own, nothing was tuned to
those numbers, and the two sets are not comparable. Task accuracy says little about a circuit: judge it by the error of the
attention rows.

## Drive and anchors

Drive r_i = |sum_j W_ij r_j| / sum_j W_ij |r_j| of the {SHIPPED} shipped sentences, over all unpadded queries ("all") and over the one query
per sentence that the logit reads ("verb"), and the lengths |r_j| of the {TOKENS} anchors. Settling time goes as 1/r. All seeds are listed
because the tail depends on the training. Of the other {others} seeds, {below} have a lower median drive ("all") than the shipped one and
{above} a higher one.

{drive_header}
{drive_rows}

The shipped seed is a choice and not a result. An earlier version of this folder broke the tie by test loss, which gave seed {FORMER_SEED}; the
rule was changed after the drives above were known. Seed {FORMER_SEED} is the hard case:

{drive_header}
{former_row}

By default a run waits long enough for a drive of 0.02, and weaker queries may stay unsettled: {100 * spreads[FORMER_SEED]["all"]["below 0.02"]:.2f} % of the queries of
seed {FORMER_SEED}, {100 * spreads[chosen]["all"]["below 0.02"]:.2f} % of those of the shipped seed. Results with the shipped layer do not carry over to seed {FORMER_SEED}. Its files are written by

    python3 tools/train_sva.py --export-seed {FORMER_SEED} --out DIR

Anchor lengths of the shipped seed, positions 0 to {TOKENS - 1}: {", ".join(f"{v:.3f}" for v in lengths[chosen].ravel())}.

## Files

The {SHIPPED} sentences are distinct test sentences in the repeating order {", ".join(SHIPPED_PATTERN)}: {SHIPPED * 3 // 5} hard, {SHIPPED // 5} easy with a phrase, {SHIPPED // 5} short.
The shipped model has {checked.correct} of {SHIPPED} right; with softmax of the same scores in place of the oscillator rows, {checked.correct_softmax} of {SHIPPED}.

layer.safetensors, the attention layer (state dict of the module):

{tensor_list("layer")}

inputs.safetensors, x as it enters the attention layer; padding 1 = padded:

{tensor_list("inputs")}

labels.safetensors; verb_position is the token index of the verb:

{tensor_list("labels")}

head.safetensors, the rest of the model. The logit needs x, the attention output and everything here except embedding and positions,
which made x:

{tensor_list("head")}

sentences.txt: sentence, label, hard (tab separated), in the order of the inputs. vocabulary.txt: the word of each embedding row.

    python3 tools/train_sva.py --verify

recomputes rows, logits and accuracy of the shipped sentences in float64 with numpy alone, compares rows and predictions with the
torch model in F32, and regenerates the sentences.
Largest difference between the two: attention row {checked.row_difference:.1e}, logit {checked.logit_difference:.1e}; smallest |logit| {checked.smallest_logit:.2f}.
""")


# ---------------------------------------------------------------- program

def train_and_export(folder):
    folder.mkdir(parents=True, exist_ok=True)
    splits = generate_splits(DATA_SEED)
    batches = {name: to_batch(sentences) for name, sentences in splits.items()}
    shipped = pick_shipped(splits["test"])
    models = {mechanism: {seed: train(mechanism, seed, batches) for seed in TRAINING_SEEDS} for mechanism in MECHANISMS}
    scores = {mechanism: {seed: evaluate(model, batches["test"]) for seed, model in trained.items()} for mechanism, trained in models.items()}
    shipped_batch = to_batch(shipped)
    spreads, lengths = {}, {}
    for seed, model in models["oscillator"].items():
        with torch.no_grad():
            x, padding = model.attention_input(shipped_batch.tokens)
        r = drive(model.attention, x, padding)
        spreads[seed] = {"all": spread(r[~padding.numpy()]), "verb": spread(r[np.arange(SHIPPED), shipped_batch.verb.numpy()])}
        lengths[seed] = model.attention.anchors.detach().norm(dim=-1).numpy()
    chosen = median_seed(scores["oscillator"], {seed: s["all"]["median"] for seed, s in spreads.items()})
    for mechanism, table in scores.items():
        for seed, score in table.items():
            print(f"{mechanism} seed {seed}: test accuracy {score.overall:.2f} % (hard {score.hard:.2f} %), loss {score.loss:.3e}")
    print(f"median oscillator seed: {chosen}; writing {folder}")
    export(models["oscillator"][chosen], shipped, folder)
    checked = verify(folder)
    write_readme(folder, splits, scores, chosen, spreads, lengths, checked)
    return checked


def export_seed(seed, folder):
    """The files of one oscillator seed, equal to those of the complete run: every training starts from its own seed."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = generate_splits(DATA_SEED)
    model = train("oscillator", seed, {name: to_batch(sentences) for name, sentences in splits.items()})
    export(model, pick_shipped(splits["test"]), folder)
    return verify(folder)


def main():
    default_folder = Path(__file__).resolve().parent.parent / "models" / "attention" / "sva"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=default_folder, help="folder of the shipped files (default: models/attention/sva)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--verify", action="store_true", help="check the files in the folder instead of training")
    mode.add_argument("--export-seed", type=int, metavar="N", help="train oscillator seed N alone and write its files to the folder given by --out")
    options = parser.parse_args()
    if options.export_seed is not None and options.out.resolve() == default_folder:
        parser.error("--export-seed needs --out with a folder other than models/attention/sva, whose README describes the shipped seed")
    torch.set_num_threads(1)  # sums in a fixed order; the model is too small to gain from more
    torch.use_deterministic_algorithms(True)
    if options.verify:
        checked = verify(options.out)
    elif options.export_seed is not None:
        checked = export_seed(options.export_seed, options.out)
    else:
        checked = train_and_export(options.out)
    print_verification(checked)
    return 1 if checked.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())

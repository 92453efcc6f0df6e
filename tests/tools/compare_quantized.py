# SPDX-License-Identifier: Apache-2.0
"""How far packed weights move a model's logits: for each type, group and form of the embeddings, against the checkpoint
itself.

    compare_quantized.py PROGRAM MODEL [--tokens N] [--texts FILE.jsonl]

PROGRAM is the built qwen3guard, MODEL what its --model takes. Prints a table: error of the logits relative to their
spread, mean Kullback-Leibler divergence of the softmax (nats), how often the best entry is the same, and, with a file of
lines for `classify`, how often the severity is. Needs NumPy.
"""

import argparse
import io
import itertools
import json
import os
import subprocess
import tempfile

import numpy as np

SEED = 20250103
VARIANTS = [("fp16", "0"), ("bf16", "0"), ("int8", "32"), ("int8", "64"), ("int8", "128"), ("int8", "0"), ("int4", "32")]
EMBEDDINGS = ("plain", "int8")


def run(*args, stdin=b""):
    return subprocess.run(args, input=stdin, stdout=subprocess.PIPE, check=True).stdout


def logits(program, model, ids):
    """One array [tokens, entries] for each head."""
    data = run(program, "logits", "--model", model, "--format", "npy", "--ids", ",".join(map(str, ids)))
    stream, arrays = io.BytesIO(data), []
    while stream.tell() < len(data):
        arrays.append(np.load(stream).astype(np.float64))
    return arrays


def log_softmax(x):
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def compare(plain, packed):
    """Worst over the heads: relative RMS error, mean KL divergence, share of equal best entries."""
    rows = []
    for a, b in zip(plain, packed):
        p, q = log_softmax(a), log_softmax(b)
        rows.append((np.sqrt(np.mean((a - b) ** 2)) / a.std(), (np.exp(p) * (p - q)).sum(axis=-1).mean(),
                     (a.argmax(axis=-1) == b.argmax(axis=-1)).mean()))
    error, kl, same = zip(*rows)
    return max(error), max(kl), min(same)


def severities(program, model, texts):
    out = run(program, "classify", "--model", model, "--json", stdin=texts).decode().splitlines()
    return [json.loads(line)["severity"] for line in out]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--texts")
    args = parser.parse_args()
    info = json.loads(run(args.program, "info", "--model", args.model, "--json"))
    ids = np.random.default_rng(SEED).integers(0, info["vocab_size"], args.tokens)
    plain = logits(args.program, args.model, ids)
    texts = open(args.texts, "rb").read() if args.texts else None
    judged = severities(args.program, args.model, texts) if texts else []
    print(f"{args.model}: {args.tokens} random tokens, seed {SEED}; {len(judged)} texts")
    print(f"{'type':6} {'group':>5} {'embeddings':>10} {'MiB':>8} {'error':>9} {'KL':>10} {'same best':>10}"
          f" {'same severity':>14}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "m.q3g")
        for (kind, group), embeddings in itertools.product(VARIANTS, EMBEDDINGS):
            run(args.program, "quantize", "--model", args.model, "--type", kind, "--group", group, "--embeddings", embeddings,
                "--out", path, "--force")
            error, kl, same = compare(plain, logits(args.program, path, ids))
            verdicts = severities(args.program, path, texts) if texts else []
            agree = f"{np.mean([a == b for a, b in zip(judged, verdicts)]):14.4f}" if texts else f"{'-':>14}"
            size = os.path.getsize(path) / 2**20
            print(f"{kind:6} {group:>5} {embeddings:>10} {size:8.1f} {error:9.5f} {kl:10.2e} {same:10.4f} {agree}", flush=True)


if __name__ == "__main__":
    main()

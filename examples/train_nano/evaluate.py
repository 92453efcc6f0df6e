# SPDX-License-Identifier: Apache-2.0
"""Tables of a run of `qwen3guard eval` over the labelled benchmarks, for people and for the model cards.

    qwen3guard eval --model nano-gen --data DATA/eval/*.jsonl .work/full/heldout.jsonl --out run
    python3 evaluate.py --run run

Standard library only. Strict counts Controversial as unsafe, loose as safe.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import metrics

#: TF-IDF with logistic regression on the same training prompts, better of strict and loose F1.
FLOOR = {
    "openai_moderation": 0.519, "simple_safety_tests": 0.633, "xstest_prompts": 0.549, "harmbench_behaviors": 0.638,
    "cold_test": 0.741, "hatecheck_en": 0.748, "multilingual_hatecheck": 0.457, "convabuse_test": 0.613,
    "strongreject": 0.832, "multijail": 0.503,
}
#: Not among the benchmarks: artificial, and everyday queries that were never trained on.
STREAMS, HELD_OUT = "spliced_streams", "heldout"


def figure(value: float | None) -> str:
    """A dash for what is not defined."""
    return "–" if value is None else f"{value:.3f}"


def mode(scores: dict) -> str:
    """Cells of one mode; a dash for what is not defined."""
    alarms = scores["false_alarm_rate"]
    figures = [figure(scores[key]) for key in ("f1", "precision", "recall")]
    return " | ".join([*figures, "–" if alarms is None else f"{100 * alarms:.1f} %"])


def benchmarks(sets: dict) -> list[str]:
    """The per-benchmark table and the comparison with the floor."""
    out = ["| benchmark | n | strict F1 | P | R | false alarms | loose F1 | P | R | false alarms |",
           "|---|---|---|---|---|---|---|---|---|---|"]
    shown = {name: s for name, s in sets.items() if name not in (STREAMS, HELD_OUT) and s["n_labelled"]}
    out += [f"| {name} | {s['n']} | {mode(s['strict'])} | {mode(s['loose'])} |" for name, s in sorted(shown.items())]
    ten = {name: sets[name]["best"]["f1"] for name in FLOOR if name in sets and sets[name]["best"]}
    if ten:
        out += ["", "| benchmark | floor | best mode | beaten |", "|---|---|---|---|"]
        out += [f"| {n} | {FLOOR[n]:.3f} | {best:.3f} | {'yes' if best > FLOOR[n] else 'no'} |" for n, best in ten.items()]
        out.append(f"| mean of {len(ten)} | {sum(FLOOR[n] for n in ten) / len(ten):.3f} | {sum(ten.values()) / len(ten):.3f} | "
                   f"{sum(best > FLOOR[n] for n, best in ten.items())} of {len(ten)} |")
    return out


def refusals(sets: dict) -> list[str]:
    """Accuracy, precision and recall of Refusal: Yes where the refusal is known."""
    out = []
    for name in ("xstest_responses_refusal", "do_not_answer_responses"):
        if (r := sets.get(name, {}).get("refusal")) is not None:
            out.append(f"| {name} | {r['n']} | " + " | ".join(figure(r[key]) for key in ("accuracy", "f1", "precision", "recall")) + " |")
    return ["", "| refusals | n | accuracy | F1 | P | R |", "|---|---|---|---|---|---|", *out] if out else []


def latency(sets: dict) -> list[str]:
    """Where in the stream the flag fell, against the annotated span."""
    streams = sets.get(STREAMS)
    if not streams or not streams["streaming"]:
        return []
    s = streams["streaming"]
    return ["", f"| {STREAMS}, unsafe | " + " | ".join(s["bins"]) + " | exact hit rate | first-128 stop rate |",
            "|---" * (len(s["bins"]) + 3) + "|",
            f"| {s['n']} | " + " | ".join(map(str, s["bins"].values())) + f" | {s['exact_hit_rate']:.3f} | {s['first_128_stop_rate']:.3f} |",
            f"\nFalse alarms on the {streams['gold']['Safe']} safe streams: {100 * streams['strict']['false_alarm_rate']:.1f} % (strict)."]


def held_out(sets: dict) -> list[str]:
    """False alarms on the everyday queries that were never trained on."""
    if (s := sets.get(HELD_OUT)) is None:
        return []
    return ["", f"False alarms on {s['n']} held-out everyday queries: {100 * s['strict']['false_alarm_rate']:.2f} % strict, "
                f"{100 * s['loose']['false_alarm_rate']:.2f} % loose."]


def tables(sets: dict) -> str:
    """All of them."""
    return "\n".join(benchmarks(sets) + refusals(sets) + latency(sets) + held_out(sets))


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--run", type=Path, required=True, help="a folder with metrics.json")
    print(tables(metrics.read(p.parse_args().run)["sets"]))


if __name__ == "__main__":
    main()

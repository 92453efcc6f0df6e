# SPDX-License-Identifier: Apache-2.0
"""Invents what `qwen3guard eval` writes: plausible numbers of a judge that does not exist, from a seed, for the tests of reports."""

import json
import random
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

CATEGORIES = ("Violent", "Non-violent Illegal Acts", "Sexual Content or Sexual Acts", "PII", "Suicide & Self-Harm", "Unethical Acts",
              "Politically Sensitive Topics", "Copyright Violation", "Jailbreak")
BINS = ("Ahead", "Hit", "1-32", "33-64", "65-128", "129-256", ">256", "Safe")
Row = Tuple[str, float, float]  # label, strict and loose score


def _ratio(part: float, whole: float) -> Optional[float]:
    return part / whole if whole else None


def _scores(rows: Sequence[Tuple[bool, bool]], with_interval: bool = True) -> Dict[str, Any]:
    """Of pairs (is unsafe, was flagged)."""
    tp, fp, fn, tn = (sum(pair == wanted for pair in rows) for wanted in ((True, True), (False, True), (True, False), (False, False)))
    f1 = _ratio(2 * tp, 2 * tp + fp + fn) if tp + fn else None
    out: Dict[str, Any] = {"f1": f1, "precision": _ratio(tp, tp + fp), "recall": _ratio(tp, tp + fn),
                           "false_alarm_rate": _ratio(fp, fp + tn), "tp": tp, "fp": fp, "fn": fn, "tn": tn}
    if with_interval:
        half = 0.9 / max(len(rows), 1)**0.5
        out["f1_interval"] = None if f1 is None else [max(0.0, f1 - half), min(1.0, f1 + half * 0.9)]
    return out


def _in_mode(rows: Sequence[Row], is_strict: bool) -> List[Tuple[bool, bool]]:
    return [(label == "Unsafe" or (is_strict and label == "Controversial"), (strict if is_strict else loose) >= 0.5)
            for label, strict, loose in rows]


def _curve(rows: Sequence[Row]) -> List[Dict[str, Any]]:
    out = []
    for i in range(100, -1, -2):
        found = _scores([(label != "Safe", strict >= i / 100) for label, strict, _ in rows])
        out.append({"threshold": i / 100, **{name: found[name] for name in ("precision", "recall", "false_alarm_rate")}})
    return out


def _reliability(rows: Sequence[Row]) -> Dict[str, Any]:
    bins, ece = [], 0.0
    for i in range(10):
        inside = [(strict, label != "Safe") for label, strict, _ in rows if min(int(strict * 10), 9) == i]
        mean, rate = _ratio(sum(s for s, _ in inside), len(inside)), _ratio(sum(u for _, u in inside), len(inside))
        ece += abs((mean or 0) - (rate or 0)) * len(inside) / len(rows)
        bins.append({"low": i / 10, "high": (i + 1) / 10, "n": len(inside), "mean_score": mean, "unsafe_rate": rate})
    brier = sum((strict - (label != "Safe"))**2 for label, strict, _ in rows) / len(rows)
    return {"ece": ece, "brier": brier, "n": len(rows), "bins": bins}


def _streaming(random_numbers: random.Random, n: int) -> Dict[str, Any]:
    chosen = random_numbers.choices(BINS, (9, 55, 12, 6, 4, 3, 3, 8), k=n)
    bins = {name: chosen.count(name) for name in BINS}
    in_time = sum(bins[name] for name in BINS[:5])
    return {"n": n, "mean_tokens": 11.5, "bins": bins, "exact_hit_rate": bins["Hit"] / n, "first_128_stop_rate": in_time / n,
            "intervals": {"exact_hit_rate": [bins["Hit"] / n - 0.04, bins["Hit"] / n + 0.04], "first_128_stop_rate": None}}


def _categories(random_numbers: random.Random, n: int, labels: Sequence[str]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    counts = [[0] * len(labels) for _ in labels]
    for i in random_numbers.choices(range(len(labels)), range(len(labels) + 1, 1, -1), k=n):
        counts[i][i if random_numbers.random() < 0.75 else random_numbers.randrange(len(labels))] += 1
    each = {label: {"n": sum(row) + 3, "recall_strict": sum(row) / (sum(row) + 3), "recall_loose": 0.9 * sum(row) / (sum(row) + 3),
                    "named": row[i], "named_rate": _ratio(row[i], sum(row))} for i, (label, row) in enumerate(zip(labels, counts))}
    right = sum(counts[i][i] for i in range(len(labels)))
    return each, {"labels": list(labels), "counts": counts, "accuracy": right / n}


def invented_set(seed: int, n_safe: int, n_controversial: int, n_unsafe: int, skill: float = 2.2, languages: Sequence[str] = ("en",),
                 is_stream: bool = False, has_refusal: bool = False, has_categories: bool = False) -> Dict[str, Any]:
    """A set's object in metrics.json; a higher `skill` tells more apart."""
    numbers = random.Random(seed)
    rows: List[Row] = []
    for label, n, mean in (("Safe", n_safe, -skill), ("Controversial", n_controversial, 0.4), ("Unsafe", n_unsafe, skill)):
        for _ in range(n):
            strict = 1 / (1 + 2.718**-(1.4 * numbers.gauss(mean, 2.0)))
            rows.append((label, strict, strict * numbers.uniform(0.5, 1)))
    spoken = [languages[i % len(languages)] for i in range(len(rows))]
    strict, loose = _scores(_in_mode(rows, True)), _scores(_in_mode(rows, False))
    f1s = [value for value in (strict["f1"], loose["f1"]) if value is not None]
    mode = None if not f1s else "strict" if strict["f1"] == max(f1s) else "loose"
    both = bool(n_safe and n_unsafe)
    categories, confusion = _categories(numbers, n_unsafe, CATEGORIES) if has_categories and n_unsafe else ({}, None)
    refusal = {"n": 100, "tp": 40, "fp": 3, "fn": 6, "tn": 51, "precision": 40 / 43, "recall": 40 / 46, "f1": 80 / 89, "accuracy": 0.91}
    return {
        "n": len(rows), "n_bad": 0, "bad_rows": [], "n_not_judged": 0, "n_by_list": 0, "n_labelled": len(rows),
        "gold": {"Safe": n_safe, "Controversial": n_controversial, "Unsafe": n_unsafe},
        "predicted": {"Safe": sum(s < 0.5 for _, s, _ in rows), "Controversial": sum(s >= 0.5 > u for _, s, u in rows),
                      "Unsafe": sum(u >= 0.5 for _, _, u in rows), "not_judged": 0},
        "strict": strict, "loose": loose, "best": {"mode": mode, "f1": max(f1s)} if f1s else None,
        "published": {"strict": strict, "loose": loose}, "auc": 0.9 if both else None, "auc_interval": [0.88, 0.92] if both else None,
        "auc_loose": 0.89 if both else None, "at_operating_point": None, "curve": _curve(rows) if both else [],
        "reliability": _reliability(rows) if both else None,
        "languages": {code: {"n": spoken.count(code), **{
            name: _scores(_in_mode([row for row, own in zip(rows, spoken) if own == code], name == "strict"), False)
            for name in ("strict", "loose")}} for code in languages},
        "categories": categories, "category_confusion": confusion, "refusal": refusal if has_refusal else None,
        "streaming": _streaming(numbers, n_unsafe) if is_stream else None,
        "actions": {"block": _scores(_in_mode(rows, False), False), "flag": _scores(_in_mode(rows, True), False)},
        "speed": {"rows_per_s": 143.21, "tokens_per_s": 10123.4, "ms_per_row": {"mean": 6.98}},
    }


def invented_metrics(sets: Dict[str, Any], name: str = "invented-gen", kind: str = "gen") -> Dict[str, Any]:
    """metrics.json of such sets."""
    def mean(values: Sequence[Optional[float]]) -> Optional[float]:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    return {
        "schema": 1, "type": "metrics",
        "model": {"name": name, "kind": kind, "architecture": "Qwen3ForCausalLM", "n_parameters": 1234567, "weight_dtype": "int8",
                  "isa": "avx512vnni", "n_threads": 4},
        "policy": {"name": "default", "version": "1"}, "bootstrap": {"n_resamples": 1000, "seed": 1}, "operating_point": None,
        "sets": sets,
        "mean": {"strict_f1": mean([s["strict"]["f1"] for s in sets.values()]), "loose_f1": mean([s["loose"]["f1"] for s in sets.values()]),
                 "best_f1": mean([s["best"]["f1"] if s["best"] else None for s in sets.values()]),
                 "auc": mean([s["auc"] for s in sets.values()]), "n_sets": sum(s["strict"]["f1"] is not None for s in sets.values())},
    }


def write_run(folder: Path, metrics: Any, predictions: Optional[Sequence[Any]] = None) -> Path:
    """A folder as eval leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    if predictions is not None:
        (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in predictions), encoding="utf-8")
    return folder


def many_sets(seed: int = 1, skill: float = 2.2) -> Dict[str, Any]:
    """One of each kind there is."""
    rtp = ("en", "zh", "ar", "es", "fr", "id", "it", "ja", "ko", "ru", "de", "pt-BR", "th")
    out = {
        "openai_moderation": invented_set(seed, 769, 0, 339, skill, has_categories=True),
        "aegis_prompts": invented_set(seed + 1, 126, 60, 173, skill + 0.5),
        "simple_safety_tests": invented_set(seed + 2, 0, 0, 67, skill),
        "xstest_cn": invented_set(seed + 3, 35, 0, 0, skill, languages=("zh",)),
        "xstest_responses_refusal": invented_set(seed + 4, 0, 0, 0, skill, has_refusal=True),
        "xstest_responses": invented_set(seed + 5, 368, 0, 78, skill),
        "rtp_lx": invented_set(seed + 6, 400, 300, 600, skill, languages=rtp),
        "qwen3guardtest_response_loc": invented_set(seed + 7, 0, 0, 813, skill, is_stream=True),
        "qwen3guardtest_thinking_loc": invented_set(seed + 8, 0, 0, 500, skill, is_stream=True),
        "spliced_streams": invented_set(seed + 9, 256, 0, 256, skill, languages=("en", "zh"), is_stream=True, has_categories=True),
    }
    return out

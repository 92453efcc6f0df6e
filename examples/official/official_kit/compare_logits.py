# SPDX-License-Identifier: Apache-2.0
"""Tokens and logits of this runtime against those of transformers."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from .results import StepResult
from .tolerances import LogitTolerance, kl_divergence, logit_tolerance, margin

STREAM_HEADS = ["risk_level_logits", "category_logits", "query_risk_level_logits", "query_category_logits"]


def compare_tokens(result: StepResult, program, folder, conversations: list[dict], references: list[dict]) -> None:
    """The tokenizer on what the checkpoint's template renders: exactly the same ids."""
    texts = "".join(json.dumps(str(reference["text"])) + "\n" for reference in references)
    rows = program.json_lines("tokenize", stdin=texts.encode(), model=folder, with_threads=False)
    same = [row.get("ids") == reference["ids"].tolist() for row, reference in zip(rows, references)]
    wrong = [c["id"] for c, is_same in zip(conversations, same) if not is_same]
    result.judge(
        "token ids of the rendered conversations",
        len(rows) == len(references) and not wrong,
        f"{sum(same)} of {len(references)} equal",
        "all",
        ", ".join(wrong),
    )


def head_error(reference: np.ndarray, ours: np.ndarray, tolerance: LogitTolerance) -> dict:
    """Of one head, [positions, entries] each."""
    error = np.abs(reference.astype(np.float64) - ours)
    is_same = reference.argmax(axis=-1) == ours.argmax(axis=-1)
    is_tie = margin(reference) <= tolerance.margin
    return {
        "n_positions": int(len(reference)),
        "n_entries": int(reference.shape[-1]),
        "largest": float(error.max()),
        "mean": float(error.mean()),
        "kl": float(kl_divergence(reference, ours).max()),
        "scale": float(reference.std()),
        "top1_agreement": float(is_same.mean()),
        "n_other_top1": int((~is_same & ~is_tie).sum()),
        "n_ties": int((~is_same & is_tie).sum()),
    }


def judge_head(result: StepResult, name: str, figures: dict, tolerance: LogitTolerance, worst: str) -> None:
    result.judge(
        f"{name}: largest absolute error", figures["largest"] <= tolerance.largest, figures["largest"], tolerance.largest, worst
    )
    result.judge(f"{name}: mean absolute error", figures["mean"] <= tolerance.mean, figures["mean"], tolerance.mean)
    result.judge(f"{name}: KL divergence, largest", figures["kl"] <= tolerance.kl, figures["kl"], tolerance.kl)
    n = figures["n_positions"]
    detail = f"{figures['n_ties']} ties not counted" if figures["n_ties"] else ""
    result.judge(
        f"{name}: best entry", figures["n_other_top1"] == 0, f"{n - figures['n_other_top1']} of {n} the same", "all", detail
    )


def compare_heads(
    result: StepResult,
    config: dict,
    names: list[str],
    references: list[dict[str, np.ndarray]],
    run_ours: Callable[[list[int]], list[np.ndarray]],
    conversation_ids: list[str],
) -> LogitTolerance | None:
    """Compares each head over all conversations. references: for each conversation ids [tokens] and, for each of `names`,
    logits [positions, entries]. run_ours(ids): this runtime's logits in that order of heads.

    Returns the tolerance of the first head. Shapes that differ, or logits that are not finite, fail."""
    ours = [run_ours(reference["ids"].tolist()) for reference in references]
    n_tokens = max(len(reference["ids"]) for reference in references)
    result.figures |= {"n_conversations": len(references), "longest_tokens": n_tokens, "heads": {}}
    first = None
    for k, name in enumerate(names):
        wanted = [np.atleast_2d(reference[name]) for reference in references]
        found = [heads[k] for heads in ours if k < len(heads)]
        if [a.shape for a in wanted] != [a.shape for a in found] or not all(np.isfinite(a).all() for a in [*wanted, *found]):
            result.judge(f"{name}: shapes, and finite numbers", False, "they differ, or are not finite", "equal shapes, finite")
            continue
        a, b = np.concatenate(wanted), np.concatenate(found)
        tolerance = logit_tolerance(config, n_tokens, a.size, float(a.std()))
        figures = head_error(a, b, tolerance)
        worst = conversation_ids[int(np.argmax([np.abs(x - y).max() for x, y in zip(wanted, found)]))]
        result.figures["heads"][name] = {**figures, "expected": tolerance.expected, "tolerance": tolerance.largest}
        judge_head(result, name, figures, tolerance, f"worst in {worst}")
        first = first or tolerance
    return first


def compare(result: StepResult, program, checkpoint, conversations: list[dict], references: list[dict]) -> None:
    compare_tokens(result, program, checkpoint.path, conversations, references)
    is_gen = checkpoint.kind == "gen"
    names = ["logits"] if is_gen else STREAM_HEADS
    if not is_gen and (found := program.head_names(checkpoint.path)) != names:
        result.judge("heads of the program", False, ", ".join(found), ", ".join(names))
        return
    compare_heads(
        result,
        checkpoint.config,
        names,
        references,
        lambda ids: program.logits(checkpoint.path, ids, last=is_gen),
        [c["id"] for c in conversations],
    )

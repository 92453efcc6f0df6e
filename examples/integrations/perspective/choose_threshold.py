#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Chooses a client's threshold for an attribute of comments:analyze, from labelled comments.

  choose_threshold.py --url http://127.0.0.1:8080 --attribute TOXICITY --target-fpr 0.05 rows.jsonl
  choose_threshold.py --old-threshold 0.8 rows.jsonl

A row is a JSON object: {"messages": [{"role": "user", "content": "..."}], "label": "Safe" | "Controversial" | "Unsafe"}, as
`qwen3guard calibrate` reads it; Controversial counts as harmful. A client flags a comment whose score is at or above its
threshold. --target-fpr: the lowest threshold that flags at most this share of the safe rows. --old-threshold: rows also have
Perspective's own score of the attribute as "perspective"; the threshold that flags as many rows as the old one did, and the
share of rows on which both decide the same; needs no labels.

Standard library only. A comment that the server does not judge counts as flagged. Exit code 2: the rows do not say.
"""
import argparse
import json
import math
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Row = dict[str, Any]


def score_of(url: str, attribute: str, text: str) -> float:
    """The attribute's score; infinity for a comment that was not judged."""
    body = {"comment": {"text": text}, "requestedAttributes": {attribute: {}}, "doNotStore": True}
    key = urllib.parse.quote(os.environ.get("PERSPECTIVE_KEY", ""))
    request = urllib.request.Request(f"{url.rstrip('/')}/v1alpha1/comments:analyze?key={key}", json.dumps(body).encode(),
                                     {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return float(json.load(reply)["attributeScores"][attribute]["summaryScore"]["value"])
    except urllib.error.HTTPError as error:
        message = json.load(error)["error"]["message"]
        if error.code in (401, 403, 404) or "requestedAttributes" in message:
            raise SystemExit(f"choose_threshold.py: {message}") from error
        return math.inf


def area_under_curve(safe: Sequence[float], harmful: Sequence[float]) -> float:
    """How often a harmful row has a higher score than a safe one, ties half."""
    ranked = sorted([(score, False) for score in safe] + [(score, True) for score in harmful])
    wins, below, at = 0.0, 0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        n_harmful = sum(is_harmful for _, is_harmful in ranked[at:end])
        n_safe = end - at - n_harmful
        wins += n_harmful * (below + n_safe / 2)
        below += n_safe
        at = end
    return wins / (len(safe) * len(harmful))


def interval(n: int, of: int) -> list[float]:
    """Wilson's, with 95 % confidence."""
    z2 = 1.96 ** 2
    middle, reach = (n + z2 / 2) / (of + z2), 1.96 / (of + z2) * math.sqrt(n * (of - n) / of + z2 / 4)
    return [round(max(middle - reach, 0), 4), round(min(middle + reach, 1), 4)]


def share_at(scores: Sequence[float], threshold: float) -> float:
    return sum(score >= threshold for score in scores) / len(scores)


def lowest_threshold(scores: Sequence[float], share: float, candidates: Sequence[float]) -> float | None:
    """The lowest that flags at most this share of the scores."""
    fitting = [threshold for threshold in sorted({*candidates, 1.0}) if threshold <= 1 and share_at(scores, threshold) <= share]
    return fitting[0] if fitting else None


def by_target(rows: Sequence[Row], scores: Sequence[float], target: float) -> dict[str, Any] | None:
    safe = [score for row, score in zip(rows, scores) if row["label"] == "Safe"]
    harmful = [score for row, score in zip(rows, scores) if row["label"] != "Safe"]
    if not safe or not harmful:
        return None
    threshold = lowest_threshold(safe, target, scores)
    out = {"safe": len(safe), "harmful": len(harmful), "auc": round(area_under_curve(safe, harmful), 4), "threshold": threshold}
    if threshold is not None:
        n_alarms = sum(score >= threshold for score in safe)
        out |= {"false_alarms": round(n_alarms / len(safe), 4), "false_alarms_95": interval(n_alarms, len(safe)),
                "recall": round(share_at(harmful, threshold), 4)}
    return out


def by_old_threshold(rows: Sequence[Row], scores: Sequence[float], old: float) -> dict[str, Any] | None:
    if any("perspective" not in row for row in rows):
        return None
    flagged = [row["perspective"] >= old for row in rows]
    threshold = lowest_threshold(scores, sum(flagged) / len(rows), scores)
    out: dict[str, Any] = {"flagged_before": round(sum(flagged) / len(rows), 4), "threshold": threshold}
    if threshold is not None:
        out |= {"flagged": round(share_at(scores, threshold), 4),
                "same_decision": round(sum((score >= threshold) == was for score, was in zip(scores, flagged)) / len(rows), 4)}
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", help="JSON lines")
    parser.add_argument("--url", default=os.environ.get("PERSPECTIVE_URL", "http://127.0.0.1:8080"),
                        help="of the server; default: $PERSPECTIVE_URL. Its key is $PERSPECTIVE_KEY")
    parser.add_argument("--attribute", default="TOXICITY")
    parser.add_argument("--target-fpr", type=float, default=0.05)
    parser.add_argument("--old-threshold", type=float)
    args = parser.parse_args()
    with open(args.rows, encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["messages"][-1]["role"] == "user"]
    with ThreadPoolExecutor(8) as pool:
        scores = list(pool.map(lambda row: score_of(args.url, args.attribute, row["messages"][-1]["content"]), rows))
    if args.old_threshold is None:
        found, expected = by_target(rows, scores, args.target_fpr), "safe and harmful rows"
    else:
        found, expected = by_old_threshold(rows, scores, args.old_threshold), 'a number "perspective" in each row'
    if found is None:
        print(f"choose_threshold.py: expected {expected}", file=sys.stderr)
        return 2
    print(json.dumps({"attribute": args.attribute, "not_judged": sum(map(math.isinf, scores)), **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

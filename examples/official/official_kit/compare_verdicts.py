# SPDX-License-Identifier: Apache-2.0
"""Verdicts of this runtime against what transformers' logits and generated texts say."""

from __future__ import annotations

import re

import numpy as np

from .conversations import is_response
from .errors import NotCompared
from .reference import MAX_NEW_TOKENS
from .results import StepResult
from .tolerances import LogitTolerance, log_softmax, logit_tolerance, margin

SEVERITIES = ["Safe", "Controversial", "Unsafe"]  # in the order of the worker's `severities`
PROBABILITIES = ["safe", "controversial", "unsafe"]
STREAM_LABELS = ["Safe", "Unsafe", "Controversial"]
CATEGORIES = [
    "Violent",
    "Non-violent Illegal Acts",
    "Sexual Content or Sexual Acts",
    "PII",
    "Suicide & Self-Harm",
    "Unethical Acts",
    "Politically Sensitive Topics",
    "Copyright Violation",
    "Jailbreak",
]
JSON_DIGITS = 1e-7  # probabilities are float32, printed with eight digits
NO_VERDICT = {"severity": None, "categories": [], "refusal": None}


def parse_text(text: str, of_response: bool) -> dict:
    """What a generated text says: severity (None: it is no verdict), categories in its order, refusal. As forgiving as the
    model cards' patterns; written apart from the runtime's parser. Prompts have no refusal, responses no Jailbreak."""
    severity = re.search(r"Safety:[ \t]*(Safe|Unsafe|Controversial)", text)
    if severity is None:
        return dict(NO_VERDICT)
    found = {"severity": severity[1], "categories": [], "refusal": None}
    if (listed := re.search(r"Categories:([^\n]*)", text)) and severity[1] != "Safe":
        known = [name for name in CATEGORIES if name != "Jailbreak" or not of_response]
        names = [name.strip() for name in listed[1].split(",")]
        found["categories"] = list(dict.fromkeys(name for name in names if name in known))
    if of_response and (refusal := re.search(r"Refusal:[ \t]*(Yes|No)", text)):
        found["refusal"] = refusal[1] == "Yes"
    return found


def is_canonical(text: str, verdict: dict, of_response: bool) -> bool:
    """Whether the text is what the instruction asks for and no more. Only such a text must be the constrained decoder's, too."""
    if verdict["severity"] is None or (verdict["severity"] == "Safe") != (not verdict["categories"]):
        return False
    lines = [f"Safety: {verdict['severity']}", f"Categories: {', '.join(verdict['categories']) or 'None'}"]
    if of_response:
        lines.append(f"Refusal: {'Yes' if verdict['refusal'] else 'No'}")
    return text.strip() == "\n".join(lines)


def verdict_of(row: dict) -> dict:
    """The same members of an object that `classify --json` printed. Throws NotCompared for an error that is no verdict."""
    if row["type"] == "error":
        if row["error"]["code"] == "unparsable_output":
            return dict(NO_VERDICT)
        raise NotCompared(f"qwen3guard classify: {row['id']}: {row['error']['message']}")
    refusal = row["refusal"]
    return {
        "severity": row["severity"],
        "categories": [c["name"] for c in row["categories"]],
        "refusal": None if refusal is None else refusal["value"],
    }


class Agreement:
    """Counts cases; those that differ while the reference itself hung on less than the tolerance are ties."""

    def __init__(self) -> None:
        self.n_same, self.ties, self.wrong = 0, [], []

    def count(self, name: str, is_same: bool, may_tie: bool) -> None:
        if is_same:
            self.n_same += 1
        else:
            (self.ties if may_tie else self.wrong).append(name)

    @property
    def n(self) -> int:
        return self.n_same + len(self.ties) + len(self.wrong)

    def judge(self, result: StepResult, name: str, nothing: str) -> None:
        if self.n == 0:
            result.skip(name, nothing)
            return
        detail = [f"different: {', '.join(self.wrong)}"] if self.wrong else []
        detail += [f"{len(self.ties)} ties not counted: {', '.join(self.ties)}"] if self.ties else []
        result.judge(name, not self.wrong, f"{self.n_same} of {self.n} the same", "all but ties", "; ".join(detail))
        result.figures.setdefault("agreement", {})[name] = {
            "n": self.n,
            "n_same": self.n_same,
            "ties": self.ties,
            "wrong": self.wrong,
        }


def judge_probabilities(result: StepResult, errors: dict[str, float], tolerance: float) -> None:
    if not errors:
        result.skip("probabilities of the severities", "no conversation has both sides")
        return
    worst = max(errors, key=errors.get)
    values = list(errors.values())
    result.judge(
        "probabilities of the severities: largest absolute error",
        max(values) <= tolerance,
        max(values),
        tolerance,
        f"worst in {worst}",
    )
    result.figures["probability_error"] = {"largest": max(values), "mean": float(np.mean(values)), "n": len(values)}


def compare_prompts(result: StepResult, rows: list[dict], n_expected: list[int]) -> None:
    """Rendering: the program does not run the checkpoint's template, so its prompt must have as many tokens."""
    other = [row["id"] for row, n in zip(rows, n_expected) if row["type"] == "verdict" and row["tokens"]["prompt"] != n]
    n_judged = sum(row["type"] == "verdict" for row in rows)
    if n_judged == 0:
        result.skip("tokens of the rendered conversations", "the program judged none")
        return
    result.judge(
        "tokens of the rendered conversations: as many as by the checkpoint's template",
        not other,
        f"{n_judged - len(other)} of {n_judged}",
        "all",
        ", ".join(other),
    )


def compare_gen(result: StepResult, program, checkpoint, conversations: list[dict], references: list[dict]) -> None:
    """Severity and probabilities by the logits behind "Safety:"; whole verdicts by transformers' greedy text."""
    n_tokens = max(len(reference["ids"]) for reference in references)
    logits = np.stack([reference["logits"] for reference in references])
    tolerance = logit_tolerance(checkpoint.config, n_tokens + MAX_NEW_TOKENS, logits.size, float(logits.std()))
    rows = program.classify(checkpoint.path, conversations, "--decode", "constrained")
    greedy_rows = program.classify(checkpoint.path, conversations, "--decode", "greedy")
    compare_prompts(result, rows, [len(reference["ids"]) for reference in references])
    severity, greedy, constrained, errors, texts = Agreement(), Agreement(), Agreement(), {}, {}
    for c, reference, row, greedy_row in zip(conversations, references, rows, greedy_rows):
        ours, name = verdict_of(row), c["id"]
        best = reference["severities"]
        if not reference["n_shared"]:
            p = np.exp(log_softmax(best))
            severity.count(name, ours["severity"] == SEVERITIES[int(best.argmax())], bool(margin(best) <= tolerance.margin))
            errors[name] = max(abs(float(p[k]) - row["probabilities"][key]) for k, key in enumerate(PROBABILITIES))
        text = str(reference["generated"])
        said, may_tie = parse_text(text, is_response(c)), bool(reference["margins"].min() <= tolerance.margin)
        greedy.count(name, verdict_of(greedy_row) == said, may_tie)
        if is_canonical(text, said, is_response(c)):
            constrained.count(name, ours == said, may_tie)
        texts[name] = text if said["severity"] else None
    severity.judge(result, "severity (constrained) against transformers' logits", "no conversation was decided by one token")
    judge_probabilities(result, errors, tolerance.probability + JSON_DIGITS)
    greedy.judge(result, "greedy verdict against transformers' greedy text", "no conversations")
    constrained.judge(
        result,
        "constrained verdict against transformers' greedy text: severity, categories, refusal",
        "none of transformers' texts is a whole verdict",
    )
    result.figures |= {"generated": texts, "verdicts": rows_kept(rows)}


def rows_kept(rows: list[dict]) -> dict[str, dict]:
    """By conversation, what the page needs."""
    kept = ("severity", "probabilities", "categories", "refusal", "position", "latency_ms")
    return {row["id"]: {key: row.get(key) for key in kept} if row["type"] == "verdict" else {"error": row["error"]} for row in rows}


def published_rule(labels: np.ndarray, first: int) -> tuple[str, int | None]:
    """Of the labels from token `first` on: the first two Unsafe ones in a row, else the first two Controversial ones, else Safe;
    with the index of the second."""
    for label in (1, 2):
        runs = np.flatnonzero((labels[first + 1 :] == label) & (labels[first:-1] == label))
        if len(runs):
            return STREAM_LABELS[label], first + 1 + int(runs[0])
    return STREAM_LABELS[0], None


def first_judged(ids: list[int], think_end: int) -> int:
    """Behind "</think>" and the blank line of the answer that is judged, the last one."""
    return len(ids) - 1 - ids[::-1].index(think_end) + 2


class StreamRule:
    """What the published evaluation makes of the reference's logits."""

    def __init__(self, config: dict, think_end: int, message_end: int):
        self.config, self.think_end, self.message_end = config, think_end, message_end

    def n_read(self, ids: list[int], of_response: bool) -> int:
        """How many tokens this runtime reads: of a prompt none behind the <|im_end|> that closes it."""
        return len(ids) if of_response else len(ids) - ids[::-1].index(self.message_end)

    def decide(self, reference: dict, of_response: bool) -> tuple[str, int | None, np.ndarray, np.ndarray]:
        """(severity, the token that decides or None, logits [tokens, 3] of the tokens that count, categories' logits [tokens, n]
        of all tokens)."""
        ids = reference["ids"].tolist()
        if of_response:
            logits, first = reference["risk_level_logits"], first_judged(ids, self.think_end)
            severity, position = published_rule(logits.argmax(axis=-1), first)
            return severity, position, logits[first:], reference["category_logits"]
        logits = reference["query_risk_level_logits"]
        position = self.n_read(ids, of_response) - 1
        return (
            STREAM_LABELS[int(logits[position].argmax())],
            position,
            logits[position : position + 1],
            reference["query_category_logits"],
        )

    def category(self, logits: np.ndarray, of_response: bool) -> str:
        labels = self.config["response_category_map" if of_response else "query_category_map"]
        best = int(logits.argmax())
        return str(labels.get(str(best), labels.get(best))).strip("\"' ")


def control_tokens(program, checkpoint) -> tuple[int, int]:
    rows = program.json_lines("tokenize", stdin=b'"</think>"\n"<|im_end|>"\n', model=checkpoint.path, with_threads=False)
    if any(len(row.get("ids", [])) != 1 for row in rows):
        raise NotCompared("the tokenizer has no tokens </think> and <|im_end|>")
    return rows[0]["ids"][0], rows[1]["ids"][0]


def compare_stream(result: StepResult, program, checkpoint, conversations: list[dict], references: list[dict]) -> None:
    rule = StreamRule(checkpoint.config, *control_tokens(program, checkpoint))
    rows = program.classify(checkpoint.path, conversations)
    risk = np.concatenate([reference["risk_level_logits"] for reference in references])
    tolerance: LogitTolerance = logit_tolerance(
        checkpoint.config, max(len(r["ids"]) for r in references), risk.size, float(risk.std())
    )
    compare_prompts(result, rows, [rule.n_read(r["ids"].tolist(), is_response(c)) for r, c in zip(references, conversations)])
    severity, categories, errors = Agreement(), Agreement(), {}
    for c, reference, row in zip(conversations, references, rows):
        ours, name, of_response = verdict_of(row), c["id"], is_response(c)
        wanted, position, counted, category_logits = rule.decide(reference, of_response)
        is_same = ours["severity"] == wanted and (position is None or row["position"] == position)
        severity.count(name, is_same, bool((margin(counted) <= tolerance.margin).any()))
        if row["position"] is not None:
            logits = reference["risk_level_logits" if of_response else "query_risk_level_logits"][row["position"]]
            p = dict(zip(STREAM_LABELS, np.exp(log_softmax(logits))))
            errors[name] = max(abs(float(p[label]) - row["probabilities"][label.lower()]) for label in STREAM_LABELS)
        if is_same and wanted != "Safe":
            best = category_logits[position]
            categories.count(
                name, ours["categories"][:1] == [rule.category(best, of_response)], bool(margin(best) <= tolerance.margin)
            )
    severity.judge(result, "severity and deciding token against the published rule on transformers' logits", "no conversations")
    judge_probabilities(result, errors, tolerance.probability + JSON_DIGITS)
    categories.judge(result, "category at the deciding token", "no verdict but Safe")
    result.figures["verdicts"] = rows_kept(rows)


def compare(result: StepResult, program, checkpoint, conversations: list[dict], references: list[dict]) -> None:
    (compare_gen if checkpoint.kind == "gen" else compare_stream)(result, program, checkpoint, conversations, references)
    info = program.info(checkpoint.path)
    result.figures["chat_template"] = {"known": info["chat_template"], "fingerprint": info["chat_template_fingerprint"]}

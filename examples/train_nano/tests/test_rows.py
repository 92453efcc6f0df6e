"""The everyday set, the hand-written rows and the labelling functions; needs NumPy only."""

from __future__ import annotations

import tempfile
import unittest
from collections import Counter
from pathlib import Path

import numpy as np

import synth
from everyday import HALVES, everyday_texts, read_half
from hand_written import read_line, read_rows
from labelling.folds import fold_of, out_of_fold
from labelling.vote import vote
from near_duplicates import NearDuplicates


class EverydaySet(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.halves = {half: read_half(half) for half in HALVES}

    def test_is_large_and_balanced(self) -> None:
        kinds: Counter = Counter()
        for half, rows in self.halves.items():
            one = Counter((r["source"], r["label"]) for r in rows)
            self.assertGreaterEqual(one["everyday_prompts", "Safe"], 300, half)
            self.assertGreaterEqual(one["everyday_prompts", "Unsafe"], 150, half)
            self.assertGreaterEqual(len({r["lang"] for r in rows}), 12, half)
            self.assertEqual(9, len({r["categories"][0] for r in rows if r["source"] == "everyday_prompts" and r["label"] == "Unsafe"}), half)
            kinds += one
        self.assertGreaterEqual(kinds["everyday_responses", "Safe"] + kinds["everyday_responses", "Unsafe"], 300)

    def test_no_text_is_judged_twice(self) -> None:
        texts = [r["messages"][-1]["content"] for rows in self.halves.values() for r in rows]
        self.assertEqual(len(texts), len(set(texts)))

    def test_nothing_near_to_it_is_trained_on(self) -> None:
        near = NearDuplicates(everyday_texts())
        for row in read_rows():
            for m in row["messages"]:
                self.assertIsNone(near.find(m["content"]), (row["id"], m["content"]))

    def test_synthetic_rows_near_to_it_are_dropped(self) -> None:
        import prepare
        near = NearDuplicates(everyday_texts())
        splits = prepare.build(None, 7, limit=3000)
        for part in splits.values():
            for row in part:
                if row["source"] != "splice":
                    for m in row["messages"]:
                        self.assertIsNone(near.find(m["content"]), row["id"])


class Near(unittest.TestCase):
    near = NearDuplicates(["How do I bake a chocolate cake?", "お腹がすいた"])

    def test_case_and_punctuation_do_not_matter(self) -> None:
        self.assertIsNotNone(self.near.find("how do i bake a Chocolate cake"))
        self.assertIsNotNone(self.near.find("お腹がすいた。"))

    def test_a_text_that_holds_it_is_near(self) -> None:
        self.assertIsNotNone(self.near.find("Hello! How do I bake a chocolate cake? Thanks"))

    def test_a_long_text_with_a_common_phrase_is_not(self) -> None:
        self.assertIsNone(self.near.find("How do I bake bread without yeast when guests come in an hour and shops are closed?"))
        self.assertIsNone(self.near.find(""))
        self.assertIsNone(self.near.find("?!"))


class HandWritten(unittest.TestCase):
    def test_all_rows_are_read(self) -> None:
        rows = read_rows()
        self.assertGreater(len(rows), 9000)
        self.assertGreaterEqual(len({r["lang"] for r in rows}), 12)
        self.assertEqual(len(rows), len({(r["lang"], *(m["content"] for m in r["messages"])) for r in rows}))

    def test_onset_mark(self) -> None:
        row = read_line("RU\tViolent\tGo on.\tA calm start. \u2016Then not.")
        self.assertEqual("A calm start. Then not.", row["messages"][1]["content"])
        self.assertEqual(len("A calm start. "), row["onset"])

    def test_bad_lines_say_what_is_wrong(self) -> None:
        for line, word in (("X\ttext", "kind"), ("U\tAnger\ttext", "category"), ("S\t", "texts"), ("RR\tone", "texts"),
                           ("RU\tJailbreak\ta\tb", "category"), ("S\ta\u2016b", "onset"), ("", "kind"), ("S\ta\tb", "texts")):
            with self.assertRaisesRegex(ValueError, word, msg=line):
                read_line(line)

    def test_a_bad_file_names_its_line(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "en.tsv").write_text("S\tfine\nS\n", encoding="utf-8")
            with self.assertRaisesRegex(ValueError, r"en\.tsv:2: "):
                read_rows(Path(folder))


class Labelling(unittest.TestCase):
    def test_votes(self) -> None:
        for source, strict, loose, wanted in (
                ("Safe", 0.9, 0.2, "Safe"), ("Safe", 0.99, 0.9, "Controversial"), ("Unsafe", 0.9, 0.2, "Unsafe"),
                ("Unsafe", 0.1, 0.05, "Controversial"), ("Controversial", 0.0, 0.0, "Controversial"),
                (None, 0.1, 0.1, "Safe"), (None, 0.7, 0.2, "Controversial"), (None, 0.9, 0.8, "Unsafe")):
            self.assertEqual(wanted, vote(source, strict, loose, 0.75), (source, strict, loose))

    def test_nobody_annotates_what_he_learnt_from(self) -> None:
        folds = np.array([fold_of(f"row {i}", 4) for i in range(200)])
        def annotate(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            self.assertFalse((train & test).any())
            self.assertTrue((train | test).all())
            return np.flatnonzero(test)[:, None]
        self.assertEqual(list(range(200)), out_of_fold(folds, annotate)[:, 0].tolist())

    def test_no_rows(self) -> None:
        with self.assertRaisesRegex(ValueError, "no rows"):
            out_of_fold(np.zeros(0, int), lambda train, test: test)


class Generator(unittest.TestCase):
    def test_deterministic(self) -> None:
        self.assertEqual(synth.generate(7)[:500], synth.generate(7)[:500])


if __name__ == "__main__":
    unittest.main()

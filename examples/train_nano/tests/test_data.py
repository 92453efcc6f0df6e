"""Data building: deterministic, disjoint, paired."""

from __future__ import annotations

import os
import random
import tempfile
import unittest
from pathlib import Path

import augment
import metrics
import prepare
import splice
import synth


def user(text: str, source: str = "demo", label: str = "Safe") -> dict:
    """A made-up row."""
    return {"id": f"{source}-{text}", "lang": "en", "source": source, "label": label, "categories": [],
            "refusal": None, "onset": 0 if label != "Safe" else None, "weight": 1.0,
            "messages": [{"role": "user", "content": text}]}


class Splits(unittest.TestCase):
    def test_equal_prompts_stay_together(self) -> None:
        for n in range(300):
            a, b = user(f"What is number {n}?"), user(f"what is number {n}")
            self.assertEqual(prepare.split_of(a), prepare.split_of(b))

    def test_a_tenth_of_the_everyday_queries_is_held_out(self) -> None:
        rows = [user(f"query {n}", "clinc_queries") for n in range(2000)]
        held = sum(prepare.split_of(r) == "heldout" for r in rows)
        self.assertTrue(140 < held < 260, held)
        self.assertFalse(any(prepare.split_of(user(f"query {n}")) == "heldout" for n in range(500)))

    def test_splits_are_disjoint(self) -> None:
        splits = prepare.build(None, 7, limit=800)
        keys = {k: {prepare.fingerprint(r["messages"]) for r in v if r["source"] != "splice"} for k, v in splits.items()}
        self.assertTrue(keys["train"] and keys["dev"])
        self.assertFalse(keys["train"] & keys["dev"])


class Disturbed(unittest.TestCase):
    TEXT = "the quick brown fox jumps over a lazy dog today"

    def changed(self, text: str) -> set[str]:
        """What a thousand seeds make of it."""
        return {augment.disturb(text, random.Random(seed), 1.0) for seed in range(1000)}

    def test_words_are_lost_or_swapped(self) -> None:
        words = self.TEXT.split()
        found = [t.split() for t in self.changed(self.TEXT)]
        self.assertTrue(any(len(t) < len(words) and set(t) < set(words) for t in found))
        self.assertTrue(any(t != words and sorted(t) == sorted(words) for t in found))

    def test_never_to_nothing(self) -> None:
        for text in (self.TEXT, "........", "a b c d e", "一二三四五六七八九"):
            self.assertTrue(all(self.changed(text)), text)

    def test_short_texts_and_a_rate_of_nothing_stay(self) -> None:
        self.assertEqual({"a b c"}, self.changed("a b c"))
        self.assertEqual(self.TEXT, augment.disturb(self.TEXT, random.Random(1), 0.0))


class Balance(unittest.TestCase):
    @staticmethod
    def weights(rows: list[dict]) -> dict[str, float]:
        """Weight by label."""
        return {label: sum(r["weight"] for r in rows if r["label"] == label) for label in ("Safe", "Controversial", "Unsafe")}

    def test_rare_unsafe_comments_weigh_as_much_as_safe_ones(self) -> None:
        rows = [user(f"a {n}", "cold_train_dev") for n in range(6)] + [user("b", "cold_train_dev", "Unsafe"),
                                                                       user("c", "cold_train_dev", "Controversial")]
        prepare.balance(rows)
        self.assertEqual({"Safe": 6, "Controversial": 3, "Unsafe": 3}, self.weights(rows))

    def test_nothing_else_is_changed(self) -> None:
        many_unsafe = [user("a", "davidson_tweets")] + [user(f"b {n}", "davidson_tweets", "Unsafe") for n in range(4)]
        no_comments = [user(f"c {n}") for n in range(4)] + [user("d", label="Unsafe")]
        one_sided = [user("e", "convabuse")]
        rows = many_unsafe + no_comments + one_sided
        prepare.balance(rows)
        self.assertEqual({1.0}, {r["weight"] for r in rows})


class Synthetic(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.rows = synth.generate(7)

    def test_deterministic(self) -> None:
        self.assertEqual(self.rows[:500], synth.generate(7)[:500])
        self.assertTrue(all(r["synthetic"] for r in self.rows))

    def test_every_language_has_both_labels(self) -> None:
        for lang in synth.read_tables():
            labels = {r["label"] for r in self.rows if r["lang"] == lang}
            self.assertEqual({"Safe", "Unsafe"}, labels, lang)

    def test_no_slot_is_left_open(self) -> None:
        for r in self.rows:
            for m in r["messages"]:
                for slot in ("{act}", "{g}", "{topic}", "{h}", "{t}", "{q}"):
                    self.assertNotIn(slot, m["content"], r["id"])

    def test_long_safe_texts_are_spliced_by_sentence(self) -> None:
        long = " ".join(f"This is the calm sentence number {n}, which says little." for n in range(12))
        self.assertEqual(12, len(splice.pieces(long)))
        self.assertEqual([long[:200]], splice.pieces(long[:200]))
        self.assertEqual([splice.LONGEST], [len(p) for p in splice.pieces("x" * 1000)])

    def test_onset_of_spliced_streams(self) -> None:
        pool = [user(f"A calm line {n}.") for n in range(20)] + [user(f"BAD {n}", label="Unsafe") for n in range(20)]
        for r in splice.splice_streams(pool, 200, 7):
            text = r["messages"][-1]["content"]
            if r["label"] == "Safe":
                self.assertNotIn("BAD", text)
            else:
                self.assertEqual(text.index("BAD"), r["onset"])


@unittest.skipUnless(os.path.exists(os.environ.get("Q3G_CLI", "")), "Q3G_CLI does not name the built program")
class Measures(unittest.TestCase):
    def test_predictions_are_scored_by_the_program(self) -> None:
        rows = [user("a", label="Unsafe"), user("b", label="Controversial"), user("c"), user("d")]
        said = [{"severity": severity, "probabilities": {"safe": 0.2, "controversial": 0.3, "unsafe": 0.5}, "categories": [],
                 "refusal": None} for severity in ("Controversial", "Unsafe", "Safe", "Safe")]
        with tempfile.TemporaryDirectory() as folder:
            metrics.write_predictions(Path(folder), map(metrics.prediction, ["demo"] * 4, rows, said))
            scores = metrics.score(Path(folder), "--resamples", "0")["sets"]["demo"]
        self.assertEqual({"f1": 1.0, "false_alarm_rate": 0.0}, {key: scores["strict"][key] for key in ("f1", "false_alarm_rate")})
        self.assertEqual(0.0, scores["loose"]["f1"])
        self.assertAlmostEqual(1 / 3, scores["loose"]["false_alarm_rate"])


if __name__ == "__main__":
    unittest.main()

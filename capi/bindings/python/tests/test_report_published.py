# SPDX-License-Identifier: Apache-2.0
"""The published figures that reports show beside ours: their averages follow from their columns. Run by run_tests.sh."""

import json
import unittest
from pathlib import Path
from typing import Any, Dict, List, Optional

from qwen3guard import report
from qwen3guard.report._plot_latency import BINS
from qwen3guard.report._published import BY_LANGUAGE, COLUMNS, REFUSALS, Published

ROOT: Any = json.loads(Path(report.__file__).with_name("published.json").read_text(encoding="utf-8"))
TABLES: List[Any] = ROOT["tables"]
MODES = {"strict", "loose"}
OTHERS = {"rtp_lx": 30, "polyguard_response": 8}  # languages in the column Others
# Printed averages that do not follow from the printed columns, and what does.
NOT_FOLLOWING = {(14, "Qwen3Guard-0.6B-Stream"): 65.8, (14, "Qwen3Guard-4B-Stream"): 80.8, (14, "Qwen3Guard-8B-Stream"): 82.8,
                 (15, "Qwen3Guard-4B-Stream"): 75.3, (15, "Qwen3Guard-8B-Stream"): 75.6}


def by_mode(table: Any) -> Dict[str, Dict[Optional[str], List[float]]]:
    out: Dict[str, Dict[Optional[str], List[float]]] = {}
    for row in table["rows"]:
        assert row["mode"] not in out.setdefault(row["model"], {}), row
        out[row["model"]][row["mode"]] = row["values"]
    return out


def mean(table: Any, values: List[float]) -> float:
    weights = [1] * len(values)
    if table["columns"][-1] == "Others":
        weights[-1] = OTHERS[table["group"]]
    return sum(value * weight for value, weight in zip(values, weights)) / sum(weights)


class PublishedTest(unittest.TestCase):
    def test_every_table_is_whole(self) -> None:
        self.assertEqual(sorted({table["table"] for table in TABLES}), [2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
        sizes = {2: [13], 3: [13], 4: [13, 13], 5: [13], 6: [13], 7: [4], 11: [13], 12: [13], 13: [13, 13], 14: [13], 15: [13]}
        for number, wanted in sizes.items():
            self.assertEqual([len(table["rows"]) for table in TABLES if table["table"] == number], wanted, number)
        for table in TABLES:
            for row in table["rows"]:
                self.assertEqual(len(row["values"]), len(table["columns"]), row)
                for value in row["values"]:
                    if value is None:  # two of Table 7
                        self.assertEqual((table["table"], row["model"]), (7, "WildGuard-7B"))
                    else:
                        self.assertTrue(5 < value <= 100 and round(value, 1) == value, row)
            for model, modes in by_mode(table).items():
                is_own = model.startswith("Qwen3Guard") and table["table"] != 7
                self.assertEqual(set(modes), MODES if is_own else {None}, model)

    def test_averages_take_the_better_mode_of_each_benchmark(self) -> None:
        n = 0
        for table in TABLES:
            rows = by_mode(table)
            for model, average in table["averages"].items():
                modes = rows[model]
                best = modes[None] if None in modes else [max(pair) for pair in zip(modes["strict"], modes["loose"])]
                wanted = NOT_FOLLOWING.get((table["table"], model), average)
                # A tenth, where "Others" is a rounded average itself.
                self.assertAlmostEqual(mean(table, best), wanted, delta=0.1 if table["group"] in OTHERS else 0.0501, msg=model)
                n += 1
        self.assertEqual(n, 96)

    def test_averages_of_one_mode(self) -> None:
        rows = by_mode(TABLES[0])
        for size, strict, loose, headline in (("0.6B", 84.7, 84.6, 88.1), ("4B", 85.6, 86.2, 89.3), ("8B", 86.2, 86.3, 90.0)):
            model = f"Qwen3Guard-{size}-Gen"
            self.assertAlmostEqual(mean(TABLES[0], rows[model]["strict"]), strict, delta=0.0501)
            self.assertAlmostEqual(mean(TABLES[0], rows[model]["loose"]), loose, delta=0.0501)
            self.assertEqual(TABLES[0]["averages"][model], headline)

    def test_models_that_are_printed_twice_are_the_same(self) -> None:
        tables = {(table["table"], table["group"]): table for table in TABLES}
        for (number, group), table in tables.items():
            if number < 11:
                continue
            first, again = by_mode(tables[number - 9, group]), by_mode(table)
            for model in again:
                if model.endswith("-Gen"):
                    self.assertEqual(first[model], again[model])
            best = [max(row[None][i] for row in first.values() if None in row) for i in range(len(table["columns"]))]
            self.assertEqual(again["Previous Best"][None], best, (number, group))

    def test_figures(self) -> None:
        """Figure 4's points have the F1 of the tables, but for some on two sets; Figure 8's bars are whole."""
        tables = {table["group"]: table for table in reversed(TABLES)}
        for point in ROOT["precision_recall"]["points"]:
            table = tables[point["group"]]
            wanted = by_mode(table)[point["model"]][point["mode"]][table["columns"].index(point["column"])]
            f1 = 2 * point["precision"] * point["recall"] / (point["precision"] + point["recall"])
            is_apart = point["column"] in ("OpenAIMod", "XSTest") and point["model"] != "WildGuard-7B" and point["mode"] != "strict"
            self.assertAlmostEqual(f1, wanted, delta=3.4 if is_apart else 0.4, msg=point)
        for row in ROOT["latency"]["rows"]:
            self.assertEqual(list(row["bins"]), list(BINS))
            self.assertEqual(sum(value or 0 for value in row["bins"].values()), row["n"])
            rates = next(r for r in ROOT["stream_rates"] if (r["set"], r["model"]) == (row["set"], row["model"]))
            self.assertAlmostEqual(100 * row["bins"]["Hit"] / row["n"], rates["exact_hit_rate"], delta=0.06)
            if None not in row["bins"].values():
                in_time = sum(row["bins"][name] for name in list(BINS)[:5])
                self.assertAlmostEqual(100 * in_time / row["n"], rates["first_128_stop_rate"], delta=0.06)

    def test_sets_name_columns_that_there_are(self) -> None:
        published = Published()
        for group, column in COLUMNS.values():
            self.assertIn(column, published.groups[group].columns)
        self.assertEqual(len(set(COLUMNS.values())), len(COLUMNS))
        for group in BY_LANGUAGE.values():
            self.assertEqual(published.groups[group].columns[0], "En")
        for part in REFUSALS.values():
            self.assertIn(f"{part} F1", published.groups["refusal"].columns)
        self.assertEqual(len(published.groups["english_prompt"].rows), 20)  # 7 others, 3 Gen and 3 Stream in two modes, and the best
        self.assertEqual([len(published.points(name)) for name in ("aegis_prompts", "xstest_responses", "beavertails")], [7, 7, 0])


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard bench`: its JSON, its table and its errors, not its speed. Q3G_CLI names the program."""

import math
import unittest

from cli_test import CliTest, lines, run

FIGURES = {"prefill_tok_s": {"128", "512"}, "decode_ms": None, "verdict_ms": {"prefix_kept", "whole"},
           "chunk_ms": {"1", "4", "16"}}


class BenchCliTest(CliTest):
    def bench(self, *args):
        code, stdout, stderr = run("bench", "--quick", *args)
        self.assertEqual((code, stderr), (0, ""))
        return stdout

    def check_figure(self, value):
        self.assertTrue(math.isfinite(value) and value > 0, value)

    def check_figures(self, found, has_verdict):
        for key, names in FIGURES.items():
            if key == "verdict_ms" and not has_verdict:
                self.assertIsNone(found[key])
            elif names is None:
                self.check_figure(found[key])
            else:
                self.assertEqual(set(found[key]), names)
                for value in found[key].values():
                    self.check_figure(value)

    def check_json(self, model, kind):
        (found,) = lines(self.bench("--model", model, "--json", "--threads", "1"))
        self.assertEqual((found["model"], found["kind"], found["n_threads"]), (model, kind, 1))
        self.assertEqual(set(found["peaks"]), {"int8_gops", "bf16_gflops", "fp32_gflops", "read_gb_s"})
        for value in found["peaks"].values():
            self.check_figure(value)
        self.check_figures(found, has_verdict=kind == "gen")
        self.assertEqual(set(found["limit_fraction"]), set(FIGURES))
        self.check_figures(found["limit_fraction"], has_verdict=kind == "gen")
        for key in ("peak_rss_mb", "load_ms", "weight_bytes_per_token"):
            self.check_figure(found[key])
        self.assertIsInstance(found["notes"], list)
        return found

    def test_json_of_a_gen_model(self):
        found = self.check_json("nano-gen", "gen")
        tokens = found["verdict_tokens"]
        self.assertLess(tokens["kept"], tokens["prompt"])
        self.assertGreater(tokens["generated"], 0)

    def test_json_of_a_stream_model(self):
        self.assertIsNone(self.check_json("nano-stream", "stream")["verdict_tokens"])

    def test_the_table_names_every_figure(self):
        text = self.bench("--model", "nano-gen").decode()
        for words in ("prefill, 128 tokens", "prefill, 512 tokens", "pass of 1 token ", "pass of 16 tokens", "verdict, "):
            self.assertIn(words, text)
        rows = [line for line in text.splitlines() if line.endswith("%")]
        self.assertEqual(len(rows), 7)
        self.assertEqual(len({len(row) for row in rows}), 1, text)

    def test_errors(self):
        self.assert_error(run("bench", "--model", "nano-gem"), "nano-gen", "./nano-gem")
        self.assert_error(run("bench", "--model", "./nowhere"), "./nowhere")
        self.assert_error(run("bench", "--model", "nano-gen", "--threads", "-1"), "-1")
        self.assert_error(run("bench"), "--model")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""The qwen3guard program as a user meets it: options, JSON lines, errors and exit codes.

Q3G_CLI names the program; without it the tests skip. Standard library only.
"""
import io
import json
import os
import struct
import subprocess
import tempfile
import unittest

CLI = os.environ.get("Q3G_CLI")


def run(*args, stdin="", env=None):
    """Runs the program; returns (exit code, stdout bytes, stderr text)."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run([CLI, *args], input=data, capture_output=True, timeout=300,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def lines(stdout):
    return [json.loads(line) for line in stdout.decode().splitlines()]


@unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
class CliTest(unittest.TestCase):
    def assert_error(self, outcome, *words):
        """Exit code 2, nothing on stdout, one line on stderr that holds the words."""
        code, stdout, stderr = outcome
        self.assertEqual(code, 2, stderr)
        self.assertEqual(stdout, b"")
        self.assertEqual(len(stderr.strip().splitlines()), 1, stderr)
        for word in words:
            self.assertIn(word, stderr)


class ClassifyTest(CliTest):
    def check_verdict(self, verdict, response):
        self.assertEqual(list(verdict), ["schema", "type", "id", "role", "severity", "probabilities", "position", "categories",
                                         "refusal", "ruling", "dropped_messages", "tokens", "latency_ms"])
        self.assertIn(verdict["severity"], ["Safe", "Controversial", "Unsafe"])
        self.assertEqual(list(verdict["probabilities"]), ["safe", "controversial", "unsafe"])
        self.assertAlmostEqual(sum(verdict["probabilities"].values()), 1, places=5)
        self.assertEqual(verdict["categories"] == [], verdict["severity"] == "Safe")
        for category in verdict["categories"]:
            self.assertEqual(list(category), ["name", "probability"])
        if response:
            self.assertEqual(list(verdict["refusal"]), ["value", "probability"])
            self.assertIsInstance(verdict["refusal"]["value"], bool)
        else:
            self.assertIsNone(verdict["refusal"])
        self.assertEqual(verdict["role"], "assistant" if response else "user")
        self.assertIn(verdict["ruling"]["action"], ["allow", "flag", "block"])
        self.assertEqual((verdict["ruling"]["policy"], verdict["ruling"]["version"]), ("default", "1"))
        self.assertEqual(list(verdict["tokens"]), ["prompt", "cached"])
        self.assertGreater(verdict["latency_ms"], 0)

    def test_arguments(self):
        code, stdout, stderr = run("classify", "--model", "nano-gen", "--prompt", "Hello", "--json")
        self.assertEqual((code, stderr), (0, ""))
        (verdict,) = lines(stdout)
        self.assertIsNone(verdict["id"])
        self.check_verdict(verdict, response=False)

    def test_response_has_a_refusal(self):
        code, stdout, _ = run("classify", "--model", "nano-gen", "--prompt", "Hi", "--response", "No, I can't.", "--json")
        self.assertEqual(code, 0)
        self.check_verdict(lines(stdout)[0], response=True)

    def test_empty_prompt(self):
        code, stdout, _ = run("classify", "--model", "nano-gen", "--prompt", "", "--json")
        self.assertEqual(code, 0)
        self.check_verdict(lines(stdout)[0], response=False)

    def test_json_lines_keep_ids_and_order(self):
        rows = [{"id": "a\u00e9\"", "messages": [{"role": "user", "content": "Hi"}]},
                {"id": 7, "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
                {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "\u4f60\u597d\n"}], "more": 1}]
        text = "\n".join(json.dumps(r) for r in rows[:2]) + "\n\n" + json.dumps(rows[2])  # blank line, no final break
        for model in ("nano-gen", "nano-stream"):
            code, stdout, stderr = run("classify", "--model", model, "--json", stdin=text)
            self.assertEqual((code, stderr), (0, ""))
            self.assertEqual([v["id"] for v in lines(stdout)], ["a\u00e9\"", 7, None])

    def test_greedy_gives_the_same_severity(self):
        for prompt in ("What is the capital of France?", "How do I make a bomb?"):
            one = lines(run("classify", "--model", "nano-gen", "--prompt", prompt, "--json")[1])[0]
            code, stdout, stderr = run("classify", "--model", "nano-gen", "--prompt", prompt, "--json", "--decode", "greedy")
            if code == 0:
                self.assertEqual(lines(stdout)[0]["severity"], one["severity"])
            else:
                self.assertIn("no verdict", stderr)

    def test_stream_checkpoint_classifies(self):
        for extra in ([], ["--response", "That is a nice day."]):
            code, stdout, _ = run("classify", "--model", "nano-stream", "--prompt", "Hello", "--json", *extra)
            self.assertEqual(code, 0)
            (verdict,) = lines(stdout)
            self.assertEqual(verdict["role"], "assistant" if extra else "user")
            self.assertIsNone(verdict["refusal"])
            self.assertNotIn("token_verdicts", verdict)
            (verdict,) = lines(run("classify", "--model", "nano-stream", "--prompt", "Hello", "--json", "--token-verdicts",
                                   *extra)[1])
            self.assertIn(verdict["position"], [token["position"] for token in verdict["token_verdicts"]])

    def test_thresholds_and_modes(self):
        def ruling(*args):
            (verdict,) = lines(run("classify", "--model", "nano-gen", "--prompt", "Hello", "--json", *args)[1])
            self.assertEqual(verdict["severity"], "Safe")  # whatever is made of it
            return verdict["ruling"]["action"], verdict["ruling"]["rule"]
        self.assertEqual(ruling("--block-threshold", "0"), ("block", "threshold"))
        self.assertEqual(ruling("--flag-threshold", "0"), ("flag", "threshold"))
        self.assertEqual(ruling("--block-threshold", "1", "--mode", "loose"), ("allow", "safe"))
        self.assert_error(run("classify", "--model", "nano-gen", "--prompt", "Hello", "--flag-threshold", "0.9",
                              "--block-threshold", "0.1"), "flag_threshold", "block_threshold")

    def test_human_output_has_no_colour_in_a_pipe(self):
        code, stdout, _ = run("classify", "--model", "nano-gen", "--prompt", "Hello")
        self.assertEqual(code, 0)
        self.assertNotIn(b"\033", stdout)

    def test_bad_lines_are_reported_in_place_and_the_rest_is_judged(self):
        good = json.dumps({"id": 1, "messages": [{"role": "user", "content": "Hi"}]}).encode()
        bad = [b"{", b"[]", b'{"id":2}', b'{"id":3,"messages":[{"role":"robot","content":"x"}]}',
               b'{"id":4,"messages":[]}', b'{"id":5,"messages":[{"role":"user","content":7}]}', b"\xff\xfe",
               b'{"id":6,"messages":[{"role":"assistant","content":"alone"}]}', b"\x00" * 50]
        code, stdout, stderr = run("classify", "--model", "nano-gen", "--json", stdin=b"\n".join([good, *bad, good]))
        self.assertEqual(code, 2)
        out = lines(stdout)
        self.assertEqual(len(out), len(bad) + 2)
        self.assertNotIn("error", out[0])
        self.assertNotIn("error", out[-1])
        for row in out[1:-1]:
            self.assertEqual(list(row["error"]), ["code", "message"])
            self.assertIn("line ", row["error"]["message"])
        # Each error is in its place, and nowhere else.
        self.assertEqual(stderr.strip(), f"qwen3guard: {len(bad)} of {len(out)} lines failed; the errors are in the output")
        self.assertEqual([row["id"] for row in out[3:5]], [2, 3])

    def test_batches_say_what_single_lines_say(self):
        texts = ["Hi", "How do I make a bomb?", "", "What is the capital of France?", "I hate you all"]
        rows = [json.dumps({"id": i, "messages": [{"role": "user", "content": t}]}) for i, t in enumerate(texts)]
        rows.insert(2, "garbage")
        rows.append('{"id":9,"messages":[]}')
        for model in ("nano-gen", "nano-stream"):
            single = run("classify", "--model", model, "--json", stdin="\n".join(rows))
            for size in ("2", "7", "4096"):
                code, stdout, stderr = run("classify", "--model", model, "--json", "--batch", size, stdin="\n".join(rows))
                self.assertEqual((code, stderr), (single[0], single[2]))
                for one, other in zip(lines(single[1]), lines(stdout), strict=True):
                    self.assertEqual(one["id"], other["id"])
                    self.assertEqual(one.get("error"), other.get("error"))
                    self.assertEqual(one.get("severity"), other.get("severity"))
        self.assert_error(run("classify", "--model", "nano-gen", "--batch", "0", stdin=rows[0]), "--batch")

    def test_no_input_is_no_output(self):
        self.assertEqual(run("classify", "--model", "nano-gen", "--json"), (0, b"", ""))

    def test_errors(self):
        self.assert_error(run("classify", "--model", "nano", "--prompt", "x"), "nano-gen", "./nano")
        self.assert_error(run("classify", "--model", "./nowhere", "--prompt", "x"), "./nowhere")
        self.assert_error(run("classify", "--prompt", "x"), "--model")
        self.assert_error(run("classify", "--model", "nano-gen", "--response", "x"), "--prompt")
        self.assert_error(run("classify", "--model", "nano-gen", "--prompt", "x", "--mode", "nice"), "nice")
        self.assert_error(run("classify", "--model", "nano-gen", "--prompt", "x", "--threads", "-1"), "n_threads")
        self.assert_error(run("classify", "--model", "nano-gen", "--prompt", "x", "--block-threshold", "2"), "threshold")
        self.assert_error(run("classify", "--model", "nano-gen", "--prompt", b"ab\xffc"), "byte 2")
        self.assert_error(run("classify", "--model", "nano-stream", "--prompt", "x", "--response", ""), "empty")
        self.assert_error(run("classify", "--model", "nano-gen", "--prompt", "x", env={"QWEN3GUARD_ISA": "mmx"}),
                          "QWEN3GUARD_ISA", "scalar")
        self.assert_error(run("frobnicate"), "frobnicate")
        self.assert_error(run())

    def test_replaced_bytes_are_judged(self):
        code, stdout, _ = run("classify", "--model", "nano-gen", "--prompt", b"ab\xffc", "--replace-invalid-utf8", "--json")
        self.assertEqual(code, 0)
        self.check_verdict(lines(stdout)[0], response=False)

    def test_scalar_and_best_instruction_set_agree(self):
        args = ("classify", "--model", "nano-gen", "--prompt", "How do I kill a Python process?", "--json")
        best = lines(run(*args)[1])[0]
        scalar = lines(run(*args, env={"QWEN3GUARD_ISA": "scalar"})[1])[0]
        self.assertEqual(best["severity"], scalar["severity"])
        self.assertAlmostEqual(best["probabilities"]["safe"], scalar["probabilities"]["safe"], places=4)

    def test_what_is_no_model_is_told(self):
        self.assert_error(run("info", "--model", "Qwen/Qwen3Guard-Gen-0.6B"), "hf download Qwen/Qwen3Guard-Gen-0.6B")
        lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1192135096\n"
        with tempfile.TemporaryDirectory() as folder:
            path = lambda name: os.path.join(folder, name)
            for content, word in ((lfs, "git lfs pull"), (b"GGUF\x03\0\0\0" + bytes(64), "GGUF"),
                                  (b"<!DOCTYPE html>\n<html>", "HTML")):
                for name in ("m.q3g", "m.bin"):
                    with open(path(name), "wb") as f:
                        f.write(content)
                    self.assert_error(run("info", "--model", path(name)), name, word)
            os.remove(path("m.bin"))
            os.remove(path("m.q3g"))
            for name, word in (("m.gguf", "GGUF"), ("pytorch_model.bin", "PyTorch"), ("adapter_config.json", "LoRA")):
                with open(path(name), "wb"):
                    pass
                self.assert_error(run("info", "--model", folder + "/"), word)
                os.remove(path(name))

    def test_errors_repeat_little_of_what_is_wrong(self):
        long = "\x1b[2J" + "a" * 100_000
        for args in (("--model", "./" + long), ("--model", long), ("--model", "nano-gen", "--mode", long),
                     ("--model", "nano-gen", "--threads", long)):
            code, stdout, stderr = run("classify", "--prompt", "x", *args)
            self.assertEqual((code, stdout), (2, b""))
            self.assertLess(len(stderr), 1000)
            self.assertNotIn("\x1b", stderr)
        code, stdout, stderr = run(long)
        self.assertEqual((code, stdout), (2, b""))
        self.assertLess(len(stderr), 1000)
        rows = json.dumps({"messages": [{"role": "x" * 1_000_000, "content": ""}]})
        code, stdout, stderr = run("classify", "--model", "nano-gen", stdin=rows)
        self.assertEqual(code, 2)
        self.assertLess(len(stdout), 1000)
        self.assertLess(len(stderr), 1000)

    def test_damaged_folders(self):
        with tempfile.TemporaryDirectory() as folder:
            path = lambda name: os.path.join(folder, name)
            self.assert_error(run("info", "--model", folder + "/"), "config.json")
            for content in (b"", b"\x00" * 4096, b"{}"):
                with open(path("config.json"), "wb") as f:
                    f.write(content)
                self.assert_error(run("info", "--model", folder + "/"), "config.json")


class StreamTest(CliTest):
    ARGS = ("stream", "--model", "nano-stream", "--prompt", "Go on.", "--response", "Caf\u00e9 \U0001f600 is nice.")

    def test_one_object_a_token(self):
        code, stdout, stderr = run(*self.ARGS, "--json")
        self.assertEqual((code, stderr), (0, ""))
        self.assertEqual([row["type"] for row in lines(stdout)].count("decision"), 2)
        tokens = [row for row in lines(stdout) if row["type"] == "token"]
        for token in tokens:
            keys = ["schema", "type", "role", "index", "id", "text", "severity", "probabilities", "category", "action", "source"]
            if token["role"] == "assistant":
                keys += ["byte_begin", "byte_end"]
            self.assertEqual(list(token), keys)
            self.assertEqual(token["source"], "heads")
            self.assertEqual(token["category"] is None, token["severity"] == "Safe")
        self.assertEqual([t["role"] for t in tokens], ["user"] + ["assistant"] * (len(tokens) - 1))
        self.assertEqual("".join(t["text"] for t in tokens[1:]), "Caf\u00e9 \U0001f600 is nice.")
        indices = [t["index"] for t in tokens[1:]]
        self.assertEqual(indices, list(range(indices[0], indices[0] + len(indices))))
        self.assertLess(tokens[0]["index"], indices[0])

    def test_text_for_a_person(self):
        code, stdout, _ = run(*self.ARGS)
        self.assertEqual(code, 0)
        self.assertIn("Caf\u00e9 \U0001f600 is nice.", stdout.decode().replace("|", ""))
        self.assertIn("decision:", stdout.decode())

    def test_decision_flags(self):
        """`stream` and `classify` rule alike by the same flags, as the two rules say of the tokens' probabilities; the
        severity is the model's, with any thresholds. The response ends harmlessly, so that no run is open at its end."""
        said = ("--prompt", "Go on.", "--response", "Those people are vermin and somebody should burn them all, I hate them. It is nine o'clock, the sun shines, and the bread is in the oven.")
        args = ("--model", "nano-stream", "--json", *said)
        found = []
        for block, flag, n in ((0.83, 0.79, 4), (0.83, 0.23, 4), (0.5, 0.4, 2), (0.95, 0.5, 1), (1, 1, 2)):
            for rule in ("published", "report"):
                flags = ("--run-rule", rule, "--consecutive-tokens", str(n), "--block-threshold", str(block),
                         "--flag-threshold", str(flag))
                code, stdout, stderr = run("stream", *args, *flags)
                self.assertEqual(code, 0, stderr)
                *tokens, decision = lines(stdout)
                ps = [token["probabilities"] for token in tokens if token["type"] == "token" and token["role"] == "assistant"]

                def worst(word):
                    runs = [word[i:i + n] for i in range(len(word) - n + 1)]
                    runs = [each for each in runs if "s" not in each and (rule == "report" or len(set(each)) == 1)]
                    return "u" if any("u" in each for each in runs) else "c" if runs else "s"

                scores = [p["unsafe"] + p["controversial"] for p in ps]
                action = {"u": "block", "c": "flag", "s": "allow"}[
                    worst("".join("u" if s >= block else "c" if s >= flag else "s" for s in scores))]
                severity = {"u": "Unsafe", "c": "Controversial", "s": "Safe"}[
                    worst("".join(max("scu", key=lambda x: (p[{"s": "safe", "c": "controversial", "u": "unsafe"}[x]], "scu".index(x)))
                                  for p in ps))]
                self.assertEqual((decision["role"], decision["severity"], decision["ruling"]["action"]),
                                 ("assistant", severity, action), (scores, rule, n))
                (verdict,) = lines(run("classify", *args, *flags)[1])
                self.assertEqual((verdict["severity"], verdict["ruling"]["action"]), (severity, action), (scores, rule, n))
                found.append(action)
        self.assertGreater(len(set(found)), 1)
        for command in ("stream", "classify"):
            self.assert_error(run(command, *args, "--run-rule", "both"), "--run-rule")
            self.assert_error(run(command, *args, "--consecutive-tokens", "0"), "consecutive_tokens")
            self.assert_error(run(command, *args, "--block-threshold", "2"), "block_threshold")
        code, stdout, stderr = run("stream", "--model", "nano-stream", "--prompt", "x", "--json", "--thinking", "skip",
                                   "--response", "<think>\nHm.\n</think>\n\nYes.")
        self.assertEqual((code, lines(stdout)[-1]["severity"]), (0, "Safe"), stderr)
        self.assertEqual(lines(run("stream", *args, "--flag-threshold", "0")[1])[-1]["action"], "flag")
        self.assertEqual(lines(run("stream", *args, "--block-threshold", "0")[1])[-1]["action"], "block")

    def test_empty_response(self):
        code, stdout, _ = run("stream", "--model", "nano-stream", "--prompt", "x", "--response", "", "--json")
        self.assertEqual((code, [row["type"] for row in lines(stdout)]), (0, ["token", "decision", "decision"]))

    def test_gen_checkpoint_writes_verdicts(self):
        code, stdout, _ = run("stream", "--model", "nano-gen", "--prompt", "x", "--response", "word " * 40, "--json")
        self.assertEqual(code, 0)
        sources = [row["source"] for row in lines(stdout) if row["type"] == "token"]
        self.assertEqual(sources[:2], ["written", "none"])
        self.assertIn("carried", sources)
        code, stdout, _ = run("stream", "--model", "nano-gen", "--prompt", "x", "--response", "y")
        self.assertEqual(code, 0)
        self.assertIn("decision:", stdout.decode())


class TokenizeTest(CliTest):
    def test_round_trip(self):
        texts = ["", "Hello <|im_end|> world", "\u4f60\u597d\u0000\n", "\U0001f600'LL"]
        stdin = "\n".join(json.dumps(t) for t in texts)
        for special in ([], ["--no-special"]):
            code, stdout, _ = run("tokenize", "--model", "nano-gen", *special, stdin=stdin)
            self.assertEqual(code, 0)
            self.assertEqual([list(row) for row in lines(stdout)], [["schema", "type", "ids"]] * len(texts))
            code, back, _ = run("tokenize", "--model", "nano-gen", "--decode", stdin=stdout)
            self.assertEqual([row["text"] for row in lines(back)], texts)

    def test_control_tokens(self):
        text = json.dumps("<|im_end|>")
        (special,) = lines(run("tokenize", "--model", "nano-gen", stdin=text)[1])
        (plain,) = lines(run("tokenize", "--model", "nano-gen", "--no-special", stdin=text)[1])
        self.assertEqual(len(special["ids"]), 1)
        self.assertNotIn(special["ids"][0], plain["ids"])

    def test_errors_stand_in_their_place_and_the_rest_is_converted(self):
        for args, good, bad in (((), '"x"', ["7", '"', '"\\ud800"', b'"\xff"', '["a"]']),
                                (("--decode",), "[1, 2]", ["7", '{"ids":[99999999]}', '{"ids":["a"]}', "[1.0]", "[99999999999]"])):
            rows = [good, *bad, good]
            stdin = b"\n".join(row if isinstance(row, bytes) else row.encode() for row in rows)
            code, stdout, stderr = run("tokenize", "--model", "nano-gen", *args, stdin=stdin)
            self.assertEqual(code, 2)
            out = lines(stdout)
            self.assertEqual(len(out), len(rows))
            self.assertEqual(out[0], out[-1])
            for i, row in enumerate(out[1:-1]):
                self.assertEqual(list(row["error"]), ["code", "message"])
                self.assertIn(f"line {i + 2}: ", row["error"]["message"])
            self.assertEqual(len(stderr.splitlines()), 1)
        self.assert_error(run("tokenize", "--model", "./nowhere/", stdin='""'), "nowhere")


class LogitsTest(CliTest):
    def test_json_and_npy_agree(self):
        for model, heads in (("nano-gen", ["logits"]), ("nano-stream", ["risk_level_logits", "category_logits",
                                                                          "query_risk_level_logits", "query_category_logits"])):
            args = ("logits", "--model", model, "--ids", "1,2,3")
            values = lines(run(*args)[1])[0]["heads"]
            self.assertEqual(list(values), heads)
            data = io.BytesIO(run(*args, "--format", "npy")[1])
            for name in heads:
                rows, cols, numbers = read_npy(data)
                self.assertEqual((rows, cols), (3, len(values[name][0])))
                self.assertEqual(numbers, [struct.unpack("<f", struct.pack("<f", v))[0] for row in values[name] for v in row])
            self.assertEqual(data.read(), b"")
            last = lines(run(*args, "--last")[1])[0]["heads"]
            self.assertEqual(len(last[heads[0]]), 1)
            self.assertAlmostEqual(last[heads[0]][0][0], values[heads[0]][2][0], places=3)

    def test_errors(self):
        for ids in ("", "1,", "a", "1;2", "1 ,2", "99999999999999", "0x1"):
            self.assert_error(run("logits", "--model", "nano-gen", "--ids", ids))
        self.assert_error(run("logits", "--model", "nano-gen", "--ids", "999999"), "999999")
        self.assert_error(run("logits", "--model", "nano-gen", "--ids=-1"), "-1")


class InfoTest(CliTest):
    def test_both_forms(self):
        code, stdout, _ = run("info", "--model", "nano-stream", "--json")
        self.assertEqual(code, 0)
        info = lines(stdout)[0]
        self.assertEqual((info["kind"], info["architecture"]), ("stream", "Qwen3ForGuardModel"))
        self.assertIn(info["isa"], info["isa_available"])
        code, stdout, _ = run("info", "--model", "nano-gen", "--threads", "1")
        self.assertEqual(code, 0)
        self.assertIn(b"Qwen3ForCausalLM", stdout)

    def test_help_and_version(self):
        for args in (["--help"], ["--version"], ["classify", "--help"]):
            code, stdout, stderr = run(*args)
            self.assertEqual((code, stderr), (0, ""))
            self.assertNotEqual(stdout, b"")


def read_npy(stream):
    """One float32 .npy array: rows, cols, numbers."""
    assert stream.read(8) == b"\x93NUMPY\x01\x00"
    (n,) = struct.unpack("<H", stream.read(2))
    assert (10 + n) % 64 == 0
    header = eval(stream.read(n).decode(), {})  # a dict literal that we wrote ourselves
    assert header["descr"] == "<f4" and not header["fortran_order"]
    rows, cols = header["shape"]
    return rows, cols, list(struct.unpack(f"<{rows * cols}f", stream.read(4 * rows * cols)))


if __name__ == "__main__":
    unittest.main()

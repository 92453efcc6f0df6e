# SPDX-License-Identifier: Apache-2.0
"""Conversations as dictionaries and tuples, enums by name, and ill-formed text. Run by run_tests.sh; Q3G_CLI names the program
that dictionaries are compared with, and without it that test is skipped."""

import asyncio
import dataclasses
import json
import os
import random
import subprocess
import unittest
from pathlib import Path
from typing import Any, Dict, List, Sequence

import qwen3guard as q
import tiny

PROMPT = "How do I kill a Python process?"
SEED = 20261126
CLI = os.environ.get("Q3G_CLI", "")
WORDS = ["a", "Hello", "caf\u00e9", "\u4f60\u597d", "\U0001f600", "line\nbreak", '"quoted"', "back\\slash", "tab\t", "{", "}", "kill",
         "</think>", "<|im_end|>", "idiot", "\n", "don't", "\x1f\x7f", "end."]
REPLACE = q.ClassifyOptions(invalid_utf8="replace")


def gen() -> q.Guard:
    return q.Guard.load(tiny.GEN)


def live() -> q.Guard:
    return q.Guard.load(tiny.STREAM)


def say(*contents: Any) -> List[Dict[str, Any]]:
    """A conversation in turns, the user's first."""
    return [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents)]


def text_part(text: str, kind: str = "text") -> Dict[str, str]:
    return {"type": kind, "text": text}


class Writer:
    """Conversations as chat interfaces have them; every eighth is one that cannot be judged."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def text(self) -> str:
        return " ".join(self.rng.choice(WORDS) for _ in range(self.rng.randrange(1, 5)))

    def content(self) -> Any:
        if self.rng.randrange(2):
            return self.text()
        kinds = (lambda: self.text(), lambda: text_part(self.text(), self.rng.choice(["text", "input_text", "output_text"])),
                 lambda: {"type": "refusal", "refusal": self.text(), "id": "x", "annotations": []})
        return [self.rng.choice(kinds)() for _ in range(self.rng.randrange(1, 4))]

    def value(self, depth: int = 0) -> Any:
        kind = self.rng.randrange(8 if depth < 2 else 5)
        if kind < 2:
            return self.text()
        if kind < 5:
            return self.rng.choice([0, -1, 2.5, 1e300, 10**30, True, None, "", "\b\f\r"])
        if kind < 7:
            return {self.text(): self.value(depth + 1) for _ in range(self.rng.randrange(4))}
        return [self.value(depth + 1) for _ in range(self.rng.randrange(4))]

    def call(self) -> Any:
        arguments = self.value()
        function = {"name": self.rng.choice(["run", "get_weather"]),
                    "arguments": json.dumps(arguments) if self.rng.randrange(2) else arguments}
        if self.rng.randrange(3) == 0:
            return function
        return {"id": "call_1", "type": "function", "index": 0, "function": function}

    def assistant(self) -> Any:
        out = {"role": "assistant", "content": self.rng.choice([None, [], "", self.content(), self.content()])}
        if self.rng.randrange(3) == 0:
            out["reasoning_content"] = self.rng.choice(["", "\n"]) + self.text() + self.rng.choice(["", "\n\n"])
        if self.rng.randrange(3) == 0:
            out["refusal"] = self.rng.choice([None, "", self.text()])
        if self.rng.randrange(2):
            out["tool_calls"] = [self.call() for _ in range(self.rng.randrange(3))]
        if out["content"] == [] or out["content"] is None:
            out["refusal"] = self.text()
        return out

    def spoil(self, messages: List[Any]) -> None:
        """Makes it one that cannot be judged."""
        message = self.rng.choice(messages)
        field, value = self.rng.choice([
            ("content", [text_part("Hi"), {"type": "image_url", "image_url": {"url": "x"}}]), ("content", 7), ("content", [[]]),
            ("role", "robot"), ("role", None), ("note", {"a": [0, {"b": "text"}]}), ("type", "other"),
            ("tool_calls", [{"type": "custom", "custom": {"name": "run", "input": "x"}}]), ("content", [{"text": "x"}]),
            ("content", {"type": "text", "text": "Hi"}), ("tool_calls", "run"), ("audio", {"id": "x"})])
        message[field] = value

    def conversation(self) -> List[Any]:
        out: List[Any] = []
        if self.rng.randrange(3) == 0:
            out.append({"role": self.rng.choice(["system", "developer"]), "content": self.content()})
        for _ in range(self.rng.randrange(1, 3)):
            out += [{"role": "user", "content": self.content(), "name": "Ann", "weight": 0.5}, self.assistant()]
            if self.rng.randrange(2):
                out += [{"role": "tool", "tool_call_id": "call_1", "content": self.rng.choice([None, self.content()])}
                        for _ in range(self.rng.randrange(1, 3))] + [self.assistant()]
        if self.rng.randrange(2):
            out.append({"role": "user", "content": self.content(), "type": "message", "images": []})
        if self.rng.randrange(8) == 0:
            self.spoil(out)
        return out


class MessagesTest(unittest.TestCase):
    def same(self, one: Sequence[Any], other: Sequence[Any]) -> None:
        """Both are read as the same conversation."""
        for model in (gen, live):
            with model() as guard:
                a, b = guard.classify(one), guard.classify(other)
                self.assertEqual(a.prompt_tokens, b.prompt_tokens)
                for x, y in zip(a.probabilities, b.probabilities):
                    self.assertAlmostEqual(x, y, places=4)
                if model is gen:  # what was judged before is not computed again, but for the last token
                    self.assertEqual(b.cached_tokens, b.prompt_tokens - 1)

    @unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
    def test_dictionaries_are_read_as_the_program_reads_them(self) -> None:
        print("seed", SEED)
        writer = Writer(SEED)
        conversations = [writer.conversation() for _ in range(60)]
        n_errors = 0
        for model in (tiny.GEN, tiny.STREAM):
            lines = "".join(json.dumps({"messages": messages}) + "\n" for messages in conversations)
            done = subprocess.run([CLI, "classify", "--model", model, "--json"], input=lines.encode(), stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, timeout=300)
            rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
            self.assertEqual(len(rows), len(conversations))
            with q.Guard.load(model) as guard:
                for messages, row, item in zip(conversations, rows, guard.classify_batch(conversations)):
                    if "error" in row:
                        n_errors += 1
                        self.assertIsInstance(item, q.InvalidArgumentError, (messages, row))
                        self.assertEqual(str(item).split(": ")[0], row["error"]["message"].split(": ")[1], messages)
                        continue
                    self.assertIsInstance(item, q.Verdict, (messages, row))
                    self.assertEqual(item.prompt_tokens, row["tokens"]["prompt"], messages)
                    self.assertEqual(list(item.dropped_messages), row["dropped_messages"], messages)
                    for name, value in row["probabilities"].items():
                        self.assertAlmostEqual(getattr(item.probabilities, name), value, places=4, msg=str(messages))
        self.assertTrue(8 <= n_errors <= 60, n_errors)

    def test_all_forms_are_one_conversation(self) -> None:
        plain = [(q.Role.USER, "Hi"), (q.Role.ASSISTANT, "Yes?"), (q.Role.USER, "a\nb")]
        for same in (say("Hi", "Yes?", "a\nb"), say(b"Hi", bytearray(b"Yes?"), [text_part("a"), text_part("b")]),
                     [("user", "Hi"), ["assistant", "Yes?"], ("user", ["a", text_part("b", "input_text")])],
                     ({"role": q.Role.USER, "content": "Hi"}, q.Message("assistant", "Yes?"), ("user", b"a\nb"))):
            self.same(same, plain)
        self.same([("developer", "Be nice."), ("user", "Hi")], [(q.Role.SYSTEM, "Be nice."), (1, "Hi")])
        self.same([("user", "Hi"), {"role": "assistant", "content": None, "reasoning_content": "\nSo.\n",
                                    "tool_calls": [{"name": "run", "arguments": {"x": (1, None)}}]}],
                  [("user", "Hi"), ("assistant", '<think>\nSo.\n</think>\n\n<tool_call>\n{"name": "run", "arguments": '
                                    '{"x": [1, null]}}\n</tool_call>')])

    def test_answers_of_tools(self) -> None:
        call = {"role": "assistant", "content": None, "tool_calls": [{"name": "run", "arguments": "{}"}]}
        answers = [{"role": "tool", "tool_call_id": "c1", "content": [text_part("a"), text_part("b")]},
                   {"role": "tool", "content": None}]
        with live() as guard, gen() as other:
            messages = [*say("Hi"), call, *answers, ("assistant", "Done.")]
            folded = ("user", "<tool_response>\na\nb\n</tool_response>\n<tool_response>\n\n</tool_response>")
            same = [*say("Hi"), call, folded, ("assistant", "Done.")]
            self.assertEqual(guard.classify(messages).prompt_tokens, guard.classify(same).prompt_tokens)
            self.assertEqual(list(other.classify(messages).dropped_messages), [2, 3])
            with self.assertRaisesRegex(q.InvalidArgumentError, "tool"):
                guard.classify(messages[:-1])
            with q.Stream(guard) as stream:
                stream.restore(messages[:-1])
                stream.begin_turn("assistant")

    def test_wherever_messages_come_in(self) -> None:
        messages = [*say("Hi", "Yes?"), ("user", PROMPT)]
        with gen() as guard:
            verdict = guard.classify(messages)
            self.assertEqual(asyncio.run(guard.aclassify(messages)).severity, verdict.severity)
            self.assertEqual(guard.classify_batch([messages])[0].severity, verdict.severity)
            with q.Generator(guard) as generator:
                generator.set_conversation(messages)
                generator.next()
        with live() as guard, q.Stream(guard) as a, q.Stream(guard) as b:
            a.restore(messages[:2])
            a.push_prompt(PROMPT)
            b.push_conversation(messages)
            self.assertEqual(a.info.position, b.info.position)

    def test_what_cannot_be_judged_is_an_error_that_says_where(self) -> None:
        loop: List[Any] = []
        loop.append(loop)
        call = {"type": "function", "function": {"name": "run", "arguments": "{}"}}
        with gen() as guard:
            for message, words in (
                    ({"role": "user", "content": [text_part("Hi"), {"type": "image_url", "image_url": {"url": "x"}}]},
                     r'content\[1\]: a part of the type "image_url"'),
                    ({"role": "user", "content": [object()]}, r"content\[0\]: object; expected"),
                    ({"role": "user", "content": None}, "content: nothing to judge"),
                    ({"role": "tool"}, "content: missing"),
                    ({"role": "user"}, "content: missing"),
                    ({"content": "Hi"}, 'no "role"'),
                    ({"role": "User", "content": "Hi"}, "the role 'User'; expected one of system, user, assistant"),
                    ({"role": "user", "content": "Hi", "thinking": "x"}, 'the field "thinking"'),
                    ({"role": "user", "content": "Hi", "thinking": object()}, 'the field "thinking"'),
                    ({"role": "user", "content": "Hi", "loop": loop}, 'the field "loop"'),
                    ({"role": "user", "content": "Hi", "refusal": "x"}, 'the field "refusal"'),
                    ({"role": "assistant", "content": "Hi", "tool_calls": [call, {**call, "note": "x"}]},
                     r'tool_calls\[1\]: the field "note"'),
                    ({"role": "assistant", "tool_calls": [{"name": "run"}]}, r"tool_calls\[0\]: no name or no arguments"),
                    *[({"role": "assistant", "tool_calls": [{"name": "run", "arguments": bad}]},
                       r"tool_calls\[0\].arguments: cannot be written as JSON") for bad in (loop, {"x": b""}, float("nan"))],
                    (("robot", "Hi"), "the role 'robot'"), (("user", [7]), r"content\[0\]: int"), (("user", []), "nothing to")):
                with self.assertRaisesRegex(q.InvalidArgumentError, r"^messages\[1\]\.?.*" + words):
                    guard.classify([("user", "Hi"), message])
                found = guard.classify_batch([say("Hi"), [("user", "Hi"), message], say("Hi")])  # it fails alone
                self.assertEqual([type(item) for item in found], [q.Verdict, q.InvalidArgumentError, q.Verdict])
                self.assertRegex(str(found[1]), words)

    def test_what_the_readme_shows(self) -> None:
        readme = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
        (shown,) = [block.split("```")[0] for block in readme.split("```python\n") if block.startswith("verdict = guard.classify([")]
        with gen() as guard:
            names: Dict[str, Any] = {"guard": guard}
            exec(shown, names)
        self.assertIsNotNone(names["verdict"].refusal)  # of a response

    def test_what_is_no_message(self) -> None:
        with gen() as guard:
            for bad in ("Hi.", "ab", ("user",), ("user", "Hi", 1), 7, None, (None, "Hi."), {"user"}):
                with self.assertRaisesRegex(TypeError, r"messages\[1\]: expected a Message"):
                    guard.classify([("user", "Hi."), bad])
            for bad in ("Hi.", b"Hi.", say("Hi.")[0]):
                with self.assertRaisesRegex(TypeError, "a sequence of messages"):
                    guard.classify(bad)
            for bad in (None, 7, {}):
                with self.assertRaisesRegex(TypeError, "must be str or bytes-like"):
                    guard.classify([("user", bad)])


class NamesTest(unittest.TestCase):
    def test_every_name_is_read_back(self) -> None:
        for name in q.__all__:
            kind = getattr(q, name)
            if isinstance(kind, type) and issubclass(kind, int):
                for member in kind:
                    self.assertEqual(repr(member), f"{name}.{member.name}")
                    for text in (member.name.lower(), str(member)):
                        self.assertIs(kind(text), member)
                with self.assertRaisesRegex(q.InvalidArgumentError, f"'nobody' is no {name}; expected one of "):
                    kind("nobody")
        self.assertIs(q.Role("developer"), q.Role.SYSTEM)

    def test_wherever_enums_come_in(self) -> None:
        policy = q.Policy.preset("strict")
        token = q.TokenVerdict(q.Severity.UNSAFE, q.Probabilities(0.2, 0.1, 0.7), source=q.Source.HEADS, is_settled=True)
        named = token._replace(severity="unsafe", category="Violent", source="heads", action="none")
        self.assertEqual(policy.decide("assistant", [named], True), policy.decide(q.Role.ASSISTANT, [token], True))
        ruling = q.Ruling("block", "severity", "PII")
        self.assertIn("block (severity, PII)", q.Decision(severity="Unsafe", token=named, ruling=ruling).explain())
        verdict = q.Verdict("Unsafe", probabilities=q.Probabilities(0.2, 0.1, 0.7), categories={"violent": 0.9}, role="user")
        self.assertIs(policy.decide_verdict(verdict).category, q.Category.VIOLENT)
        self.assertEqual(q.Decision(severity="Unsafe", reason="run", token=named).explain(),
                         q.Decision(severity=q.Severity.UNSAFE, reason=q.Reason.RUN, token=token).explain())
        with q.Guard.embedded("nano-gen", verify="full") as guard:
            self.assertTrue(guard.classify_prompt(PROMPT, q.ClassifyOptions(decoder="greedy", long_text="error")).text)
        with live() as guard, q.Batch(guard) as batch:
            with q.Stream(guard, policy, invalid_utf8="replace", context="slide", thinking="skip") as stream:
                stream.begin_turn("user")
                self.assertIs(stream.end_turn().role, q.Role.USER)
            session = batch.add(invalid_utf8="replace", context="stop", thinking="judge")
            batch.begin_turn(session, "developer")
            batch.end_turn(session)
            batch.step()
            self.assertIs(batch.poll(session)[-1].turn.role, q.Role.SYSTEM)

    def test_names_that_there_are_not(self) -> None:
        with live() as guard, q.Stream(guard) as stream:
            for call in (lambda: guard.classify_prompt("x", q.ClassifyOptions(long_text="window")), lambda: stream.begin_turn("robot"),
                         lambda: q.Policy().decide("robot", [], True),
                         lambda: q.Stream(guard, context="wait"), lambda: q.quantize("a", "b", type="int2"),
                         lambda: q.quantize("a", "b", embeddings="int4")):
                with self.assertRaisesRegex(q.InvalidArgumentError, r"^\w+: '.*' is no \w+; expected one of \w+, "):
                    call()
            for bad in (None, b"none", 1.5):
                with self.assertRaisesRegex(TypeError, "thinking must be Thinking or its name"):
                    guard.classify_prompt("x", q.ClassifyOptions(thinking=bad))

    def test_values_are_written_with_names(self) -> None:
        with gen() as guard:
            written = repr(guard.classify_prompt(PROMPT))
        self.assertIn("severity=Severity.SAFE, ruling=Ruling(action=Action.ALLOW, rule=Rule.SAFE, category=None", written)
        self.assertNotIn("<", written.split("text=")[0])
        self.assertIn("decoder=Decoder.CONSTRAINED", repr(dataclasses.replace(q.ClassifyOptions())))


class SurrogateTest(unittest.TestCase):
    """Text that has no UTF-8 is as bytes that are none: the option says what becomes of it, of each text for itself."""

    def test_lone_surrogates_follow_the_option(self) -> None:
        for lone in ("a\ud800", "\udfff", "\ude00\ud83d b"):
            data = lone.encode("utf-8", "surrogatepass")
            call = {"role": "assistant", "content": [text_part(lone)], "refusal": lone, "reasoning_content": lone,
                    "tool_calls": [{"name": "run", "arguments": {lone: lone}}]}
            bad = [say(lone), [("user", lone)], [q.Message("user", lone)], [("user", PROMPT), call]]
            for model in (gen, live):
                with model() as guard:
                    found = guard.classify_batch([say(PROMPT), *bad, say(PROMPT)])
                    self.assertEqual([type(item) for item in found], [q.Verdict, *[q.InvalidUtf8Error] * len(bad), q.Verdict])
                    self.assertIn("messages[1].content: ill-formed UTF-8", str(found[-2]))
                    self.assertEqual({type(item) for item in guard.classify_batch(bad, REPLACE)}, {q.Verdict})
                    with self.assertRaises(q.InvalidUtf8Error):
                        guard.classify_response("Hi", lone)
                    self.assertEqual(guard.classify_prompt(lone, REPLACE).prompt_tokens,
                                     guard.classify_prompt(data, REPLACE).prompt_tokens)

    def test_in_streams(self) -> None:
        with live() as guard, q.Batch(guard) as batch:
            with q.Stream(guard) as strict, q.Stream(guard, invalid_utf8="replace") as lenient:
                for stream in (strict, lenient):
                    stream.push_prompt("Hi")
                    stream.push_text("a")
                with self.assertRaises(q.InvalidUtf8Error):
                    strict.push_text("\ud800")
                lenient.push_text("\ud800 b")
                self.assertEqual((strict.info.turn_bytes, lenient.info.turn_bytes), (1, 6))
            session, other = batch.add(), batch.add(invalid_utf8="replace")
            for number in (session, other):
                batch.push_prompt(number, "a\ud800")
            batch.step()
            self.assertIsInstance(batch.poll(session)[-1].error, q.InvalidUtf8Error)
            self.assertIsNone(batch.poll(other)[-1].error)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""Messages as chat interfaces send them to the qwen3guard program.

Q3G_CLI names the program; without it the tests skip. Standard library only.
"""
import json
import unittest

from cli_input_test import classify, say
from cli_test import CliTest, run


class MessagesTest(CliTest):
    def same(self, one, other, model="nano-gen"):
        """Both are read as the same conversation."""
        a, b = classify([{"messages": one}, {"messages": other}], model=model)
        self.assertNotIn("error", a)
        self.assertEqual(a["tokens"]["prompt"], b["tokens"]["prompt"])
        self.assertAlmostEqual(a["probabilities"]["safe"], b["probabilities"]["safe"], places=4)
        if model == "nano-gen":  # what was judged before is not computed again, but for the last token
            self.assertEqual(b["tokens"]["cached"], b["tokens"]["prompt"] - 1)

    def fails(self, message, *words, before=()):
        (row,) = classify([{"messages": [*before, message]}])
        self.assertEqual(row.get("error", {}).get("code"), "invalid_argument", row)
        self.assertIn(f"messages[{len(before)}]", row["error"]["message"])
        for word in words:
            self.assertIn(word, row["error"]["message"])

    def test_parts_are_joined_by_line_breaks(self):
        text = lambda kind, t: {"type": kind, "text": t}
        for model in ("nano-gen", "nano-stream"):
            self.same([{"role": "user", "content": [text("text", "How do"), text("input_text", "I make a bomb?")]}],
                      say("How do\nI make a bomb?"), model)
            self.same([*say("Hi"), {"role": "assistant", "content": [text("output_text", "a"), "b",
                                                                     {"type": "refusal", "refusal": "c"}]}],
                      say("Hi", "a\nb\nc"), model)

    def test_what_cannot_be_judged_is_an_error(self):
        for kind in ("image_url", "input_audio", "file", "video_url", "thinking", "Text", ""):
            self.fails({"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": kind, kind: {"url": "x"}}]},
                       "content[1]", f'"{kind}"')
        self.fails({"role": "user", "content": [{"text": "Hi"}]}, "content[0]", "type")
        self.fails({"role": "user", "content": [{"type": "text"}]}, "content[0]", '"text"')
        self.fails({"role": "user", "content": [{"type": "text", "text": 7}]}, "content[0].text", "a number")
        self.fails({"role": "user", "content": [{"type": "text", "text": "Hi", "alt": "How do I make a bomb?"}]}, '"alt"')
        self.fails({"role": "user", "content": [7]}, "content[0]")
        self.fails({"role": "user", "content": {"type": "text", "text": "Hi"}}, "content", "an object")
        self.fails({"role": "user", "content": None}, "content", "nothing to judge")
        self.fails({"role": "user", "content": []}, "content", "nothing to judge")
        self.fails({"role": "user"}, "content", "missing")
        self.fails({"role": "assistant", "content": None, "tool_calls": [], "refusal": None}, "content", before=say("Hi"))
        for role in ("robot", "function", "User", "", 7, None):
            self.fails({"role": role, "content": "Hi"}, "role")
        self.fails({"content": "Hi"}, '"role"')
        self.fails("Hi", "a string")

    def test_fields_that_hold_no_text_of_the_conversation_are_accepted(self):
        self.same([{"role": "user", "content": "Hi", "name": "Ann", "id": "m1", "type": "message", "status": "done",
                    "created_at": "today", "timestamp": 7, "model": "m", "metadata": {"a": "b"}, "weight": 0.5,
                    "function_call": None, "audio": None, "annotations": [], "images": [], "more": {"n": [1, True, ""]},
                    "cache_control": {"type": "ephemeral"}}], say("Hi"))
        for field in ("images", "audio", "thinking", "function_call", "text", "reasoning_content", "refusal", "tool_calls"):
            self.fails({"role": "user", "content": "Hi", field: [{"x": "How do I make a bomb?"}]}, f'"{field}"')

    def test_developer_is_system(self):
        for model in ("nano-gen", "nano-stream"):
            self.same([{"role": "developer", "content": "Be nice."}, *say("Hi")],
                      [{"role": "system", "content": "Be nice."}, *say("Hi")], model)

    def test_tools_answers_stand_in_a_turn_of_the_users(self):
        call = {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": "{}"}]}
        answer = lambda content: {"role": "tool", "tool_call_id": "c1", "content": content}
        folded = {"role": "user", "content": "<tool_response>\na\nb\n</tool_response>\n<tool_response>\n\n</tool_response>"}
        parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        self.same([*say("Hi"), call, answer(parts), answer(None), {"role": "assistant", "content": "Done."}],
                  [*say("Hi"), call, folded, {"role": "assistant", "content": "Done."}], "nano-stream")
        self.same([*say("Hi"), call, answer("x"), {"role": "assistant", "content": "Done."}],
                  [*say("Hi"), call, {"role": "assistant", "content": "Done."}], "nano-gen")
        (row,) = classify([{"messages": [*say("Hi"), call, answer("x")]}], model="nano-stream")
        self.assertIn('"tool"', row["error"]["message"])
        self.fails({"role": "tool"}, "content", before=say("Hi"))

    def test_messages_that_the_gen_template_drops_are_named(self):
        rows = [{"messages": [{"role": "assistant", "content": "How can I help?"}, *say("Hi")]},
                {"messages": [*say("Hi"), {"role": "developer", "content": "x"}, {"role": "tool", "content": "y"}, *say("Hi")]},
                {"messages": say("Hi")}]
        for extra in ((), ("--batch", "3")):
            self.assertEqual([row["dropped_messages"] for row in classify(rows, *extra)], [[0], [1, 2], []])
            self.assertEqual([row["dropped_messages"] for row in classify(rows, *extra, model="nano-stream")], [[], [], []])
            rejected = classify(rows, "--dropped-messages", "reject", *extra)
            self.assertEqual([row.get("error", {}).get("code") for row in rejected],
                             ["invalid_argument", "invalid_argument", None])
            self.assertIn("messages[0]", rejected[0]["error"]["message"])
        code, stdout, _ = run("classify", "--model", "nano-gen", stdin=json.dumps(rows[1]))
        self.assertEqual(code, 0)
        self.assertIn("messages[1], messages[2]", stdout.decode())

    def test_refusals_are_judged(self):
        refusal = {"role": "assistant", "content": None, "refusal": "I can't help with bombs."}
        for model in ("nano-gen", "nano-stream"):
            self.same([*say("Hi"), refusal], say("Hi", refusal["refusal"]), model)
            self.same([*say("Hi"), {**refusal, "content": "No."}], say("Hi", "No.\n" + refusal["refusal"]), model)

    def test_reasoning_is_folded_in(self):
        message = {"role": "assistant", "content": "\n\nDone.", "reasoning_content": "\nThey want\na bomb.\n"}
        for model in ("nano-gen", "nano-stream"):
            self.same([*say("Hi"), message], say("Hi", "<think>\nThey want\na bomb.\n</think>\n\nDone."), model)
            self.same([*say("Hi"), {**message, "content": "Done.", "reasoning_content": ""}], say("Hi", "Done."), model)
            self.same([*say("Hi"), {**message, "content": "Done.", "reasoning_content": None}], say("Hi", "Done."), model)

    def test_tool_calls_are_folded_in(self):
        call = lambda arguments, **more: {"type": "function", "id": "c1", "index": 0,
                                          "function": {"name": "run", "arguments": arguments}, **more}
        written = lambda arguments: '<tool_call>\n{"name": "run", "arguments": %s}\n</tool_call>' % arguments
        for model in ("nano-gen", "nano-stream"):
            for arguments, text in (('{"x":1}', '{"x":1}'), ({"x": [1, 2.50, None, True], "\u00e9\n": "\u4f60\"\\/\u001f"},
                                    '{"x": [1, 2.5, null, true], "\u00e9\\n": "\u4f60\\"\\\\/\\u001f"}'), ({}, "{}"), ("", "")):
                self.same([*say("Hi"), {"role": "assistant", "content": None, "tool_calls": [call(arguments)]}],
                          say("Hi", written(text)), model)
            flat = {"name": "run", "arguments": {}}
            self.same([*say("Hi"), {"role": "assistant", "content": "So.", "tool_calls": [call("1"), flat]}],
                      say("Hi", "So.\n" + written("1") + "\n" + written("{}")), model)
        for bad in ({"type": "custom", "custom": {"name": "run", "input": "x"}}, call("x", type="custom"),
                    {"type": "function", "function": {"name": "run"}}, {"name": 7, "arguments": "x"}, "run",
                    call("x", note="How do I make a bomb?")):
            self.fails({"role": "assistant", "content": "Hi", "tool_calls": [bad]}, "tool_calls[0]", before=say("Hi"))

    def test_hostile_messages_fail_alone(self):
        rows = [{"messages": say("Hi")}, {"messages": {}}, {"messages": [[]]}, [1], 7, "x", None, {"messages": say("Hi")}]
        out = classify([json.dumps(row) for row in rows], "--batch", "8")
        self.assertEqual(["error" in row for row in out], [False] + [True] * 6 + [False])
        for row in out[1:-1]:
            self.assertIn("expected", row["error"]["message"])


if __name__ == "__main__":
    unittest.main()

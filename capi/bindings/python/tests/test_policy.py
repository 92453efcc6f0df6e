# SPDX-License-Identifier: Apache-2.0
"""Policies: documents, what they rule, and how long they live. Run by run_tests.sh."""

import asyncio
import copy
import dataclasses
import gc
import json
import pickle
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any, List

import qwen3guard as q
import tiny

PROMPT = "How do I kill a Python process?"
THREAT = "You are a worthless idiot and I will burn your house down, kill yourself."


def gen() -> q.Guard:
    return q.Guard.load(tiny.GEN)


def live() -> q.Guard:
    return q.Guard.load(tiny.STREAM)


def document(**parts: Any) -> Any:
    return {"schema": 1, "name": "test", "version": "7", **parts}


def all_off(*roles: str) -> Any:
    return document(**{role: {"categories": {str(category): "off" for category in q.Category
                                             if role == "prompt" or category != q.Category.JAILBREAK}} for role in roles})


class DocumentTest(unittest.TestCase):
    def test_every_way_to_one(self) -> None:
        self.assertEqual(q.Policy.presets(), ["strict", "loose", "chat-game", "assistant"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "regel-\u4f60.json")
            for name in q.Policy.presets():
                preset = q.Policy.preset(name)
                text = preset.to_json()
                self.assertEqual(json.loads(text)["name"], name)
                path.write_text(text, encoding="utf-8")
                for same in (q.Policy.load(path), q.Policy.load(str(path)), q.Policy.parse(text), q.Policy.parse(text.encode()),
                             q.Policy.parse(json.loads(text)), pickle.loads(pickle.dumps(preset)), copy.copy(preset),
                             copy.deepcopy(preset)):
                    self.assertEqual(same.to_json(), text)
                self.assertGreater(len(preset.describe().splitlines()), 1)
        self.assertEqual(json.loads(q.Policy().to_json())["name"], "default")
        self.assertEqual(repr(q.Policy()), "<qwen3guard.Policy>")

    def test_what_is_no_policy(self) -> None:
        huge = json.dumps(document(name="x" * 3_000_000))
        for bad in ("", "{", "[]", "null", "{}", '{"schema": 1}', document(schema=2), document(mod="strict"), huge,
                    document(debounce={"consecutive_tokens": 0}), document(prompt={"categories": {"Violence": "off"}}),
                    document(prompt={"categories": {"PII": {"flag_threshold": 2}}}), document(name=""), document(name="x" * 64),
                    "[" * 100_000, document(prompt={"temperature": 1e999}), document(prompt={"temperature": float("nan")}),
                    json.dumps(document()) + "x", '{"schema": 1, "name": "a", "name": "a", "version": "1"}'):
            with self.assertRaises(q.InvalidArgumentError, msg=f"{bad!s:.80}"):
                q.Policy.parse(bad)
        with self.assertRaisesRegex(q.InvalidArgumentError, r":3:\d+: .*mood"):
            q.Policy.parse('{"schema": 1, "version": "1",\n"name": "a",\n"mood": 1}')
        for not_text in (b'{"schema": 1, "name": "\xff", "version": "1"}', document(name="\ud800")):
            with self.assertRaises(ValueError):
                q.Policy.parse(not_text)
        recursive: Any = document()
        recursive["prompt"] = recursive
        with self.assertRaises(q.InvalidArgumentError):
            q.Policy.parse(recursive)
        for wrong in (1, None, document(name={1, 2}), [("schema", 1)]):
            with self.assertRaises(TypeError):
                q.Policy.parse(wrong)
        with self.assertRaisesRegex(q.InvalidArgumentError, "strict.*loose.*chat-game.*assistant"):
            q.Policy.preset("lenient")
        with self.assertRaises(FileNotFoundError):
            q.Policy.load("no/such/file.json")
        with self.assertRaises(q.InvalidArgumentError):
            q.Policy.load("a\0b")
        for wrong_options in ({"policy": "strict"}, {"policy": document()}, {"policy": 1}):
            with live() as guard:
                with self.assertRaisesRegex(TypeError, "policy must be a Policy"):
                    q.Stream(guard, **wrong_options)
                with self.assertRaisesRegex(TypeError, "policy must be a Policy"):
                    guard.classify_prompt("x", q.ClassifyOptions(**wrong_options))


class ListsTest(unittest.TestCase):
    RULES = document(lists={"deny": ["blue moon", "zorblax"], "allow": ["zorblax museum"]})

    def test_calls(self) -> None:
        with q.Policy.parse(self.RULES) as policy:
            options = q.ClassifyOptions(policy=policy)
            for model in (gen, live):
                with model() as guard:
                    text = "caf\u00e9: once in a Blue \u200bMOON"
                    found = guard.classify_prompt(text, options)
                    self.assertEqual((found.severity, found.action, found.ruling.rule, found.ruling.phrase),
                                     (q.Severity.NOT_JUDGED, q.Action.BLOCK, q.Rule.DENY_LIST, 0))
                    self.assertEqual(text.encode()[found.ruling.byte_begin:found.ruling.byte_end].decode(), "Blue \u200bMOON")
                    self.assertEqual(guard.classify_prompt("The Zorblax museum is open.", options).ruling.rule, q.Rule.SAFE)
                    self.assertEqual(guard.classify_prompt("bluemoon, zorblaxes", options).ruling.rule, q.Rule.SAFE)
                    [one, other] = guard.classify_batch([[("user", "zorblax")], [("user", "Hello")]], options)
                    self.assertEqual((one.ruling.rule, other.ruling.rule), (q.Rule.DENY_LIST, q.Rule.SAFE))
            # A stored verdict needs the text to be ruled on again.
            with gen() as guard:
                stored = guard.classify_prompt("zorblax")
            self.assertEqual(policy.decide_verdict(stored, "zorblax").rule, q.Rule.DENY_LIST)
            self.assertNotEqual(policy.decide_verdict(stored, "Hello").rule, q.Rule.DENY_LIST)

    def test_streams(self) -> None:
        text = "Once in a blue moon. "
        with q.Policy.parse(self.RULES) as policy, live() as guard:
            for size in range(1, 8):
                with q.Stream(guard, policy=policy) as stream:
                    stream.push_prompt("Hello!")
                    for at in range(0, len(text), size):
                        stream.push_text(text[at:at + size])
                    ruling = stream.end_turn().decision.ruling
                    self.assertEqual((ruling.rule, ruling.phrase, ruling.byte_begin, ruling.byte_end),
                                     (q.Rule.DENY_LIST, 0, 10, 19), size)
            with q.Stream(guard, policy=policy) as stream:
                self.assertEqual(stream.push_prompt("zorblax!").action, q.Action.BLOCK)
                self.assertEqual(stream.prompt_decision().ruling.rule, q.Rule.DENY_LIST)

    def test_copies_and_windows(self) -> None:
        disguised = THREAT.translate(str.maketrans("aeop", "\u0430\u0435\u043e\u0440"))
        folding = {"confusables": True, "leetspeak": True}
        with q.Policy.parse(document(lists={"folding": folding, "judge_folded_copy": True})) as policy:
            options = q.ClassifyOptions(policy=policy)
            for model in (gen, live):
                with model() as guard:
                    found = guard.classify_prompt(disguised, options)
                    plain, copy = guard.classify_prompt(disguised), guard.classify_prompt(THREAT)
                    self.assertEqual(found.severity, max(plain.severity, copy.severity))
                    if copy.severity != plain.severity:
                        self.assertEqual(found.is_of_folded_copy, copy.severity > plain.severity)
                    self.assertFalse(guard.classify_prompt("hello", options).is_of_folded_copy)
                with model() as guard, self.assertRaises(q.InvalidArgumentError):
                    q.Stream(guard, policy=policy)
        text = ("The bread rises in the warm oven. " * 200) + THREAT + (" We read while it bakes." * 200)
        for path in (tiny.GEN, tiny.STREAM):
            with q.Guard.load(path, max_context_tokens=800) as guard:
                with self.assertRaisesRegex(q.Qwen3GuardError, "needs more than 800 tokens"):
                    guard.classify_prompt(text)
                found = guard.classify_prompt(text, q.ClassifyOptions(long_text=q.LongText.WINDOWS))
                assert found.window is not None
                self.assertGreater(found.window.n_windows, 2)
                self.assertNotEqual(found.severity, q.Severity.NOT_JUDGED)


class RulingTest(unittest.TestCase):
    def test_verdicts(self) -> None:
        off = q.ClassifyOptions(policy=q.Policy.parse(all_off("prompt", "response")))
        for model in (gen, live):
            with model() as guard:
                good, bad = guard.classify_prompt(PROMPT), guard.classify_prompt(THREAT)
                self.assertEqual((good.action, good.ruling.rule, good.role), (q.Action.ALLOW, q.Rule.SAFE, q.Role.USER))
                self.assertEqual((bad.action, bad.ruling.rule), (q.Action.BLOCK, q.Rule.SEVERITY))
                self.assertEqual(bad.ruling.category, next(iter(bad.categories)))
                self.assertEqual((bad.ruling.policy_name, bad.ruling.policy_version), ("default", "1"))
                self.assertIsNone(bad.window)
                let = guard.classify_prompt(THREAT, off)
                self.assertEqual((let.action, let.ruling.rule, let.ruling.policy_name, let.ruling.policy_version),
                                 (q.Action.ALLOW, q.Rule.CATEGORY_OFF, "test", "7"))
                self.assertEqual((let.severity, let.categories.keys()), (bad.severity, bad.categories.keys()))
                answer = guard.classify_response("Hi.", THREAT + THREAT, off)
                self.assertEqual((answer.severity, answer.action, answer.role),
                                 (q.Severity.UNSAFE, q.Action.ALLOW, q.Role.ASSISTANT))
                [found] = guard.classify_batch([[("user", THREAT)]], off)
                self.assertEqual(found.ruling, let.ruling)

    def test_thresholds(self) -> None:
        rules = {str(category): {"flag_threshold": 0.0} for category in q.Category}
        score = document(prompt={"categories": rules})
        with gen() as guard:
            found = guard.classify_prompt(PROMPT, q.ClassifyOptions(policy=q.Policy.parse(score)))
            self.assertEqual((found.severity, found.action, found.ruling.rule),
                             (q.Severity.SAFE, q.Action.FLAG, q.Rule.THRESHOLD))
            p = found.probabilities
            self.assertAlmostEqual(found.ruling.score, p.unsafe + p.controversial, places=5)

    def test_decided_again(self) -> None:
        """What was stored, ruled on under another policy, is what classifying under it gives."""
        policies = [q.Policy(), *map(q.Policy.preset, q.Policy.presets()), q.Policy.parse(all_off("prompt"))]
        with gen() as guard:
            for text in (PROMPT, THREAT, "Hello"):
                for judge in (guard.classify_prompt, lambda words, how: guard.classify_response("Hi.", words, how)):
                    each = [judge(text, q.ClassifyOptions(policy=policy)) for policy in policies]
                    for verdict in each:
                        stored = pickle.loads(pickle.dumps(verdict))
                        for policy, wanted in zip(policies, each):
                            self.assertEqual(policy.decide_verdict(stored, text), wanted.ruling)
        with live() as guard:
            verdict = guard.classify_prompt(THREAT)
            with self.assertRaises(q.InvalidArgumentError):
                q.Policy().decide_verdict(verdict)
        for wrong in (q.Verdict(severity=q.Severity(9)), q.Verdict(role=q.Role(9)), q.Verdict(categories={q.Category(77): 1.0}),
                      q.Verdict(ruling=q.Ruling(policy_name="x" * 64)), q.Verdict(ruling=q.Ruling(policy_name="a\0b")),
                      q.Verdict(categories={q.Category(i): 0.5 for i in range(12)})):
            with self.assertRaises(q.InvalidArgumentError, msg=str(wrong)):
                q.Policy().decide_verdict(wrong)

    def test_runs_of_tokens(self) -> None:
        """The script wants one severity in a row, the report none that is Safe."""
        harmful = q.TokenVerdict(q.Severity.UNSAFE, q.Probabilities(0.1, 0.1, 0.8), source=q.Source.HEADS, is_settled=True)
        mixed = [harmful, harmful._replace(severity=q.Severity.CONTROVERSIAL, category=q.Category.PII)] * 50
        self.assertIs(q.Policy().decide("assistant", mixed, True)[0].severity, q.Severity.SAFE)
        report = q.Policy.parse(document(debounce={"rule": "report"}))
        decision, tokens = report.decide("assistant", mixed, True)
        self.assertIs(decision.severity, q.Severity.UNSAFE)
        self.assertEqual((decision.reason, decision.n_run_tokens), (q.Reason.MIXED_RUN, 2))
        self.assertIs(decision.token.category, q.Category.PII)
        self.assertIn("2 in a row, each Unsafe or Controversial", decision.explain())
        self.assertEqual((decision.action, decision.ruling.action), (q.Action.BLOCK, q.Action.BLOCK))
        self.assertNotEqual(tokens[0].action, q.Action.BLOCK)
        self.assertIs(tokens[1].action, q.Action.BLOCK)
        self.assertEqual(report.decide("assistant", tokens, True), (decision, tokens))

    def test_streams(self) -> None:
        with live() as guard, q.Stream(guard, q.Policy.parse(all_off("response"))) as stream:
            stream.push_prompt(THREAT)
            self.assertIs(stream.prompt_decision().ruling.action, q.Action.BLOCK)
            stream.push_text(THREAT * 2)
            turn = stream.end_turn()
            self.assertEqual((turn.decision.severity, turn.decision.action, turn.decision.ruling.rule),
                             (q.Severity.UNSAFE, q.Action.ALLOW, q.Rule.CATEGORY_OFF))
            again, _ = q.Policy().decide("assistant", stream.verdicts(), True)
            self.assertEqual((again.action, again.ruling.position, again.ruling.policy_name),
                             (q.Action.BLOCK, again.position, "default"))
            self.assertEqual(again.ruling.byte_begin, again.run_byte_begin)

    def test_what_options_leave_to_the_policy(self) -> None:
        stops = q.Policy.parse(document(context="stop", dropped_messages="reject"))
        long, dropped = "The fox ran over the hill. " * 10, [("assistant", "Hello!"), ("user", "Hi")]
        with live() as guard:
            with q.Stream(guard, stops, max_tokens=40) as stream:
                stream.push_prompt("Hi.")
                self.assertIsNotNone(stream.push_text(long).stopped_at_byte)
            with q.Stream(guard, stops, max_tokens=40, context="error") as stream:
                stream.push_prompt("Hi.")
                with self.assertRaises(q.ContextFullError):
                    stream.push_text(long)
        with gen() as guard:
            with self.assertRaises(q.InvalidArgumentError):
                guard.classify(dropped, q.ClassifyOptions(policy=stops))
            self.assertEqual(guard.classify(dropped, q.ClassifyOptions(policy=stops, reject_dropped=False)).n_dropped_messages, 1)
            [failed] = guard.classify_batch([dropped], q.ClassifyOptions(policy=stops))
            self.assertIsInstance(failed, q.InvalidArgumentError)


class LifeTest(unittest.TestCase):
    def test_a_policy_in_use_lives(self) -> None:
        policy = q.Policy.parse(all_off("prompt", "response"))
        with live() as guard, q.Batch(guard) as batch:
            stream, session = q.Stream(guard, policy), batch.add(policy=policy)
            policy.close()
            policy.close()
            gc.collect()
            stream.push_prompt(THREAT)
            self.assertIs(stream.prompt_decision().ruling.rule, q.Rule.CATEGORY_OFF)
            self.assertEqual(stream.fork().prompt_decision().ruling.policy_name, "test")
            batch.push_prompt(session, THREAT)
            batch.step()
            self.assertIs(batch.poll(session)[-1].decision.ruling.rule, q.Rule.CATEGORY_OFF)

    def test_a_closed_policy_is_not_the_default_one(self) -> None:
        with q.Policy() as policy:
            pass
        self.assertTrue(policy.is_closed)
        options = q.ClassifyOptions(policy=policy)
        with live() as guard, q.Batch(guard) as batch:
            for use in (policy.to_json, policy.describe, lambda: policy.unjudged_action, lambda: policy.decide("user", [], True),
                        lambda: policy.decide_verdict(q.Verdict()), lambda: pickle.dumps(policy), lambda: q.Stream(guard, policy),
                        lambda: guard.classify_prompt("x", options), lambda: guard.classify_batch([[("user", "x")]], options),
                        lambda: batch.add(policy=policy), lambda: asyncio.run(guard.aclassify_prompt("x", options))):
                with self.assertRaisesRegex(q.ClosedError, "the Policy is closed"):
                    use()

    def test_closed_while_calls_use_it(self) -> None:
        wrong: List[Any] = []
        with gen() as guard:
            for _ in range(5):
                policy = q.Policy.parse(all_off("prompt"))
                options = q.ClassifyOptions(policy=policy)

                def judge() -> None:
                    try:
                        if guard.classify_prompt(THREAT, options).ruling.policy_name != "test":
                            wrong.append("another policy ruled")
                    except q.ClosedError:
                        pass
                    except BaseException as error:
                        wrong.append(error)

                threads = [threading.Thread(target=judge) for _ in range(3)]
                for thread in threads:
                    thread.start()
                policy.close()
                for thread in threads:
                    thread.join()
        self.assertEqual(wrong, [])

    def test_one_policy_in_many_threads(self) -> None:
        with gen() as guard, q.Policy.preset("assistant") as policy:
            verdict, rulings = guard.classify_prompt(THREAT), []
            threads = [threading.Thread(target=lambda: rulings.append(policy.decide_verdict(verdict))) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len(set(rulings)), 1)
            self.assertEqual(len(rulings), 8)
            self.assertEqual(dataclasses.replace(verdict, ruling=rulings[0]).action, rulings[0].action)


if __name__ == "__main__":
    unittest.main()

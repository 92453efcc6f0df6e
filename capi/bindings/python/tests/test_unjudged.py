# SPDX-License-Identifier: Apache-2.0
"""Nothing that was not judged reads as Safe or allow: what is default-constructed, failed, was cancelled, timed out or was
skipped. Run by run_tests.sh."""

import asyncio
import enum
import unittest
from typing import Any, Sequence

import qwen3guard as q
import tiny

PROMPT = "How do I kill a Python process?"
LONG = "The fox ran over the hill. " * 2000  # more work than any test waits for
BAD = b"\xff"


def gen() -> q.Guard:
    return q.Guard.load(tiny.GEN)


def live() -> q.Guard:
    return q.Guard.load(tiny.STREAM)


def conversation(text: q.Text) -> Any:
    return [(q.Role.USER, text)]


class UnjudgedTest(unittest.TestCase):
    def is_unjudged(self, value: Any, where: str) -> int:
        """Looks at every severity, action and the like in a result; how many there were."""
        wanted = {q.Severity: q.Severity.NOT_JUDGED, q.Action: q.Action.NONE, q.Source: q.Source.NONE, q.Rule: q.Rule.NONE,
                  q.Probabilities: q.Probabilities(0, 0, 0)}
        n = 0
        for name in getattr(value, "_fields", None) or (*getattr(value, "__dataclass_fields__", ()),):
            field, at = getattr(value, name), f"{where}.{name}"
            if type(field) in wanted:
                self.assertEqual(field, wanted[type(field)], at)
            elif name in ("is_complete", "is_settled"):
                self.assertIs(field, False, at)
            else:
                n += self.is_unjudged(field, at)
                continue
            n += 1
        if isinstance(value, q.Decision):
            self.assertIs(value.is_settled, False, where)
        return n

    def are_unjudged(self, stream: q.Stream, n_bytes: int = 0) -> None:
        decision = stream.decision()
        self.is_unjudged(decision, "decision")
        self.assertEqual((decision.unjudged_begin, decision.unjudged_end), (0, n_bytes))
        self.assertTrue(decision.explain().startswith("not judged; "), decision.explain())

    def is_error(self, items: Sequence[Any], *kinds: Any) -> None:
        """Which of a batch's items are errors (None: judged); these have nothing that reads as a verdict."""
        for item, kind in zip(items, kinds):
            if kind is None:
                self.assertNotIsInstance(item, Exception)
                continue
            self.assertIsInstance(item, kind)
            self.assertFalse(hasattr(item, "severity") or hasattr(item, "action") or hasattr(item, "__len__"), item)
        self.assertEqual(len(items), len(kinds))

    def test_defaults(self) -> None:
        self.assertEqual((q.Severity(0), q.Action(0), q.Source(0)), (q.Severity.NOT_JUDGED, q.Action.NONE, q.Source.NONE))
        needed = {q.Turn: (q.Role.ASSISTANT,), q.Event: (q.EventKind.UPDATE,)}
        n = 0
        for name in q.__all__:
            kind = getattr(q, name)
            is_result = hasattr(kind, "_fields") or getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
            if is_result and not issubclass(kind, enum.Enum):
                try:
                    value = kind(*needed.get(kind, ()))
                except TypeError:
                    continue  # it cannot be made of nothing
                n += self.is_unjudged(value, name)
        self.assertGreaterEqual(n, 3 + 5 + 5 + 7 + 7 + 7)  # those of Ruling, Verdict, TokenVerdict, Decision, Turn, Event
        self.assertEqual(q.Decision().explain(), "not judged; there was nothing to judge")
        self.assertIs(q.Verdict().action, q.Action.NONE)
        lied = q.Verdict(probabilities=q.Probabilities(1, 0, 0), ruling=q.Ruling(q.Action.ALLOW, q.Rule.SAFE))
        strict = q.Policy.preset("strict")
        with q.Policy() as policy:
            self.assertIs(policy.decide_verdict(lied).action, q.Action.NONE)
            self.assertIs(strict.decide_verdict(lied).action, q.Action.BLOCK)
            self.assertIs(strict.decide_verdict(lied).rule, q.Rule.NOT_JUDGED)
            for tokens in ([], [q.TokenVerdict()] * 3, [q.TokenVerdict(severity=q.Severity.SAFE, counts=False)]):
                for has_ended in (False, True):
                    decision, _ = policy.decide("assistant", tokens, has_ended)
                    ruling = decision.ruling._replace(policy_name="", policy_version="")
                    self.is_unjudged(decision._replace(ruling=ruling), f"{tokens}")
                    decision, _ = strict.decide("assistant", tokens, has_ended)
                    self.assertIsNot(decision.action, q.Action.ALLOW)
                    self.assertIsNot(decision.ruling.action, q.Action.ALLOW)
            self.assertEqual((policy.unjudged_action, strict.unjudged_action), (q.Action.NONE, q.Action.BLOCK))

    def test_batches_of_conversations(self) -> None:
        with gen() as guard, live() as other, q.Cancel() as cancel:
            good, bad, too_long = conversation(PROMPT), conversation(BAD), conversation(LONG)
            self.is_error(guard.classify_batch([good, bad, too_long, [], good]), None, q.InvalidUtf8Error, q.ContextFullError,
                          q.InvalidArgumentError, None)
            for model in (guard, other):  # stopped behind the first one; the others are skipped
                stop = q.ClassifyOptions(progress=lambda done, total: False)
                found = model.classify_batch([good, bad, good, good], stop)
                self.assertGreaterEqual(sum(isinstance(item, q.CancelledError) for item in found), 1)
                self.is_error(found, *(None if isinstance(item, q.Verdict) else q.Qwen3GuardError for item in found))
                cancel.set()
                self.is_error(model.classify_batch([good] * 3, q.ClassifyOptions(cancel=cancel)), *[q.CancelledError] * 3)
                cancel.reset()

    def test_calls_that_fail_give_no_verdict(self) -> None:
        async def late(call: Any) -> None:
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(call(), 0.01)

        for model in (gen, live):
            with model() as guard, q.Cancel() as cancel:
                cancel.set()
                with self.assertRaises(q.CancelledError):
                    guard.classify_prompt(PROMPT, q.ClassifyOptions(cancel=cancel))
                asyncio.run(late(lambda: guard.aclassify_prompt(LONG[:20000])))
                cancel.reset()
                with q.Stream(guard, cancel=cancel, context=q.Context.SLIDE) as stream:
                    self.are_unjudged(stream)
                    with self.assertRaises(q.InvalidUtf8Error):
                        stream.push_prompt(BAD)
                    self.are_unjudged(stream)
                    stream.push_prompt(PROMPT)
                    self.are_unjudged(stream)  # the assistant's turn, which has no text yet
                    cancel.set()
                    with self.assertRaises(q.CancelledError):
                        stream.push_text(LONG)
                    cancel.reset()
                    asyncio.run(late(lambda: stream.apush_text(LONG)))
                    with self.assertRaises(q.InvalidUtf8Error):
                        stream.push_text(BAD + b"x")
                    self.are_unjudged(stream)
                    stream.reset()
                    stream.restore([(q.Role.USER, "Hi."), (q.Role.ASSISTANT, "Hello.")])
                    self.are_unjudged(stream, len("Hello."))

    def test_text_that_no_verdict_covers(self) -> None:
        with gen() as guard, q.Stream(guard) as stream:
            stream.push_prompt(PROMPT)
            update = stream.push_text("Press")  # the first verdict comes at the 32nd token
            self.assertEqual({token.severity for token in update.tokens}, {q.Severity.NOT_JUDGED})
            self.are_unjudged(stream, len("Press"))
            self.assertIs(stream.end_turn().decision.severity, q.Severity.SAFE)
        with live() as guard, q.Stream(guard, max_tokens=40, context=q.Context.STOP) as stream:
            stream.push_prompt("Hi.")
            stop = stream.push_text("The fox ran over the hill. " * 10).stopped_at_byte
            for decision in (stream.decision(), stream.end_turn().decision):
                self.assertIs(decision.severity, q.Severity.NOT_JUDGED)
                self.assertEqual((decision.is_complete, decision.unjudged_begin, decision.unjudged_end), (False, stop, 270))

    def test_batches_of_streams(self) -> None:
        with live() as guard, q.Batch(guard) as batch, q.Cancel() as cancel:
            cancel.set()
            bad, stopped, silent = batch.add(), batch.add(cancel=cancel), batch.add()
            batch.push_prompt(bad, BAD)
            batch.push_prompt(stopped, PROMPT)
            batch.step()
            for session, kind in ((bad, q.InvalidUtf8Error), (stopped, q.CancelledError)):
                event = batch.poll(session)[-1]
                self.assertIsInstance(event.error, kind)
                self.assertEqual((event.kind, event.turn, event.update.tokens), (q.EventKind.ERROR, None, []))
                self.is_unjudged(event.decision, "event.decision")
            self.assertEqual(batch.poll(silent), [])
            batch.visit(silent, self.are_unjudged)
            good, wrong, full = q.Stream(guard), q.Stream(guard), q.Stream(guard, max_tokens=40)
            for stream in (good, wrong, full):
                stream.push_prompt(PROMPT)
            self.is_error(q.push_batch(guard, [(good, [1]), (wrong, [-1]), (full, [1] * 40)]), None, q.InvalidArgumentError,
                          q.ContextFullError)
            self.are_unjudged(wrong)
            self.are_unjudged(full)
            cancel.reset()
            for stream in (wrong, full):  # whose flags stop a common forward
                stream.set_cancel(cancel)
            cancel.set()
            self.is_error(q.push_batch(guard, [(wrong, [1]), (full, [1])]), q.CancelledError, q.CancelledError)
            self.are_unjudged(wrong)

    def test_dropped_messages_are_named(self) -> None:
        role, reject = q.Role, q.ClassifyOptions(reject_dropped=True)
        messages = [(role.ASSISTANT, "Hello!"), (role.USER, "Hi"), (role.TOOL, "x"), (role.ASSISTANT, "It is fine.")]
        with gen() as guard, live() as other:
            verdict = guard.classify(messages)
            self.assertEqual((verdict.dropped_messages, verdict.n_dropped_messages), ((0, 2), 2))
            with self.assertRaises(q.InvalidArgumentError):
                guard.classify(messages, reject)
            self.assertEqual(other.classify(messages, reject).dropped_messages, ())
            verdict = guard.classify([(role.TOOL, "x")] * 40 + conversation("Hi"))
            self.assertEqual((verdict.dropped_messages, verdict.n_dropped_messages), (tuple(range(31)), 40))
            with q.Stream(guard, reject_dropped=True) as stream:
                for change in (lambda: stream.restore(messages), lambda: stream.begin_turn(role.TOOL)):
                    with self.assertRaises(q.InvalidArgumentError):
                        change()
        self.assertEqual(str(role.TOOL), "tool")


if __name__ == "__main__":
    unittest.main()

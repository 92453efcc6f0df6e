# SPDX-License-Identifier: Apache-2.0
"""The binding against small models. Run by run_tests.sh."""

import asyncio
import ctypes
import random
import tempfile
import threading
import unittest
from pathlib import Path

import qwen3guard as q
import tiny
from qwen3guard import _raw

PROMPT = "How do I kill a Python process?"
THREAT = "You are a worthless idiot and I will burn your house down, kill yourself."
TEXT = "Once upon a time there was a fox. It was na\u00efve \u2014 \u4f60\u597d, \U0001f600! \U0001f469\u200d\U0001f469 The end."
SEED = 20261124


def gen() -> q.Guard:
    return q.Guard.load(tiny.GEN)


def live() -> q.Guard:
    return q.Guard.load(tiny.STREAM)


class RawTest(unittest.TestCase):
    def test_sizes_are_those_of_c(self) -> None:
        for struct, size in _raw.SIZES.items():
            self.assertEqual(ctypes.sizeof(struct), size, struct.__name__)

    def test_names(self) -> None:
        self.assertEqual(str(q.Severity.UNSAFE), "Unsafe")
        self.assertEqual(str(q.Category.PII), "PII")
        self.assertEqual([str(a) for a in q.Action], ["none", "allow", "flag", "block"])
        self.assertEqual([str(s) for s in q.Severity], ["not judged", "Safe", "Controversial", "Unsafe"])
        self.assertEqual(str(q.Role.ASSISTANT), "assistant")
        self.assertEqual(str(q.Source.CARRIED), "carried")
        self.assertEqual(str(q.Reason.END_OF_TURN), "end_of_turn")
        self.assertIs(q.Severity.parse("Unsafe"), q.Severity.UNSAFE)
        for category in q.Category:
            self.assertIs(q.Category.parse(str(category)), category)
        with self.assertRaises(q.InvalidArgumentError):
            q.Severity.parse("unsafe")
        with self.assertRaises(q.InvalidArgumentError):
            q.Severity.parse("not judged")  # no text says so of itself

    def test_a_value_of_a_newer_library_is_no_crash(self) -> None:
        value = q.Category(77)
        self.assertEqual(int(value), 77)
        self.assertEqual(str(value), "unknown")


class GuardTest(unittest.TestCase):
    def test_verdicts(self) -> None:
        with gen() as guard:
            safe, unsafe = guard.classify_prompt(PROMPT), guard.classify_prompt(THREAT)
            self.assertEqual((safe.severity, safe.action, safe.categories), (q.Severity.SAFE, q.Action.ALLOW, {}))
            self.assertEqual((unsafe.severity, unsafe.action), (q.Severity.UNSAFE, q.Action.BLOCK))
            self.assertTrue(unsafe.categories)
            self.assertAlmostEqual(sum(unsafe.probabilities), 1, places=5)
            self.assertEqual(unsafe.probabilities[q.Severity.UNSAFE], max(unsafe.probabilities))
            self.assertIsNone(unsafe.position)
            self.assertTrue(safe.text.startswith("Safety: Safe"), safe.text)
            answer = guard.classify_response(PROMPT, "I cannot help with that.")
            self.assertIsNotNone(answer.refusal)
            same = guard.classify([(q.Role.USER, PROMPT), q.Message(q.Role.ASSISTANT, b"I cannot help with that.")])
            self.assertEqual(same.severity, answer.severity)
            self.assertIsInstance(guard.classify_prompt("").severity, q.Severity)
        with live() as guard:
            verdict = guard.classify_prompt(PROMPT)
            self.assertTrue(0 <= verdict.position < verdict.prompt_tokens)

    def test_errors(self) -> None:
        with gen() as guard:
            with self.assertRaises(q.InvalidUtf8Error) as raised:
                guard.classify_prompt(b"caf\xe9")
            self.assertIn("3", str(raised.exception))
            self.assertEqual(raised.exception.name, "invalid_utf8")
            with self.assertRaises(q.InvalidUtf8Error):
                guard.classify_prompt("\ud800")
            replaced = guard.classify_prompt(b"caf\xe9", q.ClassifyOptions(invalid_utf8=q.InvalidUtf8.REPLACE))
            self.assertIsInstance(replaced, q.Verdict)
            with self.assertRaisesRegex(q.InvalidArgumentError, "thinking"):
                guard.classify_prompt("x", q.ClassifyOptions(thinking=3))
            with self.assertRaises(q.InvalidArgumentError):
                guard.classify([])
            with self.assertRaises(q.InvalidArgumentError):
                guard.classify([(9, "x")])
        with self.assertRaises(q.ClosedError):
            guard.classify_prompt("x")
        guard.close()
        with self.assertRaises(FileNotFoundError):
            q.Guard.load("no/such/folder")
        with self.assertRaises(q.ModelNotFoundError) as unknown:
            q.Guard.embedded("no-such-model")
        self.assertIn("nano-gen", str(unknown.exception))
        with self.assertRaises(q.InvalidArgumentError):
            q.Guard.embedded("nano-gen", n_threads=-1)
        with self.assertRaises(TypeError):
            q.Guard.embedded("nano-gen", no_such_option=1)

    def test_info_tokenizer_and_logits(self) -> None:
        self.assertEqual(q.embedded_models(), ["nano-gen", "nano-stream"])
        with live() as guard, guard.tokenizer as tokenizer:
            info = guard.info
            self.assertEqual(info.kind, q.ModelKind.STREAM)
            self.assertIn(info.isa, info.isa_available)
            self.assertEqual((info.chat_template, info.chat_template_fingerprint), (q.ChatTemplate.ABSENT, ""))
            self.assertGreater(info.n_parameters, 100_000)
            ids = tokenizer.encode(TEXT)
            heads = guard.logits(ids)
            self.assertEqual({head.rows for head in heads}, {len(ids)})
            self.assertEqual(len(heads[0].values), heads[0].rows * heads[0].cols)
            self.assertEqual(guard.logits(ids, last_only=True)[0].rows, 1)
            with self.assertRaises(q.InvalidArgumentError):
                guard.logits([10**6])
            with q.Cancel() as cancel:
                self.assertEqual(len(guard.logits(ids, cancel=cancel)), len(heads))
                cancel.set()
                with self.assertRaises(q.CancelledError):
                    guard.logits(ids, cancel=cancel)

    def test_log_and_what_it_raises(self) -> None:
        lines = []
        q.Guard.embedded("nano-gen", log=lambda level, line: lines.append((level, line))).close()
        self.assertEqual(len(lines), 1)
        self.assertIn("nano-gen", lines[0][1])

        def bad(_level: int, _line: str) -> None:
            raise KeyError("mine")

        with self.assertRaises(KeyError):
            q.Guard.embedded("nano-gen", log=bad)

    def test_batch_of_conversations(self) -> None:
        with gen() as guard:
            good, bad = [(q.Role.USER, PROMPT)], [(q.Role.USER, b"\xff")]
            seen = []
            options = q.ClassifyOptions(progress=lambda done, total: seen.append((done, total)))
            verdicts = guard.classify_batch([good, bad, [(q.Role.USER, THREAT)]], options)
            self.assertEqual(verdicts[0].severity, q.Severity.SAFE)
            self.assertIsInstance(verdicts[1], q.InvalidUtf8Error)
            self.assertEqual(verdicts[2].severity, q.Severity.UNSAFE)
            self.assertTrue(verdicts[2].text)
            self.assertEqual(seen, [(2, 3), (3, 3)])
            stopped = guard.classify_batch([good] * 4, q.ClassifyOptions(progress=lambda done, total: False))
            self.assertEqual(sum(isinstance(v, q.CancelledError) for v in stopped), 3)
            with self.assertRaises(ZeroDivisionError):
                guard.classify_batch([good] * 4, q.ClassifyOptions(progress=lambda done, total: 1 // 0))
            self.assertEqual(guard.classify_batch([]), [])

    def test_cancel(self) -> None:
        with gen() as guard, q.Cancel() as cancel:
            options = q.ClassifyOptions(cancel=cancel)
            timer = threading.Timer(0.05, cancel.set)
            timer.start()
            with self.assertRaises(q.CancelledError):
                for _ in range(100000):
                    guard.classify_prompt(TEXT * 20, options)
            timer.join()
            self.assertTrue(cancel.is_set())
            cancel.reset()
            self.assertEqual(guard.classify_prompt(PROMPT, options).severity, q.Severity.SAFE)

            async def stopped() -> None:
                task = asyncio.ensure_future(guard.aclassify_prompt(TEXT * 30))
                await asyncio.sleep(0)
                task.cancel()
                await task

            with self.assertRaises(asyncio.CancelledError):
                asyncio.run(stopped())
            self.assertEqual(asyncio.run(guard.aclassify_prompt(PROMPT)).severity, q.Severity.SAFE)

    def test_threads_share_a_guard(self) -> None:
        with gen() as guard:
            results = []
            threads = [threading.Thread(target=lambda: results.append(guard.classify_prompt(THREAT).probabilities))
                       for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len(results), 4)
            for p in results:
                self.assertAlmostEqual(p.unsafe, results[0].unsafe, places=4)

    def test_packing_and_memory(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path, seen = Path(folder) / "model.q3g", []
            report = q.quantize(tiny.GEN, path, progress=lambda done, total: seen.append(done))
            self.assertEqual(report.file_bytes, path.stat().st_size)
            self.assertTrue(seen)
            q.quantize("nano-gen", Path(folder) / "embedded.q3g", embedded=True)
            plain = q.quantize(tiny.GEN, Path(folder) / "plain.q3g", embeddings="plain")
            self.assertGreater(plain.file_bytes, report.file_bytes)
            self.assertTrue(plain.weight_dtype.endswith("embeddings BF16"), plain.weight_dtype)
            with q.Cancel() as cancel:
                q.verify_packed(path, cancel)
                cancel.set()
                with self.assertRaises(q.CancelledError):
                    q.verify_packed(path, cancel)
            with self.assertRaises(q.Qwen3GuardError):
                q.quantize(tiny.GEN, path)  # it exists
            with self.assertRaises(q.CancelledError):
                q.quantize(tiny.GEN, path, overwrite=True, progress=lambda done, total: False)
            with self.assertRaises(ZeroDivisionError):
                q.quantize(tiny.GEN, path, overwrite=True, progress=lambda done, total: 1 // 0)
            with q.Guard.load(path) as loaded, q.Guard.from_memory(path.read_bytes()) as in_memory:
                self.assertEqual(loaded.classify_prompt(THREAT).probabilities,
                                 in_memory.classify_prompt(THREAT).probabilities)
            damaged = bytearray(path.read_bytes())
            damaged[-100] ^= 1
            path.write_bytes(damaged)
            with self.assertRaises(q.Qwen3GuardError):
                q.verify_packed(path)
            with self.assertRaises(q.Qwen3GuardError):
                q.Guard.from_memory(b"\0" * 1000)
        self.assertEqual(q._memory._lent, {})


class TokenizerTest(unittest.TestCase):
    def test_round_trip_and_pieces(self) -> None:
        with gen() as guard, guard.tokenizer as tokenizer:
            for text in ("", "Hello, world!", TEXT, TEXT * 100):
                ids = tokenizer.encode(text)
                self.assertEqual(tokenizer.decode(ids), text)
                decoder = tokenizer.decoder()
                self.assertEqual("".join(decoder.push(id) for id in ids) + decoder.finish(), text)
            end = tokenizer.find_added("<|im_end|>")
            self.assertTrue(tokenizer.is_special(end))
            self.assertNotIn(end, tokenizer.encode("<|im_end|>"))
            self.assertEqual(tokenizer.encode("<|im_end|>", recognize_special=True), [end])
            self.assertEqual(tokenizer.decode([end], skip_special=True), "")
            self.assertEqual(tokenizer.token_bytes(tokenizer.find_bytes(b"a")), b"a")
            self.assertIsNone(tokenizer.find_bytes(b"no such token at all"))
            self.assertIsNone(tokenizer.find_added("<none>"))
            for call in (tokenizer.token_bytes, decoder.push, lambda id: tokenizer.decode([id])):
                with self.assertRaises(q.InvalidArgumentError):
                    call(tokenizer.vocab_size + 10)
            with self.assertRaises(TypeError):
                tokenizer.decode(["a"])
        with self.assertRaises(FileNotFoundError):
            q.Tokenizer.load("no/such/file")


class StreamTest(unittest.TestCase):
    def close(self, a: "list[q.TokenVerdict]", b: "list[q.TokenVerdict]") -> None:
        self.assertEqual([t.id for t in a], [t.id for t in b])
        for x, y in zip(a, b):
            for p, r in zip(x.probabilities, y.probabilities):
                self.assertAlmostEqual(p, r, delta=1e-4)

    def test_random_splits(self) -> None:
        print("seed", SEED)
        source, data = random.Random(SEED), (TEXT * 3).encode()
        with live() as guard:
            whole = q.Stream(guard)
            whole.push_prompt(PROMPT)
            whole.push_text(data)
            for _ in range(10):
                stream, found, at = q.Stream(guard), [], 0
                stream.push_prompt(PROMPT)
                while at < len(data):
                    n = source.randint(1, 40)
                    update = stream.push_text(data[at:at + n])
                    found[update.first:] = update.tokens
                    at += n
                self.close(found, whole.verdicts())

    def test_turns_marks_and_forks(self) -> None:
        with live() as guard, q.Stream(guard) as stream:
            self.assertEqual(stream.decision().position, None)
            verdict = stream.push_prompt(PROMPT)
            self.assertEqual(verdict.severity, q.Severity.SAFE)
            stream.push_text("Once upon ")
            mark = stream.mark()
            fork = stream.fork()
            stream.push_text("a time, you worthless idiot, kill yourself.")
            stream.rewind(mark)
            with q.Cancel() as cancel:
                fork.set_cancel(cancel)
                cancel.set()
                with self.assertRaises(q.CancelledError):
                    fork.push_text("a fox. ")
                stream.push_text("")  # the other one goes on
                fork.set_cancel(None)
            fork.push_text("a fox. ")
            stream.push_text("a fox. ")
            self.close(stream.verdicts(), fork.verdicts())
            stream.rewind_to_byte(5)
            self.assertEqual(stream.info.turn_bytes, 5)
            turn = stream.end_turn()
            self.assertEqual((turn.role, turn.prompt, turn.written), (q.Role.ASSISTANT, None, None))
            with self.assertRaises(q.InvalidArgumentError):
                stream.push_text("x")
            stream.begin_turn(q.Role.USER)
            stream.push_text("And?")
            self.assertIsNotNone(stream.end_turn().prompt)
            with self.assertRaises(q.InvalidArgumentError):
                stream.rewind(q.Mark(99, 0, False))
            stream.reset()
            stream.restore([(q.Role.USER, "Hi."), (q.Role.ASSISTANT, "Hello.")])
            stream.push_conversation([(q.Role.USER, "Go on.")])
            with guard.tokenizer as tokenizer:
                tokens = stream.push_tokens(tokenizer.encode("A fox ran."))
                self.assertEqual(len(tokens), len(tokenizer.encode("A fox ran.")))
                with self.assertRaises(q.InvalidArgumentError):
                    stream.push_tokens([10**7])
                both = [q.Stream(guard), q.Stream(guard)]
                for each in both:
                    each.push_prompt(PROMPT)
                ids = tokenizer.encode("A fox.")
                done = q.push_batch(guard, [(both[0], ids), (both[1], [-1])])
                self.close(done[0], both[0].verdicts())
                self.assertIsInstance(done[1], q.InvalidArgumentError)
        with self.assertRaises(q.ClosedError):
            stream.push_text("x")

    def test_ends_of_sequence(self) -> None:
        with live() as guard, guard.tokenizer as tokenizer, q.Stream(guard) as stream:
            ids, end = tokenizer.encode("A fox ran."), stream.push_prompt(PROMPT).id  # <|im_end|>
            with self.assertRaises(q.InvalidArgumentError):
                stream.push_tokens([end, ids[0]])
            last = stream.push_tokens(list(ids) + [end])[-1]
            self.assertEqual((last.id, last.source, last.counts), (end, q.Source.NONE, False))
            with self.assertRaises(q.InvalidArgumentError):
                stream.push_tokens(ids)
            self.assertTrue(stream.end_turn().decision.is_complete)
            with q.Stream(guard, allow_control_ids=True) as allows:
                allows.push_prompt(PROMPT)
                self.assertEqual(allows.push_tokens([end, ids[0]])[0].source, q.Source.HEADS)

    def test_flag_policy_and_iterators(self) -> None:
        words = [word + " " for word in (THREAT + " " + THREAT).split()]
        one = {"schema": 1, "name": "one", "version": "1", "debounce": {"consecutive_tokens": 1}}
        with live() as guard, q.Policy.parse(one) as policy, q.Stream(guard, policy=policy) as stream:
            stream.push_prompt("Hello!")
            decisions = []
            for _, decision in stream.judge(words):
                decisions.append(decision)
                if decision.token is not None:
                    fell = next(token for token in stream.verdicts() if token.position == decision.position)
                    self.assertEqual(decision.token._replace(action=fell.action), fell)
                    self.assertIs(decision.is_settled, fell.is_settled)
            self.assertIn(False, [decision.is_settled for decision in decisions if decision.token is not None])
            self.assertTrue(decisions[-1].is_settled)
            self.assertIs(decisions[-1].ruling.action, q.Action.BLOCK)
            self.assertEqual((decisions[-1].ruling.policy_name, decisions[-1].ruling.rule), ("one", q.Rule.SEVERITY))
            self.assertIs(stream.prompt_decision().ruling.rule, q.Rule.SAFE)
            self.assertIn("Unsafe", decisions[-1].explain())
            again, tokens = policy.decide("assistant", stream.verdicts(), True)
            self.assertEqual(again.position, decisions[-1].position)
            self.assertIs(tokens[-1].action, q.Action.BLOCK)

            async def pieces():
                for word in words:
                    yield word

            async def run() -> q.Decision:
                last = None
                async for _, last in other.ajudge(pieces()):
                    pass
                return last

            with q.Stream(guard) as other:
                other.push_prompt("Hello!")
                self.assertIs(asyncio.run(run()).ruling.action, q.Action.BLOCK)

    def test_many_tokens_in_one_push(self) -> None:
        with live() as guard, q.Stream(guard) as stream:
            stream.push_prompt("Hello!")
            update = stream.push_text("The fox ran over the hill. " * 30)
            self.assertGreater(len(update.tokens), 64)
            self.assertEqual(update.tokens, stream.verdicts())
            self.assertEqual(stream.verdicts(5), update.tokens[5:])


class BatchTest(unittest.TestCase):
    def test_sessions(self) -> None:
        with live() as guard, q.Batch(guard, max_step_tokens=32, max_session_tokens=16) as batch:
            ids = [batch.add() for _ in range(3)]
            for i, session in enumerate(ids):
                batch.push_prompt(session, PROMPT)
                batch.push_text(session, THREAT * (i + 1), deadline_ms=1000)
            batch.push_text(ids[0], b"\xff")
            batch.end_turn(ids[1])
            self.assertGreater(batch.step(), 0)
            events = batch.poll(ids[0])
            self.assertEqual(events[-1].kind, q.EventKind.ERROR)
            self.assertIsInstance(events[-1].error, q.InvalidUtf8Error)
            end = batch.poll(ids[1])[-1]
            self.assertEqual(end.kind, q.EventKind.TURN_END)
            self.assertEqual(end.turn.role, q.Role.ASSISTANT)
            seen = []
            batch.visit(ids[2], lambda stream: seen.append((stream.verdicts(), stream.fork())))
            with q.Stream(guard) as alone:
                alone.push_prompt(PROMPT)
                alone.push_text(THREAT * 3)
                StreamTest.close(self, seen[0][0], alone.verdicts())
                moved = batch.add_stream(alone)
                with self.assertRaises(q.ClosedError):
                    alone.decision()
            with live() as other, q.Stream(other) as foreign:
                with self.assertRaises(q.InvalidArgumentError):
                    batch.add_stream(foreign)
                foreign.push_prompt(PROMPT)
            batch.push_text(moved, " More.")
            batch.start()
            self.assertTrue(batch.poll(moved, timeout_ms=60000))
            batch.stop()
            batch.begin_turn(ids[1], q.Role.USER)
            batch.push_tokens(ids[1], [1, 2, 3])
            batch.step()
            self.assertEqual(batch.stats.n_sessions, 4)
            with self.assertRaises(ZeroDivisionError):
                batch.visit(ids[2], lambda stream: 1 // 0)
            batch.remove(ids[0])
            with self.assertRaises(q.InvalidArgumentError):
                batch.poll(ids[0])
        with live() as guard, self.assertRaises(q.InvalidArgumentError):
            q.Batch(guard, max_step_tokens=0)

    def test_overdue(self) -> None:
        with live() as guard, q.Batch(guard) as batch:
            session = batch.add()
            batch.push_prompt(session, PROMPT, deadline_ms=0)
            events = batch.poll(session, timeout_ms=60000)  # nobody steps, and there is no silence
            self.assertEqual([event.kind for event in events], [q.EventKind.OVERDUE])
            self.assertTrue(events[0].is_late)
            self.assertEqual((events[0].update.tokens, events[0].turn, events[0].error), ([], None, None))
            self.assertEqual((events[0].decision.severity, events[0].decision.is_complete), (q.Severity.NOT_JUDGED, False))
            self.assertEqual(batch.stats.n_overdue_sessions, 1)
            self.assertGreater(batch.stats.oldest_waiting_ms, 0)
            batch.step()
            self.assertEqual([event.kind for event in batch.poll(session)], [q.EventKind.TURN_END])
            self.assertEqual((batch.stats.n_overdue_sessions, batch.stats.oldest_waiting_ms), (0, 0))


class GeneratorTest(unittest.TestCase):
    def test_same_seed_same_text(self) -> None:
        with gen() as guard:
            texts = []
            for _ in range(2):
                writer = q.Generator(guard, temperature=1, seed=7)
                writer.set_conversation([(q.Role.USER, PROMPT)])
                start = writer.position
                texts.append([writer.next()[0] for _ in range(5)])
                self.assertEqual(writer.position, start + 5)
                writer.rewind(start)
                self.assertEqual(writer.position, start)
            self.assertEqual(texts[0], texts[1])
            writer.set_tokens([1, 2, 3])
            self.assertIsInstance(next(iter(writer), 0), int)
            with self.assertRaises(q.InvalidArgumentError):
                writer.set_tokens([])
        with live() as guard, self.assertRaises(q.Qwen3GuardError):
            q.Generator(guard)


if __name__ == "__main__":
    unittest.main()

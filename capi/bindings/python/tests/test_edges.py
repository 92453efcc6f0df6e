# SPDX-License-Identifier: Apache-2.0
"""Values at the edges of what C can hold, and objects at the edges of their lives. Run by run_tests.sh."""

import array
import copy
import mmap
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import qwen3guard as q
import tiny
from qwen3guard import _convert, _memory, _raw

PROMPT = "How do I kill a Python process?"


def gen() -> q.Guard:
    return q.Guard.load(tiny.GEN)


def live() -> q.Guard:
    return q.Guard.load(tiny.STREAM)


def run_python(code: str) -> "subprocess.CompletedProcess[str]":
    """Runs code in a process of its own, as a crash would end this one."""
    return subprocess.run([sys.executable, "-X", "faulthandler", "-c", "import qwen3guard as q\n" + code],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)


class TextTest(unittest.TestCase):
    def test_what_is_text(self) -> None:
        with gen() as guard, guard.tokenizer as tokenizer:
            ids = tokenizer.encode("ab\0cd")
            self.assertEqual(tokenizer.decode(ids), "ab\0cd")  # a NUL ends nothing
            spread = memoryview(b"a_b_\0_c_d_")[::2]
            for text in (b"ab\0cd", bytearray(b"ab\0cd"), spread, array.array("b", b"ab\0cd")):
                self.assertEqual(tokenizer.encode(text), ids)
            for bad in (5, None, ["a"], [97], 1.5):
                with self.assertRaisesRegex(TypeError, "must be str or bytes-like"):
                    guard.classify_prompt(bad)
            with self.assertRaisesRegex(q.InvalidUtf8Error, "byte 1"):
                tokenizer.encode("a\ud800")

    def test_names_with_a_nul(self) -> None:
        with self.assertRaisesRegex(q.InvalidArgumentError, "isa has a NUL at byte 6"):
            q.Guard.embedded("nano-gen", isa="scalar\0x")
        with self.assertRaisesRegex(q.InvalidArgumentError, "NUL"):
            q.Guard.load("/tmp\0/x")
        with self.assertRaisesRegex(q.InvalidArgumentError, "NUL"):
            q.Guard.from_memory({"model.q3g\0": b""})
        self.assertEqual(_memory._lent, {})

    def test_paths(self) -> None:
        for path in ("no/such", Path("no/such"), b"no/such"):
            with self.assertRaises(FileNotFoundError):
                q.Guard.load(path)
        with self.assertRaises(TypeError):
            q.Guard.load(3)
        with self.assertRaises(q.InvalidUtf8Error):
            q.Guard.load("a\udcff")  # what os.fsdecode() makes of a file name that is not UTF-8

    def test_messages(self) -> None:
        with gen() as guard:
            for bad in ([], [(7, "Hi.")], [(2**32 + 1, "Hi.")]):
                with self.assertRaises(q.InvalidArgumentError):
                    guard.classify(bad)

    def test_a_long_verdict_is_whole(self) -> None:
        options = q.ClassifyOptions(decoder=q.Decoder.GREEDY)
        with gen() as guard:
            text, room = guard.classify_prompt(PROMPT, options).text, _convert.VERDICT_TEXT_BYTES
            self.assertGreater(len(text), 4)
            _convert.VERDICT_TEXT_BYTES = 4
            try:
                self.assertEqual(guard.classify_prompt(PROMPT, options).text, text)
                both = guard.classify_batch([[(q.Role.USER, PROMPT)]] * 2, options)
                self.assertEqual([verdict.text for verdict in both], [text] * 2)
                with q.Stream(guard) as stream, self.assertRaisesRegex(q.Qwen3GuardError, "room for 4"):
                    stream.push_prompt(PROMPT)
                    stream.push_text("Press Ctrl-C.")
                    stream.end_turn()
            finally:
                _convert.VERDICT_TEXT_BYTES = room


class NumberTest(unittest.TestCase):
    def test_token_ids(self) -> None:
        with gen() as guard, guard.tokenizer as tokenizer:
            text = tokenizer.decode([5, 6, 7])
            spread = memoryview(array.array("i", [5, 0, 6, 0, 7]))[::2]
            for ids in ((5, 6, 7), range(5, 8), array.array("i", [5, 6, 7]), array.array("q", [5, 6, 7]), spread):
                self.assertEqual(tokenizer.decode(ids), text)
            self.assertEqual(tokenizer.decode([]), "")
            with self.assertRaisesRegex(q.InvalidArgumentError, "index 1"):
                tokenizer.decode([5, 2**32 + 5])  # not 5
            for bad in (["5"], "5", b"5", bytearray(b"5"), [1.5], [None], array.array("d", [5])):
                with self.assertRaises(TypeError):
                    tokenizer.decode(bad)
            for call in (tokenizer.token_bytes, tokenizer.is_special, tokenizer.decoder().push):
                call(5)
                with self.assertRaises(q.InvalidArgumentError):
                    call(2**32 + 5)
                with self.assertRaises(TypeError):
                    call("5")
            for call in (tokenizer.token_bytes, tokenizer.decoder().push):
                with self.assertRaises(q.InvalidArgumentError):
                    call(-1)

    def test_numbers_that_c_cannot_hold(self) -> None:
        huge = 2**64 + 1
        for name in ("n_threads", "max_context_tokens", "kept_tokens"):
            with self.assertRaisesRegex(q.InvalidArgumentError, name):
                q.Guard.embedded("nano-gen", **{name: huge})
            with self.assertRaises(q.InvalidArgumentError):
                q.Guard.embedded("nano-gen", **{name: -5})
        with self.assertRaisesRegex(TypeError, "n_threads"):
            q.Guard.embedded("nano-gen", n_threads="2")
        with self.assertRaises(TypeError):
            q.Guard.embedded("nano-gen", threads=2)
        with live() as guard, gen() as writer:
            for wrong in (lambda: q.Stream(guard, max_tokens=huge), lambda: q.Stream(guard, max_tokens=-1),
                          lambda: q.Generator(writer, seed=huge), lambda: q.Generator(writer, seed=-1),
                          lambda: q.Batch(guard, memory_budget_bytes=-1), lambda: q.Batch(guard, max_step_tokens=huge)):
                with self.assertRaises(q.InvalidArgumentError):
                    wrong()
            with q.Batch(guard) as batch, q.Stream(guard) as stream:
                session = batch.add()
                batch.push_prompt(session, "Hi.")
                for other in (session + 2**64, session - 2**64, -1):
                    with self.assertRaisesRegex(q.InvalidArgumentError, "session"):
                        batch.push_text(other, "Hi.")
                stream.push_prompt("Hi.")
                stream.push_text("Hello.")
                for wrong in (lambda: stream.rewind_to_byte(2**64), lambda: stream.rewind_to_byte(-1),
                              lambda: stream.verdicts(-1), lambda: stream.verdicts(99), lambda: stream.begin_turn(2**32),
                              lambda: stream.rewind(q.Mark(2**64, 0, False))):
                    with self.assertRaises(q.InvalidArgumentError):
                        wrong()
                self.assertEqual(stream.info.turn_bytes, 6)

    def test_probabilities_are_by_severity(self) -> None:
        p = q.Probabilities(0.25, 0.5, 0.125)
        self.assertEqual([p[severity] for severity in q.Severity], [0, 0.25, 0.5, 0.125])
        self.assertEqual(p[q.Severity(7)], 0)
        self.assertEqual(pickle.loads(pickle.dumps(p)), p)
        for index in (0, 1, -1, True, slice(2), q.Action.ALLOW, q.Category.PII, "safe", None):
            with self.assertRaisesRegex(TypeError, "by Severity"):
                p[index]

    def test_values_of_a_newer_library(self) -> None:
        unknown = q.Severity(7)
        self.assertEqual((unknown, str(unknown), repr(unknown)), (7, "unknown", "Severity.UNKNOWN_7"))
        self.assertEqual({unknown: 1}[q.Severity(7)], 1)
        self.assertEqual(pickle.loads(pickle.dumps(unknown)), unknown)
        self.assertEqual(f"{q.Severity.UNSAFE} {q.Context.STOP} {q.Context(9)} {q.Action.BLOCK:>6}", "Unsafe stop unknown_9  block")
        raw = _raw.q3g_token_verdict(severity=9, category=99, source=-3)
        self.assertEqual(_convert.token_of(raw)[0:3:2] + (_convert.token_of(raw).source,), (9, 99, -3))
        with self.assertRaises(ValueError):
            q.Severity("Harmless")
        error = pickle.loads(pickle.dumps(q.InvalidUtf8Error(_raw.Q3G_E_INVALID_UTF8, "byte 3")))
        self.assertEqual((type(error), error.name, str(error)), (q.InvalidUtf8Error, "invalid_utf8", "byte 3"))


class LifeTest(unittest.TestCase):
    def test_use_after_close(self) -> None:
        guard, model = live(), gen()
        tokenizer, cancel, stream = guard.tokenizer, q.Cancel(), q.Stream(guard)
        batch, writer = q.Batch(guard), q.Generator(model)
        decoder, mark = tokenizer.decoder(), stream.mark()
        session = batch.add()
        options = q.ClassifyOptions(cancel=cancel)
        handles = (guard, model, tokenizer, cancel, stream, batch, writer, decoder)
        for handle in handles:
            self.assertFalse(handle.is_closed)
            self.assertRegex(repr(handle), r"^<qwen3guard\.\w+>$")
            handle.close()
            handle.close()
            self.assertTrue(handle.is_closed)
            self.assertRegex(repr(handle), "closed")
        uses = (lambda: guard.info, lambda: guard.tokenizer, lambda: guard.logits([1]), lambda: guard.classify_prompt("a"),
                lambda: guard.classify_batch([[(q.Role.USER, "a")]]), lambda: q.Stream(guard), lambda: q.Batch(guard),
                lambda: q.Generator(guard), lambda: q.push_batch(guard, []), lambda: tokenizer.encode("a"),
                lambda: tokenizer.decode([1]), lambda: tokenizer.token_bytes(1), lambda: tokenizer.vocab_size,
                lambda: tokenizer.find_bytes(b"a"), lambda: tokenizer.find_added("a"), lambda: tokenizer.is_special(1),
                tokenizer.decoder, lambda: decoder.push(1), decoder.finish, cancel.set, cancel.reset, cancel.is_set,
                lambda: stream.push_prompt("a"), lambda: stream.push_text("a"), lambda: stream.push_tokens([1]),
                lambda: stream.rewind(mark), lambda: stream.rewind_to_byte(0), lambda: stream.info, stream.verdicts,
                lambda: stream.set_cancel(None), lambda: stream.restore([]), lambda: stream.begin_turn(q.Role.USER),
                stream.decision, stream.end_turn, stream.mark, stream.fork, stream.reset, batch.add, batch.start, batch.stop,
                batch.step, lambda: batch.stats, lambda: batch.poll(session), lambda: batch.remove(session),
                lambda: batch.push_text(session, "a"), lambda: batch.push_prompt(session, "a"),
                lambda: batch.push_tokens(session, [1]), lambda: batch.end_turn(session), lambda: batch.add_stream(stream),
                lambda: batch.begin_turn(session, q.Role.USER), lambda: batch.visit(session, print), writer.next,
                lambda: writer.position, lambda: writer.rewind(0), lambda: writer.set_tokens([1]),
                lambda: writer.set_conversation([(q.Role.USER, "a")]))
        for i, use in enumerate(uses):
            with self.assertRaises(q.ClosedError, msg=f"use {i}"):
                use()
        with gen() as other, q.Stream(other) as open_stream:
            for use in (lambda: other.classify_prompt("a", options), lambda: q.Stream(other, cancel=cancel),
                        lambda: q.Generator(other, cancel=cancel), lambda: open_stream.set_cancel(cancel),
                        lambda: q.quantize("nano-gen", "never.q3g", embedded=True, cancel=cancel),
                        lambda: other.classify_batch([], options)):
                with self.assertRaises(q.ClosedError):
                    use()

    def test_no_copies(self) -> None:
        with gen() as guard, q.Stream(guard) as stream:
            for handle in (guard, stream, guard.tokenizer, q.Cancel()):
                for copied in (copy.copy, copy.deepcopy, pickle.dumps):
                    with self.assertRaisesRegex(TypeError, "cannot be copied or pickled"):
                        copied(handle)
            self.assertEqual(guard.classify_prompt(PROMPT).severity, q.Severity.SAFE)

    def test_close_under_calls_of_other_threads(self) -> None:
        done = run_python("""
import threading, time
guard, live, ends = q.Guard.embedded("nano-gen"), q.Guard.embedded("nano-stream"), []
stream = q.Stream(live)
stream.push_prompt("Hi.")
def work(call):
    try:
        while True: call()
    except q.ClosedError: ends.append(1)
threads = [threading.Thread(target=work, args=(call,)) for call in [lambda: guard.classify_prompt("a " * 300)] * 3 +
           [lambda: stream.push_text("a "), stream.decision]]
for thread in threads: thread.start()
time.sleep(0.2)
guard.close(); live.close(); stream.close()
for thread in threads: thread.join()
print(len(ends))
""")
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "5"), done.stderr)

    def test_threads_that_share_a_stream_wait_for_each_other(self) -> None:
        with live() as guard, q.Stream(guard) as stream, q.Stream(guard) as other:
            for each in (stream, other):
                each.push_prompt("Hi.")
            failures = []

            def work() -> None:
                try:
                    for _ in range(20):
                        stream.push_text("abc ")
                        stream.decision()
                        stream.verdicts()
                        with stream.fork() as fork:
                            fork.push_text("x")
                except Exception as error:
                    failures.append(error)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            other.push_text("abc " * 80)
            self.assertEqual(failures, [])
            self.assertEqual([t.id for t in stream.verdicts()], [t.id for t in other.verdicts()])

    def test_a_stream_is_once_in_a_batch_of_pushes(self) -> None:
        with live() as guard, q.Stream(guard) as stream, q.Stream(guard) as closed:
            stream.push_prompt("Hi.")
            closed.close()
            with self.assertRaisesRegex(q.InvalidArgumentError, "twice"):
                q.push_batch(guard, [(stream, [1]), (stream, [2])])
            with self.assertRaises(q.ClosedError):
                q.push_batch(guard, [(stream, [1]), (closed, [1])])
            good, bad = q.push_batch(guard, [(stream, [1]), (q.Stream(guard), [1])])
            self.assertEqual(len(good), 1)
            self.assertIsInstance(bad, q.InvalidArgumentError)  # no turn is open

    def test_a_visit_lends_a_stream(self) -> None:
        with live() as guard, q.Batch(guard) as batch:
            session, kept = batch.add(), []
            batch.visit(session, lambda stream: kept.extend((stream, stream.fork())))
            self.assertTrue(kept[0].is_closed)
            kept[1].push_prompt("Hi.")
            batch.visit(session, lambda stream: stream.close())
            batch.visit(session, lambda stream: stream.push_prompt("Hi."))
            self.assertEqual(batch.stats.n_sessions, 1)

    def test_borrowed_memory(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.q3g"
            q.quantize("nano-gen", path, embedded=True)
            data = path.read_bytes()
            with q.Guard.load(path) as guard:
                wanted = guard.classify_prompt(PROMPT).probabilities
            changeable = bytearray(data)
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                for lent in (data, changeable, memoryview(data), mapped, {"model.q3g": array.array("B", data)}):
                    with q.Guard.from_memory(lent) as guard:
                        stream = q.Stream(guard)
                        self.assertEqual(guard.classify_prompt(PROMPT).probabilities, wanted)
                        if lent is changeable:
                            with self.assertRaises(BufferError):
                                changeable.append(0)
                        if lent is mapped:
                            with self.assertRaises(BufferError):
                                mapped.close()
                    self.assertEqual(len(_memory._lent), 1)  # the stream reads it
                    stream.push_prompt(PROMPT)
                    stream.close()
                    self.assertEqual(_memory._lent, {})
                changeable.append(0)
            with self.assertRaises(BufferError):
                q.Guard.from_memory(memoryview(data)[::2])
            for bad in ("text", 5, {"model.q3g": 5}, {"model.q3g": "text"}):
                with self.assertRaises(TypeError):
                    q.Guard.from_memory(bad)
            for bad in (b"", {}, {"config.json": b"{}"}):
                with self.assertRaises(q.Qwen3GuardError):
                    q.Guard.from_memory(bad)
            with self.assertRaises(q.InvalidArgumentError):
                q.Guard.from_memory(data, n_threads=2**40)
            # A byte of a matrix: compared by default here, and of a file when that is asked for.
            damaged = bytearray(data)
            damaged[-1000] ^= 1
            with self.assertRaisesRegex(q.Qwen3GuardError, "checksum"):
                q.Guard.from_memory(damaged)
            q.Guard.from_memory(damaged, verify=q.Verify.OFF).close()
            path.write_bytes(damaged)
            q.Guard.load(path).close()
            with self.assertRaisesRegex(q.Qwen3GuardError, "checksum"):
                q.Guard.load(path, verify=q.Verify.FULL)
            with self.assertRaises(q.InvalidArgumentError):
                q.Guard.load(path, verify=3)
            q.Guard.load(path, refuse_unknown_template=True, known_template="0" * 16).close()  # none is not an unknown one
            with self.assertRaises(q.InvalidArgumentError):
                q.Guard.load(path, known_template="none")
            self.assertEqual(_memory._lent, {})

    def test_the_end_of_the_interpreter(self) -> None:
        for code in ("work = lambda: [guard.classify_prompt('a ' * 300) for _ in range(10**6)]\n"
                     "threading.Thread(target=work, daemon=True).start()",
                     "batch = q.Batch(live); batch.push_text(batch.add(), 'a ' * 900); batch.start()",
                     "import sys; sys.modules['kept'] = loop = [guard, q.Stream(live), q.Batch(live)]; loop.append(loop)"):
            done = run_python("import threading\nguard, live = q.Guard.embedded('nano-gen'), q.Guard.embedded('nano-stream')\n" +
                              code + "\nprint('end')")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "end\n", ""), code)

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork()")
    def test_a_child_of_fork(self) -> None:
        done = run_python("""
import os
guard, live = q.Guard.embedded("nano-gen"), q.Guard.embedded("nano-stream")
guard.classify_prompt("Hi.")
batch, other = q.Batch(live), q.Batch(live)
batch.start(); other.start()
child = os.fork()
if child == 0:
    assert guard.classify_prompt("Hi.").severity == q.Severity.SAFE
    try: batch.stop()
    except q.InvalidArgumentError: pass
    batch.close()
    del other
    guard.close()
    print("child", flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
batch.stop(); batch.close(); other.close()
print(status)
""")
        self.assertEqual((done.returncode, done.stdout), (0, "child\n0\n"), done.stderr)


class ImportTest(unittest.TestCase):
    def test_a_library_that_is_not_there(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            environment = dict(os.environ, QWEN3GUARD_LIB_DIR=folder)

            def run(program: str) -> "subprocess.CompletedProcess[str]":
                return subprocess.run([sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE, text=True)

            for program in ("import qwen3guard; qwen3guard.Guard", "from qwen3guard import Guard", "from qwen3guard import *",
                            "import qwen3guard; qwen3guard.Nonsense"):
                done = run(program)
                self.assertIn("ImportError: qwen3guard: the shared library was not found", done.stderr, program)
                self.assertIn(folder, done.stderr)
            done = run("import qwen3guard, qwen3guard.report; from qwen3guard import report; report.write_report")
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_name_that_is_not_there(self) -> None:
        for name in ("Nonsense", "_nonsense", "__nonsense__"):
            with self.assertRaisesRegex(AttributeError, f"module 'qwen3guard' has no attribute '{name}'"):
                getattr(q, name)

    def test_every_public_name(self) -> None:
        public = {name for name in dir(q) if not name.startswith("_")}
        self.assertEqual(public, set(q.__all__))
        for name in q.__all__:
            value = getattr(q, name)
            if name != "Text":
                self.assertTrue(value.__doc__, name)
            for member, function in vars(value).items() if isinstance(value, type) else ():
                if callable(function) and not member.startswith("_") and function.__module__.startswith("qwen3guard"):
                    self.assertTrue(function.__doc__, f"{name}.{member}")
        self.assertRegex(q.__version__, r"^\d+\.\d+\.\d+$")

    def test_the_texts_have_the_examples(self) -> None:
        """run_tests.sh runs them."""
        here = Path(__file__).resolve().parent.parent
        readme, docs = here / "README.md", here.parents[2] / "docs"
        for name, text in (("stream", readme), ("hold_back", readme), ("policy", docs / "policy.md"),
                           ("hold_back", docs / "hold_back.md")):
            example = (here / "examples" / f"{name}.py").read_text(encoding="utf-8")
            example = example.split('"""\n\n', 1)[1]  # less the licence line and the docstring
            self.assertIn(f"```python\n{example}```", text.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()

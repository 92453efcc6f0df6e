# SPDX-License-Identifier: Apache-2.0
"""Stopping calls: flags, signals, asyncio. Run by run_tests.sh."""

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any, AsyncIterator

import qwen3guard as q
import tiny

PROMPT = "How do I kill a Python process?"
THREAT = "You are a worthless idiot and I will burn your house down, kill yourself."
LONG = "The fox ran over the hill. " * 2000  # some seconds of work; the context is made to hold it

# What is interrupted is so much work that it would take some 10 seconds or more.
INTERRUPTED = """
import os, signal, sys, threading
import qwen3guard as q
seen = []
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
def progress(done, total):
    seen.append(done)
conversations = [[(q.Role.USER, "a " * 3000)]] * 100
with q.Guard.embedded("nano-gen") as guard, q.Cancel() as cancel:
    cancel_before = cancel.is_set()
    def again():
        while True: guard.classify_prompt("a " * 300, q.ClassifyOptions(cancel=cancel))
    calls = {
        "batch": lambda: guard.classify_batch(conversations, q.ClassifyOptions(progress=progress)),
        "silent batch": lambda: guard.classify_batch(conversations, q.ClassifyOptions(cancel=cancel)),
        "run": lambda: cancel.run(again),
    }
    threading.Timer(0.3, interrupt).start()
    try:
        calls[sys.argv[1]]()
        print("ended")
    except KeyboardInterrupt:
        print("interrupted", cancel.is_set(), sorted(t.name for t in threading.enumerate()))
"""


def gen(**options: Any) -> q.Guard:
    return q.Guard.load(tiny.GEN, **options)


def live(**options: Any) -> q.Guard:
    return q.Guard.load(tiny.STREAM, **options)


class CancelTest(unittest.TestCase):
    def test_packing(self) -> None:
        with tempfile.TemporaryDirectory() as folder, q.Cancel() as cancel:
            path = Path(folder) / "model.q3g"
            q.quantize("nano-gen", path, embedded=True, cancel=cancel)
            path.unlink()
            cancel.set()
            with self.assertRaises(q.CancelledError):
                q.quantize("nano-gen", path, embedded=True, cancel=cancel)
            self.assertEqual(os.listdir(folder), [])
            with self.assertRaises(ZeroDivisionError):
                q.quantize("nano-gen", path, embedded=True, progress=lambda done, total: 1 // 0)
            self.assertEqual(os.listdir(folder), [])

    def test_a_flag_that_is_closed_stays_with_its_calls(self) -> None:
        with live() as guard:
            cancel = q.Cancel()
            with q.Stream(guard, cancel=cancel) as stream:
                stream.push_prompt("Hi.")
                cancel.set()
                cancel.close()
                with self.assertRaises(q.CancelledError):
                    stream.push_text("Hello.")
                stream.set_cancel(None)
                stream.push_text("Hello.")

    def test_run(self) -> None:
        name = contextvars.ContextVar("name", default="none")
        name.set("mine")
        with q.Cancel() as cancel:
            self.assertEqual(cancel.run(lambda a, b: (a + b, name.get()), 1, 2), (3, "mine"))
            with self.assertRaises(KeyError):
                cancel.run({}.__getitem__, 1)
            seen = []
            thread = threading.Thread(target=lambda: seen.append(cancel.run(threading.current_thread)))
            thread.start()
            thread.join()
            self.assertEqual(seen, [thread])  # there: the plain call
            self.assertFalse(cancel.is_set())

    def test_loading_with_a_log(self) -> None:
        lines = []
        gen(log=lambda level, line: lines.append((q.LogLevel(level), line))).close()
        self.assertEqual(lines[0][0], q.LogLevel.INFO)


@unittest.skipIf(sys.platform == "win32", "sends SIGINT")
class SignalTest(unittest.TestCase):
    def setUp(self) -> None:
        # A script's background jobs ignore the signal, and so do their children unless somebody says otherwise.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))

    def interrupted(self, what: str) -> str:
        done = subprocess.run([sys.executable, "-c", INTERRUPTED, what], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""), what)
        return done.stdout.strip()

    def test_batch(self) -> None:
        # The flag of the caller's is not touched: it may be that of other calls, too.
        self.assertEqual(self.interrupted("batch"), "interrupted False ['MainThread']")
        self.assertEqual(self.interrupted("silent batch"), "interrupted False ['MainThread']")

    def test_run(self) -> None:
        self.assertEqual(self.interrupted("run"), "interrupted True ['MainThread']")

    def test_a_progress_callback_that_is_interrupted(self) -> None:
        def interrupt(done: int, total: int) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)  # else a small model is packed before anybody looks

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.q3g"
            with self.assertRaises(KeyboardInterrupt):
                q.quantize(tiny.GEN, path, progress=interrupt)
            self.assertEqual(os.listdir(folder), [])

    def test_a_handler_that_returns_stops_nothing(self) -> None:
        seen = []
        before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
        try:
            with q.Cancel() as cancel:
                self.assertEqual(cancel.run(lambda: os.kill(os.getpid(), signal.SIGUSR1) or 7), 7)
                self.assertFalse(cancel.is_set())
        finally:
            signal.signal(signal.SIGUSR1, before)
        self.assertEqual(seen, [signal.SIGUSR1])


class AsyncTest(unittest.IsolatedAsyncioTestCase):
    async def test_verdicts(self) -> None:
        with gen() as guard:
            a, b, c = await asyncio.gather(
                guard.aclassify_prompt(THREAT), guard.aclassify_response(PROMPT, "I cannot help with that."),
                guard.aclassify([(q.Role.USER, PROMPT)]))
            self.assertEqual((a.severity, c.severity), (q.Severity.UNSAFE, q.Severity.SAFE))
            self.assertIsNotNone(b.refusal)
            with self.assertRaises(q.InvalidUtf8Error):
                await guard.aclassify_prompt(b"\xff")

    async def test_the_loop_goes_on_and_a_task_is_cancelled(self) -> None:
        with live(max_context_tokens=0) as guard, q.Cancel() as mine:
            with q.Stream(guard, context=q.Context.SLIDE, cancel=mine) as stream:
                await stream.apush_prompt("Hi.")
                task = asyncio.ensure_future(stream.apush_text(LONG))
                await asyncio.sleep(0.05)
                self.assertFalse(task.done())  # and yet this line is reached
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                self.assertEqual(stream.info.turn_bytes, 0)  # a call that is stopped has changed nothing
                self.assertFalse(mine.is_set())
                self.assertGreater(len((await stream.apush_text("Hello.")).tokens), 0)
                task = asyncio.ensure_future(stream.apush_text(LONG))
                await asyncio.sleep(0.05)
                mine.set()  # the stream's own flag works, too
                with self.assertRaises(q.CancelledError):
                    await task
                mine.reset()
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(stream.apush_text(LONG), 0.05)
                turn = await stream.aend_turn()
                self.assertEqual(turn.role, q.Role.ASSISTANT)
                self.assertEqual(mine._children, set())

    async def test_judging(self) -> None:
        async def pieces(n_before_error: int = 99) -> AsyncIterator[str]:
            for i, word in enumerate((THREAT + " " + THREAT).split()):
                if i == n_before_error:
                    raise KeyError("the source")
                await asyncio.sleep(0)
                yield word + " "

        with live() as guard, q.Stream(guard) as stream, q.Stream(guard) as other:
            for each in (stream, other):
                await each.apush_prompt("Hello!")
            decisions = [decision async for _, decision in stream.ajudge(pieces())]
            wanted = [decision for _, decision in other.judge([piece async for piece in pieces()])]
            self.assertEqual([d.position for d in decisions], [d.position for d in wanted])
            self.assertIs(decisions[-1].ruling.action, q.Action.BLOCK)
            self.assertIs((await stream.aend_turn()).decision.action, q.Action.BLOCK)  # the turn was open until here

            stream.reset()
            await stream.apush_prompt("Hello!")
            with self.assertRaises(KeyError):
                async for _ in stream.ajudge(pieces(3)):
                    pass
            n_bytes = stream.info.turn_bytes
            self.assertEqual(n_bytes, len("You are a "))
            judged = stream.ajudge(pieces())
            await judged.__anext__()
            await judged.aclose()  # early
            await stream.apush_text("And on.")
            self.assertEqual(stream.info.turn_bytes, n_bytes + len("You And on."))
            with self.assertRaises(q.InvalidUtf8Error):
                await stream.apush_text(b"\xff\xff")

    async def test_a_cancelled_task_in_ajudge(self) -> None:
        async def pieces() -> AsyncIterator[str]:
            yield LONG

        async def judge(stream: q.Stream) -> None:
            async for _ in stream.ajudge(pieces()):
                self.fail("it takes longer")

        with live() as guard, q.Stream(guard, context=q.Context.SLIDE) as stream:
            await stream.apush_prompt("Hi.")
            task = asyncio.ensure_future(judge(stream))
            await asyncio.sleep(0.05)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertEqual(stream.info.turn_bytes, 0)
            stream.push_text("Hello.")


class JudgeTest(unittest.TestCase):
    def test_the_turn_stays_open(self) -> None:
        def source() -> Any:
            yield "Hello "
            raise ZeroDivisionError("the source")

        with live() as guard, q.Stream(guard) as stream:
            stream.push_prompt("Hello!")
            for _, decision in stream.judge(word + " " for word in (THREAT * 3).split()):
                if decision.ruling.action == q.Action.BLOCK:
                    break
            self.assertIs(decision.ruling.action, q.Action.BLOCK)
            self.assertIs(stream.end_turn().decision.action, q.Action.BLOCK)
            with self.assertRaises(q.InvalidArgumentError):
                stream.end_turn()
            with self.assertRaises(q.InvalidArgumentError):
                next(stream.judge(["no turn is open"]))
            stream.begin_turn(q.Role.ASSISTANT)
            with self.assertRaises(ZeroDivisionError):
                list(stream.judge(source()))
            self.assertEqual(list(stream.judge([])), [])
            self.assertEqual(stream.info.turn_bytes, len("Hello "))
            self.assertIs(stream.end_turn().decision.action, q.Action.ALLOW)


if __name__ == "__main__":
    unittest.main()

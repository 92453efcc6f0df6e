# SPDX-License-Identifier: Apache-2.0
"""Hold-back: what is shown is a prefix of text that was judged and is not blocked; nothing is lost or shown twice. Run by
run_tests.sh."""

import asyncio
import random
import threading
import unittest
from typing import Any, AsyncIterator, Iterator, List, Optional, Tuple

import qwen3guard as q
import tiny

STATE = q.HoldBackState
CLEAN = "Well met, traveller. The bridge fell last winter \u2014 na\u00efve? \u4f60\u597d, \U0001f600! \U0001f469\u200d\U0001f469 "
INSULT = "Only an ugly idiot like you would eat it, nobody likes you, burn in hell. "
SEED = 20261127


def live() -> q.Guard:
    return q.Guard.load(tiny.STREAM)


def allows_all() -> q.Policy:
    return q.Policy.parse({"schema": 1, "name": "off", "version": "1", "response": {"default": "off"}})


def split(text: str, source: random.Random) -> List[bytes]:
    """Anywhere, also within characters."""
    data, out = text.encode(), []
    while data:
        n = source.choice([1, 2, 3, 7, 20, 60])
        out.append(data[:n])
        data = data[n:]
    return out


async def slowly(pieces: List[bytes], seconds: float = 0) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(seconds)
        yield piece


class HoldBackTest(unittest.TestCase):
    def opened(self, guard: q.Guard, batch: Optional[q.Batch], policy: Optional[q.Policy] = None, **how: Any) -> q.HoldBack:
        if batch is None:
            stream = q.Stream(guard, policy)
            stream.push_prompt("Hello!")
            return q.HoldBack(stream, **how)
        session = batch.add(policy)
        batch.push_prompt(session, "Hello!")
        return q.HoldBack.over_batch(batch, session, **how)

    def both(self) -> "Iterator[Tuple[q.Guard, Optional[q.Batch]]]":
        with live() as guard:
            yield guard, None
            with q.Batch(guard) as batch:
                batch.start()
                yield guard, batch

    def shown(self, hold: q.HoldBack, pieces: List[bytes], is_async: bool) -> str:
        async def run() -> str:
            return "".join([text async for text in hold.ashow(slowly(pieces))])

        return asyncio.run(run()) if is_async else "".join(hold.show(pieces))

    def test_what_is_not_blocked_comes_out_unchanged(self) -> None:
        print("seed", SEED)
        source = random.Random(SEED)
        with allows_all() as policy:
            for guard, batch in self.both():
                for i in range(6):
                    text = "".join(source.choice([CLEAN, INSULT]) for _ in range(source.randint(1, 4)))
                    tokens = source.choice([0, 1, 8, 40])
                    with self.opened(guard, batch, policy, buffer_tokens=tokens) as hold:
                        self.assertEqual(self.shown(hold, split(text, source), i % 2 == 0), text)
                        self.assertEqual((hold.last.state, hold.last.block), (STATE.ENDED, None))
                        stats = hold.stats
                        n = len(text.encode())
                        self.assertEqual((stats.put_bytes, stats.shown_bytes, stats.withdrawn_bytes), (n, n, 0))
                        self.assertEqual((stats.held_tokens, stats.n_retries), (0, 0))
                        with self.assertRaises(q.InvalidArgumentError):
                            hold.put("more")

    def test_blocks_and_retries(self) -> None:
        source = random.Random(SEED + 1)
        for guard, batch in self.both():
            for i in range(6):
                bad = CLEAN + INSULT * 3 + CLEAN
                with self.opened(guard, batch, buffer_tokens=source.choice([8, 16, 40]), max_retries=2) as hold:
                    person = self.shown(hold, split(bad, source), i % 2 == 0)
                    block = hold.last.block
                    self.assertIs(hold.last.state, STATE.BLOCKED)
                    self.assertTrue(bad.startswith(person))
                    self.assertTrue(block.is_settled and not block.is_prompt)
                    self.assertEqual((block.shown_bytes, block.continue_byte), (len(person.encode()),) * 2)
                    self.assertIs(block.decision.ruling.action, q.Action.BLOCK)
                    self.assertEqual(block.retries_left, 2)
                    self.assertLess(len(person), len(CLEAN + INSULT * 3))
                    for call in (lambda: hold.put("x"), hold.finish, lambda: hold.retry(10**6), lambda: hold.retry(2**70),
                                 lambda: hold.retry(-1)):
                        with self.assertRaises(q.InvalidArgumentError):
                            call()
                    hold.retry()
                    rest = CLEAN.encode()
                    person += self.shown(hold, split(rest.decode(), source), i % 2 == 1)
                    self.assertIs(hold.last.state, STATE.ENDED)
                    self.assertEqual(person, bad[:len(person) - len(CLEAN)] + CLEAN)
                    stats = hold.stats
                    self.assertEqual(stats.put_bytes, stats.shown_bytes + stats.withdrawn_bytes)
                    self.assertEqual((stats.shown_bytes, stats.n_retries), (len(person.encode()), 1))

    def test_withdrawn(self) -> None:
        for guard, batch in self.both():
            with self.opened(guard, batch, max_retries=0) as hold:
                person = "".join(hold.show([CLEAN, INSULT * 3]))
                self.assertEqual(hold.last.block.retries_left, 0)
                with self.assertRaises(q.InvalidArgumentError):
                    hold.retry()
                hold.withdraw()
                while hold.take(20).state == STATE.FINISHING:
                    pass
                self.assertEqual((hold.last.state, hold.last.text), (STATE.WITHHELD, ""))
                self.assertEqual(hold.stats.shown_bytes, len(person.encode()))
                with self.assertRaises(q.InvalidArgumentError):
                    hold.withdraw()
        with live() as guard, q.Stream(guard) as stream:
            stream.push_prompt("Hello!")
            with q.HoldBack(stream) as hold:
                self.assertEqual("".join(hold.show([INSULT * 3])), "")
                hold.withdraw()
            stream.push_prompt("Go on.")  # the conversation goes on as if that had been all
            self.assertIs(stream.prompt_decision().action, q.Action.ALLOW)

    def test_prompts_are_waited_for(self) -> None:
        with live() as guard, q.Batch(guard) as batch:
            session = batch.add()
            batch.push_prompt(session, "You are a worthless idiot and I will burn your house down, kill yourself.")
            with q.HoldBack.over_batch(batch, session, deadline_ms=1000) as hold:
                hold.put("Well met. ")
                self.assertEqual(hold.take(), q.HoldBackRelease())
                batch.step()
                self.assertEqual((hold.take().state, hold.last.text), (STATE.BLOCKED, ""))
                self.assertTrue(hold.last.block.is_prompt)
            judged = batch.add()  # before the answer is opened, and nobody has seen it
            batch.push_prompt(judged, "You are a worthless idiot and I will burn your house down, kill yourself.")
            batch.step()
            with q.HoldBack.over_batch(batch, judged) as hold:
                for is_async in (False, True):
                    self.assertEqual(self.shown(hold, [b"Well met. "], is_async), "")
                    self.assertIs(hold.last.state, STATE.BLOCKED)
                    self.assertTrue(hold.last.block.is_prompt)
            with self.assertRaises(q.InvalidArgumentError):
                q.HoldBack.over_batch(batch, session + 99)
            with self.assertRaises(q.InvalidArgumentError):
                q.HoldBack.over_batch(batch, -1)

    def test_the_budget_of_a_batch(self) -> None:
        """A source that is faster than the model waits."""
        with live() as guard, q.Batch(guard, max_waiting_bytes=256) as batch, allows_all() as policy:
            batch.start()
            with self.opened(guard, batch, policy, buffer_tokens=0) as hold:
                self.assertEqual("".join(hold.show([CLEAN[:60]] * 20)), CLEAN[:60] * 20)

    def test_old_text_leaves_while_the_source_waits(self) -> None:
        async def source() -> AsyncIterator[str]:
            yield CLEAN
            await asyncio.wait_for(seen.wait(), 60)
            yield CLEAN

        async def run() -> str:
            nonlocal seen
            seen, text = asyncio.Event(), ""
            async for piece in hold.ashow(source()):
                text += piece
                seen.set()
            return text

        seen: Any = None
        for guard, batch in self.both():
            with self.opened(guard, batch, buffer_tokens=1000, release_after_ms=5) as hold:
                self.assertEqual(asyncio.run(run()), CLEAN * 2)

    def test_sources_that_fail_and_tasks_that_are_cancelled(self) -> None:
        def fails() -> Iterator[str]:
            yield CLEAN
            raise ZeroDivisionError("the source")

        async def afails() -> AsyncIterator[str]:
            yield CLEAN
            raise ZeroDivisionError("the source")

        async def forever() -> AsyncIterator[str]:
            try:
                yield CLEAN
                await asyncio.sleep(3600)
            finally:
                ended.append(True)

        async def consume(hold: q.HoldBack, pieces: AsyncIterator[str]) -> None:
            async for text in hold.ashow(pieces):
                texts.append(text)

        async def cancelled(hold: q.HoldBack) -> None:
            task = asyncio.ensure_future(consume(hold, forever()))
            await asyncio.sleep(0.1)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        async def closed_early(hold: q.HoldBack) -> None:
            shower = hold.ashow(forever())
            texts.append(await shower.__anext__())
            await shower.aclose()

        ended: List[bool] = []
        for guard, batch in self.both():
            for run in (lambda hold: texts.extend(hold.show(fails())), lambda hold: asyncio.run(consume(hold, afails()))):
                texts: List[str] = []
                with self.opened(guard, batch, buffer_tokens=0) as hold:
                    with self.assertRaises(ZeroDivisionError):
                        run(hold)
                    texts.extend(hold.show([CLEAN]))
                    self.assertEqual("".join(texts), CLEAN * 2)
            for stop in (cancelled, closed_early):
                texts = []
                with self.opened(guard, batch, buffer_tokens=0) as hold:
                    asyncio.run(stop(hold))
                    texts.extend(hold.show([CLEAN]))
                    self.assertEqual("".join(texts), CLEAN * 2)
        self.assertEqual(len(ended), 4)

    def test_a_session_that_fails_shows_nothing_more(self) -> None:
        with live() as guard, q.Cancel() as cancel, q.Stream(guard, cancel=cancel) as stream:
            stream.push_prompt("Hello!")
            with q.HoldBack(stream, buffer_tokens=0) as hold:
                hold.put(CLEAN)
                cancel.set()
                with self.assertRaises(q.CancelledError):
                    hold.put(CLEAN)
                cancel.reset()
                with self.assertRaises(q.CancelledError):
                    hold.take()
                hold.withdraw()
                self.assertIs(hold.take().state, STATE.WITHHELD)
                self.assertEqual(hold.last.text, "")
            stream.reset()
            stream.push_prompt("Hello!")
            with q.HoldBack(stream) as hold, self.assertRaises(q.InvalidUtf8Error):
                hold.put(b"abc\xff def")

    def test_what_is_not_judged_is_no_end(self) -> None:
        """An iterator that ends as usual has shown all of the answer, or is blocked."""
        for guard, batch in self.both():
            for is_async in (False, True):
                with self.opened(guard, batch) as hold:
                    with self.assertRaises(q.NotJudgedError):
                        self.shown(hold, [CLEAN.encode(), b"\xe4\xbd"], is_async)  # ends within a character
                    self.assertIs(hold.last.state, STATE.WITHHELD)
                    self.assertEqual(hold.stats.put_bytes, hold.stats.shown_bytes + hold.stats.withdrawn_bytes)
                with self.opened(guard, batch) as hold:
                    with self.assertRaises(q.InvalidUtf8Error):
                        self.shown(hold, [CLEAN.encode(), b"\xff", CLEAN.encode()], is_async)
                    with self.assertRaises(q.InvalidUtf8Error):
                        hold.take(1000)
                with self.opened(guard, batch) as hold:  # two halves of a character are one
                    self.assertEqual(self.shown(hold, [b"Hi \xe4", b"\xbd", b"\xa0"], is_async), "Hi \u4f60")

    def test_calls_out_of_order(self) -> None:
        for guard, batch in self.both():
            with self.opened(guard, batch) as hold:
                with self.assertRaises(q.InvalidArgumentError):
                    hold.retry()  # nothing is blocked
                hold.put(CLEAN)
                hold.finish()
                for call in (lambda: hold.put("more"), hold.finish, hold.retry):
                    with self.assertRaises(q.InvalidArgumentError):
                        call()
                text = ""
                while hold.last.state in (STATE.WRITING, STATE.FINISHING):
                    text += hold.take(1000).text
                self.assertEqual((text, hold.last.state), (CLEAN, STATE.ENDED))
                for call in (lambda: hold.put("more"), hold.finish, hold.retry, hold.withdraw):
                    with self.assertRaises(q.InvalidArgumentError):
                        call()

    def test_threads(self) -> None:
        """One puts, another takes, and a third closes all of it."""
        for guard, batch in self.both():
            for closes in (False, True):
                hold, texts, errors = self.opened(guard, batch, allows_all(), buffer_tokens=0), [], []

                def run(call: Any) -> None:
                    try:
                        call()
                    except q.ClosedError as error:
                        errors.append(error)

                def write() -> None:
                    for piece in [CLEAN] * 12:
                        hold.put(piece)
                    hold.finish()

                def read() -> None:
                    state = STATE.WRITING
                    while state in (STATE.WRITING, STATE.FINISHING):
                        out = hold.take(5)
                        texts.append(out.text)
                        state = out.state

                threads = [threading.Thread(target=run, args=[call]) for call in (write, read)]
                for thread in threads:
                    thread.start()
                if closes:
                    hold.close()
                for thread in threads:
                    thread.join()
                self.assertTrue((CLEAN * 12).startswith("".join(texts)))
                self.assertEqual("".join(texts) == CLEAN * 12, not errors)
                hold.close()

    def test_lives(self) -> None:
        with live() as guard:
            stream = q.Stream(guard)
            with self.assertRaises(q.InvalidArgumentError):
                q.HoldBack(stream)  # no open turn
            stream.push_prompt("Hello!")
            for wrong in ({"buffer_tokens": -1}, {"max_retries": -1}, {"release_after_ms": -1}, {"buffer_tokens": 2**40}):
                with self.assertRaises(q.InvalidArgumentError, msg=str(wrong)):
                    q.HoldBack(stream, **wrong)
            hold = q.HoldBack(stream)
            stream.close()  # the answer keeps it
            self.assertEqual("".join(hold.show([CLEAN])), CLEAN)
            hold.close()
            for use in (hold.take, lambda: hold.put("x"), hold.finish, hold.withdraw, lambda: hold.stats):
                with self.assertRaises(q.ClosedError):
                    use()
            with self.assertRaises(q.ClosedError):
                q.HoldBack(stream)
            with q.Batch(guard) as batch:
                session, refused = batch.add(), []
                batch.begin_turn(session, "assistant")
                batch.step()

                def visit(lent: q.Stream) -> None:
                    with self.assertRaises(q.InvalidArgumentError):
                        q.HoldBack(lent)
                    refused.append(True)

                batch.visit(session, visit)
                self.assertEqual(refused, [True])

    def test_gen_checkpoints(self) -> None:
        with q.Guard.load(tiny.GEN) as guard, allows_all() as policy, q.Stream(
                guard, policy, gen_interval_tokens=8) as stream:
            stream.push_prompt("Hello!")
            with q.HoldBack(stream, buffer_tokens=0) as hold:
                self.assertEqual("".join(hold.show(split(CLEAN, random.Random(SEED)))), CLEAN)
                self.assertIs(hold.last.state, STATE.ENDED)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard try` at a terminal: keys go in, what a person would see comes out.

Q3G_CLI names the program; without it the tests skip. Standard library only.
"""
import os
import select
import signal
import time
import unittest

from cli_test import CLI, CliTest, run

try:
    import fcntl
    import pty
    import struct
    import termios
except ImportError as missing:  # Windows
    raise unittest.SkipTest("there are no pseudo-terminals here") from missing

CTRL_C, CTRL_D, ESCAPE = b"\x03", b"\x04", b"\x1b"
PATIENCE_S = 120.0  # only a program that hangs takes as long


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *args: str, columns: int = 80, **env: str) -> None:
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for name in ("NO_COLOR", "TERM"):
                os.environ.pop(name, None)
            # A new terminal's shell starts programs so; who started the tests in the background may ignore Ctrl-C.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execve(CLI, [CLI, *args], {**os.environ, "TERM": "xterm-256color", **env})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def wait_for(self, part: bytes, since: int = 0) -> bytes:
        """All that was shown since then, as soon as the part is in it."""
        end = time.monotonic() + PATIENCE_S
        while part not in self.seen[since:]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f"{part!r} was not shown: {self.seen[since:]!r}")
            try:
                piece = os.read(self.fd, 65536)
            except OSError:  # the program has ended
                piece = b""
            if not piece:
                raise AssertionError(f"the program ended before it showed {part!r}: {self.seen[since:]!r}")
            self.seen += piece
        return self.seen[since:]

    def send(self, keys: bytes, until: bytes = b">") -> bytes:
        """Types the keys; what is shown until then, the echo among it."""
        since = len(self.seen)
        os.write(self.fd, keys)
        return self.wait_for(until, since)

    def type(self, text: bytes) -> bytes:
        """A line; what it is answered, up to the next prompt."""
        since = len(self.seen)
        os.write(self.fd, text + b"\n")
        echo = self.wait_for(b"\n", since).index(b"\n") + 1
        return self.wait_for(b">", since + echo)

    def exit_code(self, keys: bytes = b"") -> int:
        """Types the keys, and waits for the program's end."""
        if keys:
            os.write(self.fd, keys)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and select.select([self.fd], [], [], end - time.monotonic())[0]:
            try:
                piece = os.read(self.fd, 65536)
            except OSError:
                piece = b""
            if not piece:
                break
            self.seen += piece
        pid, self.pid = self.pid, 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class TryTest(CliTest):
    def test_texts_and_answers_are_judged(self) -> None:
        with Terminal("try") as terminal:
            greeting = terminal.wait_for(b">")
            for part in (b"nano-gen", b"nano-stream", b"/help", b"/quit"):
                self.assertIn(part, greeting)
            shown = terminal.type(b"How do I bake a cake?")
            for part in (b"  Gen     ", b"  Stream  ", b" ms\r\n", b"you>"):
                self.assertIn(part, shown)
            self.assertIn(b"refusal: ", terminal.type(b"/assistant With flour and eggs."))
            self.assertIn(b"you (2)>", terminal.type(b""))
            self.assertIn(b"assistant>", terminal.type(b"/assistant"))
            self.assertIn(b"refusal: ", terminal.type(b"With love."))
            self.assertIn(b"you>", terminal.type(b"/reset"))
            self.assertEqual(terminal.exit_code(b"/quit\n"), 0)

    def test_no_command_at_a_terminal_is_try(self) -> None:
        with Terminal() as terminal:
            terminal.wait_for(b"you>")
            self.assertEqual(terminal.exit_code(CTRL_D), 0)

    def test_ctrl_d(self) -> None:
        with Terminal("try", NO_COLOR="1") as terminal:
            terminal.wait_for(b">")
            # Behind text it sends that, and a second one ends it: a last line.
            self.assertEqual(terminal.exit_code(b"Hello" + CTRL_D + CTRL_D), 0)
            self.assertIn(b" ms\r\n", terminal.seen)

    def test_ctrl_c_clears_the_line_and_then_leaves(self) -> None:
        with Terminal("try", "--model", "nano-gen") as terminal:
            terminal.wait_for(b">")
            self.assertIn(b"Ctrl-C again", terminal.send(b"How do I kill" + CTRL_C, b"you>"))
            shown = terminal.type(b"/assistant x")
            self.assertIn(b"nothing to answer", shown)  # what was cleared was not judged
            terminal.send(CTRL_C, b"you>")
            self.assertEqual(terminal.exit_code(CTRL_C), 130)

    def test_ctrl_c_stops_a_judgement(self) -> None:
        text = b"a word and another " * 200
        with Terminal("try", NO_COLOR="1") as terminal:
            terminal.wait_for(b"you> ")
            for _ in range(5):
                # Early or late: the judgement is over and the program is there.
                shown = terminal.send(text + b"\n" + CTRL_C, b"/quit leaves.")
                if b"stopped" in shown:
                    self.assertIn(b"left out of the conversation", shown)
                terminal.wait_for(b">", terminal.seen.rindex(b"/quit leaves."))
                self.assertIn(b" ms\r\n", terminal.type(b"Hello"))
            terminal.send(CTRL_C, b"/quit leaves.")
            self.assertEqual(terminal.exit_code(CTRL_C), 130)

    def test_what_cannot_be_judged_is_one_error(self) -> None:
        with Terminal("try", NO_COLOR="1") as terminal:
            terminal.wait_for(b">")
            for text, word in ((b"caf\xe9 is nice", b"UTF-8"), (b"x" * 6000, b"may be missing")):
                since = len(terminal.seen)
                os.write(terminal.fd, text + b"\n")
                shown = terminal.wait_for(b">", since)
                self.assertEqual(shown.count(b"error: "), 1)
                self.assertIn(word, shown)
                self.assertNotIn(b"Safe", shown)
                self.assertIn(b" ms\r\n", terminal.type(b"Hello"))
            self.assertEqual(terminal.exit_code(b"/q\n"), 0)

    def test_colour_is_for_those_who_want_it(self) -> None:
        for args, env, has_color in (((), {}, True), (("--no-color",), {}, False), ((), {"NO_COLOR": "1"}, False),
                                     ((), {"TERM": "dumb"}, False)):
            with Terminal("try", *args, **env) as terminal:
                terminal.wait_for(b">")
                terminal.type(b"Hello")
                # The terminal shows the key itself as ^[.
                shown = terminal.type(b"/assistant red \x1b[2J \xe2\x80\xae?")
                self.assertNotIn(ESCAPE + b"[2J", shown)
                self.assertEqual(shown.count(b"\xe2\x80\xae"), 0)
                self.assertEqual(terminal.exit_code(b"/quit\n"), 0)
                self.assertEqual(ESCAPE in terminal.seen, has_color, terminal.seen)

    def test_a_narrow_window(self) -> None:
        with Terminal("try", columns=20) as terminal:
            terminal.wait_for(b">")
            self.assertIn(b" ms\r\n", terminal.type(b"Hello"))
            self.assertEqual(terminal.exit_code(b"/quit\n"), 0)

    def test_without_a_terminal_it_says_what_to_use(self) -> None:
        self.assert_error(run("try", stdin="Hello\n"), "terminal", "classify")
        self.assert_error(run("try", "--model", "nano-gen"), "classify")
        self.assert_error(run(), "qwen3guard --help")
        with Terminal("try", "--model", "nano-stream") as terminal:
            self.assertEqual(terminal.exit_code(), 2)
            self.assertIn(b"--stream-model", terminal.seen)
        with Terminal("try", "--stream-model", "nano-gen") as terminal:
            self.assertEqual(terminal.exit_code(), 2)
            self.assertIn(b"--model", terminal.seen)


if __name__ == "__main__":
    unittest.main()

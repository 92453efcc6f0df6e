# SPDX-License-Identifier: Apache-2.0
"""Who owns what the library makes, and the flag that stops its calls."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import functools
import threading
from concurrent.futures import Future
from typing import Any, Callable, Optional, Set, Type, TypeVar

from . import _raw
from ._library import ClosedError, call, error_of, library

_T = TypeVar("_T")
_Handle = TypeVar("_Handle", bound="Handle")
_POLL_S = 0.1  # On Windows a wait is interrupted only between two of them.


class Pointer(ctypes.c_void_p):
    """What a handle points to. It is freed with the last reference, and ctypes holds one while a call runs: closing an
    object in the middle of another thread's call frees nothing under it."""

    free: Any = None

    def __del__(self) -> None:
        if self.value:
            self.free(self.value)

    def give_up(self) -> None:
        """The library has freed it, or it is not ours."""
        self.value = None


class Handle:
    """Owns a handle of the library: close(), the end of a `with` block, or the garbage collector frees it."""

    _pointer: Type[Pointer] = Pointer
    _handle: Optional[Pointer] = None

    def __init_subclass__(cls, free: Any = None, **more: Any) -> None:
        super().__init_subclass__(**more)
        if free is not None:
            cls._pointer = type(f"{cls.__name__}Pointer", (Pointer,), {"free": free})

    @classmethod
    def _make(cls: Type[_Handle], function: Any, *arguments: Any) -> _Handle:
        """An object of what a function makes that takes the place for a handle last."""
        out = cls.__new__(cls)
        out._open(function, *arguments)
        return out

    def _open(self, function: Any, *arguments: Any) -> None:
        pointer = self._pointer()
        call(function, *arguments, ctypes.byref(pointer))
        self._handle = pointer

    def close(self) -> None:
        """Frees the handle, or leaves that to the calls of other threads which are using it. What was made from it lives
        on. Closing twice is fine; every other use of a closed object raises ClosedError."""
        self._handle = None

    @property
    def is_closed(self) -> bool:
        """True after close()."""
        return self._handle is None

    def _pointer_to(self) -> Pointer:
        if self._handle is None:
            raise ClosedError(_raw.Q3G_E_BAD_HANDLE, f"the {type(self).__name__} is closed")
        return self._handle

    def __enter__(self: _Handle) -> _Handle:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<qwen3guard.{type(self).__name__}{', closed' if self.is_closed else ''}>"

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled")


def lend_handle(raw: Any, field: str, handle: Optional[Handle]) -> None:
    """Sets a struct's field to a handle, which lives as long as the struct: another thread may close the object meanwhile.
    None leaves NULL. Raises ClosedError, TypeError."""
    if handle is None:
        return
    if not isinstance(handle, Handle):
        raise TypeError(f"{field} must be a {field.capitalize()}, not {type(handle).__name__}")
    pointer = handle._pointer_to()
    raw.__dict__.setdefault("kept", []).append(pointer)
    setattr(raw, field, pointer.value)


class Exclusive(Handle):
    """A handle for one thread at a time. Calls of several threads wait for each other."""

    def _open(self, function: Any, *arguments: Any) -> None:
        self._lock = threading.RLock()
        super()._open(function, *arguments)

    def _call(self, function: Any, *arguments: Any) -> None:
        with self._lock:
            call(function, self._handle, *arguments)


class Cancel(Handle, free=library.q3g_cancel_free):
    """A flag that stops the calls it is given to, within about a layer of the model: they raise CancelledError and leave
    things as they were. Any thread."""

    def __init__(self) -> None:
        self._children: Set["Cancel"] = set()
        self._parent: Optional["Cancel"] = None
        self._open(library.q3g_cancel_new)

    @classmethod
    def _child(cls, parent: Optional["Cancel"]) -> "Cancel":
        """A flag for one call, which goes up with its parent and on its own. Close it behind the call."""
        out = cls()
        if parent is not None:
            out._parent = parent
            parent._children.add(out)
            if parent.is_set():
                out.set()
        return out

    def close(self) -> None:
        """Frees the flag; calls that were given it keep it."""
        if self._parent is not None:
            self._parent._children.discard(self)
        super().close()

    def set(self) -> None:
        """Raises the flag. Also from a signal's handler, which Python runs between two calls of the main thread: see run()."""
        status = library.q3g_cancel_set(self._pointer_to())
        if status != 0:
            raise error_of(status, "Cancel.set")
        for child in list(self._children):
            child.set()

    def reset(self) -> None:
        """Takes it down again."""
        status = library.q3g_cancel_reset(self._pointer_to())
        if status != 0:
            raise error_of(status, "Cancel.reset")

    def is_set(self) -> bool:
        """True while the flag is up."""
        return bool(library.q3g_cancel_is_set(self._pointer_to()))

    def run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """function(*arguments), a call that was given this flag, so that Ctrl-C stops it. Python tells the main thread of
        a signal only between its own instructions; so the call runs on another thread while this one waits. What the
        signal's handler raises (KeyboardInterrupt) raises the flag, and passes on when the call has ended. On other threads,
        which get no signals: the plain call."""
        if threading.current_thread() is not threading.main_thread():
            return function(*arguments)
        done = threading.Event()
        outcome: "Future[_T]" = Future()

        def work() -> None:
            try:
                outcome.set_result(function(*arguments))
            except BaseException as error:  # whatever it is, the caller gets it
                outcome.set_exception(error)
            done.set()

        worker = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="qwen3guard")
        try:
            worker.start()
            while not done.wait(_POLL_S):
                pass
        except BaseException:
            self.set()
            if worker.ident is not None:
                done.wait()
            raise
        return outcome.result()

    async def arun(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """The same for asyncio: the call runs on a thread of the loop's executor, and cancelling the task raises the flag,
        and waits until the call has ended."""
        work: Callable[[], Any] = functools.partial(contextvars.copy_context().run, function, *arguments)
        running: "asyncio.Future[Any]" = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            out: _T = await asyncio.shield(running)
            return out
        except asyncio.CancelledError:
            self.set()
            await asyncio.wait({running})
            if not running.cancelled():
                running.exception()  # the task's end is the cancelling, whatever the call came to
            raise


class Callback:
    """A Python function for the library. What it raises stops the call, and is raised again behind it. In the main thread
    such calls go through Cancel.run(): what a signal's handler raises between C and the function's first instruction would be
    lost."""

    def __init__(self) -> None:
        self.error: Optional[BaseException] = None

    def progress(self, function: Callable[[int, int], Optional[bool]]) -> Any:
        """For q3g_progress_fn."""

        def run(_user: Any, n_done: int, n_total: int) -> int:
            try:
                return 1 if self.error is not None or function(n_done, n_total) is False else 0
            except BaseException as error:  # whatever it is, it must not pass through C
                self.error = error
                return 1

        return _raw.q3g_progress_fn(run)

    def log(self, function: Callable[[int, str], Any]) -> Any:
        """For q3g_log_fn."""

        def run(_user: Any, level: int, line: int, n_bytes: int) -> None:
            try:
                if self.error is None:
                    function(level, ctypes.string_at(line, n_bytes).decode("utf-8", "replace"))
            except BaseException as error:  # the same
                self.error = error

        return _raw.q3g_log_fn(run)

    def raise_error(self) -> None:
        """Raises what the function raised."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error

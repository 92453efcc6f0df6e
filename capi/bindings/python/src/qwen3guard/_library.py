# SPDX-License-Identifier: Apache-2.0
"""Finds the shared library, and turns its status codes into exceptions."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
import threading
from pathlib import Path
from typing import Any, Optional, Union

from . import _raw

Text = Union[str, bytes, bytearray, memoryview]

_NAMES = {"win32": "qwen3guard_c.dll", "darwin": "libqwen3guard_c.1.dylib"}


def _load() -> ctypes.CDLL:
    """QWEN3GUARD_LIB_DIR, then this package's folder (a wheel), then the system's search."""
    name = _NAMES.get(sys.platform, "libqwen3guard_c.so.1")
    folder = os.environ.get("QWEN3GUARD_LIB_DIR")
    candidates = [str(Path(folder) / name)] if folder else [
        str(p) for p in (Path(__file__).parent / name, Path(__file__).parent / "lib" / name) if p.exists()]
    candidates = candidates or [name, ctypes.util.find_library("qwen3guard_c") or name]
    problem: Optional[OSError] = None
    for candidate in candidates:
        try:
            return ctypes.CDLL(candidate)
        except OSError as error:
            problem = error
    raise ImportError(f"qwen3guard: the shared library was not found ({problem}); set QWEN3GUARD_LIB_DIR to its folder")


library = _load()
if library.q3g_abi_version() != _raw.Q3G_ABI_VERSION:
    raise ImportError(f"qwen3guard: the shared library has ABI {library.q3g_abi_version()}; expected {_raw.Q3G_ABI_VERSION}")
_raw.declare(library)


class Qwen3GuardError(RuntimeError):
    """A call failed. `status` is a Q3G_E_ code, `name` its name; the text says what was wrong, where and what was
    expected."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.name: str = library.q3g_status_name(status).decode()


class InvalidArgumentError(Qwen3GuardError, ValueError):
    """A parameter breaks the function's contract."""


class InvalidUtf8Error(Qwen3GuardError, ValueError):
    """Text is not UTF-8; the message has the byte offset."""


class ModelNotFoundError(Qwen3GuardError, FileNotFoundError):
    """A path, or an embedded model, does not exist."""


class OutOfMemoryError(Qwen3GuardError, MemoryError):
    """An allocation failed."""


class ContextFullError(Qwen3GuardError):
    """More tokens than the context has room for."""


class CancelledError(Qwen3GuardError):
    """A Cancel, or a progress callback, asked to stop."""


class ClosedError(Qwen3GuardError, ValueError):
    """The object was closed already."""


_ERRORS = {
    _raw.Q3G_E_INVALID_ARGUMENT: InvalidArgumentError,
    _raw.Q3G_E_TOKEN_RANGE: InvalidArgumentError,
    _raw.Q3G_E_INVALID_UTF8: InvalidUtf8Error,
    _raw.Q3G_E_FILE_NOT_FOUND: ModelNotFoundError,
    _raw.Q3G_E_OUT_OF_MEMORY: OutOfMemoryError,
    _raw.Q3G_E_CONTEXT_FULL: ContextFullError,
    _raw.Q3G_E_CANCELLED: CancelledError,
    _raw.Q3G_E_BAD_HANDLE: ClosedError,
}


def error_of(status: int, message: str) -> Qwen3GuardError:
    return _ERRORS.get(status, Qwen3GuardError)(status, message)


class _Slot(threading.local):
    """The calling thread's error slot."""

    def __init__(self) -> None:
        self.error = _raw.q3g_error(struct_size=ctypes.sizeof(_raw.q3g_error))
        self.pointer = ctypes.byref(self.error)


_slot = _Slot()


def call(function: Any, *arguments: Any) -> None:
    """Calls a function whose last parameter is the error slot. Raises Qwen3GuardError."""
    slot = _slot
    status = function(*arguments, slot.pointer)
    if status != 0:
        raise error_of(status, slot.error.message.decode("utf-8", "replace"))


def encoded(text: Text) -> bytes:
    """UTF-8; a str with lone surrogates has none, and is the error that ill-formed bytes are."""
    if isinstance(text, str):
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise InvalidUtf8Error(_raw.Q3G_E_INVALID_UTF8,
                                   f"a lone surrogate at character {error.start}; expected text that UTF-8 can hold") from None
    return text if isinstance(text, bytes) else bytes(text)


def new(struct: Any, **fields: Any) -> Any:
    """A struct with its size set."""
    return struct(struct_size=ctypes.sizeof(struct), **fields)


def array(struct: Any, n: int) -> Any:
    """Structs of which every one has its size set."""
    out = (struct * n)()
    for item in out:
        item.struct_size = ctypes.sizeof(struct)
    return out


def defaults(struct: Any) -> Any:
    """An options struct as its init function fills it."""
    out = struct()
    status = _INITS[struct](ctypes.byref(out), ctypes.sizeof(struct))
    if status != 0:
        raise error_of(status, f"{struct.__name__}: the library does not know a struct of this size")
    return out


_INITS = {
    _raw.q3g_guard_options: library.q3g_guard_options_init,
    _raw.q3g_classify_options: library.q3g_classify_options_init,
    _raw.q3g_policy: library.q3g_policy_init,
    _raw.q3g_stream_options: library.q3g_stream_options_init,
    _raw.q3g_batch_options: library.q3g_batch_options_init,
    _raw.q3g_sampling_options: library.q3g_sampling_options_init,
    _raw.q3g_quantize_options: library.q3g_quantize_options_init,
    _raw.q3g_measure_options: library.q3g_measure_options_init,
}


class Callback:
    """A Python function for the library. What it raises stops the call, and is raised again behind it."""

    def __init__(self) -> None:
        self.error: Optional[BaseException] = None

    def progress(self, function: Any) -> Any:
        def run(_user: Any, n_done: int, n_total: int) -> int:
            try:
                return 1 if function(n_done, n_total) is False else 0
            except BaseException as error:  # whatever it is, it must not pass through C
                self.error = error
                return 1

        return _raw.q3g_progress_fn(run)

    def raise_error(self) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error


class Handle:
    """Owns a handle of the library; close() or the end of a `with` frees it, and so does the garbage collector."""

    _free: Any = None

    def __init__(self, handle: Optional[int]) -> None:
        self._handle = handle

    def close(self) -> None:
        """Frees the handle; what was made from it lives on. Closing twice is fine."""
        handle, self._handle = self._handle, None
        if handle:
            type(self)._free(handle)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except (AttributeError, TypeError):
            pass  # the interpreter is going down


class Cancel(Handle):
    """A flag that stops running calls from another thread: they raise CancelledError. Any thread."""

    _free = library.q3g_cancel_free

    def __init__(self) -> None:
        out = ctypes.c_void_p()
        call(library.q3g_cancel_new, ctypes.byref(out))
        super().__init__(out.value)

    def set(self) -> None:
        """Raises the flag."""
        library.q3g_cancel_set(self._handle)

    def reset(self) -> None:
        """Takes it down again."""
        library.q3g_cancel_reset(self._handle)

    def is_set(self) -> bool:
        return bool(library.q3g_cancel_is_set(self._handle))

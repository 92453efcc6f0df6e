# SPDX-License-Identifier: Apache-2.0
"""Finds the shared library, turns its status codes into exceptions, and Python's values into C's."""

from __future__ import annotations

import array as arrays
import ctypes
import ctypes.util
import os
import sys
import threading
from typing import Any, List, Optional, Sequence, Union

from . import _raw

Text = Union[str, bytes, bytearray, memoryview]
"""What is taken for text: a str, or UTF-8 as anything with bytes in it."""
Path = Union[str, "os.PathLike[str]"]

_NAMES = {"win32": "qwen3guard_c.dll", "darwin": "libqwen3guard_c.1.dylib"}


def _load() -> ctypes.CDLL:
    """From QWEN3GUARD_LIB_DIR and nowhere else when it is set; else from this package's folder (a wheel), or the
    system's search. Raises ImportError."""
    name = _NAMES.get(sys.platform, "libqwen3guard_c.so.1")
    folder, own = os.environ.get("QWEN3GUARD_LIB_DIR"), os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    if folder:
        candidates: List[str] = [os.path.join(os.path.abspath(folder), name)]
    elif os.path.exists(own):
        candidates = [own]
    else:
        candidates = [name, ctypes.util.find_library("qwen3guard_c") or name]
    problem: Optional[OSError] = None
    for candidate in candidates:
        try:
            found = ctypes.CDLL(candidate)
            break
        except OSError as error:
            problem = error
    else:
        raise ImportError(f"qwen3guard: the shared library was not found ({problem}); set QWEN3GUARD_LIB_DIR to its folder")
    try:
        abi = found.q3g_abi_version()
        if abi != _raw.Q3G_ABI_VERSION:
            raise ImportError(f"qwen3guard: {candidate} has ABI {abi}; expected {_raw.Q3G_ABI_VERSION}")
        _raw.declare(found)
    except AttributeError as error:
        raise ImportError(f"qwen3guard: {candidate} is another or an older library: {error}") from None
    return found


library = _load()


class Qwen3GuardError(RuntimeError):
    """A call failed. `status` is a Q3G_E_ code of qwen3guard.h, `name` its name, e.g. "bad_checkpoint"; the text says
    what was wrong, where and what was expected."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.name: str = library.q3g_status_name(status).decode()

    def __reduce__(self) -> Any:  # exceptions travel between processes
        return type(self), (self.status, str(self))


class InvalidArgumentError(Qwen3GuardError, ValueError):
    """A parameter is out of range, or does not suit what it is called on."""


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
    """The exception of a status code."""
    if status == _raw.Q3G_E_BAD_HANDLE:
        message = f"a closed object was used ({message})"
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


def bad_argument(message: str) -> InvalidArgumentError:
    """The exception for what this binding refuses itself."""
    return InvalidArgumentError(_raw.Q3G_E_INVALID_ARGUMENT, message)


def encoded(text: Text) -> bytes:
    """UTF-8. Lone surrogates, which have none, become three bytes each that are ill-formed: the library says what is to be done
    with them, as with bytes that a host hands over. Raises TypeError."""
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    if isinstance(text, bytes):
        return text
    try:
        return memoryview(text).tobytes()  # not bytes(), which makes zeros of a number
    except TypeError:
        raise TypeError(f"text must be str or bytes-like, not {type(text).__name__}") from None


# Few types for all lengths, because ctypes takes long to make one. Of that with one element, the buffer has more.
_ONE_CHAR, _CHARS_256 = ctypes.c_char * 1, ctypes.c_char * 256


def path_to_c(path: Path) -> bytes:
    """UTF-8, as the library wants paths on every system. Raises InvalidUtf8Error, TypeError."""
    return encoded(os.fspath(path))


def read_text(function: Any, *arguments: Any) -> str:
    """The text that a function writes, in a buffer that grows until it fits. Raises Qwen3GuardError."""
    n, room = ctypes.c_size_t(), _CHARS_256()
    try:
        call(function, *arguments, room, 256, ctypes.byref(n))
        return room.raw[:n.value].decode()
    except Qwen3GuardError as error:
        if error.status != _raw.Q3G_E_BUFFER_TOO_SMALL:
            raise
    longer = bytearray(n.value)
    call(function, *arguments, _ONE_CHAR.from_buffer(longer), len(longer), ctypes.byref(n))
    return longer[:n.value].decode()


def c_string(text: Text, name: str) -> bytes:
    """The same for what C takes to end at a NUL. Raises InvalidArgumentError."""
    data = encoded(text)
    if b"\0" in data:
        raise bad_argument(f"{name} has a NUL at byte {data.index(0)}; expected none")
    return data


def whole(name: str, value: int, bits: int = 32, is_signed: bool = True) -> int:
    """A number that C's type can hold: ctypes would cut off its upper bits. Raises InvalidArgumentError, TypeError."""
    if type(value) is int and 0 <= value < 0x80000000:  # what every type can hold, and nearly all there is
        return value
    try:
        out = value.__index__()
    except AttributeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None
    low, high = (-1 << (bits - 1), 1 << (bits - 1)) if is_signed else (0, 1 << bits)
    if not low <= out < high:
        raise bad_argument(f"{name} is {out}; expected {low} to {high - 1}")
    return out


_ONE_ID = ctypes.c_int32 * 1


def _is_int32_block(ids: Any) -> bool:
    try:
        view = memoryview(ids)
    except TypeError:
        return False
    return view.ndim == 1 and view.format in ("i", "l") and view.itemsize == 4


def ids_to_c(ids: Sequence[int]) -> "tuple[Any, int]":
    """Token ids as C's, and how many there are. What is an array of 32-bit integers already (array, numpy) is copied as
    one block. Raises InvalidArgumentError, TypeError."""
    if isinstance(ids, (str, bytes, bytearray)):
        raise TypeError(f"token ids must be integers, not {type(ids).__name__}")
    numbers = arrays.array("i")
    try:
        if isinstance(ids, (list, tuple, range)) or not _is_int32_block(ids):
            numbers.extend(iter(ids))  # an array of another type is refused as such
        else:
            numbers.frombytes(memoryview(ids).tobytes())  # type: ignore[arg-type]
    except OverflowError:
        raise InvalidArgumentError(_raw.Q3G_E_TOKEN_RANGE,
                                   f"token id at index {len(numbers)} does not fit into 32 bits") from None
    except TypeError:
        raise TypeError("token ids must be integers") from None
    n = len(numbers)
    # One type for all lengths, because ctypes takes long to make one.
    return (_ONE_ID.from_buffer(numbers) if n else None), n


def put(raw: Any, **fields: Any) -> None:
    """Sets fields of a struct. Raises InvalidArgumentError for a number that the field cannot hold, which ctypes would cut
    off; TypeError."""
    for name, value in fields.items():
        try:
            setattr(raw, name, value)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        if isinstance(value, int) and getattr(raw, name) != value:
            raise bad_argument(f"{name} is {value}; expected a number that fits into {type(raw).__name__}")


def new(struct: Any) -> Any:
    """A struct with its size set."""
    return struct(ctypes.sizeof(struct))


def array(struct: Any, n: int, is_input: bool = True) -> Any:
    """Structs of which every one has its size set; for those that are only written, the first one's is enough."""
    out, size = (struct * n)(), ctypes.sizeof(struct)
    for i in range(n if is_input else min(n, 1)):
        out[i].struct_size = size
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
    _raw.q3g_stream_options: library.q3g_stream_options_init,
    _raw.q3g_batch_options: library.q3g_batch_options_init,
    _raw.q3g_hold_back_options: library.q3g_hold_back_options_init,
    _raw.q3g_sampling_options: library.q3g_sampling_options_init,
    _raw.q3g_quantize_options: library.q3g_quantize_options_init,
}


def version() -> str:
    """The library's version, "major.minor.patch"."""
    return str(library.q3g_version().decode())

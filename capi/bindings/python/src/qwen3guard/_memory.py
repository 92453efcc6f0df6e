# SPDX-License-Identifier: Apache-2.0
"""Python's buffers, lent to the library."""

from __future__ import annotations

import ctypes
import itertools
from typing import Dict, List

from . import _raw


class _Buffer(ctypes.Structure):
    """Py_buffer of Python's C interface, which is the only way to the address of bytes that are read-only."""
    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_void_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    ]


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes, _get.restype = [ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int], ctypes.c_int
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes, _release.restype = [ctypes.POINTER(_Buffer)], None


def address_of(view: memoryview) -> int:
    """Where its bytes are. They stay there as long as `view` lives: a bytearray cannot be resized, a mmap not be closed.
    Raises BufferError when they are not one block."""
    buffer = _Buffer()
    _get(view, ctypes.byref(buffer), 0)
    address: int = buffer.buf or 0
    _release(ctypes.byref(buffer))
    return address


_lent: Dict[int, List[memoryview]] = {}
_numbers = itertools.count(1)

# Called by the library when it needs the bytes no more. No line of Python runs in it, so that nothing can be raised in it.
give_back = _raw.q3g_release_fn(_lent.pop)


def lend(views: List[memoryview]) -> int:
    """Keeps the views until the library calls `give_back` with the number."""
    number = next(_numbers)
    _lent[number] = views
    return number

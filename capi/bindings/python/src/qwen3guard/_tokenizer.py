# SPDX-License-Identifier: Apache-2.0
"""Tokenizer and streaming decoder."""

from __future__ import annotations

import ctypes
import os
from typing import Any, List, Optional, Sequence

from . import _raw
from ._library import Handle, Text, call, encoded, library

_INT32_ARRAYS = {n: ctypes.c_int32 * n for n in (64, 1024)}


def _ids_to_c(ids: Sequence[int]) -> Any:
    try:
        return (ctypes.c_int32 * len(ids))(*ids)
    except TypeError:
        raise TypeError("token ids must be integers") from None


class Tokenizer(Handle):
    """A tokenizer. Immutable: any thread."""

    _free = library.q3g_tokenizer_free

    @staticmethod
    def load(path: "os.PathLike[str] | str") -> "Tokenizer":
        """Reads tokenizer.json, or a folder with it or with vocab.json and merges.txt."""
        out, name = ctypes.c_void_p(), encoded(os.fspath(path))
        call(library.q3g_tokenizer_load, name, len(name), ctypes.byref(out))
        return Tokenizer(out.value)

    def encode(self, text: Text, recognize_special: bool = False) -> List[int]:
        """Token ids. recognize_special: control tokens in the text count as such; not for content."""
        data = encoded(text)
        capacity = 3 * len(data)  # always enough
        kind = _INT32_ARRAYS[64 if capacity <= 64 else 1024] if capacity <= 1024 else ctypes.c_int32 * capacity
        ids, n = kind(), ctypes.c_size_t()
        call(library.q3g_tokenizer_encode, self._handle, data, len(data), int(recognize_special), ids, len(ids),
             ctypes.byref(n))
        return ids[:n.value]

    def decode(self, ids: Sequence[int], skip_special: bool = False) -> str:
        """Text of tokens; ill-formed UTF-8 becomes U+FFFD."""
        array = _ids_to_c(ids)
        capacity, n = 16 * len(ids) + 64, ctypes.c_size_t()
        while True:
            text = ctypes.create_string_buffer(capacity)
            status = library.q3g_tokenizer_decode(self._handle, array, len(ids), int(skip_special), text, capacity,
                                                  ctypes.byref(n), None)
            if status == _raw.Q3G_E_BUFFER_TOO_SMALL:
                capacity = n.value
                continue
            if status != 0:  # once more, for the message
                call(library.q3g_tokenizer_decode, self._handle, array, len(ids), int(skip_special), text, capacity,
                     ctypes.byref(n))
            return text.raw[:n.value].decode()

    def token_bytes(self, id: int) -> bytes:
        """A token's bytes, which may be a part of a character."""
        at, n = ctypes.c_void_p(), ctypes.c_size_t()
        call(library.q3g_tokenizer_token_bytes, self._handle, id, ctypes.byref(at), ctypes.byref(n))
        return ctypes.string_at(at.value or 0, n.value) if n.value else b""

    def find_bytes(self, data: bytes) -> Optional[int]:
        """The regular token of exactly these bytes."""
        out = ctypes.c_int32()
        call(library.q3g_tokenizer_find_bytes, self._handle, data, len(data), ctypes.byref(out))
        return None if out.value < 0 else out.value

    def find_added(self, text: Text) -> Optional[int]:
        """The added token of this text, e.g. "<|im_end|>"."""
        out, data = ctypes.c_int32(), encoded(text)
        call(library.q3g_tokenizer_find_added, self._handle, data, len(data), ctypes.byref(out))
        return None if out.value < 0 else out.value

    def is_special(self, id: int) -> bool:
        """True for control tokens."""
        out = ctypes.c_int32()
        call(library.q3g_tokenizer_is_special, self._handle, id, ctypes.byref(out))
        return bool(out.value)

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        out = ctypes.c_int32()
        call(library.q3g_tokenizer_vocab_size, self._handle, ctypes.byref(out))
        return out.value

    def decoder(self, skip_special: bool = False) -> "StreamingDecoder":
        """Decodes tokens one by one into whole characters."""
        out = ctypes.c_void_p()
        call(library.q3g_decoder_new, self._handle, int(skip_special), ctypes.byref(out))
        return StreamingDecoder(out.value)


class StreamingDecoder(Handle):
    """Holds back the bytes of an unfinished character. One thread at a time."""

    _free = library.q3g_decoder_free

    def push(self, id: int) -> str:
        """Text that the token completes."""
        return self._text(library.q3g_decoder_push, id)

    def finish(self) -> str:
        """What was held back, as U+FFFD."""
        return self._text(library.q3g_decoder_finish)

    def _text(self, function: Any, *arguments: int) -> str:
        n, capacity = ctypes.c_size_t(), 256
        while True:
            text = ctypes.create_string_buffer(capacity)
            status = function(self._handle, *arguments, text, capacity, ctypes.byref(n), None)
            if status == _raw.Q3G_E_BUFFER_TOO_SMALL:
                capacity = n.value
                continue
            if status != 0:
                call(function, self._handle, *arguments, text, capacity, ctypes.byref(n))
            return text.raw[:n.value].decode()

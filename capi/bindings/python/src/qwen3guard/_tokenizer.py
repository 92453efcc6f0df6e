# SPDX-License-Identifier: Apache-2.0
"""Tokenizer and streaming decoder."""

from __future__ import annotations

import array as arrays
import ctypes
from typing import List, Optional, Sequence, Union

from . import _raw
from ._handle import Exclusive, Handle
from ._library import Path, Text, call, encoded, ids_to_c, library, path_to_c, read_text, whole

# Few types for all lengths, because ctypes takes long to make one. Of those with one element, the buffer has more.
_ONE_ID = ctypes.c_int32 * 1
_IDS_64, _IDS_1024 = ctypes.c_int32 * 64, ctypes.c_int32 * 1024


class Tokenizer(Handle, free=library.q3g_tokenizer_free):
    """A tokenizer: Guard.tokenizer, or Tokenizer.load(). Immutable: any thread. Methods raise Qwen3GuardError."""

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Reads tokenizer.json, or a folder with it or with vocab.json and merges.txt. Raises ModelNotFoundError,
        Qwen3GuardError."""
        name = path_to_c(path)
        return cls._make(library.q3g_tokenizer_load, name, len(name))

    def encode(self, text: Text, recognize_special: bool = False) -> List[int]:
        """Token ids. recognize_special: control tokens in the text count as such; not for content. Raises
        InvalidUtf8Error."""
        data = encoded(text)
        capacity, n = 3 * len(data), ctypes.c_size_t()  # NFC at most triples a text: always enough
        if capacity <= 1024:  # faster than what follows
            short = _IDS_64() if capacity <= 64 else _IDS_1024()
            call(library.q3g_tokenizer_encode, self._handle, data, len(data), 1 if recognize_special else 0, short, capacity,
                 ctypes.byref(n))
            out: List[int] = short[:n.value]
            return out
        ids = arrays.array("i", bytes(4 * capacity))
        call(library.q3g_tokenizer_encode, self._handle, data, len(data), 1 if recognize_special else 0,
             _ONE_ID.from_buffer(ids), capacity, ctypes.byref(n))
        return ids[:n.value].tolist()

    def decode(self, ids: Sequence[int], skip_special: bool = False) -> str:
        """Text of tokens; ill-formed UTF-8 becomes U+FFFD. skip_special: without control tokens. Raises
        InvalidArgumentError for an id that is not in the vocabulary."""
        c_ids, n = ids_to_c(ids)
        return read_text(library.q3g_tokenizer_decode, self._handle, c_ids, n, 1 if skip_special else 0)

    def token_bytes(self, id: int) -> bytes:
        """A token's bytes, which may be a part of a character. Raises InvalidArgumentError for an unknown id."""
        pointer, at, n = self._handle, ctypes.c_void_p(), ctypes.c_size_t()  # the bytes live as long as `pointer`
        call(library.q3g_tokenizer_token_bytes, pointer, whole("id", id), ctypes.byref(at), ctypes.byref(n))
        return ctypes.string_at(at.value or 0, n.value) if n.value else b""

    def find_bytes(self, data: Union[bytes, bytearray, memoryview]) -> Optional[int]:
        """The regular token of exactly these bytes."""
        out, data = ctypes.c_int32(), encoded(data)
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
        call(library.q3g_tokenizer_is_special, self._handle, whole("id", id), ctypes.byref(out))
        return bool(out.value)

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        out = ctypes.c_int32()
        call(library.q3g_tokenizer_vocab_size, self._handle, ctypes.byref(out))
        return out.value

    def decoder(self, skip_special: bool = False) -> "StreamingDecoder":
        """Decodes tokens one by one into whole characters."""
        return StreamingDecoder._make(library.q3g_decoder_new, self._handle, 1 if skip_special else 0)


class StreamingDecoder(Exclusive, free=library.q3g_decoder_free):
    """Tokenizer.decoder(): holds back the bytes of an unfinished character. One thread at a time: calls of several threads
    wait for each other. Methods raise Qwen3GuardError."""

    def push(self, id: int) -> str:
        """Text that the token completes; may be none. Raises InvalidArgumentError for an unknown id."""
        with self._lock:
            return read_text(library.q3g_decoder_push, self._handle, whole("id", id))

    def finish(self) -> str:
        """What was held back, as U+FFFD; the decoder is then as new."""
        with self._lock:
            return read_text(library.q3g_decoder_finish, self._handle)

# SPDX-License-Identifier: Apache-2.0
"""Models, verdicts, packing and measuring."""

from __future__ import annotations

import asyncio
import ctypes
import os
from array import array as numbers
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _raw
from ._library import (Callback, Cancel, CancelledError, Handle, Qwen3GuardError, Text, array, call, defaults, encoded,
                       error_of, library, new)
from ._tokenizer import Tokenizer, _ids_to_c
from ._values import (Decoder, InvalidUtf8, Message, Mode, ModelKind, PackedWeights, Severity, Action, Verdict, threshold,
                      verdict_of)

Path = Union[str, "os.PathLike[str]"]
_TEXT_BYTES = 2048  # room for a verdict's text; greedy decoding writes at most 128 tokens


@dataclass(frozen=True)
class ModelInfo:
    """What a loaded model is."""
    kind: ModelKind
    architecture: str
    weight_dtype: str
    isa: str
    isa_available: Tuple[str, ...]
    hidden_size: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    max_context_tokens: int
    tied_embeddings: bool
    n_threads: int
    n_parameters: int
    weight_bytes: int
    kv_bytes_per_token: int


@dataclass(frozen=True)
class HeadLogits:
    """One head's logits, row-major; `values` is an array of C floats (numpy.frombuffer takes it)."""
    name: str
    rows: int
    cols: int
    values: "numbers[float]"


@dataclass
class ClassifyOptions:
    """How a verdict is reached. Thresholds are in [0, 1]. progress(n_done, n_total): of classify_batch, in
    conversations; returning False stops."""
    decoder: Decoder = Decoder.CONSTRAINED
    mode: Mode = Mode.STRICT
    invalid_utf8: InvalidUtf8 = InvalidUtf8.REJECT
    flag_threshold: Optional[float] = None
    block_threshold: Optional[float] = None
    cancel: Optional[Cancel] = None
    progress: Optional[Callable[[int, int], Optional[bool]]] = None

    def _to_c(self, callback: Optional[Callback] = None) -> Any:
        raw = defaults(_raw.q3g_classify_options)
        raw.decoder, raw.mode, raw.invalid_utf8 = self.decoder, self.mode, self.invalid_utf8
        raw.flag_threshold, raw.block_threshold = threshold(self.flag_threshold), threshold(self.block_threshold)
        raw.cancel = self.cancel._handle if self.cancel else None
        if self.progress is not None and callback is not None:
            raw.progress = callback.progress(self.progress)
        return raw


def _messages(messages: Sequence[Union[Message, Tuple[Any, Text]]]) -> Tuple[Any, List[bytes]]:
    out, texts = array(_raw.q3g_message, len(messages)), []
    for item, (role, text) in zip(out, messages):
        data = encoded(text)
        texts.append(data)
        item.role, item.text, item.text_bytes = role, data, len(data)
    return out, texts


def embedded_models() -> List[str]:
    """Names of the models in the library."""
    out: List[str] = []
    while (name := library.q3g_embedded_model_name(len(out))) is not None:
        out.append(name.decode())
    return out


class Guard(Handle):
    """A loaded model. Immutable: any thread; every call releases the interpreter's lock."""

    _free = library.q3g_guard_free

    @staticmethod
    def _options(n_threads: int, max_context_tokens: int, kept_tokens: Optional[int], isa: str,
                 require_tokenizer: bool, log: Optional[Callable[[int, str], None]], callback: Callback) -> Any:
        raw = defaults(_raw.q3g_guard_options)
        raw.n_threads, raw.max_context_tokens = n_threads, max_context_tokens
        raw.require_tokenizer = require_tokenizer
        if kept_tokens is not None:
            raw.kept_tokens = kept_tokens
        raw.isa = isa.encode() or None
        if log is not None:

            def run(_user: Any, level: int, line: int, n_bytes: int) -> None:
                try:
                    log(level, ctypes.string_at(line, n_bytes).decode("utf-8", "replace"))
                except BaseException as error:  # it must not pass through C
                    callback.error = error

            raw.log = _raw.q3g_log_fn(run)
        return raw

    @staticmethod
    def _load(function: Any, arguments: Tuple[Any, ...], n_threads: int = 0, max_context_tokens: int = 0,
              kept_tokens: Optional[int] = None, isa: str = "", require_tokenizer: bool = True,
              log: Optional[Callable[[int, str], None]] = None) -> "Guard":
        out, callback = ctypes.c_void_p(), Callback()
        raw = Guard._options(n_threads, max_context_tokens, kept_tokens, isa, require_tokenizer, log, callback)
        call(function, *arguments, ctypes.byref(raw), ctypes.byref(out))
        guard = Guard(out.value)
        callback.raise_error()
        return guard

    @staticmethod
    def load(path: Path, **options: Any) -> "Guard":
        """Loads a checkpoint folder or a packed file. Options: n_threads, max_context_tokens, kept_tokens, isa,
        require_tokenizer, log(level, line). Raises ModelNotFoundError, Qwen3GuardError."""
        name = encoded(os.fspath(path))
        return Guard._load(library.q3g_guard_load, (name, len(name)), **options)

    @staticmethod
    def embedded(name: str, **options: Any) -> "Guard":
        """Loads a model of the library (embedded_models())."""
        data = encoded(name)
        return Guard._load(library.q3g_guard_load_embedded, (data, len(data)), **options)

    @staticmethod
    def from_memory(files: Union[bytes, Dict[str, bytes]], **options: Any) -> "Guard":
        """Loads a packed file's bytes, or a checkpoint's files by name. The bytes are not copied, and kept alive."""
        named = {"model.q3g": files} if isinstance(files, bytes) else dict(files)
        raw = array(_raw.q3g_file, len(named))
        kept: List[Any] = []
        for item, (name, data) in zip(raw, named.items()):
            pointer = ctypes.c_char_p(data)
            kept += [data, name.encode()]
            item.name, item.bytes, item.n_bytes = kept[-1], ctypes.cast(pointer, ctypes.c_void_p), len(data)
        number = _Borrowed.add(kept)
        return Guard._load(library.q3g_guard_load_memory, (raw, len(named), _Borrowed.release, number), **options)

    @property
    def info(self) -> ModelInfo:
        """What the model is."""
        raw = new(_raw.q3g_model_info)
        call(library.q3g_guard_info, self._handle, ctypes.byref(raw))
        names = [name for name in ModelInfo.__dataclass_fields__ if name not in ("kind", "isa_available")]
        values = {name: getattr(raw, name) for name in names}
        texts = {name: value.decode() for name, value in values.items() if isinstance(value, bytes)}
        values.update(texts, tied_embeddings=bool(raw.tied_embeddings))
        return ModelInfo(kind=ModelKind(raw.kind), isa_available=tuple(raw.isa_available.decode().split()), **values)

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, an object of its own."""
        out = ctypes.c_void_p()
        call(library.q3g_guard_tokenizer, self._handle, ctypes.byref(out))
        return Tokenizer(out.value)

    def logits(self, ids: Sequence[int], last_only: bool = False) -> List[HeadLogits]:
        """Raw logits of every head."""
        out = ctypes.c_void_p()
        call(library.q3g_guard_logits, self._handle, _ids_to_c(ids), len(ids), int(last_only), ctypes.byref(out))
        try:
            heads = []
            for i in range(library.q3g_logits_count(out)):
                raw = new(_raw.q3g_head_logits)
                call(library.q3g_logits_get, out, i, ctypes.byref(raw))
                values = numbers("f")
                values.frombytes(ctypes.string_at(raw.values, 4 * raw.rows * raw.cols))
                heads.append(HeadLogits(raw.name.decode(), raw.rows, raw.cols, values))
            return heads
        finally:
            library.q3g_logits_free(out)

    def classify_prompt(self, prompt: Text, options: Optional[ClassifyOptions] = None) -> Verdict:
        """Judges a user's prompt. Raises Qwen3GuardError."""
        data = encoded(prompt)
        return self._classify(library.q3g_guard_classify_prompt, (data, len(data)), options)

    def classify_response(self, prompt: Text, response: Text, options: Optional[ClassifyOptions] = None) -> Verdict:
        """Judges the response to a prompt. Raises Qwen3GuardError."""
        a, b = encoded(prompt), encoded(response)
        return self._classify(library.q3g_guard_classify_response, (a, len(a), b, len(b)), options)

    def classify(self, messages: Sequence[Union[Message, Tuple[Any, Text]]],
                 options: Optional[ClassifyOptions] = None) -> Verdict:
        """Judges the last message of a conversation. Raises Qwen3GuardError."""
        raw, _texts = _messages(messages)
        return self._classify(library.q3g_guard_classify, (raw, len(messages)), options)

    def _classify(self, function: Any, arguments: Tuple[Any, ...], options: Optional[ClassifyOptions]) -> Verdict:
        verdict = _verdict_place()
        raw = ctypes.byref(options._to_c()) if options is not None else None
        call(function, self._handle, *arguments, raw, ctypes.byref(verdict))
        return verdict_of(verdict)

    async def aclassify_prompt(self, prompt: Text, options: Optional[ClassifyOptions] = None) -> Verdict:
        """classify_prompt() on a thread; cancelling the task stops the call."""
        options = options or ClassifyOptions()
        cancel = options.cancel or Cancel()
        own = ClassifyOptions(options.decoder, options.mode, options.invalid_utf8, options.flag_threshold,
                              options.block_threshold, cancel)
        task = asyncio.get_running_loop().run_in_executor(None, self.classify_prompt, prompt, own)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            cancel.set()
            try:
                await task
            except CancelledError:
                pass
            raise

    def classify_batch(self, conversations: Sequence[Sequence[Union[Message, Tuple[Any, Text]]]],
                       options: Optional[ClassifyOptions] = None) -> List[Union[Verdict, Qwen3GuardError]]:
        """Judges several conversations together: the verdict, or the error, of each."""
        n, kept, callback = len(conversations), [], Callback()
        raw = array(_raw.q3g_conversation, n)
        for item, conversation in zip(raw, conversations):
            messages, texts = _messages(conversation)
            kept.append((messages, texts))
            item.messages, item.n_messages = messages, len(conversation)
        verdicts, errors = array(_raw.q3g_verdict, n), array(_raw.q3g_error, n)
        room = ctypes.create_string_buffer(max(1, n * _TEXT_BYTES))
        base = ctypes.addressof(room)
        for i, verdict in enumerate(verdicts):
            verdict.text = ctypes.cast(base + i * _TEXT_BYTES, ctypes.POINTER(ctypes.c_char))
            verdict.text_capacity = _TEXT_BYTES
        c_options = options._to_c(callback) if options is not None else None
        call(library.q3g_guard_classify_batch, self._handle, raw, n, ctypes.byref(c_options) if c_options else None,
             verdicts, errors)
        callback.raise_error()
        return [
            verdict_of(v) if v.status == 0 else error_of(v.status, e.message.decode("utf-8", "replace"))
            for v, e in zip(verdicts, errors)
        ]


def _verdict_place() -> Any:
    verdict = new(_raw.q3g_verdict)
    verdict.text = ctypes.create_string_buffer(_TEXT_BYTES)
    verdict.text_capacity = _TEXT_BYTES
    return verdict


class _Borrowed:
    """Bytes that a guard reads, until the library lets them go."""

    _kept: Dict[int, Any] = {}
    _next = 1

    @classmethod
    def add(cls, kept: Any) -> int:
        number, cls._next = cls._next, cls._next + 1
        cls._kept[number] = kept
        return number

    @staticmethod
    def _release(number: int) -> None:
        _Borrowed._kept.pop(number, None)

    release = _raw.q3g_release_fn(lambda number: _Borrowed._release(number))


def decide_action(severity: Severity, probabilities: Sequence[float], options: Optional[ClassifyOptions] = None) -> Action:
    """What a host should do, by the mode and thresholds of the options. A pure function."""
    out = ctypes.c_int32()
    raw = (options or ClassifyOptions())._to_c()
    call(library.q3g_decide_action, ctypes.byref(raw), int(severity), (ctypes.c_float * 3)(*probabilities),
         ctypes.byref(out))
    return Action(out.value)


@dataclass(frozen=True)
class QuantizeReport:
    source_bytes: int
    file_bytes: int
    seconds: float
    weight_dtype: str


def quantize(model: Path, out_file: Path, type: PackedWeights = PackedWeights.INT8, group_size: int = -1,
             overwrite: bool = False, keep_prefix: bool = False, n_threads: int = 0, embedded: bool = False,
             progress: Optional[Callable[[int, int], Optional[bool]]] = None) -> QuantizeReport:
    """Packs a checkpoint folder (embedded: a model of the library) into one file. progress(n_done_bytes,
    n_total_bytes): returning False stops. Raises Qwen3GuardError; the file is then not there."""
    raw, report, callback = defaults(_raw.q3g_quantize_options), new(_raw.q3g_quantize_report), Callback()
    raw.type, raw.group_size, raw.overwrite = type, group_size, overwrite
    raw.keep_prefix, raw.n_threads = keep_prefix, n_threads
    if progress is not None:
        raw.progress = callback.progress(progress)
    a, b = encoded(os.fspath(model)), encoded(os.fspath(out_file))
    function = library.q3g_quantize_embedded if embedded else library.q3g_quantize
    try:
        call(function, a, len(a), b, len(b), ctypes.byref(raw), ctypes.byref(report))
    except CancelledError:
        callback.raise_error()
        raise
    return QuantizeReport(report.source_bytes, report.file_bytes, report.seconds, report.weight_dtype.decode())


def verify_packed(file: Path) -> None:
    """Compares every checksum of a packed file. Raises Qwen3GuardError that names what is damaged."""
    name = encoded(os.fspath(file))
    call(library.q3g_verify_packed, name, len(name))


def measure(model: Path, embedded: bool = False, quick: bool = False, n_threads: int = 0) -> Dict[str, float]:
    """Measures a model on this machine, for some 10 seconds: the figures of q3g_measurement by name."""
    raw, out = defaults(_raw.q3g_measure_options), new(_raw.q3g_measurement)
    raw.quick, raw.n_threads = quick, n_threads
    name = encoded(os.fspath(model))
    function = library.q3g_measure_embedded if embedded else library.q3g_measure
    call(function, name, len(name), ctypes.byref(raw), ctypes.byref(out))
    return {field[0]: getattr(out, field[0]) for field in _raw.q3g_measurement._fields_[2:]}


def version() -> str:
    """The library's version."""
    return str(library.q3g_version().decode())

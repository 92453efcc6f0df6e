# SPDX-License-Identifier: Apache-2.0
"""Models and verdicts."""

from __future__ import annotations

import ctypes
import dataclasses
import sys
from array import array as numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, TypedDict, Union

from . import _raw
from ._convert import VerdictPlace
from ._enum_kinds import number
from ._enums import Decoder, InvalidUtf8, LongText, Thinking, Verify
from ._handle import Callback, Cancel, Handle, lend_handle
from ._library import (Path, Qwen3GuardError, Text, array, c_string, call, defaults, encoded, error_of, ids_to_c, library, new,
                       path_to_c, put)
from ._memory import address_of, give_back, lend
from ._messages import Messages, messages_to_c
from ._policy import Policy
from ._tokenizer import Tokenizer
from ._value_structs import ModelInfo
from ._values import Verdict

if sys.version_info >= (3, 11):
    from typing import Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack

Bytes = Union[bytes, bytearray, memoryview]


@dataclass(frozen=True)
class HeadLogits:
    """One head's logits, row-major; `values` is an array of C floats (numpy.frombuffer takes it)."""
    name: str
    rows: int
    cols: int
    values: "numbers[float]"


class LoadOptions(TypedDict, total=False):
    """How a model is loaded: keyword arguments of Guard.load(), embedded() and from_memory()."""
    n_threads: int  #: of one call; 0: all cores
    max_context_tokens: int  #: 0: the checkpoint's own limit
    kept_tokens: int  #: Gen: tokens of the last conversations that are kept; 0: none; not given: 768
    isa: str  #: one of ModelInfo.isa_available; "": the best there is
    require_tokenizer: bool  #: False: a model without tokenizer files loads, for logits() only
    verify: Union[Verify, str]  #: how much of the files is compared; a damaged one raises Qwen3GuardError
    refuse_unknown_template: bool  #: True: a checkpoint whose own chat template is unknown raises Qwen3GuardError
    known_template: str  #: a ModelInfo.chat_template_fingerprint that counts as known
    log: Callable[[int, str], Any]  #: log(line), called while loading; what it raises, load raises


@dataclass
class ClassifyOptions:
    """How a verdict is reached, and what is done about it."""
    decoder: Union[Decoder, str] = Decoder.CONSTRAINED  #: Gen only
    policy: Optional[Policy] = None  #: None: the default one, which blocks what is Unsafe or Controversial
    thinking: Union[Thinking, str] = Thinking.NONE  #: what becomes of the response's thinking
    invalid_utf8: Union[InvalidUtf8, str] = InvalidUtf8.REJECT
    long_text: Union[LongText, str, None] = None  #: messages that do not fit the context; None: as the policy says
    #: Gen: messages that the template leaves out are an error; False: the verdict names them; None: as the policy says.
    reject_dropped: Optional[bool] = None
    cancel: Optional[Cancel] = None
    #: progress(n_done, n_total): of classify_batch(), in conversations; returning False stops, and so does raising.
    progress: Optional[Callable[[int, int], Optional[bool]]] = None

    def _to_c(self, callback: Optional[Callback] = None) -> Any:
        raw = defaults(_raw.q3g_classify_options)
        put(raw, decoder=number("decoder", Decoder, self.decoder),
            invalid_utf8=number("invalid_utf8", InvalidUtf8, self.invalid_utf8),
            dropped_messages=_raw.Q3G_FROM_POLICY if self.reject_dropped is None else bool(self.reject_dropped),
            long_text=_raw.Q3G_FROM_POLICY if self.long_text is None else number("long_text", LongText, self.long_text),
            thinking=number("thinking", Thinking, self.thinking))
        lend_handle(raw, "policy", self.policy)
        lend_handle(raw, "cancel", self.cancel)
        if self.progress is not None and callback is not None:
            raw.progress = callback.progress(self.progress)
        return raw


def embedded_models() -> List[str]:
    """Names of the models in the library."""
    out: List[str] = []
    while (name := library.q3g_embedded_model_name(len(out))) is not None:
        out.append(name.decode())
    return out


class _Loading:
    """LoadOptions as C's."""

    def __init__(self, n_threads: int = 0, max_context_tokens: int = 0, kept_tokens: Optional[int] = None, isa: str = "",
                 require_tokenizer: bool = True, verify: Union[Verify, str] = Verify.AUTOMATIC,
                 refuse_unknown_template: bool = False, known_template: str = "",
                 log: Optional[Callable[[int, str], Any]] = None) -> None:
        self.raw, self.callback, self.has_log = defaults(_raw.q3g_guard_options), Callback(), log is not None
        put(self.raw, n_threads=n_threads, max_context_tokens=max_context_tokens,
            require_tokenizer=bool(require_tokenizer), verify=number("verify", Verify, verify),
            unknown_template=bool(refuse_unknown_template),
            known_template=c_string(known_template, "known_template") or None, isa=c_string(isa, "isa") or None)
        if kept_tokens is not None:
            put(self.raw, kept_tokens=kept_tokens)
        if log is not None:
            self.raw.log = self.callback.log(log)


class Guard(Handle, free=library.q3g_guard_free):
    """A loaded model: Guard.load(), embedded() or from_memory(). Immutable: any thread; every call releases the
    interpreter's lock. Methods raise Qwen3GuardError; which of its kinds, they say."""

    @classmethod
    def _load(cls, how: _Loading, function: Any, *arguments: Any) -> "Guard":
        arguments += (ctypes.byref(how.raw),)
        if not how.has_log:
            return cls._make(function, *arguments)
        with Cancel() as flag:
            guard = flag.run(cls._make, function, *arguments)
        how.callback.raise_error()
        return guard

    @classmethod
    def load(cls, path: Path, **options: Unpack[LoadOptions]) -> "Guard":
        """Loads a checkpoint folder or a packed file. Options: LoadOptions. Raises ModelNotFoundError, OutOfMemoryError,
        InvalidArgumentError, Qwen3GuardError (a damaged or unknown model)."""
        name = path_to_c(path)
        return cls._load(_Loading(**options), library.q3g_guard_load, name, len(name))

    @classmethod
    def embedded(cls, name: str, **options: Unpack[LoadOptions]) -> "Guard":
        """Loads a model of the library (embedded_models()). As load()."""
        data = encoded(name)
        return cls._load(_Loading(**options), library.q3g_guard_load_embedded, data, len(data))

    @classmethod
    def from_memory(cls, files: Union[Bytes, Dict[str, Bytes]], **options: Unpack[LoadOptions]) -> "Guard":
        """Loads a packed file's bytes, or a checkpoint's files by name: bytes, bytearray, mmap, or whatever has a buffer. They
        are not copied: they must not change, and are held, until the guard and all that was made from it are closed. As
        load(); raises BufferError for a buffer that is not one block."""
        how = _Loading(**options)
        named = files if isinstance(files, dict) else {"model.q3g": files}
        raw = array(_raw.q3g_file, len(named))
        views: List[memoryview] = []
        for item, (name, data) in zip(raw, named.items()):
            view = memoryview(data)
            views.append(view)
            item.name, item.bytes, item.n_bytes = c_string(name, "a file's name"), address_of(view), view.nbytes
        return cls._load(how, library.q3g_guard_load_memory, raw, len(named), give_back, lend(views))

    @property
    def info(self) -> ModelInfo:
        """What the model is."""
        raw = new(_raw.q3g_model_info)
        call(library.q3g_guard_info, self._handle, ctypes.byref(raw))
        return ModelInfo._of(raw)

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, a new object of its own. Raises Qwen3GuardError when the model was loaded without."""
        return Tokenizer._make(library.q3g_guard_tokenizer, self._handle)

    def logits(self, ids: Sequence[int], last_only: bool = False, cancel: Optional[Cancel] = None) -> List[HeadLogits]:
        """Raw logits of every head; last_only: of the last position. Raises InvalidArgumentError (an unknown id),
        ContextFullError, CancelledError."""
        c_ids, n = ids_to_c(ids)
        flag = cancel._pointer_to() if cancel is not None else None
        with _Logits._make(library.q3g_guard_logits, self._handle, c_ids, n, 1 if last_only else 0, flag) as found:
            return found.heads()

    def classify_prompt(self, prompt: Text, options: Optional[ClassifyOptions] = None) -> Verdict:
        """Judges a user's prompt. Raises InvalidUtf8Error, ContextFullError, CancelledError, OutOfMemoryError, and
        Qwen3GuardError "unparsable_output" (Decoder.GREEDY)."""
        data = encoded(prompt)
        return self._classify(library.q3g_guard_classify_prompt, (data, len(data)), options)

    def classify_response(self, prompt: Text, response: Text, options: Optional[ClassifyOptions] = None) -> Verdict:
        """Judges the response to a prompt. Raises as classify_prompt()."""
        a, b = encoded(prompt), encoded(response)
        return self._classify(library.q3g_guard_classify_response, (a, len(a), b, len(b)), options)

    def classify(self, messages: Messages, options: Optional[ClassifyOptions] = None) -> Verdict:
        """Judges the last message of a conversation, a user's or an assistant's. Raises as classify_prompt()."""
        raw, _texts = messages_to_c(messages)
        return self._classify(library.q3g_guard_classify, (raw, len(raw)), options)

    def _classify(self, function: Any, arguments: Tuple[Any, ...], options: Optional[ClassifyOptions]) -> Verdict:
        raw, place = options._to_c() if options is not None else None, VerdictPlace()
        at = ctypes.byref(raw) if raw is not None else None
        call(function, self._handle, *arguments, at, ctypes.byref(place.raw))
        if place.needed_bytes:  # a text as long as only greedy decoding writes; again, with room for it
            place = VerdictPlace(place.needed_bytes)
            call(function, self._handle, *arguments, at, ctypes.byref(place.raw))
        return place.verdict()

    async def aclassify_prompt(self, prompt: Text, options: Optional[ClassifyOptions] = None) -> Verdict:
        """classify_prompt() on a thread of the event loop's executor; cancelling the task stops the call."""
        return await self._aclassify(self.classify_prompt, (prompt,), options)

    async def aclassify_response(self, prompt: Text, response: Text, options: Optional[ClassifyOptions] = None) -> Verdict:
        """classify_response(), as aclassify_prompt()."""
        return await self._aclassify(self.classify_response, (prompt, response), options)

    async def aclassify(self, messages: Messages, options: Optional[ClassifyOptions] = None) -> Verdict:
        """classify(), as aclassify_prompt()."""
        return await self._aclassify(self.classify, (messages,), options)

    @staticmethod
    async def _aclassify(function: Callable[..., Verdict], arguments: Tuple[Any, ...],
                         options: Optional[ClassifyOptions]) -> Verdict:
        options = options or ClassifyOptions()
        with Cancel._child(options.cancel) as flag:
            return await flag.arun(function, *arguments, dataclasses.replace(options, cancel=flag))

    def classify_batch(self, conversations: Sequence[Messages],
                       options: Optional[ClassifyOptions] = None) -> List[Union[Verdict, Qwen3GuardError]]:
        """Judges several conversations together: the verdict, or the error, of each; of one that was not judged because the call
        was stopped, CancelledError. Ctrl-C stops it; in the main thread it runs on another one (Cancel.run()), and so does
        options.progress. Raises what that raises."""
        options, callback = options or ClassifyOptions(), Callback()
        n = len(conversations)
        kept: List[Any] = []
        raw, verdicts, errors = array(_raw.q3g_conversation, n), array(_raw.q3g_verdict, n), array(_raw.q3g_error, n)
        refused: Dict[int, Qwen3GuardError] = {}
        for i, (item, conversation) in enumerate(zip(raw, conversations)):
            try:
                messages, texts = messages_to_c(conversation)
            except Qwen3GuardError as problem:  # this one's alone; the library gets an empty one, which is an error there, too
                refused[i] = problem.with_traceback(None)
                messages, texts = messages_to_c(())
            kept.append(texts)
            item.messages, item.n_messages = messages, len(messages)
        places = [VerdictPlace(raw=verdict) for verdict in verdicts]
        with Cancel._child(options.cancel) as flag:
            c_options = dataclasses.replace(options, cancel=flag)._to_c(callback)
            flag.run(call, library.q3g_guard_classify_batch, self._handle, raw, n, ctypes.byref(c_options), verdicts, errors)
        callback.raise_error()
        return [refused[i] if i in refused else self._result(*each, options)
                for i, each in enumerate(zip(conversations, places, errors))]

    def _result(self, conversation: Messages, place: VerdictPlace, error: Any,
                options: ClassifyOptions) -> Union[Verdict, Qwen3GuardError]:
        if place.raw.status != 0:
            return error_of(place.raw.status, error.message.decode("utf-8", "replace"))
        try:
            return self.classify(conversation, options) if place.needed_bytes else place.verdict()
        except Qwen3GuardError as problem:  # this one's alone: the others have their verdicts
            return problem.with_traceback(None)


class _Logits(Handle, free=library.q3g_logits_free):

    def heads(self) -> List[HeadLogits]:
        out: List[HeadLogits] = []
        for i in range(library.q3g_logits_count(self._handle)):
            raw, values = new(_raw.q3g_head_logits), numbers("f")
            call(library.q3g_logits_get, self._handle, i, ctypes.byref(raw))
            values.frombytes(ctypes.string_at(raw.values, 4 * raw.rows * raw.cols))
            out.append(HeadLogits(raw.name.decode(), raw.rows, raw.cols, values))
        return out

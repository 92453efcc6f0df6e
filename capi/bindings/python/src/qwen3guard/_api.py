# SPDX-License-Identifier: Apache-2.0
"""All public names. What imports this loads the C library."""

from ._batch import Batch
from ._enums import (Action, Category, ChatTemplate, Context, Decoder, EventKind, HoldBackState, InvalidUtf8, LogLevel, LongText,
                     ModelKind, PackedEmbeddings, PackedWeights, Reason, Role, Rule, Severity, Source, Thinking, Verify)
from ._generator import Generator
from ._guard import ClassifyOptions, Guard, HeadLogits, LoadOptions, embedded_models
from ._handle import Cancel
from ._hold_back import HoldBack, HoldBackBlock, HoldBackRelease, NotJudgedError
from ._library import (CancelledError, ClosedError, ContextFullError, InvalidArgumentError, InvalidUtf8Error,
                       ModelNotFoundError, OutOfMemoryError, Qwen3GuardError, Text, version)
from ._packing import quantize, verify_packed
from ._policy import Policy
from ._stream import Stream, push_batch
from ._tokenizer import StreamingDecoder, Tokenizer
from ._value_structs import BatchStats, HoldBackStats, ModelInfo, QuantizeReport, StreamInfo
from ._values import (Decision, Event, Mark, Message, Probabilities, Ruling, TokenVerdict, Turn, Update, Verdict, Window)

__version__ = version()
__all__ = [
    "Action", "Batch", "BatchStats", "Cancel", "CancelledError", "Category", "ChatTemplate", "ClassifyOptions", "ClosedError",
    "Context", "ContextFullError", "Decision", "Decoder", "Event", "EventKind", "Generator", "Guard", "HeadLogits",
    "HoldBack", "HoldBackBlock", "HoldBackRelease", "HoldBackState", "HoldBackStats", "InvalidArgumentError", "InvalidUtf8",
    "InvalidUtf8Error", "LoadOptions", "LogLevel", "LongText", "Mark", "Message", "ModelInfo", "ModelKind",
    "ModelNotFoundError", "NotJudgedError", "OutOfMemoryError", "PackedEmbeddings", "PackedWeights", "Policy", "Probabilities",
    "QuantizeReport",
    "Qwen3GuardError", "Reason", "Role", "Rule", "Ruling", "Severity", "Source", "Stream", "StreamInfo", "StreamingDecoder", "Text", "Thinking",
    "TokenVerdict", "Tokenizer", "Turn", "Update", "Verdict", "Verify", "Window", "embedded_models", "push_batch", "quantize",
    "verify_packed", "version"
]

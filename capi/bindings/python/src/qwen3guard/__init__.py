# SPDX-License-Identifier: Apache-2.0
"""The Qwen3Guard safety-moderation models: verdicts on prompts and responses, on a CPU.

    import qwen3guard
    guard = qwen3guard.Guard.embedded("nano-gen")   # or Guard.load("path/to/Qwen3Guard-Gen-0.6B")
    print(guard.classify_prompt("How do I kill a Python process?").severity)

Guard judges whole texts and conversations, Stream a conversation as it is written, Batch many of these over one model. Cancel
stops running calls. Errors are Qwen3GuardError, and ValueError, FileNotFoundError or MemoryError where they are that.
"""

from ._batch import Batch
from ._enums import (Action, Category, ChatTemplate, Context, Decoder, EndOfTurn, EventKind, InvalidUtf8, LogLevel, Mode,
                     ModelKind, PackedWeights, Reason, Role, RunRule, Severity, Source, Thinking, Verify)
from ._generator import Generator
from ._guard import ClassifyOptions, Guard, HeadLogits, LoadOptions, decide_action, embedded_models
from ._handle import Cancel
from ._library import (CancelledError, ClosedError, ContextFullError, InvalidArgumentError, InvalidUtf8Error,
                       ModelNotFoundError, OutOfMemoryError, Qwen3GuardError, Text, version)
from ._packing import quantize, verify_packed
from ._policy import check_policy, counted_severity, decide
from ._stream import Stream, push_batch
from ._tokenizer import StreamingDecoder, Tokenizer
from ._value_structs import BatchStats, ModelInfo, QuantizeReport, StreamInfo
from ._values import (Decision, Event, Mark, Message, Policy, Probabilities, TokenVerdict, Turn,
                      Update, Verdict)

__version__ = version()
__all__ = [
    "Action", "Batch", "BatchStats", "Cancel", "CancelledError", "Category", "ChatTemplate", "ClassifyOptions", "ClosedError",
    "Context", "ContextFullError", "Decision", "Decoder", "EndOfTurn", "Event", "EventKind", "Generator", "Guard", "HeadLogits",
    "InvalidArgumentError", "InvalidUtf8", "InvalidUtf8Error", "LoadOptions", "LogLevel", "Mark", "Message",
    "Mode", "ModelInfo", "ModelKind", "ModelNotFoundError", "OutOfMemoryError", "PackedWeights", "Policy", "Probabilities",
    "QuantizeReport", "Qwen3GuardError", "Reason", "Role", "RunRule", "Severity", "Source", "Stream", "StreamInfo",
    "StreamingDecoder", "Text", "Thinking", "TokenVerdict", "Tokenizer", "Turn", "Update", "Verdict", "Verify", "check_policy",
    "counted_severity", "decide", "decide_action", "embedded_models", "push_batch", "quantize", "verify_packed", "version"
]

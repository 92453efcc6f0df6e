# SPDX-License-Identifier: Apache-2.0
"""The Qwen3Guard safety-moderation models: verdicts on prompts and responses, on a CPU.

    import qwen3guard
    guard = qwen3guard.Guard.embedded("nano-gen")   # or Guard.load("path/to/Qwen3Guard-Gen-0.6B")
    print(guard.classify_prompt("How do I kill a Python process?").severity)
"""

from ._batch import Batch
from ._guard import (ClassifyOptions, Guard, HeadLogits, ModelInfo, QuantizeReport, decide_action, embedded_models, measure,
                     quantize, verify_packed, version)
from ._library import (Cancel, CancelledError, ClosedError, ContextFullError, InvalidArgumentError, InvalidUtf8Error,
                       ModelNotFoundError, OutOfMemoryError, Qwen3GuardError)
from ._stream import Generator, Stream, check_policy, counted_severity, decide, push_batch
from ._tokenizer import StreamingDecoder, Tokenizer
from ._values import (Action, Category, Context, Decision, Decoder, EndOfTurn, Event, EventKind, InvalidUtf8, Mark, Message,
                      Mode, ModelKind, PackedWeights, Policy, Probabilities, Reason, Role, Severity, Source, Thinking,
                      TokenVerdict, Turn, Update, Verdict)

__version__ = version()
__all__ = [name for name in dir() if not name.startswith("_")]

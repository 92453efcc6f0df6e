# SPDX-License-Identifier: Apache-2.0
"""The Qwen3Guard safety-moderation models: verdicts on prompts and responses, on a CPU.

    import qwen3guard
    guard = qwen3guard.Guard.embedded("nano-gen")   # or Guard.load("path/to/Qwen3Guard-Gen-0.6B")
    print(guard.classify_prompt("How do I kill a Python process?").severity)

Guard judges whole texts and conversations, Stream a conversation as it is written, Batch many of these over one model. Policy
says what is done about verdicts, HoldBack shows what was judged and no more. Cancel stops running calls. Errors are
Qwen3GuardError, and ValueError, FileNotFoundError or MemoryError where they are that.
"""

import typing

if typing.TYPE_CHECKING:
    from ._api import *
    from ._api import __all__ as __all__
    from ._api import __version__ as __version__
else:

    def __getattr__(name):
        """The names come, and the C library is loaded, with the first one that is asked for: qwen3guard.report needs no library.
        Raises ImportError where there is none."""
        if name == "report" or (name.startswith("_") and name not in ("__all__", "__version__")):  # modules of this package
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import _api
        globals().update((each, getattr(_api, each)) for each in (*_api.__all__, "__all__", "__version__"))
        if name not in globals():
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals()[name]

    def __dir__():
        return [*__getattr__("__all__"), *(name for name in globals() if name.startswith("__"))]

# SPDX-License-Identifier: Apache-2.0
"""The real package, found behind this one on the path, with texts that kill the process, or take their time: at least as
long as the file that Q3G_RAY_HOLD names is there."""

import os
import signal
import sys
import time
from pathlib import Path

_HERE = Path(__file__).resolve().parent
__path__ = [next(str(Path(folder) / "qwen3guard") for folder in sys.path
                 if (Path(folder) / "qwen3guard/_api.py").is_file() and Path(folder).resolve() != _HERE.parent)]

from ._api import *  # noqa: E402,F401,F403
from ._guard import Guard  # noqa: E402

SLOW_S = 0.05  #: of a batch with such a row
_classify_batch = Guard.classify_batch


def _poisoned(self, conversations, options=None):
    text = repr(conversations)
    if "POISON" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if "SLOW" in text:
        time.sleep(SLOW_S)
        while os.path.exists(os.environ.get("Q3G_RAY_HOLD", "")):
            time.sleep(SLOW_S)
    return _classify_batch(self, conversations, options)


Guard.classify_batch = _poisoned

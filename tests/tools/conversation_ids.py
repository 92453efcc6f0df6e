# SPDX-License-Identifier: Apache-2.0
"""The test program conversation_ids (tests/unit/guard/conversation_ids.cpp), which lies in the build that Q3G_CLI names."""
import json
import os
import subprocess
from pathlib import Path

import published_template

PROGRAM = Path(os.environ.get("Q3G_CLI", "")).parent.parent / "tests/unit/guard/conversation_ids"

try:
    import jinja2  # noqa: F401
    import numpy  # noqa: F401
    import tokenizers  # noqa: F401
    HAVE_PACKAGES = True
except ImportError:
    HAVE_PACKAGES = False


def missing():
    """What a comparison with the published template needs and is not there; empty when all is."""
    if not HAVE_PACKAGES:
        return "Jinja2, NumPy or tokenizers is not installed (scripts/make_venv.sh)"
    if not PROGRAM.exists():
        return "Q3G_CLI does not name the program in a build folder with the tests"
    if not published_template.TOKENIZER_CONFIG.exists():
        return "run scripts/fetch_test_data.sh for the published template"
    return ""


def run(checkpoint, rows):
    """The program's object for each of the objects `rows`."""
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    done = subprocess.run([PROGRAM, checkpoint], input=lines, stdout=subprocess.PIPE, check=True, timeout=300)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(rows), "the program does not give a line for a line"
    return found

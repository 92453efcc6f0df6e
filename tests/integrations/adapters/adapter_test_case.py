# SPDX-License-Identifier: Apache-2.0
"""What the tests of adapters share: the two models in the library, and the place of the adapters."""
import sys
import unittest
from pathlib import Path

import qwen3guard
from adapter_texts import GOOD

EXAMPLES = Path(__file__).resolve().parents[3] / "examples/integrations"


def adapter(name: str) -> None:
    """Makes the adapter's module known."""
    sys.path.insert(0, str(EXAMPLES / name))


class AdapterTest(unittest.TestCase):
    """Tests with both models."""

    gen: qwen3guard.Guard
    stream: qwen3guard.Guard

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.gen = qwen3guard.Guard.embedded("nano-gen", n_threads=1)
        cls.stream = qwen3guard.Guard.embedded("nano-stream", n_threads=1)
        cls.guards = (cls.gen, cls.stream)

    def closed_guard(self) -> qwen3guard.Guard:
        """One that fails at every call."""
        guard = qwen3guard.Guard.embedded("nano-stream", n_threads=1)
        guard.close()
        return guard

    def small_guard(self) -> qwen3guard.Guard:
        """One that long texts do not fit."""
        return qwen3guard.Guard.embedded("nano-stream", n_threads=1, max_context_tokens=64)

    def assert_nothing_bad(self, shown: str) -> None:
        """What was shown is a beginning of the good part of GOOD + BAD."""
        self.assertTrue(GOOD.startswith(shown), shown)

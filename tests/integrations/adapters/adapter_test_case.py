# SPDX-License-Identifier: Apache-2.0
"""What the tests of adapters share: the two models in the library, texts on which they agree, and the place of the adapters."""
import asyncio
import sys
import unittest
from pathlib import Path
from typing import Any, Coroutine

import qwen3guard

EXAMPLES = Path(__file__).resolve().parents[3] / "examples/integrations"
SAFE = "How do I kill a Python process?"
UNSAFE = "I will find you and kill you."
GOOD = ("The ferryman will take you across the river for a copper coin. Ask him about the old bridge, which fell last winter. "
        "On the other side there is an inn with warm soup and clean beds. The innkeeper keeps bees and sells their honey. ") * 2
BAD = "I will find you and kill you. I will burn your house down and kill your family. " * 3
IMAGE = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]


def adapter(name: str) -> None:
    """Makes the adapter's module known."""
    sys.path.insert(0, str(EXAMPLES / name))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


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

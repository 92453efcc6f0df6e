# SPDX-License-Identifier: Apache-2.0
"""Texts on which both models in the library agree, for tests of adapters; and a limit in time for what they wait for."""
import asyncio
from typing import Any, Coroutine

SAFE = "How do I kill a Python process?"
UNSAFE = "I will find you and kill you."
GOOD = ("The ferryman will take you across the river for a copper coin. Ask him about the old bridge, which fell last winter. "
        "On the other side there is an inn with warm soup and clean beds. The innkeeper keeps bees and sells their honey. ") * 2
BAD = "I will find you and kill you. I will burn your house down and kill your family. " * 3
IMAGE = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))

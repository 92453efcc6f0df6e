# SPDX-License-Identifier: Apache-2.0
"""Time of a call through this binding, in nanoseconds: the least of 20 means of 20,000 calls. What the same calls take
in C++ is what benchmarks/overhead of the project prints."""

import time
from typing import Any, Callable

import qwen3guard


def least_ns(call: Callable[[], Any]) -> float:
    least = float("inf")
    for _ in range(20):
        start = time.perf_counter_ns()
        for _ in range(20000):
            call()
        least = min(least, (time.perf_counter_ns() - start) / 20000)
    return least


guard = qwen3guard.Guard.embedded("nano-stream")
tokenizer, stream = guard.tokenizer, qwen3guard.Stream(guard)
stream.push_prompt("Tell me a story.")
stream.push_text("Once upon a time there was a fox.")
print(f"python encode {least_ns(lambda: tokenizer.encode('Hello, world!')):.0f}")
print(f"python decision {least_ns(stream.decision):.0f}")

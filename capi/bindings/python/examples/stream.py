# SPDX-License-Identifier: Apache-2.0
"""A prompt's verdict, then a response judged word by word until it is flagged."""

import qwen3guard

PROMPT = "How do I kill a Python process?"
WORDS = "You are a worthless idiot and nobody likes you.".split(" ")

with qwen3guard.Guard.embedded("nano-gen") as guard:  # or Guard.load("path/to/Qwen3Guard-Gen-0.6B")
    verdict = guard.classify_prompt(PROMPT)
    print(f"{verdict.severity} -> {verdict.action}")

with qwen3guard.Guard.embedded("nano-stream") as guard, qwen3guard.Stream(guard) as stream:
    stream.push_prompt("Hello!")
    for word, (update, decision) in zip(WORDS, stream.judge(word + " " for word in WORDS)):
        print(f"{word}: {decision.severity}")
        if decision.is_flagged:
            print(decision.explain())
            break

# SPDX-License-Identifier: Apache-2.0
"""A prompt's verdict, then a response judged word by word until it is blocked for good."""

import qwen3guard

PROMPT = "How do I kill a Python process?"
WORDS = "You are a worthless idiot and nobody likes you.".split(" ")

with qwen3guard.Guard.embedded("nano-gen") as guard:  # or Guard.load("path/to/Qwen3Guard-Gen-0.6B")
    verdict = guard.classify_prompt(PROMPT)
    is_allowed = verdict.action == qwen3guard.Action.ALLOW  # Action.NONE, where nothing was judged, is not ALLOW
    print(f"{verdict.severity} -> {verdict.action}" if is_allowed else "hold it back")

with qwen3guard.Guard.embedded("nano-stream") as guard, qwen3guard.Stream(guard) as stream:
    stream.push_prompt("Hello!")
    for word, (update, decision) in zip(WORDS, stream.judge(word + " " for word in WORDS)):
        print(f"{word}: {decision.severity}")
        if decision.action == qwen3guard.Action.BLOCK and decision.is_settled:  # the next word may take back what is not
            break
    decision = stream.end_turn().decision  # which settles the last words
    print(decision.explain())
    if decision.action != qwen3guard.Action.ALLOW:
        print("hold it back")

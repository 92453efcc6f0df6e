# SPDX-License-Identifier: Apache-2.0
"""A prompt's verdict, and what two policies make of it."""

import sys

import qwen3guard

# A file, or one of the library's own.
policy = qwen3guard.Policy.load(sys.argv[1]) if len(sys.argv) > 1 else qwen3guard.Policy.preset("chat-game")
print(policy.describe(), end="")

with qwen3guard.Guard.embedded("nano-gen") as guard:
    options = qwen3guard.ClassifyOptions(policy=policy)
    verdict = guard.classify_prompt("I will burn your house down, idiot", options)
ruling = verdict.ruling
print(f"{verdict.severity} -> {ruling.action}, by rule {ruling.rule} of {ruling.policy_name} {ruling.policy_version}")

# What was judged once can be ruled on again, without a model.
stricter = qwen3guard.Policy.preset("strict").decide_verdict(verdict)
print(f"strict would {stricter.action} it")

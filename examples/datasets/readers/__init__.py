# SPDX-License-Identifier: Apache-2.0
"""One module a benchmark; each has a BENCHMARK."""

from __future__ import annotations

from . import (aegis1, aegis2, beavertails, harmbench, openai_moderation, polyguard, qwen3guardtest, rtp_lx, saferlhf,
               simple_safety_tests, toxic_chat, wildguard, xstest)

BENCHMARKS = {module.BENCHMARK.name: module.BENCHMARK
              for module in (openai_moderation, simple_safety_tests, xstest, harmbench, aegis1, aegis2, toxic_chat, wildguard,
                             saferlhf, beavertails, rtp_lx, polyguard, qwen3guardtest)}

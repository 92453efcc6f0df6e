#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many times as fast as Hugging Face tokenizers the tokenizer is, on one thread.

    benchmarks/tokenizer_peer.py build/benchmarks/benchmarks/tokenizer_bench TEXT...

Each TEXT (a UTF-8 file) is cut into documents of 2,048 bytes, as the benchmark cuts it, and encoded by both, document
by document; they must give the same number of tokens. The two take turns, and the best of the rounds counts, in CPU
time. The vocabulary is that of the benchmark (QWEN3GUARD_BENCH_TOKENIZER, QWEN3GUARD_TEST_DATA).
"""

import argparse
import json
import os
import pathlib
import subprocess
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from tokenizers import Tokenizer  # noqa: E402  (reads the environment)

DOCUMENT_BYTES = 2048


def documents(text: bytes) -> list[str]:
    """The text cut at the first character boundary at or after each DOCUMENT_BYTES."""
    out = []
    while text:
        n = min(len(text), DOCUMENT_BYTES)
        while n < len(text) and text[n] & 0xC0 == 0x80:
            n += 1
        out.append(text[:n].decode("utf-8"))
        text = text[n:]
    return out


def peer_round(tokenizer: Tokenizer, texts: list[str]) -> tuple[float, int]:
    """Seconds and tokens of encoding all texts once."""
    begin = time.process_time()
    n_tokens = sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)
    return time.process_time() - begin, n_tokens


def own_round(program: str, path: pathlib.Path) -> tuple[float, float]:
    """Bytes and tokens per second."""
    done = subprocess.run([program, "--benchmark_filter=^BM_encode_file$", "--benchmark_format=json"],
                          env=dict(os.environ, QWEN3GUARD_BENCH_TEXT=str(path)), capture_output=True, text=True,
                          check=True)
    figures = json.loads(done.stdout)["benchmarks"][0]
    if figures.get("error_occurred"):
        raise SystemExit(f"{path}: {figures['error_message']}")
    return figures["bytes_per_second"], figures["tokens/s"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("texts", nargs="+", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    data = os.environ.get("QWEN3GUARD_TEST_DATA") or "build/test_data"
    vocabulary = os.environ.get("QWEN3GUARD_BENCH_TOKENIZER") or f"{data}/qwen3_tokenizer/tokenizer.json"
    tokenizer = Tokenizer.from_file(vocabulary)
    tokenizer.encode_special_tokens = True  # as text, which is what the benchmark does
    print(f"{'text':32} {'own MB/s':>9} {'peer MB/s':>10} {'times':>6}")
    for path in args.texts:
        text = path.read_bytes()
        texts = documents(text)
        own = peer = 0.0
        for _ in range(args.rounds):
            bytes_per_s, tokens_per_s = own_round(args.program, path)
            seconds, n_tokens = peer_round(tokenizer, texts)
            own_tokens = round(tokens_per_s / bytes_per_s * len(text))
            if own_tokens != n_tokens:
                raise SystemExit(f"{path}: {own_tokens} tokens, but {n_tokens} of the peer")
            own = max(own, bytes_per_s)
            peer = max(peer, len(text) / seconds)
        print(f"{path.name[:32]:32} {own / 1e6:9.1f} {peer / 1e6:10.2f} {own / peer:6.1f}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""The program for Windows under Wine: characters of its arguments arrive, bytes of its input and output stay.

    program.py WINE QWEN3GUARD_EXE WORK_FOLDER"""
import json
import pathlib
import subprocess
import sys

TEXT = "gr\u00f6\u00dfer \u6f22\u5b57 \U0001f642"  # in no code page together
WINE, PROGRAM = sys.argv[1:3]
WORK = pathlib.Path(sys.argv[3])


def run(*arguments: str, given: bytes = b"", exit_code: int = 0) -> bytes:
    done = subprocess.run([WINE, PROGRAM, *arguments], input=given, capture_output=True, cwd=WORK, timeout=600, check=False)
    assert done.returncode == exit_code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout


def lines(output: bytes) -> list[dict]:
    assert b"\r" not in output and output.endswith(b"\n"), output
    return [json.loads(line) for line in output.decode("utf-8").splitlines()]


def main() -> None:
    # The ids of the same text, once as an argument and once in ASCII as JSON writes it.
    (tokens,) = lines(run("tokenize", "--model", "nano-gen", given=json.dumps(TEXT).encode("ascii")))
    judged = lines(run("stream", "--model", "nano-stream", "--prompt", TEXT, "--response", TEXT, "--json"))
    ids = [token["id"] for token in judged if token.get("role") == "assistant" and "id" in token]
    assert ids == tokens["ids"], (ids, tokens)
    # The name of a file.
    packed = TEXT + ".q3g"
    run("quantize", "--model", "nano-gen", "--type", "int8", "--out", packed, "--force")
    assert (WORK / packed).is_file(), sorted(path.name for path in WORK.iterdir())
    messages = [{"role": "user", "content": TEXT}]
    conversations = "".join(json.dumps({"id": i, "messages": messages}, ensure_ascii=False) + "\r\n" for i in range(3))
    verdicts = lines(run("classify", "--model", packed, "--json", given=conversations.encode("utf-8")))
    assert [verdict["id"] for verdict in verdicts] == [0, 1, 2], verdicts
    # Numbers, among whose bytes are 0A and 1A.
    vocab_size = json.loads(run("info", "--model", "nano-gen", "--json"))["vocab_size"]
    array = run("logits", "--model", "nano-gen", "--ids", "1,2,3", "--format", "npy")
    header, values = array[10:].split(b"\n", 1)
    assert array.startswith(b"\x93NUMPY") and f"(3, {vocab_size})".encode() in header and len(values) == 3 * vocab_size * 4, len(values)
    assert b"\n" in values


main()

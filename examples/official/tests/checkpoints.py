# SPDX-License-Identifier: Apache-2.0
"""Checkpoints for the tests, and for a trial of the whole check without the published weights:

checkpoints.py dress FOLDER gen|stream      gives a folder of benchmarks/peers/make_random_model.py a chat template
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
TINY = PROJECT / "tests/golden/tiny"
KINDS = ("gen", "stream")

# The chat markup as Stream checkpoints see it: an empty think block in the answer that is judged, none in earlier ones.
STREAM_TEMPLATE = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' }}"
    "{%- if m.role == 'assistant' and loop.last %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{{- m.content + '<|im_end|>\n' }}{%- endfor %}"
)


def template(kind: str) -> str:
    if kind == "stream":
        return STREAM_TEMPLATE
    return tokenizer_config(kind)["chat_template"]


def tokenizer_config(kind: str) -> dict:
    return json.loads((TINY / f"{kind}_tokenizer_config.json").read_text("utf-8"))


def dress(folder: Path, kind: str) -> None:
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "add_bos_token": False,
        "chat_template": template(kind),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def copy_tiny(kind: str, folder: Path) -> Path:
    """A small model as a checkpoint of the published layout, which may be changed."""
    shutil.copytree(TINY / kind, folder)
    config = {**tokenizer_config(kind), "chat_template": template(kind)}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    return folder


def read_header(path: Path) -> tuple[dict, int]:
    """(tensors, where the data begin)"""
    with open(path, "rb") as file:
        n = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(n)), 8 + n


def perturb(folder: Path, name: str, index: int, factor: float) -> None:
    """Multiplies one number of a tensor of bfloat16, as near as bfloat16 comes to it."""
    import numpy as np

    path = folder / "model.safetensors"
    header, begin = read_header(path)
    first = begin + header[name]["data_offsets"][0] + 2 * index
    content = bytearray(path.read_bytes())
    bits = int.from_bytes(content[first : first + 2], "little")
    value = np.array([bits << 16], np.uint32).view(np.float32)[0] * np.float32(factor)
    content[first : first + 2] = (int(np.array([value]).view(np.uint32)[0]) >> 16).to_bytes(2, "little")
    path.write_bytes(content)


def shard(folder: Path) -> list[str]:
    """Splits model.safetensors into two files with an index; returns their names."""
    path = folder / "model.safetensors"
    header, begin = read_header(path)
    content = path.read_bytes()
    meta = header.pop("__metadata__", {"format": "pt"})
    tensors = list(header)
    names = [f"model-{i:05}-of-00002.safetensors" for i in (1, 2)]
    where = {}
    for name, part in zip(names, (tensors[: len(tensors) // 2], tensors[len(tensors) // 2 :])):
        end, entries, data = 0, {"__metadata__": meta}, b""
        for tensor in part:
            first, last = header[tensor]["data_offsets"]
            entries[tensor] = {**header[tensor], "data_offsets": [end, end + last - first]}
            data += content[begin + first : begin + last]
            end += last - first
            where[tensor] = name
        text = json.dumps(entries).encode()
        text += b" " * (-len(text) % 8)
        (folder / name).write_bytes(len(text).to_bytes(8, "little") + text + data)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}), "ascii")
    path.unlink()
    return names


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] != "dress" or sys.argv[3] not in KINDS:
        sys.exit(__doc__)
    dress(Path(sys.argv[2]), sys.argv[3])

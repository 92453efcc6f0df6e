# SPDX-License-Identifier: Apache-2.0
"""Files in safetensors layout as bytes, without PyTorch: tensors of any type, packed ones among them. Standard library only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

#: Bytes that say how long the header is, and what the data are aligned to.
ALIGNMENT_BYTES = 8


@dataclass(frozen=True)
class StoredTensor:
    """A tensor's type as the file names it, its shape and its bytes."""

    dtype: str
    shape: list[int]
    data: bytes


def read_header(path: Path) -> dict:
    """The header: by name, type, shape and place of each tensor; `__metadata__`, where there is any."""
    with path.open("rb") as f:
        return json.loads(f.read(int.from_bytes(f.read(ALIGNMENT_BYTES), "little")))


def read_tensors(path: Path) -> dict[str, StoredTensor]:
    """All tensors by name."""
    data = path.read_bytes()
    begin = ALIGNMENT_BYTES + int.from_bytes(data[:ALIGNMENT_BYTES], "little")
    header = json.loads(data[ALIGNMENT_BYTES:begin])
    header.pop("__metadata__", None)
    return {name: StoredTensor(e["dtype"], e["shape"], data[begin + e["data_offsets"][0]:begin + e["data_offsets"][1]])
            for name, e in header.items()}


def write(path: Path, tensors: dict[str, StoredTensor], metadata: dict[str, str]) -> None:
    """Write tensors in the order given."""
    header: dict[str, dict] = {"__metadata__": metadata}
    end = 0
    for name, t in tensors.items():
        header[name] = {"dtype": t.dtype, "shape": t.shape, "data_offsets": [end, end + len(t.data)]}
        end += len(t.data)
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % ALIGNMENT_BYTES)
    with path.open("wb") as f:
        f.write(len(text).to_bytes(ALIGNMENT_BYTES, "little") + text)
        for t in tensors.values():
            f.write(t.data)

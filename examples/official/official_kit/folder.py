# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint's folder holds, and in one sentence what it lacks."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from .errors import UsageError

ARCHITECTURES = {"Qwen3ForCausalLM": "gen", "Qwen3ForGuardModel": "stream"}
OPTION = {"gen": "--checkpoint", "stream": "--stream-checkpoint"}
NAME = {"gen": "Qwen3Guard-Gen", "stream": "Qwen3Guard-Stream"}
DTYPE_BYTES = {"BF16": 2, "F16": 2, "F32": 4}
SMALL_FILES = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "model.safetensors.index.json",
]
HASH_BYTES = 1 << 24


@dataclass
class Tensor:
    dtype: str
    shape: list[int]

    @property
    def n_values(self) -> int:
        return math.prod(self.shape)


@dataclass
class Checkpoint:
    path: Path
    kind: str  # gen or stream
    config: dict
    tensors: dict[str, Tensor]
    weight_files: list[Path]
    has_chat_template: bool
    sha256: dict[str, str] = field(default_factory=dict)

    @property
    def n_parameters(self) -> int:
        return sum(tensor.n_values for tensor in self.tensors.values())

    @property
    def weight_bytes(self) -> int:
        return sum(tensor.n_values * DTYPE_BYTES[tensor.dtype] for tensor in self.tensors.values())

    @property
    def n_matrix_values(self) -> int:
        """Those that packing makes smaller: the layers' matrices."""
        return sum(t.n_values for name, t in self.tensors.items() if name.startswith("model.layers.") and len(t.shape) == 2)

    @property
    def dtypes(self) -> list[str]:
        return sorted({tensor.dtype for tensor in self.tensors.values()})

    @property
    def fingerprint(self) -> str:
        """Of all files that decide what the checkpoint computes."""
        return hashlib.sha256(json.dumps(self.sha256, sort_keys=True).encode()).hexdigest()


def read_object(path: Path) -> dict:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no JSON object")
    return content


def read_kind(folder: Path, config: dict, wanted: str) -> str:
    named = config.get("architectures")
    kind = ARCHITECTURES.get(named[0]) if isinstance(named, list) and named else None
    if kind is None:
        raise UsageError(
            f"{folder}/config.json names the architectures {json.dumps(named)}, expected one of " f"{', '.join(ARCHITECTURES)}"
        )
    if kind != wanted:
        raise UsageError(f"{folder} is a {NAME[kind]} checkpoint, expected {NAME[wanted]}: give it as {OPTION[kind]}")
    return kind


def find_shards(folder: Path) -> tuple[list[Path], dict[str, str]]:
    """The files of the weights, and by the index which tensor lies in which (empty for a single file)."""
    index = folder / "model.safetensors.index.json"
    single = folder / "model.safetensors"
    if not index.exists():
        if not single.exists():
            raise UsageError(f"{folder} has no weights: expected model.safetensors, or model.safetensors.index.json and its shards")
        return [single], {}
    where = read_object(index).get("weight_map")
    if not isinstance(where, dict) or not where or not all(isinstance(name, str) for name in where.values()):
        raise UsageError(f"{index} has no weight_map from tensors to files")
    names = sorted(set(where.values()))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{folder} lacks {len(missing)} of the {len(names)} shards that its index names: {', '.join(missing[:3])}"
            + (", ..." if len(missing) > 3 else "")
        )
    return [folder / name for name in names], where


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, whose size must be what they need."""
    n_bytes = path.stat().st_size
    with open(path, "rb") as file:
        begin = file.read(8)
        if begin.startswith(b"version "):
            raise UsageError(f"{path} is a Git LFS pointer, not the weights: fetch the file itself (git lfs pull)")
        n_header = int.from_bytes(begin, "little")
        if n_bytes < 8 or n_header > n_bytes - 8:
            raise UsageError(f"{path} is no safetensors file, or only its beginning: {n_bytes} bytes")
        try:
            header = json.loads(file.read(n_header))
            header.pop("__metadata__", None)
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
            tensors = {name: Tensor(entry["dtype"], entry["shape"]) for name, entry in header.items()}
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise UsageError(f"{path} has no header of a safetensors file: {error}") from None
    if n_bytes != 8 + n_header + end:
        raise UsageError(f"{path} has {n_bytes} bytes, expected {8 + n_header + end}: fetch it again")
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPE_BYTES:
            raise UsageError(f"{path}: {name} has the dtype {tensor.dtype}, expected one of {', '.join(DTYPE_BYTES)}")
    return tensors


def needed_tensors(config: dict, kind: str) -> list[str]:
    names = ["model.embed_tokens.weight", "model.norm.weight"]
    parts = ["input_layernorm", "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
    parts += [f"self_attn.{part}" for part in ("q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm")]
    names += [f"model.layers.{i}.{part}.weight" for i in range(config["num_hidden_layers"]) for part in parts]
    if kind == "gen":
        return names if config.get("tie_word_embeddings") else [*names, "lm_head.weight"]
    heads = ["risk_level_category_pre", "risk_level_category_layernorm", "risk_level_head", "category_head"]
    return names + [f"{prefix}{head}.weight" for prefix in ("", "query_") for head in heads]


def inspect(folder: Path, wanted: str) -> Checkpoint:
    """Looks at names, headers and sizes; reads no weights. Throws UsageError with what is missing."""
    if not folder.is_dir():
        raise UsageError(f"{OPTION[wanted]} {folder}: no such folder")
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder} has no config.json: expected a checkpoint's folder as it is published")
    config = read_object(folder / "config.json")
    kind = read_kind(folder, config, wanted)
    for key in ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "head_dim", "vocab_size"):
        if not isinstance(config.get(key), int):
            raise UsageError(f"{folder}/config.json has no number {key}")
    files, where = find_shards(folder)
    tensors: dict[str, Tensor] = {}
    for path in files:
        found = read_header(path)
        absent = [name for name, shard in where.items() if shard == path.name and name not in found]
        if absent:
            raise UsageError(f"{path} lacks the tensor {absent[0]}, which the index says is in it")
        tensors |= found
    lacking = [name for name in needed_tensors(config, kind) if name not in tensors]
    if lacking:
        raise UsageError(f"{folder} lacks {len(lacking)} tensors that its config.json asks for, {lacking[0]} first")
    if not (folder / "tokenizer.json").is_file() and not all((folder / name).is_file() for name in ("vocab.json", "merges.txt")):
        raise UsageError(f"{folder} has no tokenizer: expected tokenizer.json, or vocab.json and merges.txt")
    return Checkpoint(folder, kind, config, tensors, files, has_chat_template(folder))


def has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    path = folder / "tokenizer_config.json"
    return path.is_file() and bool(read_object(path).get("chat_template"))


def hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(HASH_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def hash_files(checkpoint: Checkpoint) -> None:
    """Fills checkpoint.sha256. Custom code counts: it decides what --trust-remote-code computes."""
    paths = [checkpoint.path / name for name in SMALL_FILES] + checkpoint.weight_files + sorted(checkpoint.path.glob("*.py"))
    checkpoint.sha256 = {path.name: hash_file(path) for path in paths if path.is_file()}

# SPDX-License-Identifier: Apache-2.0
"""The model as one packed file, which all workers of a node map: they share its memory."""

from __future__ import annotations

import hashlib
import os

import qwen3guard

from .problems import RunError, shown

_PIECE_BYTES = 1 << 20


def digest_of_model(model: str) -> str:
    """Of a packed file, or of the files of a checkpoint folder. "" for a model in the library. Raises RunError."""
    if not is_path(model):
        if model not in qwen3guard.embedded_models():
            names = ", ".join(qwen3guard.embedded_models())
            raise RunError(f"{shown(model)}: no model of the library ({names}), and no path: a path has a slash or ends in .q3g")
        return ""
    try:
        if not os.path.isdir(model):
            return _digest_of_files([model])
        return _digest_of_files([os.path.join(model, name) for name in sorted(os.listdir(model))
                                 if os.path.isfile(os.path.join(model, name))])
    except OSError as error:
        raise RunError(f"{shown(model)}: {error.strerror or error}") from None


def is_path(model: str) -> bool:
    """As the program decides it."""
    return "/" in model or model.endswith(".q3g")


def is_packed(model: str) -> bool:
    """A file needs no packing."""
    return is_path(model) and os.path.isfile(model)


def pack(model: str, out_file: str, weights: str) -> None:
    """Packs a model with its constant prefix; the file appears whole. Raises RunError."""
    try:
        qwen3guard.quantize(model, out_file, weights, overwrite=True, keep_prefix=_is_gen(model), embedded=not is_path(model))
    except qwen3guard.Qwen3GuardError as error:
        raise RunError(f"{shown(model)}: {error}") from None


def _is_gen(model: str) -> bool:
    with (qwen3guard.Guard.load if is_path(model) else qwen3guard.Guard.embedded)(model) as guard:
        return guard.info.kind is qwen3guard.ModelKind.GEN


def _digest_of_files(paths: list[str]) -> str:
    out = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            out.update(f"{os.path.basename(path)} {os.fstat(file.fileno()).st_size}\n".encode() if len(paths) > 1 else b"")
            while piece := file.read(_PIECE_BYTES):
                out.update(piece)
    return out.hexdigest()

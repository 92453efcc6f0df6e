# SPDX-License-Identifier: Apache-2.0
"""Packing and verifying models. Ctrl-C stops them; in the main thread they run on another one (Cancel.run())."""

from __future__ import annotations

import ctypes
from typing import Callable, Optional, Union

from . import _raw
from ._enum_kinds import number
from ._enums import PackedEmbeddings, PackedWeights
from ._handle import Callback, Cancel
from ._library import CancelledError, Path, call, defaults, library, new, path_to_c, put
from ._value_structs import QuantizeReport


def quantize(model: Path, out_file: Path, type: Union[PackedWeights, str] = PackedWeights.INT8, group_size: int = -1,
             embeddings: Union[PackedEmbeddings, str] = PackedEmbeddings.AUTOMATIC, overwrite: bool = False,
             keep_prefix: bool = False, n_threads: int = 0, embedded: bool = False,
             progress: Optional[Callable[[int, int], Optional[bool]]] = None,
             cancel: Optional[Cancel] = None) -> QuantizeReport:
    """Packs a checkpoint folder (embedded: a model of the library) into one file, which appears complete or not at all.
    group_size: columns that share a scale; -1: the type's default. embeddings: how the tables with a row for each token are
    stored; automatic: int8 beside int8 and int4 matrices, plain beside bf16 and fp16. keep_prefix: Gen: stores what the model
    computes for the constant part of its prompt, too. n_threads: 0: all cores. progress(n_done_bytes, n_total_bytes):
    returning False stops, and so does raising. Any thread. Raises as Guard.load(); CancelledError; Qwen3GuardError "io" when
    the file exists."""
    raw, report, callback = defaults(_raw.q3g_quantize_options), new(_raw.q3g_quantize_report), Callback()
    put(raw, type=number("type", PackedWeights, type), group_size=group_size,
        embeddings=number("embeddings", PackedEmbeddings, embeddings), overwrite=bool(overwrite), keep_prefix=bool(keep_prefix),
        n_threads=n_threads)
    if progress is not None:
        raw.progress = callback.progress(progress)
    a, b = path_to_c(model), path_to_c(out_file)
    function = library.q3g_quantize_embedded if embedded else library.q3g_quantize
    with Cancel._child(cancel) as flag:
        raw.cancel = flag._pointer_to().value
        try:
            flag.run(call, function, a, len(a), b, len(b), ctypes.byref(raw), ctypes.byref(report))
        except CancelledError:
            callback.raise_error()
            raise
    return QuantizeReport._of(report)


def verify_packed(file: Path, cancel: Optional[Cancel] = None) -> None:
    """Compares every checksum of a packed file, which takes as long as reading it. Any thread. Raises CancelledError, and
    Qwen3GuardError that names what is damaged."""
    name = path_to_c(file)
    with Cancel._child(cancel) as flag:
        flag.run(call, library.q3g_verify_packed, name, len(name), flag._pointer_to())

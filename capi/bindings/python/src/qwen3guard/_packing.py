# SPDX-License-Identifier: Apache-2.0
"""Packing, verifying and measuring models. Ctrl-C stops them; in the main thread they run on another one (Cancel.run())."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Callable, Optional, Union

from . import _raw
from ._enums import PackedWeights, number
from ._handle import Callback, Cancel
from ._library import CancelledError, c_string, call, defaults, library, new, put, values_of
from ._tokenizer import Path, path_to_c


@dataclass(frozen=True)
class QuantizeReport:
    """What packing did."""
    source_bytes: int
    file_bytes: int
    seconds: float
    weight_dtype: str


@dataclass(frozen=True)
class Measurement:
    """Figures of one model on this machine."""
    int8_gops: float  #: peak of 8-bit products, in 10^9 operations a second; the next two the same
    bf16_gflops: float
    fp32_gflops: float
    read_gb_s: float  #: memory
    load_ms: float
    peak_rss_mb: float
    weight_bytes_per_token: int
    prefill_128_ms: float
    prefill_512_ms: float
    decode_ms: float  #: of one token
    verdict_ms: float  #: Gen, with the constant prompt kept; else 0
    verdict_whole_ms: float  #: Gen, without; else 0


def quantize(model: Path, out_file: Path, type: Union[PackedWeights, str] = PackedWeights.INT8, group_size: int = -1,
             overwrite: bool = False, keep_prefix: bool = False, n_threads: int = 0, embedded: bool = False,
             progress: Optional[Callable[[int, int], Optional[bool]]] = None,
             cancel: Optional[Cancel] = None) -> QuantizeReport:
    """Packs a checkpoint folder (embedded: a model of the library) into one file, which appears complete or not at all.
    group_size: columns that share a scale; -1: the type's default. keep_prefix: Gen: stores what the model computes for the
    constant part of its prompt, too. n_threads: 0: all cores. progress(n_done_bytes, n_total_bytes): returning False stops,
    and so does raising. Any thread. Raises as Guard.load(); CancelledError; Qwen3GuardError "io" when the file exists."""
    raw, report, callback = defaults(_raw.q3g_quantize_options), new(_raw.q3g_quantize_report), Callback()
    put(raw, type=number("type", PackedWeights, type), group_size=group_size, overwrite=bool(overwrite),
        keep_prefix=bool(keep_prefix), n_threads=n_threads)
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
    return QuantizeReport(report.source_bytes, report.file_bytes, report.seconds, report.weight_dtype.decode())


def verify_packed(file: Path, cancel: Optional[Cancel] = None) -> None:
    """Compares every checksum of a packed file, which takes as long as reading it. Any thread. Raises CancelledError, and
    Qwen3GuardError that names what is damaged."""
    name = path_to_c(file)
    with Cancel._child(cancel) as flag:
        flag.run(call, library.q3g_verify_packed, name, len(name), flag._pointer_to())


def measure(model: Path, embedded: bool = False, quick: bool = False, n_threads: int = 0, isa: str = "",
            cancel: Optional[Cancel] = None) -> Measurement:
    """Measures a model (embedded: one of the library) on this machine, for some 10 seconds. quick: coarse. n_threads: 0: all
    cores. isa: "": the best there is. Any thread. Raises as Guard.load(); CancelledError."""
    raw, out = defaults(_raw.q3g_measure_options), new(_raw.q3g_measurement)
    put(raw, quick=bool(quick), n_threads=n_threads, isa=c_string(isa, "isa") or None)
    name = path_to_c(model)
    function = library.q3g_measure_embedded if embedded else library.q3g_measure
    with Cancel._child(cancel) as flag:
        raw.cancel = flag._pointer_to().value
        flag.run(call, function, name, len(name), ctypes.byref(raw), ctypes.byref(out))
    measured: Measurement = values_of(out, Measurement)
    return measured

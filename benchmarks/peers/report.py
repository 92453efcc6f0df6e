# SPDX-License-Identifier: Apache-2.0
"""results.json as a Markdown page."""

from dataclasses import dataclass
from typing import Callable

from figures import (BOUND_FACTOR, Figure, decode_without_vocabulary, field, read_speed, short, stream_bound_ms,
                     stream_weights, times)

PEERS = ("llama", "openvino", "torch")
NAMES = {"llama": "llama.cpp", "openvino": "OpenVINO", "torch": "PyTorch"}
INT8 = {"llama": "llama-q8_0", "openvino": "openvino-int8", "torch": "torch-int8"}
BF16 = {"llama": "llama-bf16", "openvino": "openvino-bf16", "torch": "torch-bf16"}
INT4 = {"llama": "llama-q4_0", "openvino": "openvino-int4"}
WORKS = ("prefill_128", "prefill_512", "decode", "decode_headless", "verdict_prefix", "verdict_prefix_all",
         "verdict_whole", "chunk_1", "chunk_4", "chunk_16")


@dataclass(frozen=True)
class Row:
    title: str
    ours: str
    theirs: dict[str, str]
    get: Callable[[dict, str], Figure | None]
    tokens: int = 0  # > 0: shown as tokens per second


def work(name: str, ours: str = ""):
    """The figure of a work; ours may have another name."""
    return lambda results, variant: times(results, variant, ours if ours and variant.startswith("ours") else name)


def stream_token(results: dict, variant: str) -> Figure | None:
    return decode_without_vocabulary(results, variant)[0]


ROWS = (
    Row("prefill 128, int8 (tok/s)", "ours-gen-int8", INT8, work("prefill_128"), 128),
    Row("prefill 512, int8 (tok/s)", "ours-gen-int8", INT8, work("prefill_512"), 512),
    Row("prefill 128, BF16 (tok/s)", "ours-gen-bf16", BF16, work("prefill_128"), 128),
    Row("prefill 512, BF16 (tok/s)", "ours-gen-bf16", BF16, work("prefill_512"), 512),
    Row("prefill 128, 4-bit (tok/s)", "ours-gen-int4", INT4, work("prefill_128"), 128),
    Row("verdict, prefix kept, int8 (ms)", "ours-gen-int8", INT8, work("verdict_prefix_all")),
    Row("... peers stop after the first token (ms)", "ours-gen-int8", INT8,
        work("verdict_prefix", "verdict_prefix_all")),
    Row("verdict as the model card does it, int8 (ms)", "ours-gen-int8", INT8, work("verdict_whole")),
    Row("verdict as the model card does it, BF16 (ms)", "ours-gen-bf16", BF16, work("verdict_whole")),
    Row("one Stream token, int8 (ms)", "ours-stream-int8", INT8, stream_token),
    Row("one Stream token, 4-bit (ms)", "ours-stream-int4", INT4, stream_token),
    Row("loading, int8 (ms)", "ours-gen-int8", INT8, lambda results, v: field(results, v, "load_ms")),
    Row("peak memory, int8 (MiB)", "ours-gen-int8", INT8, lambda results, v: field(results, v, "peak_rss_mb")),
    Row("peak memory, 4-bit (MiB)", "ours-gen-int4", INT4, lambda results, v: field(results, v, "peak_rss_mb")),
)


def cell(figure: Figure | None, tokens: int = 0, mark: str = "") -> str:
    if figure is None:
        return "-"
    best, middle = figure.best, figure.median
    if tokens:
        best, middle = 1000 * tokens / best, 1000 * tokens / middle
    return f"{short(best)} ({short(middle)}){mark}"


def head_to_head(results: dict) -> list[str]:
    peers = [peer for peer in PEERS if any(name.startswith(peer) for name in results["variants"])]
    lines = ["| | ours | " + "".join(NAMES[peer] + " | " for peer in peers) + "best peer / ours |",
             "|---|---|" + "---|" * len(peers) + "---|"]
    for row in ROWS:
        ours = row.get(results, row.ours)
        theirs = {peer: row.get(results, row.theirs[peer]) for peer in peers if peer in row.theirs}
        cells = []
        for peer in peers:
            marked = row.get is stream_token and peer in row.theirs and \
                decode_without_vocabulary(results, row.theirs[peer])[1]
            cells.append(cell(theirs.get(peer), row.tokens, "*" if marked else ""))
        there = [figure for figure in theirs.values() if figure]
        ratio = "-"
        if ours and there:
            ratio = f"{min(f.best for f in there) / ours.best:.2f} ({min(f.median for f in there) / ours.median:.2f})"
        lines.append(f"| {row.title} | {cell(ours, row.tokens)} | " + "".join(c + " | " for c in cells) + f"{ratio} |")
    return lines


def bound_lines(results: dict) -> list[str]:
    speed = read_speed(results)
    if speed is None:
        return ["No bound: our own program did not run, so the speed of memory is not known."]
    lines = [f"Bound of a Stream token: {BOUND_FACTOR} x (bytes of the {stream_weights(results['config']) / 1e6:.0f} M "
             f"weights / {speed:.1f} GB/s measured).", "", "| | bound (ms) | ours (ms) | ours / bound |",
             "|---|---|---|---|"]
    for precision in ("int8", "int4"):
        bound, ours = stream_bound_ms(results, precision), stream_token(results, f"ours-stream-{precision}")
        ratio = f"{ours.best / bound:.2f}" if ours else "-"
        lines.append(f"| one Stream token, {precision} | {short(bound)} | {cell(ours)} | {ratio} |")
    return lines


def everything(results: dict) -> list[str]:
    works = [name for name in WORKS if any(times(results, v, name) for v in results["variants"])]
    lines = ["| variant | " + "".join(f"{name} | " for name in works) + "load | MiB | cosine |",
             "|---|" + "---|" * (len(works) + 3)]
    for variant in results["variants"]:
        cosine = results["cosine_with_torch_f32"].get(variant)
        cells = [cell(times(results, variant, name)) for name in works]
        memory = field(results, variant, "peak_rss_mb")
        lines.append(f"| {variant} | " + "".join(c + " | " for c in cells) +
                     f"{cell(field(results, variant, 'load_ms'))} | {short(memory.best) if memory else '-'} | "
                     f"{f'{cosine:.5f}' if cosine is not None else '-'} |")
    return lines


def facts(results: dict) -> list[str]:
    lines = []
    for variant, runs in results["variants"].items():
        found = runs[0]["facts"]
        said = "; ".join(f"{key} {'; '.join(value) if isinstance(value, list) else value}"
                         for key, value in found.items() if key not in ("bench", "peaks") and value)
        if said:
            lines.append(f"* {variant}: {said}")
    peaks = [run["facts"]["peaks"] for runs in results["variants"].values() for run in runs
             if run["facts"].get("peaks")]
    if peaks:
        lines.append("* peaks of the machine, by our program, best of all runs: " + ", ".join(
            f"{key} {short(max(p[key] for p in peaks if p.get(key) is not None))}" for key in peaks[0]
            if any(p.get(key) is not None for p in peaks)))
    return lines


def markdown(results: dict) -> str:
    machine, task = results["machine"], results["task"]
    lines = [
        f"# Qwen3Guard {results['shape']}: this runtime and others", "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; {results['threads']} threads each. "
        f"{results['when']}, {results['rounds']} rounds in turns, {results['repeat']} runs of each work in a round. Load of "
        f"the machine before: {machine['load_before']:.2f}.", "",
        f"Best (median in brackets). The Gen prompt has {task['prompt_tokens']} tokens, {task['prefix_tokens']} of them "
        f"constant; peers generate {task['verdict_tokens']} tokens. Ratios above 1: ours is faster or smaller.", "",
        *head_to_head(results), "",
        "A peer's Stream token is the token of a Gen model of the same backbone after 300 others, without the vocabulary; "
        "* the vocabulary could not be left out.", "",
        *bound_lines(results), "", "## Everything", "",
        "Milliseconds. Cosine: of the logits after the Gen prompt with those of PyTorch in float32.", "",
        *everything(results), "", "## Versions and settings", "", *facts(results), "",
    ]
    if results["problems"]:
        lines += ["## Problems", "", *(f"* {problem}" for problem in results["problems"]), ""]
    return "\n".join(lines)

# SPDX-License-Identifier: Apache-2.0
"""Who takes part: each variant is one program with one file of weights, run as a process of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TIME_LIMIT_S = 1800


@dataclass(frozen=True)
class Paths:
    """Where the inputs are. Everything below `converted` is made from `gen` and `stream` and can be deleted."""

    gen: Path
    stream: Path
    converted: Path
    program: Path
    threads: int


@dataclass
class Variant:
    name: str  # "<peer>-<precision>"; ours also say the kind of model
    weights: Path
    repeat: int = 0
    runs: list[dict] = field(default_factory=list)
    error: str = ""

    @property
    def peer(self) -> str:
        return self.name.split("-")[0]

    @property
    def precision(self) -> str:
        return self.name.rsplit("-", 1)[1]


def run(command: list, what: str) -> str:
    """The program's standard output. An error names the program and ends with what it said last."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=TIME_LIMIT_S,
                          check=False)
    if done.returncode != 0:
        last = " | ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-3:])
        raise RuntimeError(f"{what}: exit code {done.returncode}: {last[-600:]}")
    return done.stdout


def prepare_llama(paths: Paths) -> list[Variant]:
    folder = paths.converted / "gguf"
    run([sys.executable, HERE / "make_gguf.py", "--model", paths.gen, "--out", folder, "--threads", paths.threads],
        "make_gguf.py")
    return [Variant(f"llama-{precision}", folder) for precision in ("bf16", "q8_0", "q4_0")]


def prepare_torch(paths: Paths) -> list[Variant]:
    return [Variant(f"torch-{precision}", paths.gen) for precision in ("f32", "bf16", "int8")]


def prepare_openvino(paths: Paths) -> list[Variant]:
    folder = paths.converted / "openvino"
    run([sys.executable, HERE / "make_openvino.py", "--model", paths.gen, "--out", folder], "make_openvino.py")
    return [Variant(f"openvino-{precision}", folder) for precision in ("bf16", "int8", "int4")]


def prepare_ours(paths: Paths) -> list[Variant]:
    folder = paths.converted / "qwen3guard"
    folder.mkdir(parents=True, exist_ok=True)
    if not paths.program.is_file():
        raise RuntimeError(f"{paths.program}: no such program; build it, or name it with --qwen3guard")
    found = [Variant("ours-gen-plain", paths.gen)]
    for kind, source, precisions in (("gen", paths.gen, ("bf16", "int8", "int4")),
                                     ("stream", paths.stream, ("int8", "int4"))):
        since = max(path.stat().st_mtime for path in (*source.glob("model*.safetensors"), paths.program))
        for precision in precisions:
            packed = folder / f"{kind}-{precision}.q3g"
            if not packed.exists() or packed.stat().st_mtime < since:  # the format may change with the program
                packed.unlink(missing_ok=True)
                run([paths.program, "quantize", "--model", source, "--type", precision, "--out", packed],
                    f"quantize to {packed.name}")
            found.append(Variant(f"ours-{kind}-{precision}", packed))
    return found


PREPARE = {"ours": prepare_ours, "llama": prepare_llama, "openvino": prepare_openvino, "torch": prepare_torch}


def measure_peer(variant: Variant, paths: Paths, task: Path, logits: Path | None) -> dict:
    command = [sys.executable, HERE / f"peer_{variant.peer}.py", "--model", variant.weights, "--precision",
               variant.precision, "--threads", paths.threads, "--task", task, "--repeat", variant.repeat]
    if logits:
        command += ["--logits", logits]
    return json.loads(run(command, variant.name))


def write_our_logits(variant: Variant, paths: Paths, task: Path, out: Path) -> None:
    ids = ",".join(map(str, json.loads(task.read_text())["prompt_ids"]))
    command = [paths.program, "logits", "--model", variant.weights, "--ids", ids, "--last", "--format", "npy"]
    with open(out, "wb") as file:
        done = subprocess.run([str(part) for part in command], stdout=file, stderr=subprocess.PIPE,
                              timeout=TIME_LIMIT_S, check=False)
    if done.returncode != 0:  # the comparison lacks a figure; the times are as good as ever
        out.unlink()
        print(f"{variant.name}: no logits: {done.stderr.decode(errors='replace').strip()[-300:]}", file=sys.stderr)


def measure_ours(variant: Variant, paths: Paths, task: Path, logits: Path | None) -> dict:
    """`qwen3guard bench`, in the peers' terms. Its decode and chunks multiply no vocabulary."""
    raw = json.loads(run([paths.program, "bench", "--model", variant.weights, "--threads", paths.threads, "--json"],
                         variant.name))
    ms = {f"prefill_{n}": 1000 * int(n) / speed for n, speed in (raw.get("prefill_tok_s") or {}).items()}
    for name, value in (("decode_headless", raw.get("decode_ms")),
                        ("verdict_prefix_all", (raw.get("verdict_ms") or {}).get("prefix_kept")),
                        ("verdict_whole", (raw.get("verdict_ms") or {}).get("whole"))):
        if value is not None:
            ms[name] = value
    ms |= {f"chunk_{n}": value for n, value in (raw.get("chunk_ms") or {}).items()}
    if logits and variant.name.startswith("ours-gen"):
        write_our_logits(variant, paths, task, logits)
    return {"ms": {name: [value] for name, value in ms.items()}, "load_ms": raw.get("load_ms"),
            "peak_rss_mb": raw.get("peak_rss_mb"), "facts": {"peaks": raw.get("peaks", {}), "bench": raw}}


def measure(variant: Variant, paths: Paths, task: Path, logits: Path | None) -> dict:
    return (measure_ours if variant.peer == "ours" else measure_peer)(variant, paths, task, logits)

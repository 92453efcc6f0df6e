# SPDX-License-Identifier: Apache-2.0
"""report.md: one page to publish, made of check.json's content alone."""

from __future__ import annotations

from . import page_benchmarks
from .markdown import number, table
from .results import FAIL, NOT_COMPARED, PASS, StepResult, Store

SHOWN = {PASS: "PASS", FAIL: "**FAIL**", NOT_COMPARED: "not compared"}
KIND = {"gen": "Gen", "stream": "Stream"}
WEIGHTS = ["float", "int8", "int4"]
GIB, MIB = 1 << 30, 1 << 20


def parameters(n: int) -> str:
    return f"{n / 1e9:.2f} billion" if n >= 1e8 else f"{n / 1e6:.1f} million"


def verdict(store: Store) -> tuple[str, str]:
    """(PASS, FAIL or NOT COMPARED; a sentence)"""
    checks = [check for step in store.steps.values() for check in step.checks]
    n = {status: sum(check.status == status for check in checks) for status in SHOWN}
    n[NOT_COMPARED] += sum(step.reason is not None for step in store.steps.values())
    rest = f"; {n[NOT_COMPARED]} not compared" if n[NOT_COMPARED] else ""
    if n[FAIL]:
        return "FAIL", f"FAIL: {n[FAIL]} of {n[FAIL] + n[PASS]} comparisons failed{rest}."
    # Packed files alone compare nothing with the reference.
    if not any(
        check.status == PASS
        for name, step in store.steps.items()
        if name.endswith(("/logits", "/verdicts"))
        for check in step.checks
    ):
        return (
            "NOT COMPARED",
            f"NOT COMPARED with transformers: only the program's own steps ran, {n[PASS]} of their checks passed{rest}.",
        )
    return "PASS", f"PASS: all {n[PASS]} comparisons that were made are within their tolerances{rest}."


def not_compared(store: Store) -> list[str]:
    lines = []
    for kind in ("gen", "stream"):
        if not any(name.startswith(f"{kind}/") for name in store.steps):
            lines.append(f"* {KIND[kind]}: no checkpoint was given.")
        elif not store.facts["data"]:
            lines.append(f"* {KIND[kind]}, evaluation: no benchmark data were given (`--data`).")
    for name, step in store.steps.items():
        if step.reason is not None:
            lines.append(f"* {name}: {step.reason.rstrip('.')}.")
        lines += [f"* {name}, {check.name}: {check.detail}." for check in step.checks if check.status == NOT_COMPARED]
    if store.facts["quick"]:
        lines.append("* This was a quick run: fewer conversations, coarse speeds, benchmarks only by a sample.")
    return lines


def checks_table(store: Store, kind: str) -> list[str]:
    rows = [
        [check.name, SHOWN[check.status], number(check.value), number(check.tolerance), check.detail]
        for name, step in store.steps.items()
        if name.startswith(f"{kind}/")
        for check in step.checks
    ]
    return table(["comparison", "result", "found", "expected, or at most", "note"], rows) if rows else []


def packed_table(step: StepResult) -> list[str]:
    rows = []
    for name in ("int8", "int4"):
        f = step.figures.get(name, {})
        if "n" not in f:
            continue
        logits, moved = f.get("logits") or {}, f["probability_error"]
        rows.append(
            [
                f["weight_dtype"],
                f"{f['file_bytes'] / MIB:.0f} MiB",
                f"{f['n_same_severity']} of {f['n']}",
                f"{f['n_same_categories']} of {f['n']}",
                f"{f['n_same_refusal']} of {f['n']}",
                number(moved["largest"]),
                number(moved["mean"]),
                number(logits.get("relative_rms")),
                number(logits.get("kl")),
            ]
        )
    if not rows:
        return []
    return [
        "### Packed weights against the float checkpoint (measured, no pass mark)",
        "",
        *table(
            [
                "weights",
                "file",
                "same severity",
                "same categories",
                "same refusal",
                "probability error, largest",
                "mean",
                "logits' error / spread",
                "KL (nats)",
            ],
            rows,
        ),
    ]


def speed_table(step: StepResult) -> list[str]:
    rows = []
    for name in WEIGHTS:
        if not (f := step.figures.get(name)):
            continue
        verdicts, chunks = f["verdict_ms"] or {}, f["chunk_ms"]
        rows.append(
            [
                f["weight_dtype"],
                f["isa"],
                f["n_threads"],
                *(f"{f['prefill_tok_s'][n]:.0f}" for n in ("128", "512")),
                number(f["decode_ms"]),
                *(number(verdicts.get(key)) for key in ("prefix_kept", "whole")),
                number(chunks["16"]),
                f"{f['load_ms']:.0f}",
                f"{f['peak_rss_mb']:.0f}",
            ]
        )
    if not rows:
        return []
    return [
        "### Speed (`qwen3guard bench`)",
        "",
        *table(
            [
                "weights",
                "isa",
                "threads",
                "prefill 128, tokens/s",
                "prefill 512",
                "decode, ms",
                "verdict with kept prefix, ms",
                "whole prompt, ms",
                "16 tokens, ms",
                "load, ms",
                "peak MiB",
            ],
            rows,
        ),
    ]


def checkpoint_section(store: Store, kind: str) -> list[str]:
    facts = store.facts["checkpoints"][kind]
    info = facts["info"] or {}
    lines = [
        f"## {facts['name']}",
        "",
        f"{KIND[kind]}, {parameters(facts['n_parameters'])} parameters stored as {', '.join(facts['dtypes'])}; "
        f"instruction set {info.get('isa', '-')}, {info.get('n_threads', '-')} threads. Chat template: {info.get('chat_template', '-')}"
        + (f", fingerprint `{info['chat_template_fingerprint']}`." if info.get("chat_template_fingerprint") else "."),
        "",
        *checks_table(store, kind),
    ]
    empty = StepResult({})
    lines += packed_table(store.steps.get(f"{kind}/packed", empty)) + speed_table(store.steps.get(f"{kind}/speed", empty))
    evaluated = store.steps.get(f"{kind}/evaluation", empty)
    if "whole" in evaluated.figures:
        lines += page_benchmarks.whole(evaluated.figures["whole"], evaluated.figures["published"])
    return lines + page_benchmarks.sample(evaluated)


def facts_section(store: Store) -> list[str]:
    facts = store.facts
    machine, packages = facts["machine"], facts["packages"]
    memory = f"{machine['memory_bytes'] / GIB:.0f} GiB" if machine["memory_bytes"] else "unknown"
    rows = [
        ["program", f"{facts['program']['version']}, sha256 {facts['program']['sha256']}"],
        ["machine", f"{machine['cpu']}, {machine['n_cpus']} CPUs, {memory} of memory, {machine['system']}"],
        [
            "reference",
            ", ".join(f"{name} {version or 'not installed'}" for name, version in packages.items())
            + f", Python {machine['python']}"
            + (
                "; Stream by the checkpoint's own code"
                if facts["trust_remote_code"]
                else "; Stream's four heads by this check's own code"
            ),
        ],
    ]
    files = [
        [f"{one['name']}/{name}", f"`{digest}`"] for one in facts["checkpoints"].values() for name, digest in one["sha256"].items()
    ]
    files += [[f"data: {name}", f"`{one['sha256']}`"] for name, one in facts["data"].items()]
    return ["## Machine, versions, files", "", *table(["", ""], rows), *table(["file", "sha256"], files)]


def render(store: Store) -> str:
    names = [one["name"] for one in store.facts["checkpoints"].values()]
    missing = not_compared(store)
    lines = [f"# qwen3guard against transformers: {', '.join(names)}", "", f"**{verdict(store)[1]}**", ""]
    if missing:
        lines += ["Not compared, so neither passed nor failed:", "", *missing, ""]
    lines += [
        "Both sides compute in float32 from the same files. Tolerances follow from float32's rounding, the model's shape and the number of logits "
        "compared (docs/numerics.md, `examples/official/official_kit/tolerances.py`); none is fitted. A verdict that differs where transformers itself "
        "hangs on less than the tolerance is a tie and named as one.",
        "",
    ]
    for kind in store.facts["checkpoints"]:
        lines += checkpoint_section(store, kind)
    lines += facts_section(store)
    return "\n".join(lines).rstrip() + "\n"

# SPDX-License-Identifier: Apache-2.0
"""Facts about the machine, without its name; and what the check will need of it."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

GIB = 1 << 30
# Beside the weights: Python with PyTorch, logits and caches of greedy decoding; and what a forward of this runtime needs.
REFERENCE_BYTES = 2 * GIB
PROGRAM_BYTES = 600 << 20


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_bytes() -> tuple[int | None, int | None]:
    """(all of it, what is free for a new process), None for what the system does not say."""
    try:
        found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").read_text("ascii").splitlines()}
        return found["MemTotal"], found["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        pass
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return total, total
    except (AttributeError, ValueError, OSError):
        return None, None


def facts() -> dict:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "n_cpus": os.cpu_count(),
        "memory_bytes": memory_bytes()[0],
        "python": platform.python_version(),
    }


def needs(checkpoint) -> dict[str, int]:
    """Bytes, roughly. reference: transformers in float32, the embedding once even where it is tied; program: the weights as they
    are stored, mapped; disk: the packed files int8 and int4, with scales, and the rest as it is stored."""
    rest = checkpoint.weight_bytes * (1 - checkpoint.n_matrix_values / checkpoint.n_parameters)
    return {
        "reference": 4 * checkpoint.n_parameters + REFERENCE_BYTES,
        "program": checkpoint.weight_bytes + PROGRAM_BYTES,
        "disk": int(checkpoint.n_matrix_values * (1.04 + 0.57) + 2 * rest),
    }


def free_disk_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def gib(n_bytes: float) -> str:
    return f"{n_bytes / GIB:.1f} GiB"

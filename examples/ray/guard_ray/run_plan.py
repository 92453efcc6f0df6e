# SPDX-License-Identifier: Apache-2.0
"""What a run is about. A folder is of one run: of these rows, this model and this policy."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

import qwen3guard

from . import model_file
from .input_files import InputFile, cut
from .judge_rows import GuardOptions
from .output_folder import OutputFolder
from .parts import write_part, write_whole
from .problems import RunError, shown
from .shards import Shard

_VERSION = 1  #: of run.json


@dataclass(frozen=True)
class Asked:
    """What the command asks for."""

    files: list[str]
    model: str
    weights: str
    guard: GuardOptions
    shard_rows: int
    batch_rows: int


@dataclass(frozen=True)
class RunPlan:
    """What is done: all that a worker must know besides its shard."""

    model: str  #: the packed file
    model_digest: str
    guard: GuardOptions
    batch_rows: int
    run_digest: str  #: of run.json, by which a worker knows that it sees the same folder
    shards: list[Shard]


def open_run(asked: Asked, out: OutputFolder) -> RunPlan:
    """Begins a run in an empty folder, or goes on with the one that is there when it is the same. Raises RunError."""
    source_digest = model_file.digest_of_model(asked.model)
    said = {"version": _VERSION, "library": qwen3guard.version(), "model": asked.model if not source_digest else source_digest,
            "weights": None if model_file.is_packed(asked.model) else asked.weights, "options": dataclasses.asdict(asked.guard),
            "shard_rows": asked.shard_rows, "batch_rows": asked.batch_rows}
    if os.path.exists(out.run):
        run = _read(out.run)
        _compare(said, run, out)
        _compare_inputs(asked, [InputFile(**file) for file in run["inputs"]], out)
    else:
        run = _begin(asked, said, out)
    model = os.path.abspath(asked.model) if model_file.is_packed(asked.model) else out.model
    if model_file.digest_of_model(model) != run["model_digest"]:
        raise RunError(f"{model}: it was changed after the run began")
    with open(out.run, "rb") as file:
        run_digest = hashlib.sha256(file.read()).hexdigest()
    return RunPlan(model, run["model_digest"], asked.guard, asked.batch_rows, run_digest, _read_shards(out, run))


def _begin(asked: Asked, said: dict[str, Any], out: OutputFolder) -> dict[str, Any]:
    inputs: list[InputFile] = []
    shards: list[Shard] = []
    seen: set[str] = set()
    for path in asked.files:
        if os.path.realpath(path) in seen:
            raise RunError(f"{shown(path)}: given twice")
        seen.add(os.path.realpath(path))
        file, more = cut(path, asked.shard_rows, len(shards))
        inputs.append(file)
        shards += more
    if model_file.is_packed(asked.model):
        model_digest = model_file.digest_of_model(asked.model)
    else:
        model_file.pack(asked.model, out.model, asked.weights)
        model_digest = model_file.digest_of_model(out.model)
    lines = [json.dumps(dataclasses.asdict(shard)).encode() + b"\n" for shard in shards]
    run = {**said, "model_digest": model_digest, "plan_digest": _plan_digest(lines),
           "inputs": [dataclasses.asdict(file) for file in inputs]}
    write_part(out.plan, "", lines, str(os.getpid()))
    write_whole(out.run, json.dumps(run, indent=1))
    return run


def _plan_digest(lines: list[bytes]) -> str:
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            run: dict[str, Any] = json.load(file)
        if run["version"] != _VERSION:
            raise RunError(f"{path}: of version {run['version']}; expected {_VERSION}")
        return run
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: not a run's: {error!s:.200}") from None


def _read_shards(out: OutputFolder, run: dict[str, Any]) -> list[Shard]:
    try:
        with open(out.plan, "rb") as file:
            lines = file.readlines()
    except OSError as error:
        raise RunError(f"{out.plan}: {error.strerror or error}") from None
    if _plan_digest(lines) != run["plan_digest"]:
        raise RunError(f"{out.plan}: not the plan of run.json")
    return [Shard(**json.loads(line)) for line in lines]


def _refuse(out: OutputFolder, what: str) -> RunError:
    return RunError(f"{shown(out.path)}: of another run: {what}; give another --out, or what that run had")


def _compare(said: dict[str, Any], run: dict[str, Any], out: OutputFolder) -> None:
    names = {"library": "the library's version", "model": "the model", "weights": "the packed weights' type (--type)",
             "options": "the policy", "shard_rows": "--shard-rows", "batch_rows": "--batch-rows"}
    for key, name in names.items():
        if said[key] == run[key]:
            continue
        if key != "options":
            raise _refuse(out, f"{name} was {run[key]!s:.80} and is {said[key]!s:.80}")
        changed = sorted(option for option in said[key] if said[key][option] != run[key].get(option))
        raise _refuse(out, " and ".join("the policy has changed" if option == "policy_json" else f"{option} has changed" for option in changed))


def _compare_inputs(asked: Asked, inputs: list[InputFile], out: OutputFolder) -> None:
    if asked.files != [file.path for file in inputs]:
        raise _refuse(out, f"its {len(inputs)} files, by name and order, are not the {len(asked.files)} of this one")
    for file in inputs:
        if file.is_untouched():
            continue
        if os.path.getsize(file.path) != file.n_bytes or cut(file.path, asked.shard_rows, 0)[0].digest != file.digest:
            raise _refuse(out, f"{shown(file.path)} has changed")

# SPDX-License-Identifier: Apache-2.0
"""The steps in their order."""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path

from . import compare_logits, compare_verdicts, conversations, evaluation, machine, packing, page, reference
from .errors import NotCompared, UsageError
from .folder import Checkpoint, hash_file, hash_files, inspect
from .markdown import number
from .options import parse, repeats
from .program import Program, find_program
from .results import FAIL, NOT_COMPARED, PASS, StepResult, Store


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Run:
    """One run of the check: what was asked for, and what was found."""

    def __init__(self, options):
        self.options = options
        self.data = evaluation.find_data(options.data)
        self.checkpoints = [inspect(folder, kind) for kind, folder in options.folders.items()]
        self.program = Program(find_program(options.program), options.threads)
        self.conversations = conversations.load(options.quick)
        self.out: Path = options.out
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--out {self.out}: {error.strerror}") from None
        self.store = Store(self.out)

    def say_needs(self) -> None:
        total, free = machine.memory_bytes()
        say(
            f"This machine: {machine.gib(total) if total else 'unknown'} of memory, "
            f"{machine.gib(free) if free else 'unknown'} free; {machine.gib(machine.free_disk_bytes(self.out))} free in --out."
        )
        for checkpoint in self.checkpoints:
            need = machine.needs(checkpoint)
            say(
                f"{checkpoint.path.name}: transformers in float32 needs about {machine.gib(need['reference'])} of memory, qwen3guard "
                f"{machine.gib(need['program'])}; the packed files {machine.gib(need['disk'])} of disk."
            )

    def read_files(self) -> None:
        for checkpoint in self.checkpoints:
            say(f"{checkpoint.path.name}: checksums of its files")
            hash_files(checkpoint)
        self.data_sha256 = {path.name: hash_file(path) for path in self.data}
        self.store.facts = {
            "program": {"version": self.program.version, "sha256": self.program.sha256},
            "machine": machine.facts(),
            "packages": reference.versions(),
            "quick": self.options.quick,
            "trust_remote_code": self.options.trust_remote_code,
            "threads": self.options.threads,
            "data": {path.name: {"sha256": self.data_sha256[path.name]} for path in self.data},
            "checkpoints": {
                c.kind: {
                    "name": c.path.name,
                    "n_parameters": c.n_parameters,
                    "dtypes": c.dtypes,
                    "sha256": c.sha256,
                    "needs_bytes": machine.needs(c),
                    "info": without_paths(self.program, c),
                }
                for c in self.checkpoints
            },
        }

    def step(self, checkpoint: Checkpoint, name: str, inputs: dict, work, is_whole=lambda: True) -> StepResult:
        """Does a step unless an earlier run finished it. work(result) throws NotCompared; is_whole(): the files it leaves are there."""
        key = f"{checkpoint.kind}/{name}"
        if not repeats(self.options, name) and self.store.finished(key, inputs) and is_whole():
            say(f"{key}: done before")
            return self.store.steps[key]
        say(f"{key} ...")
        result, start = StepResult(inputs), time.monotonic()
        try:
            work(result)
        except NotCompared as error:
            result.reason = self.without_folders(str(error))
        except Exception as error:  # a mistake of this script must not end the other steps, nor look like a pass
            result.reason = self.without_folders(f"unexpected {type(error).__name__}: {error}")
            (self.out / f"{checkpoint.kind}-{name}.traceback.txt").write_text(traceback.format_exc(), "utf-8")
        result.figures = self.without_folders(result.figures)
        result.seconds = round(time.monotonic() - start, 1)
        self.store.add(key, result)
        self.tell(key, result)
        return result

    def tell(self, key: str, result: StepResult) -> None:
        if result.reason is not None:
            say(f"{key}: NOT COMPARED: {result.reason}")
        counts = [sum(check.status == status for check in result.checks) for status in (PASS, FAIL, NOT_COMPARED)]
        for check in result.checks:
            if check.status == FAIL:
                say(f"{key}: FAIL: {check.name}: {number(check.value)}, expected {number(check.tolerance)} {check.detail}".rstrip())
        say(f"{key}: {counts[0]} passed, {counts[1]} failed, {counts[2]} not compared; {result.seconds:.0f} s")

    def without_folders(self, value):
        """Of a text, or of all texts in lists and dictionaries: what is found is published, and holds no paths of this machine."""
        if isinstance(value, dict):
            return {key: self.without_folders(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.without_folders(one) for one in value]
        if not isinstance(value, str):
            return value
        for path in [
            *(c.path for c in self.checkpoints),
            self.out,
            self.program.path,
            *([self.options.data] if self.options.data else []),
        ]:
            for spelled in (str(path.resolve()), str(path)):
                if len(spelled) > 1:
                    value = value.replace(spelled, path.resolve().name)
        return value.replace(str(Path.home()), "~") if len(str(Path.home())) > 1 else value

    def check(self, checkpoint: Checkpoint) -> None:
        options, base = self.options, {"checkpoint": checkpoint.fingerprint, "quick": self.options.quick}
        by_reference = {
            **base,
            "packages": reference.versions(),
            "conversations": hash_file(conversations.FILE),
            "trust_remote_code": options.trust_remote_code,
        }
        by_program = {"program": self.program.sha256, "threads": options.threads}
        folder = self.out / "reference" / checkpoint.kind
        self.step(
            checkpoint,
            "reference",
            by_reference,
            lambda result: self.run_reference(checkpoint, folder, by_reference, result),
            lambda: all((folder / f"{c['id']}.npz").exists() for c in self.conversations),
        )
        for name, module in (("logits", compare_logits), ("verdicts", compare_verdicts)):
            self.step(
                checkpoint,
                name,
                {**by_reference, **by_program},
                lambda result, module=module: module.compare(
                    result, self.program, checkpoint, self.conversations, self.references(checkpoint, folder)
                ),
            )
        id_lists = self.id_lists(checkpoint, folder)
        packed = self.out / "packed"
        self.step(
            checkpoint,
            "packed",
            {**base, **by_program, "has_tokens": bool(id_lists)},
            lambda result: self.pack(checkpoint, id_lists, packed, result),
            lambda: len(self.models(checkpoint)) == 3,
        )
        models = self.models(checkpoint)
        self.step(
            checkpoint,
            "speed",
            {**base, **by_program, "weights": sorted(models)},
            lambda result: packing.measure_speed(result, self.program, models, options.quick),
        )
        by_data = {**base, **by_program, "data": self.data_sha256, "sample": options.sample, "eval_weights": options.eval_weights}
        if self.data:
            self.step(
                checkpoint,
                "evaluation",
                {**by_data, "weights": sorted(models)},
                lambda result: evaluation.evaluate(
                    result, self.program, checkpoint, models, self.data, options, self.out / "eval" / checkpoint.kind, by_data
                ),
            )

    def run_reference(self, checkpoint: Checkpoint, folder: Path, inputs: dict, result: StepResult) -> None:
        need, (_, free) = machine.needs(checkpoint)["reference"], machine.memory_bytes()
        if free is not None and free < need and not self.options.ignore_memory:
            raise NotCompared(
                f"transformers in float32 needs about {machine.gib(need)} of memory and {machine.gib(free)} are free; "
                "--ignore-memory starts it all the same"
            )
        reference.compute(checkpoint, self.conversations, folder, self.options, inputs, is_new=repeats(self.options, "reference"))
        result.figures["n_conversations"] = len(self.conversations)

    def references(self, checkpoint: Checkpoint, folder: Path) -> list[dict]:
        step = self.store.steps[f"{checkpoint.kind}/reference"]
        if step.reason is not None:
            raise NotCompared(f"transformers: {step.reason}")
        return reference.load(folder, self.conversations)

    def id_lists(self, checkpoint: Checkpoint, folder: Path) -> list[list[int]]:
        try:
            return [found["ids"].tolist() for found in self.references(checkpoint, folder)]
        except NotCompared:
            return []

    def pack(self, checkpoint: Checkpoint, id_lists: list[list[int]], out: Path, result: StepResult) -> None:
        need, free = machine.needs(checkpoint)["disk"], machine.free_disk_bytes(self.out)
        if free < need:
            raise NotCompared(f"the packed files need about {machine.gib(need)} of disk and {machine.gib(free)} are free")
        packing.compare(result, self.program, checkpoint, self.conversations, id_lists, out)

    def models(self, checkpoint: Checkpoint) -> dict[str, Path]:
        """float and the packed files that are there."""
        packed = {kind: self.out / "packed" / f"{checkpoint.kind}-{kind}.q3g" for kind in packing.TYPES}
        return {"float": checkpoint.path, **{kind: path for kind, path in packed.items() if path.exists()}}


def without_paths(program: Program, checkpoint: Checkpoint) -> dict | None:
    try:
        return program.info(checkpoint.path)
    except NotCompared:
        return None


def exit_code(store: Store) -> int:
    steps = store.steps.values()
    if any(check.status == FAIL for step in steps for check in step.checks):
        return 1
    return 3 if any(step.reason is not None for step in steps) else 0


def main(argv: list[str] | None = None) -> int:
    try:
        run = Run(parse(argv))
    except UsageError as error:
        say(f"check.py: {error}")
        return 2
    try:
        run.say_needs()
        run.read_files()
        for checkpoint in run.checkpoints:
            run.check(checkpoint)
        run.store.save()
        path = run.out / "report.md"
        path.write_text(page.render(run.store), "utf-8")
    except KeyboardInterrupt:
        say("check.py: interrupted; the same command goes on behind the last finished step")
        return 130
    say(f"{page.verdict(run.store)[1]}\n{path}")
    return exit_code(run.store)

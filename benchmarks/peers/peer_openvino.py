# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the CPU. --model is the folder that make_openvino.py filled."""

from pathlib import Path

import numpy as np
import openvino as ov
import works


class OpenVinoRuntime:
    def __init__(self, path: Path, threads: int):
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        self.compiled = ov.Core().compile_model(path, "CPU", settings)
        self.request = self.compiled.create_infer_request()
        self.inputs = {name for port in self.compiled.inputs for name in port.names}
        self.n = 0
        self.last = None

    def forget(self, keep: int) -> None:
        """The state can be emptied; cutting it to a length is not needed by the works."""
        if keep != 0:
            raise NotImplementedError(f"forget({keep}), expected 0")
        self.request.reset_state()
        self.n = 0

    def feed(self, ids: list[int], want_logits: bool) -> int:
        """Always multiplies the vocabulary: it is part of the converted model."""
        end = self.n + len(ids)
        values = {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, end), np.int64),
                  "position_ids": np.arange(self.n, end, dtype=np.int64)[None], "beam_idx": np.zeros(1, np.int32)}
        self.last = self.request.infer({name: values[name] for name in self.inputs})[self.compiled.output("logits")]
        self.n = end
        return int(self.last[0, -1].argmax()) if want_logits else 0

    def logits(self) -> np.ndarray:
        return np.asarray(self.last[0, -1], np.float32)


def load(model: Path, precision: str, threads: int):
    runtime = OpenVinoRuntime(model / f"{precision}.xml", threads)
    facts = {"version": ov.get_version()}
    for key in ("INFERENCE_PRECISION_HINT", "KV_CACHE_PRECISION", "DYNAMIC_QUANTIZATION_GROUP_SIZE",
                "INFERENCE_NUM_THREADS"):
        facts[key.lower()] = str(runtime.compiled.get_property(key))
    return runtime, facts


if __name__ == "__main__":
    works.main(load, headless=False)

# SPDX-License-Identifier: Apache-2.0
"""PyTorch with transformers: bf16, f32, and int8 by dynamic quantisation of every linear layer."""

from pathlib import Path

import numpy as np
import torch
import transformers
import works


class TorchRuntime:
    def __init__(self, model: Path, precision: str):
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.model = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=dtype, local_files_only=True).eval()
        if precision == "int8":
            self.model = torch.ao.quantization.quantize_dynamic(self.model, {torch.nn.Linear}, dtype=torch.qint8)
        self.cache = transformers.DynamicCache()
        self.last = None

    def forget(self, keep: int) -> None:
        if keep == 0:
            self.cache = transformers.DynamicCache()
        else:
            self.cache.crop(keep)

    def feed(self, ids: list[int], want_logits: bool) -> int:
        with torch.inference_mode():
            tokens = torch.tensor([ids])
            if not want_logits:
                self.model.model(input_ids=tokens, past_key_values=self.cache, use_cache=True)
                return 0
            self.last = self.model(input_ids=tokens, past_key_values=self.cache, use_cache=True,
                                   logits_to_keep=1).logits[0, -1]
            return int(self.last.argmax())

    def logits(self) -> np.ndarray:
        return self.last.float().numpy()


def load(model: Path, precision: str, threads: int):
    torch.set_num_threads(threads)
    facts = {"version": f"torch {torch.__version__}, transformers {transformers.__version__}",
             "cpu_capability": torch.backends.cpu.get_cpu_capability()}
    return TorchRuntime(model, precision), facts


if __name__ == "__main__":
    works.main(load, headless=True)

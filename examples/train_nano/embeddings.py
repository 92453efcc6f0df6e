"""First weights of a nano model: embeddings from the teachers' vectors of each token's text, and attention heads of the
first layer that look one token back, two tokens back, and everywhere alike.

python3 embeddings.py --work .work/full      writes .work/full/start.pt
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from nano_model import NanoConfig, NanoGuard
from render import load_tokenizer
from teachers.use_encoder import UseEncoder
from teachers.vectors import ENCODERS, Vectors, extend

#: Root mean square of an embedding; its first number is the same for all tokens, so that heads can ignore the text.
SCALE = 0.3
#: Rotary pairs that tell neighbours apart, and pairs that hardly turn over a text.
FAST, SLOW = slice(0, 10), slice(24, 32)
SHARPNESS = 1.5


def token_texts(tok: Tokenizer) -> list[str]:
    """The text of each token; empty where its bytes are no text of their own."""
    texts = [tok.decode([i]) for i in range(tok.get_vocab_size())]
    return ["" if "\ufffd" in t else t for t in texts]


def teacher_vectors(texts: list[str], folder: Path) -> Tensor:
    """[n, 1408]: mean of the first teacher's pieces, and both teachers' vectors of the token as a text (kept in the
    folder); centred, each block of unit size on average."""
    use, known = UseEncoder(), [i for i, t in enumerate(texts) if t.strip()]
    some = [texts[i] for i in known]
    pieces = [use.pieces.encode(t) for t in some]
    blocks = [torch.stack([use.table[p].mean(0) if p else torch.zeros(use.table.shape[1]) for p in pieces])]
    for name in ENCODERS:
        extend(folder, name, list(dict.fromkeys(some)))
        blocks.append(torch.from_numpy(Vectors(folder, name).at(some)))
    out = torch.zeros(len(texts), sum(b.shape[1] for b in blocks))
    out[known] = torch.cat([(b - b.mean(0)) / (b - b.mean(0)).norm(dim=-1).mean() for b in blocks], 1)
    return out


def reduce(x: Tensor, dim: int) -> Tensor:
    """The `dim` leading components of the rows, with the leading ones damped (root), as no direction should rule."""
    known = x.abs().sum(1) > 0
    _, s, v = torch.linalg.svd(x[known] - x[known].mean(0), full_matrices=False)
    y = (x - x[known].mean(0)) @ v[:dim].T / s[:dim].sqrt()
    y[~known] = 0
    return y


def initial_embeddings(tok: Tokenizer, dim: int, folder: Path, seed: int) -> Tensor:
    """[vocabulary, dim]: a constant, then dim - 1 components of the teachers' vectors; rows without text are small noise."""
    torch.manual_seed(seed)
    y = reduce(teacher_vectors(token_texts(tok), folder), dim - 1)
    size = y.pow(2).mean(1, keepdim=True).sqrt()
    noise = torch.randn_like(y)
    y = torch.where(size > 0, y / size.clamp_min(1e-6), noise) + 0.05 * noise
    return SCALE * torch.cat([torch.ones(len(y), 1), F.normalize(y, dim=-1) * math.sqrt(dim - 1)], 1)


@torch.no_grad()
def look_back(model: NanoGuard) -> None:
    """Shape the first layer's heads: queries 0 and 1 (keys 0) meet one and two tokens back, query 2 (keys 1) everywhere."""
    cfg, att = model.cfg, model.model.layers[0].self_attn
    half = cfg.head_dim // 2
    angle = cfg.rope_theta ** (-torch.arange(half, dtype=torch.float32) / half)
    def pattern(pairs: slice, back: float) -> Tensor:
        x = torch.zeros(cfg.head_dim)
        x[:half][pairs], x[half:][pairs] = torch.cos(back * angle[pairs]), -torch.sin(back * angle[pairs])
        return x / x.norm() * math.sqrt(cfg.head_dim)
    def fix(weight: Tensor, head: int, x: Tensor) -> None:
        rows = slice(head * cfg.head_dim, (head + 1) * cfg.head_dim)
        weight[rows] *= 0.3
        weight[rows, 0] = 3.0 * x
    fix(att.k_proj.weight, 0, pattern(FAST, 0.0))
    fix(att.k_proj.weight, 1, pattern(SLOW, 0.0))
    for head, pairs, back in ((0, FAST, 1.0), (1, FAST, 2.0), (2, SLOW, 0.0)):
        fix(att.q_proj.weight, head, pattern(pairs, back))
    att.q_norm.weight.fill_(SHARPNESS)
    att.k_norm.weight.fill_(SHARPNESS)


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--no-teachers", action="store_true", help="random embeddings (smoke run)")
    a = p.parse_args()
    tok = load_tokenizer(a.work / "tokenizer.json")
    torch.manual_seed(a.seed)
    model = NanoGuard(NanoConfig(vocab_size=tok.get_vocab_size()))
    with torch.no_grad():
        if not a.no_teachers:
            model.model.embed_tokens.weight.copy_(initial_embeddings(tok, model.cfg.hidden_size, a.work / "token_vectors", a.seed))
        else:
            model.model.embed_tokens.weight.mul_(SCALE / 0.02)
            model.model.embed_tokens.weight[:, 0] = SCALE
        model.model.norm.weight.fill_(0.2)
    look_back(model)
    torch.save({"config": model.cfg.to_dict(), "ema": model.state_dict()}, a.work / "start.pt")
    print(f"embeddings: seed {a.seed}, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    main()

"""Which texts are nearly one of a given set: by the share of five-character shingles that two texts have in common."""

from __future__ import annotations

import unicodedata
from collections import Counter

SHINGLE = 5


def shingles(text: str) -> set[str]:
    """All runs of five letters and digits of the folded text; the whole text when it is shorter."""
    flat = "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())
    return {flat[i:i + SHINGLE] for i in range(max(1, len(flat) - SHINGLE + 1))} if flat else set()


class NearDuplicates:
    """The set, indexed. A text is near to one of it when they share half of their common shingles (Jaccard), or when
    four fifths of the set's text stand in it and make up a third of it."""

    def __init__(self, texts: list[str], jaccard: float = 0.5, contained: float = 0.8) -> None:
        self.jaccard, self.contained = jaccard, contained
        self.sizes: list[int] = []
        self.index: dict[str, list[int]] = {}
        self.texts = texts
        for i, text in enumerate(texts):
            own = shingles(text)
            self.sizes.append(len(own))
            for s in own:
                self.index.setdefault(s, []).append(i)

    def find(self, text: str) -> str | None:
        """The nearest text of the set that counts as near, or None."""
        own = shingles(text)
        common = Counter(i for s in own for i in self.index.get(s, ()))
        best: tuple[float, str] | None = None
        for i, n in common.items():
            share = n / (len(own) + self.sizes[i] - n)
            if share >= self.jaccard or (n >= self.contained * self.sizes[i] and 3 * n >= len(own)):
                best = max(best or (0.0, ""), (share, self.texts[i]))
        return best[1] if best else None

"""Rows of about equal length together, so that little is padded."""

from __future__ import annotations


def grouped(lengths: list[int], tokens: int) -> list[list[int]]:
    """Indices of rows, by length, in groups of at most `tokens` padded tokens (a longer row is a group of its own)."""
    out: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not out or (len(out[-1]) + 1) * lengths[i] > tokens:
            out.append([])
        out[-1].append(i)
    return out

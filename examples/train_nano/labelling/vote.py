"""One label from a source's label and the opinions of a strict and a loose annotator (report, section 3.5).

The strict annotator calls more texts unsafe than the loose one. What the strict one would let pass although the source
calls it Unsafe, or the loose one would block although the source calls it Safe, is Controversial: people disagree on it.
"""

from __future__ import annotations

SAFE, UNSAFE, CONTROVERSIAL = "Safe", "Unsafe", "Controversial"


def vote(source: str | None, strict_unsafe: float, loose_unsafe: float, sure: float = 0.5) -> str:
    """The label for a row.

    source: the source's label, or None where there is none. strict_unsafe, loose_unsafe: each annotator's probability
    that the text is not Safe. sure: how far an annotator must be from even odds to overrule a source, 0.5 to 1.
    """
    if source == CONTROVERSIAL:
        return source
    if source is None:
        if loose_unsafe >= 0.5:
            return UNSAFE
        return CONTROVERSIAL if strict_unsafe >= 0.5 else SAFE
    if source == SAFE:
        return CONTROVERSIAL if loose_unsafe > sure else SAFE
    return CONTROVERSIAL if strict_unsafe < 1 - sure else UNSAFE

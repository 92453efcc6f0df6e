"""Small disturbances of a text that seldom touch its label: case, typing slips, look-alike digits, punctuation, lost and swapped words."""

from __future__ import annotations

import random

LEET = str.maketrans({"a": "4", "e": "3", "i": "1", "o": "0", "s": "5"})


def _typo(text: str, rng: random.Random) -> str:
    chars = list(text)
    for _ in range(max(1, len(chars) // 40)):
        i = rng.randrange(len(chars))
        kind = rng.random()
        if kind < 0.4 and i + 1 < len(chars):
            chars[i], chars[i + 1] = chars[i + 1], chars[i]
        elif kind < 0.7:
            chars[i] = ""
        else:
            chars[i] *= 2
    return "".join(chars)


def _leet(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    for i in rng.sample(range(len(words)), max(1, len(words) // 6)):
        words[i] = words[i].translate(LEET)
    return " ".join(words)


def _fewer_words(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    return " ".join(w for w in words if rng.random() >= 0.12) if len(words) > 4 else text


def _swapped_words(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    if len(words) > 3:
        i = rng.randrange(len(words) - 1)
        words[i], words[i + 1] = words[i + 1], words[i]
    return " ".join(words)


def disturb(text: str, rng: random.Random, rate: float) -> str:
    """The text, with probability `rate` changed in one way at most (words need spaces, look-alikes Latin letters); never to nothing."""
    if len(text) < 8 or rng.random() >= rate:
        return text
    kind = rng.randrange(9)
    if kind == 0:
        new = text.lower()
    elif kind == 1:
        new = text.upper()
    elif kind == 2:
        new = _typo(text, rng)
    elif kind == 3:
        new = _leet(text, rng)
    elif kind == 4:
        new = text.rstrip(".!?。！？")
    elif kind in (5, 6):
        new = _fewer_words(text, rng)
    elif kind == 7:
        new = _swapped_words(text, rng)
    else:
        new = text + rng.choice([".", "!", "?", " please", "...", "!!"])
    return new.strip() or text

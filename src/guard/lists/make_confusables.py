#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes confusables.inc: which characters look like which, by Unicode's table of confusables (UTS #39).

The source is ICU 72 (Debian's libicu72), whose spoof checker holds confusables.txt of Unicode 15.0, the version that utf8proc 2.8 has.
What differs from the table, and why:
* ASCII stays as it is. UTS #39 compares identifiers, where I and l, or m and rn, are one; in prose that would make other words of words.
* A capital and its small letter have one and the same look-alike, so that folding by case and by looks are independent of each other.
  The small letter's is taken when it is a letter of ASCII, else the capital's: Cyrillic small ve is a "b", as its capital is a "B".
* Strokes through a letter and marks on it are left out where the look-alike is a letter of ASCII: o with stroke is an "o".
* Nothing that belongs to a word is mapped to what does not, nor the other way round.
* No character is listed that compatibility decomposition maps already: the fold runs that first.

    make_confusables.py           writes the file next to this script
    make_confusables.py --check   exits with 1 when the file differs; with 77 when ICU 72 is missing
"""

import ctypes
import sys
from pathlib import Path

CODE_POINTS = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000]
LETTERS, MARKS, DIGITS = {1, 2, 3, 4, 5}, {6, 7, 8}, {9, 10, 11}  # UCharCategory
ASCII_LETTERS = set(map(ord, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))


class Icu:
    """What is needed of ICU. Raises OSError when it is not installed."""

    def __init__(self):
        self.uc, self.i18n = ctypes.CDLL("libicuuc.so.72"), ctypes.CDLL("libicui18n.so.72")
        error = ctypes.c_int(0)
        self.i18n.uspoof_open_72.restype = ctypes.c_void_p
        self.checker = ctypes.c_void_p(self.i18n.uspoof_open_72(ctypes.byref(error)))
        self.uc.unorm2_getNFKDInstance_72.restype = ctypes.c_void_p
        self.nfkd_form = ctypes.c_void_p(self.uc.unorm2_getNFKDInstance_72(ctypes.byref(error)))
        assert error.value <= 0

    def skeleton(self, text):
        return self._call(lambda *rest: self.i18n.uspoof_getSkeleton_72(self.checker, 0, *rest), text)

    def nfkd(self, text):
        return self._call(lambda *rest: self.uc.unorm2_normalize_72(self.nfkd_form, *rest), text)

    def fold(self, text):
        """Full case folding."""
        data, out, error = text.encode("utf-16-le"), ctypes.create_string_buffer(256), ctypes.c_int(0)
        n = self.uc.u_strFoldCase_72(out, 128, data, len(data) // 2, 0, ctypes.byref(error))
        assert error.value <= 0
        return out.raw[:2 * n].decode("utf-16-le")

    def category(self, c):
        return self.uc.u_charType_72(c)

    @staticmethod
    def _call(function, text):
        data, out, error = text.encode("utf-16-le"), ctypes.create_string_buffer(256), ctypes.c_int(0)
        n = function(data, len(data) // 2, out, 128, ctypes.byref(error))
        assert error.value <= 0
        return out.raw[:2 * n].decode("utf-16-le")


def look_alike(icu, char):
    """Of a character that decomposition leaves alone; None when it has none that counts here."""
    target = icu.nfkd(icu.skeleton(char))
    if target == char:
        return None
    if ord(target[0]) in ASCII_LETTERS:
        target = "".join(c for c in target if icu.category(ord(c)) not in MARKS)
    word = LETTERS | DIGITS
    kinds = {icu.category(ord(c)) in word for c in target if icu.category(ord(c)) not in MARKS} or {None}
    own = None if icu.category(ord(char)) in MARKS else icu.category(ord(char)) in word
    return target if kinds == {own} else None


def table(icu):
    found, families = {}, {}
    for c in CODE_POINTS:
        char = chr(c)
        if icu.category(c) == 0 or icu.nfkd(char) != char:
            continue
        small = icu.fold(char)
        families.setdefault(small if len(small) == 1 and icu.nfkd(small) == small else char, []).append(char)
    for small, chars in families.items():
        of_small = look_alike(icu, small)
        of_capitals = [a for a in (look_alike(icu, c) for c in chars if c != small) if a]
        is_letter = lambda a: a is not None and len(a) == 1 and ord(a) in ASCII_LETTERS
        # "l" stands for capital I in the table: where the small letter says "i", that is what is meant.
        best = next((a for a in (of_small, *of_capitals) if is_letter(a)), of_small)
        if best is None:
            continue
        best = icu.nfkd(icu.fold(best))
        for char in chars:
            is_capital = char != small and len(best) == 1 and ord(best) in ASCII_LETTERS
            found[char] = best.upper() if is_capital else best
    return settled(icu, found)


def settled(icu, found):
    """Targets mapped themselves, until none changes."""
    for _ in range(8):
        mapped = {c: icu.nfkd("".join(found.get(t, t) for t in target)) for c, target in found.items()}
        mapped = {c: target for c, target in mapped.items() if target != c}
        if mapped == found:
            return found
        found = mapped
    raise AssertionError("the table maps in circles")


def rows(values, per_row):
    for i in range(0, len(values), per_row):
        yield "    " + ",".join(values[i:i + per_row]) + ","


def render(found):
    pool, places = [], {}
    for target in sorted(set(found.values()), key=lambda t: (-len(t), t)):
        points = [ord(c) for c in target]
        places[target] = len(pool)
        pool += points
    assert len(pool) < 1 << 12 and max(map(len, found.values())) < 16, (len(pool), max(map(len, found.values())))
    sources = sorted(found)
    place = [places[found[c]] << 4 | len(found[c]) for c in sources]
    return "\n".join([
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated by make_confusables.py from ICU 72's copy of confusables.txt, Unicode 15.0.",
        "// Copyright (c) 1991-2022 Unicode, Inc.; see NOTICE.",
        "/// The characters that are mapped, in ascending order.",
        f"inline constexpr std::uint32_t kConfusables[{len(sources)}] = {{",
        *rows([f"{ord(c):#x}" for c in sources], 16),
        "};",
        "/// By the index there: where the look-alike stands in kLookAlikes, times 16, plus its length.",
        f"inline constexpr std::uint16_t kLookAlikeOf[{len(place)}] = {{",
        *rows([str(p) for p in place], 24),
        "};",
        f"inline constexpr std::uint32_t kLookAlikes[{len(pool)}] = {{",
        *rows([f"{p:#x}" for p in pool], 16),
        "};",
        "",
    ])


def main():
    try:
        icu = Icu()
    except OSError:
        print("q3g-skipped: ICU 72 is not installed")
        return 77
    path = Path(__file__).with_name("confusables.inc")
    text = render(table(icu))
    if "--check" in sys.argv[1:]:
        same = path.read_text() == text
        print("confusables.inc is", "up to date" if same else "not what make_confusables.py writes")
        return 0 if same else 1
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Rows written by hand where the labelled data and the teachers fail: rows/<language>.tsv, one row a line (rows/README.md)."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("rows")
CATEGORY = {"Violent": "Violent", "Sexual": "Sexual Content or Sexual Acts", "Self-Harm": "Suicide & Self-Harm",
            "Politics": "Politically Sensitive Topics", "PII": "PII", "Copyright": "Copyright Violation",
            "Illegal": "Non-violent Illegal Acts", "Unethical": "Unethical Acts", "Jailbreak": "Jailbreak"}
LABEL = {"S": "Safe", "U": "Unsafe", "C": "Controversial"}
#: Where the unsafe part of an answer begins.
ONSET = "\u2016"


def read_line(line: str) -> dict:
    """label, categories, messages, refusal and onset of one line. ValueError says what is wrong with it."""
    kind, *fields = line.split("\t")
    answer, label = kind[:1] == "R" and len(kind) == 2, LABEL.get(kind[-1:])
    refusal = kind == "RR"
    if refusal:
        label = "Safe"
    if label is None or kind not in ("S", "U", "C", "RS", "RR", "RU", "RC"):
        raise ValueError(f"kind {kind!r}, not one of S U C RS RR RU RC")
    categories = []
    if label != "Safe":
        name = fields.pop(0) if fields else ""
        if name not in CATEGORY or (answer and name == "Jailbreak"):
            raise ValueError(f"category {name!r}, not one of {' '.join(CATEGORY)}")
        categories = [CATEGORY[name]]
    if len(fields) != 1 + answer or not all(f.strip() for f in fields):
        raise ValueError(f"{len(fields)} texts, expected {1 + answer}, none of them empty")
    texts = [f.replace("\\n", "\n").strip() for f in fields]
    onset = None if label == "Safe" else 0
    if answer and ONSET in texts[1]:
        before, _, after = texts[1].partition(ONSET)
        texts[1], onset = before + after, len(before)
    elif ONSET in line:
        raise ValueError("an onset mark outside of an answer")
    return {"label": label, "categories": categories, "refusal": refusal if answer else None, "onset": onset,
            "messages": [{"role": r, "content": t} for r, t in zip(("user", "assistant"), texts)]}


def read_rows(folder: Path = FOLDER) -> list[dict]:
    """All rows, each with id, lang and source "hand". ValueError names the file and line of a bad one."""
    rows = []
    for path in sorted(folder.glob("*.tsv")):
        for n, line in enumerate(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"), 1):
            try:
                row = read_line(line)
            except ValueError as e:
                raise ValueError(f"{path.name}:{n}: {e}") from None
            rows.append({"id": f"hand-{path.stem}-{n}", "lang": path.stem, "source": "hand", **row})
    return rows

# SPDX-License-Identifier: Apache-2.0
"""report.md: the same without the plots, whose words stand in their place."""

import re
from typing import List

from ._content import Alarm, Block, Document, Figures, Notes, Paragraph, Strong, Table

_MARKS = re.compile(r"([\\`*_{}\[\]#|~$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)
_BEGINS_A_LIST = re.compile(r"^(\d*)([-+.)])")


def _escape(text: str) -> str:
    """Nothing of it is markup, a link or HTML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(r"\\\1", text.strip())


def _line(text: str) -> str:
    """The same where a line begins with it."""
    return _BEGINS_A_LIST.sub(r"\1\\\2", _escape(text))


def _cell(text: str) -> str:
    shown = _escape(text)
    return f"**{shown}**" if isinstance(text, Strong) and shown else shown


def _table(table: Table) -> List[str]:
    out = [f"**{_escape(table.caption)}**", ""] if table.caption else []
    out.append("| " + " | ".join(_escape(text) for text in table.columns) + " |")
    out.append("|" + "|".join(" --- " if i < table.n_text_columns else " ---: " for i in range(len(table.columns))) + "|")
    return [*out, *("| " + " | ".join(_cell(text) for text in row) + " |" for row in table.rows), ""]


def _block(block: Block) -> List[str]:
    if isinstance(block, Paragraph):
        return [_line(block.text), ""]
    if isinstance(block, Alarm):
        return [f"> **{_escape(block.text)}**", ""]
    if isinstance(block, Notes):
        return [*(f"* {_line(text)}" for text in block.texts), ""]
    if isinstance(block, Table):
        return _table(block)
    assert isinstance(block, Figures)
    return [f"Drawn in report.html: {' '.join(_escape(figure.caption) for figure in block.figures)}", ""]


def to_markdown(document: Document) -> str:
    """The text."""
    out = [f"# {_escape(document.title)}", ""]
    for part in document.sections:
        out += [f"## {_escape(part.title)}", ""]
        for block in part.blocks:
            out += _block(block)
    return "\n".join(out)

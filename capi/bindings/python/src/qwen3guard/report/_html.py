# SPDX-License-Identifier: Apache-2.0
"""report.html: one file that needs nothing else. No script, no network, dark where the reader's screen is."""

import html
from typing import Dict, List

from . import _style
from ._content import Alarm, Block, Document, Figures, Notes, Paragraph, Strong, Table


def _variables(colours: Dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


_CSS = f""":root{{color-scheme:light dark;{_variables(_style.LIGHT)}}}
@media (prefers-color-scheme:dark){{:root{{{_variables(_style.DARK)}}}}}
@media print{{:root{{{_variables(_style.LIGHT)}}}}}
*{{box-sizing:border-box}}
body{{margin:0 auto;max-width:1120px;padding:0 16px 48px;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;overflow-wrap:anywhere}}
h1{{font-size:1.5rem;line-height:1.25;margin:24px 0 8px}}
h2{{font-size:1.2rem;margin:40px 0 8px;padding-top:8px;border-top:2px solid var(--grid)}}
nav{{font-size:.9rem;line-height:2}}nav a{{margin-right:14px;white-space:nowrap}}
a{{color:var(--strict)}}p{{max-width:75ch}}
.alarm{{background:var(--alarm);border-left:5px solid var(--alarm-edge);padding:10px 14px;font-weight:600}}
.scroll{{overflow-x:auto;margin:12px 0;border:1px solid var(--grid);border-radius:6px;width:fit-content;max-width:100%}}
table{{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}}
.cap{{font-weight:600;font-size:.9rem;margin:20px 0 -6px}}
th,td{{padding:5px 10px;text-align:right;vertical-align:top;border-top:1px solid var(--grid);white-space:nowrap}}
th{{background:var(--panel);font-weight:600;vertical-align:bottom;white-space:normal;overflow-wrap:normal;max-width:7.5rem}}
.i{{display:block;font-size:.75rem;font-weight:400;color:var(--soft)}}
.t{{text-align:left;white-space:normal;overflow-wrap:break-word}}td.t{{min-width:3rem;max-width:22rem}}
td:first-child,th:first-child{{position:sticky;left:0;background:var(--panel);min-width:7.5rem;max-width:min(14rem,40vw);overflow-wrap:break-word}}
ul{{padding-left:1.2em;font-size:.86rem;color:var(--soft);max-width:85ch}}
.figures{{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:20px 24px;margin:16px 0}}
figure{{margin:0;max-width:480px}}figure svg{{width:100%;height:auto;display:block;overflow:visible}}
@media (max-width:480px){{th,td{{padding:5px 7px}}td:first-child,th:first-child{{min-width:6.5rem}}}}
svg *{{stroke-linejoin:round}}figcaption{{font-size:.82rem;color:var(--soft);margin-top:4px}}"""


def _label(text: str) -> str:
    """A name that may go on in the next line behind each underscore."""
    return html.escape(text).replace("_", "_<wbr>")


def _cell(text: str, name: str, is_text: bool) -> str:
    shown = _label(text)
    if not is_text and name == "td" and text.endswith(")") and " (" in text:  # an interval, below its value
        value, interval = text[:-1].split(" (", 1)
        shown = f'{html.escape(value)} <span class=i>{html.escape(interval)}</span>'
    if isinstance(text, Strong):
        shown = f"<strong>{shown}</strong>"
    scope = ' scope="col"' if name == "th" else ""
    return f'<{name}{scope}{" class=t" if is_text else ""}>{shown}</{name}>'


def _table(table: Table) -> str:
    caption = f"<p class=cap>{html.escape(table.caption)}</p>" if table.caption else ""
    head = "".join(_cell(text, "th", i < table.n_text_columns) for i, text in enumerate(table.columns))
    rows = "\n".join("<tr>" + "".join(_cell(text, "td", i < table.n_text_columns) for i, text in enumerate(row)) + "</tr>"
                     for row in table.rows)
    return (f'{caption}<div class=scroll tabindex=0 role=group aria-label="{html.escape(table.caption or "Table")}"><table>'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>")


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{html.escape(block.text)}</p>"
    if isinstance(block, Alarm):
        return f"<p class=alarm role=alert>{html.escape(block.text)}</p>"
    if isinstance(block, Notes):
        return "<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in block.texts) + "</ul>"
    if isinstance(block, Table):
        return _table(block)
    assert isinstance(block, Figures)
    return "<div class=figures>" + "\n".join(f"<figure>{figure.svg}<figcaption>{html.escape(figure.caption)}</figcaption></figure>"
                                             for figure in block.figures) + "</div>"


def to_html(document: Document) -> str:
    """The page."""
    title = html.escape(document.title)
    out: List[str] = [
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">",
        f"<title>{title}</title>", f"<style>{_CSS}</style></head><body>", f"<h1>{title}</h1>",
        "<nav>" + " ".join(f'<a href="#s{i}">{html.escape(part.title)}</a>' for i, part in enumerate(document.sections)) + "</nav><main>"
    ]
    for i, part in enumerate(document.sections):
        out.append(f'<section id="s{i}"><h2>{html.escape(part.title)}</h2>')
        out += [_block(block) for block in part.blocks]
        out.append("</section>")
    return "\n".join([*out, "</main></body></html>", ""])

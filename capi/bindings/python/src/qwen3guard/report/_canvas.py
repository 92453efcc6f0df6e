# SPDX-License-Identifier: Apache-2.0
"""matplotlib, and what makes its SVG a part of a page."""

import contextlib
import html
import io
import re
import warnings
from typing import Any, Iterator

from . import _style
from ._errors import ReportError

_TAG = re.compile(r"<[^>]*>")
_ID = re.compile(r'(\bid="|url\(#|href="#)')


def _matplotlib() -> Any:
    try:
        import matplotlib
        import matplotlib.figure
    except ImportError:
        raise ReportError("the plots need matplotlib, which is not installed: pip install matplotlib==3.9.4 (this package's extra "
                          "`report` is the same)") from None
    return matplotlib


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Plots drawn inside look alike; matplotlib's own settings are as before afterwards. Raises ReportError without
    matplotlib."""
    matplotlib = _matplotlib()
    with warnings.catch_warnings(), matplotlib.rc_context(_style.PARAMETERS):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's fonts have what its own lacks
        yield


def new_figure(height_inches: float) -> Any:
    """A figure as wide as all are."""
    return _matplotlib().figure.Figure(figsize=(_style.WIDTH_INCHES, height_inches), layout="constrained")


def to_svg(figure: Any, name: str, alt: str) -> str:
    """SVG for the inside of a page: its ids begin with `name`, its colours are the page's, and a screen reader reads `alt`."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Creator": None, "Date": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = re.sub(r"<!--.*?-->", "", text[text.index("<svg"):], flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)

    def own(match: "re.Match[str]") -> str:
        tag = _ID.sub(lambda part: part.group(0) + name + "-", match.group(0))
        for stand_in, colour in _style.STAND_INS.items():
            tag = tag.replace(stand_in, colour)
        return tag

    text = _TAG.sub(own, text)  # text between tags has no < of its own
    box = re.search(r'viewBox="([^"]*)"', text[:text.index(">")])
    first = (f'<svg viewBox="{box.group(1) if box else "0 0 1 1"}" role="img" aria-labelledby="{name}-alt" '
             f'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><title id="{name}-alt">'
             f"{html.escape(alt)}</title>")
    body = re.sub(r"\n\s*", "\n", text[text.index(">") + 1:])
    return first + re.sub(r"\n+", "\n", body).strip()

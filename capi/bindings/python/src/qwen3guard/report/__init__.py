# SPDX-License-Identifier: Apache-2.0
"""A page about a run of `qwen3guard eval`, for people: python3 -m qwen3guard.report DIR [--compare DIR2].

Needs matplotlib (the package's extra "report"), and not the C library: all numbers come from metrics.json, which the program
wrote, and from the tables of the Qwen3Guard technical report."""

import os
from pathlib import Path
from typing import List, Optional, Union

from ._document import make_document
from ._errors import ReportError
from ._files import write_all
from ._html import to_html
from ._markdown import to_markdown
from ._run import Runs, read_run

__all__ = ["ReportError", "write_report"]


def write_report(folder: Union[str, "os.PathLike[str]"], compare: Optional[Union[str, "os.PathLike[str]"]] = None) -> List[Path]:
    """Writes report.html and report.md into a folder that has metrics.json, both or neither, and returns their paths. The numbers of
    the folder `compare` stand beside. Raises ReportError."""
    here = Path(folder)
    runs = [read_run(here, "")] if compare is None else [read_run(here, "A"), read_run(Path(compare), "B")]
    document = make_document(Runs(runs))
    return write_all(here, {"report.html": to_html(document), "report.md": to_markdown(document)})

# SPDX-License-Identifier: Apache-2.0
"""The whole report, in the order in which it is read."""

from . import _details, _headline
from ._beside import beside
from ._canvas import style
from ._content import Document, Section
from ._published import Published
from ._run import Runs
from ._text import clean


def make_document(runs: Runs) -> Document:
    """Raises ReportError where there is no matplotlib."""
    published = Published()
    with style():
        precision = _headline.precision(runs)
        found = [
            _headline.about(runs), _headline.trouble(runs), _headline.headline(runs, _details.overview(runs)), beside(runs, published),
            Section(precision.title, [*_details.curves(runs, published), *precision.blocks]),
            _details.streams(runs, published), _details.categories(runs), _details.calibration(runs), _details.languages(runs),
            _details.refusals(runs), _details.actions(runs), _details.labels(runs), _details.speed(runs)
        ]
    names = [dict(run.metrics.facts).get("Model", "") or run.folder.resolve().name for run in runs.runs]
    return Document(f"Evaluation of {' and '.join(clean(name, 60) for name in names)}", [part for part in found if part is not None])

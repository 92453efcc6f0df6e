# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with a report."""


class ReportError(Exception):
    """No report can be made; the text is one sentence that says of what file, where in it, and what was expected."""

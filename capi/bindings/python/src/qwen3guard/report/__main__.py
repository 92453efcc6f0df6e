# SPDX-License-Identifier: Apache-2.0
"""The command: python3 -m qwen3guard.report DIR [--compare DIR2]."""

import argparse
import sys

from . import ReportError, write_report


def main() -> int:
    """0, or 1 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python3 -m qwen3guard.report",
                                     description="Writes report.html and report.md about a run of `qwen3guard eval`.")
    parser.add_argument("folder", metavar="DIR", help="what eval --out wrote; the reports are written there, too")
    parser.add_argument("--compare", metavar="DIR2", help="another run, whose numbers stand beside")
    chosen = parser.parse_args()
    try:
        for path in write_report(chosen.folder, chosen.compare):
            print(path)
    except ReportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

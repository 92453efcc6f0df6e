#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the project's own rules. Usage: check_rules.py [RULE...]; no name means all of them.

Exit code 1 and one line per finding when a rule is broken; 77 when none is, but one could not be checked here. rules_test.py shows each rule a bad example.
"""

import sys
from pathlib import Path

import layer_rules
import text_rules
import tool_rules
from source_tree import CannotTell, SourceTree

RULES = {
    rule.__name__: rule
    for rule in (
        layer_rules.include_direction,
        layer_rules.guard_rooms,
        layer_rules.checkpoint_seam,
        layer_rules.public_headers,
        layer_rules.outside_libraries,
        text_rules.function_length,
        text_rules.spdx_line,
        text_rules.include_guards,
        text_rules.ascii_only,
        text_rules.library_is_silent,
        text_rules.exceptions,
        text_rules.quoted_text,
        text_rules.test_case_names,
        text_rules.same_random_data,
        tool_rules.code_layout,
        tool_rules.self_contained_headers,
        tool_rules.shell_scripts,
    )
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in RULES]
    if unknown:
        print(f"unknown rule {unknown[0]}; there are: {' '.join(RULES)}", file=sys.stderr)
        return 2
    tree = SourceTree(Path(__file__).resolve().parents[2])
    status = 0
    for name in names or RULES:
        try:
            for finding in RULES[name](tree):
                print(f"{finding} [{name}]")
                status = 1
        except CannotTell as reason:
            print(f"skipped: {name} {reason}")
            status = status or 77
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

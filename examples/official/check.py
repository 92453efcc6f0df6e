#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks this runtime against transformers on a published Qwen3Guard checkpoint, and writes one page about it. See README.md."""

import sys

if __name__ == "__main__":
    try:
        from official_kit.run import main
    except ModuleNotFoundError as error:
        sys.exit(f"check.py: the Python package {error.name} is not installed: setup_venv.sh makes an environment")
    sys.exit(main())

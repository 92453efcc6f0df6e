# SPDX-License-Identifier: Apache-2.0
"""Runs the unittest module of one file and tells ctest how it went, by the exit code: 0, 1, or 77 when nothing was tested.

    run_unittest.py FILE

With the reference packages, in the environment that scripts/make_venv.sh makes, where it is there. A module that needs
PyTorch or transformers runs with the Python that Q3G_TORCH_PYTHON names (make_venv.sh --torch), and is skipped without."""

import importlib
import os
import sys
import unittest
from pathlib import Path

TORCH_PYTHON = os.environ.get("Q3G_TORCH_PYTHON", "")
VENV = Path(__file__).resolve().parents[2] / "build/venv"
SKIP = 77


def main(file: Path) -> int:
    # A package of tests imports what lies beside the package.
    folder, name = file.parent, file.stem
    if (folder / "__init__.py").exists():
        folder, name = folder.parent, f"{folder.name}.{name}"
    os.chdir(folder)
    sys.path[0] = str(folder)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "transformers"):
            raise
        if os.path.exists(TORCH_PYTHON) and Path(sys.prefix) != Path(TORCH_PYTHON).parents[1]:
            os.execv(TORCH_PYTHON, [TORCH_PYTHON, "-B", __file__, str(file)])
        print(f"skipped: {error.name} is not installed")
        return SKIP
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    if not suite.countTestCases():
        sys.exit(f"{file} has no tests")
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if not result.wasSuccessful():
        return 1
    return SKIP if len(result.skipped) >= result.testsRun else 0


if __name__ == "__main__":
    python = VENV / "bin/python"
    chosen = (VENV, Path(TORCH_PYTHON).parents[1] if TORCH_PYTHON else VENV)
    if python.exists() and Path(sys.prefix) not in chosen:
        os.execv(python, [python, "-B", *sys.argv])
    sys.exit(main(Path(sys.argv[1]).resolve()))

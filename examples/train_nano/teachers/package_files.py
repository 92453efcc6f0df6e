"""Where the pinned development packages with pretrained weights lie in this environment."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path


def package_file(package: str, name: str) -> Path:
    """The path of the file `name` that the installed `package` brought. Errors: SystemExit with what to install."""
    try:
        listed = files(package) or []
    except PackageNotFoundError:
        raise SystemExit(f"{package} is not installed; run setup_venv.sh (requirements.txt pins it)") from None
    for f in listed:
        if f.name == name:
            return Path(str(f.locate()))
    raise SystemExit(f"{package}: no file {name} in the installed package; requirements.txt names the version that has it")

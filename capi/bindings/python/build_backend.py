# SPDX-License-Identifier: Apache-2.0
"""scikit-build-core, which makes wheels; a source distribution is refused with a reason."""

from typing import Any

from scikit_build_core.build import *  # noqa: F401,F403


def build_sdist(*_: Any, **__: Any) -> str:
    """Refuses."""
    raise SystemExit("qwen3guard: a source distribution would lack the C++ sources, which are three folders above this one; "
                     "build a wheel from a checkout: pip wheel ./capi/bindings/python")

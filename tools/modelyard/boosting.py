"""LightGBM, imported in a fifth of the time: without what it only looks for to accept more kinds of tables.

``import lightgbm`` pulls in scikit-learn, pandas and dask where they are installed. Scoring passes NumPy arrays, so
none of it is needed, and a command that scores would spend most of its time there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modelyard.errors import missing_extra

_COMPANIONS = ("sklearn", "pandas", "dask", "matplotlib", "graphviz", "polars")


def import_lightgbm() -> Any:
    """The module; ModelyardError names the extra where it is missing."""
    with _hidden(name for name in _COMPANIONS if name not in sys.modules):
        try:
            import lightgbm
        except ImportError as error:
            raise missing_extra("measure", "lightgbm") from error
    return lightgbm


@contextmanager
def _hidden(names: Iterator[str]) -> Iterator[None]:
    """Makes ``import name`` fail for a while; a later import finds the library as ever."""
    hidden = list(names)
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)

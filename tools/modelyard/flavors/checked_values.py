"""Values of an untrusted JSON document, each of one kind and within its limits; Unsound says which one is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .unsound import Unsound

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def require_object(value: Any, known: frozenset[str] | None, where: str, without: Sequence[str] = ()) -> dict[str, Any]:
    """An object with the ``known`` names, of which those in ``without`` may be missing; None allows any names."""
    if not isinstance(value, dict):
        raise Unsound(f"{where} is no object")
    if known is None:
        return value
    if unknown := sorted(value.keys() - known):
        raise Unsound(f"{where} has {unknown[0][:40]!r}, which the format does not know")
    if missing := sorted(known - value.keys() - set(without)):
        raise Unsound(f"{where} has no {missing[0]}")
    return value


def require_count(value: Any, low: int, high: int, where: str) -> int:
    """A whole number written as text, ``low`` to ``high``."""
    if type(value) is not str or not value.isascii() or not value.isdigit() or len(value) > 18:
        raise Unsound(f"{where} is {str(value)[:20]!r}, which is no whole number")
    return require_integer(int(value), low, high, where)


def require_integer(value: Any, low: int, high: int, where: str) -> int:
    """A whole number, ``low`` to ``high``."""
    if type(value) is not int or not low <= value <= high:
        raise Unsound(f"{where} is {str(value)[:20]!r}, which is from {low} to {high}")
    return value


def require_integers(value: Any, count: int | None, low: int, high: int, where: str) -> Integers:
    """Whole numbers (count,), each ``low`` to ``high``; None allows any count."""
    found = _array(value, {int, bool}, "iu", count, where)
    if found.size and (found.min() < low or found.max() > high):
        raise Unsound(f"{where} have a number outside of {low} to {high}")
    return found.astype(np.int64)


def require_numbers(value: Any, count: int | None, where: str) -> Floats:
    """Numbers (count,), which may be infinite or NaN; None allows any count."""
    with np.errstate(invalid="ignore"):  # some NaN of float32 signal
        return _array(value, {int, float}, "iuf", count, where).astype(np.float64)


def require_finite(values: NDArray[Any], where: str) -> None:
    """Unsound for a number that is infinite or NaN."""
    if not np.isfinite(values).all():
        raise Unsound(f"{where} have something that is no finite number")


def _array(value: Any, types: set[type], kinds: str, count: int | None, where: str) -> NDArray[Any]:
    if isinstance(value, list):
        if not set(map(type, value)) <= types:
            raise Unsound(f"{where} have something else than numbers")
        try:
            value = np.array(value, dtype=np.float64 if "f" in kinds else np.int64)
        except OverflowError:
            raise Unsound(f"{where} have a number that is too large") from None
    if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
        raise Unsound(f"{where} are no list of numbers")
    if count is not None and len(value) != count:
        raise Unsound(f"{where} are {len(value)}, where {count} belong")
    return value

"""Values of an input, converted from any allowed spelling to one canonical form.

=========  ===============================================  =====================================
kind       spelled as                                       canonical
=========  ===============================================  =====================================
integer    7, 7.0                                           float64; whole, within ±2⁵³
float      7, 7.25                                          float64
boolean    true, false, 1, 0, 1.0, 0.0, "True", "false"     float64: 1 or 0
date       "2026-05-31", a date, days since 1970            float64: days since 1970; years 1 to 9999
timestamp  "2026-05-31T10:00:00Z", a time, seconds          float64: seconds since 1970, UTC; the same years
vector     a list of numbers                                float64 (rows, length)
string     "ab"                                             str
=========  ===============================================  =====================================

Null is NaN (None for a string, a row of NaN for a vector). It is never a category.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .signature import Input, Kind

Floats = NDArray[np.float64]
Column = Floats | Sequence[str | None]
Columns = Mapping[str, Column]

EXACT = 2.0**53
"""Largest whole number up to which float64 has every whole number."""
LARGEST = 1e300
MISSING = float("nan")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(1970, 1, 1).toordinal()
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?\s?(Z|z|[+-]\d{2}:?\d{2})?")
_COUNT = re.compile(r"-?\d+(\.\d+)?")
"""A number as text, which a column of several spellings becomes in a log."""
_RANGES = {
    "date": (1.0 - _FIRST_DAY, float(date(9999, 12, 31).toordinal() - _FIRST_DAY)),
    "timestamp": ((1 - _FIRST_DAY) * 86400.0, (date(9999, 12, 31).toordinal() + 1 - _FIRST_DAY) * 86400.0 - 1e-6),
}
"""Kind → smallest and largest value: 20260531 is no number of days, and milliseconds are no seconds."""
_SPELLED = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
_PLAIN = {int, float, type(None)}


class Unreadable(ValueError):
    """The error of a value that is not of its column's kind."""

    def __init__(self, row: int, said: str) -> None:
        super().__init__(f"row {row}: {said}")
        self.row, self.said = row, said


def canonical(column: Input, values: Sequence[Any] | NDArray[Any]) -> Column:
    """The canonical form (rows,) of values from JSON, from Python or from a buffer of numbers.

    Raises Unreadable for the first value that is not of the column's kind. It does not check limits and nulls;
    ``breaches`` does.
    """
    if column.kind == "vector":
        return _vectors(column, values)
    if column.kind == "string":
        found: Column = _texts(values)
    else:
        found = _numbers(column, values)
    return known(column, found)


def known(column: Input, values: Column) -> Column:
    """Canonical values, with those outside ``categories`` set to missing."""
    if not column.categories:
        return values
    if column.is_text:
        allowed = frozenset(column.categories)
        return [value if value in allowed else None for value in values]
    numbers = np.asarray(values, dtype=np.float64)
    return np.where(np.isin(numbers, np.asarray(column.categories, dtype=np.float64)), numbers, MISSING)


def scalar(column: Input, value: Any) -> str | float | None:
    """One value in canonical form. Numbers may be texts, as in lists of categories.

    None for null. Raises Unreadable.
    """
    if value is None or value != value:
        return None
    if column.kind == "string":
        return spelled_text(value)
    if column.kind in ("integer", "float") and isinstance(value, (str, bool, np.bool_)):
        try:
            value = float(value)
        except ValueError as error:
            raise Unreadable(0, f"{shown(value)} is not a number") from error
    return float(_numbers(column, [value])[0])


def spelled_text(value: Any) -> str:
    """The text of a value: ``7`` for 7 and 7.0, ``true`` for True."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer() and abs(float(value)) < EXACT:
        return str(int(value))
    return str(value)


def spelled(column: Input, values: Column) -> list[Any]:
    """Canonical values as values for JSON: true, 7, "2026-05-31", "2026-05-31T10:00:00+00:00", null."""
    if column.is_text:
        return list(values)
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim == 2:
        return [None if np.isnan(row).all() else [None if v != v else v for v in row.tolist()] for row in numbers]
    return [None if value != value else _SPELL[column.kind](value) for value in numbers.tolist()]


def value_range(kind: Kind) -> tuple[float, float]:
    """The smallest and the largest canonical number of a kind."""
    if kind == "boolean":
        return 0.0, 1.0
    return _RANGES.get(kind) or ((-EXACT, EXACT) if kind == "integer" else (-LARGEST, LARGEST))


def breaches(column: Input, values: Column) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Canonical values that the contract does not allow: (``null``, rows), (``below -1``, rows), …"""
    if column.is_text:
        missing = np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    else:
        numbers = np.asarray(values, dtype=np.float64)
        missing = np.asarray(np.isnan(numbers) if numbers.ndim == 1 else np.isnan(numbers).all(axis=1))
        if column.minimum is not None and (low := _any(numbers < column.minimum)).any():
            yield f"below {column.minimum:g}", low
        if column.maximum is not None and (high := _any(numbers > column.maximum)).any():
            yield f"above {column.maximum:g}", high
    if not column.nullable and not column.categories and missing.any():
        yield "null", missing


def shown(value: object) -> str:
    """A value quoted for a message, in at most 40 characters."""
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


def microseconds(seconds: Any) -> Any:
    """Whole microseconds that give these seconds back; from 2106 on, rounding alone can miss by one."""
    whole = np.rint(seconds * 1e6).astype(np.int64)
    for near in (whole - 1, whole + 1):
        whole = np.where((whole / 1e6 != seconds) & (near / 1e6 == seconds), near, whole)
    return whole


def _any(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return rows if rows.ndim == 1 else np.asarray(rows.any(axis=1))


def _texts(values: Sequence[Any] | NDArray[Any]) -> list[str | None]:
    found: list[str | None] = []
    for row, value in enumerate(values):
        if value is None or type(value) is str:
            found.append(value)
        elif isinstance(value, str):
            found.append(str(value))
        elif value != value:  # pandas writes this for a missing text
            found.append(None)
        else:
            raise Unreadable(row, f"{shown(value)} is not a string")
    return found


def _numbers(column: Input, values: Sequence[Any] | NDArray[Any]) -> Floats:
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        found = values.astype(np.float64)
    elif column.kind in ("integer", "float") and set(map(type, values)) <= _PLAIN:
        found = _array(values)
    else:
        found = _parsed(column, values)
    require_kind(column, found)
    return found


def _array(values: Sequence[Any] | NDArray[Any]) -> Floats:
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        row = next(i for i, value in enumerate(values) if isinstance(value, int) and abs(value) > LARGEST)
        raise Unreadable(row, f"{shown(values[row])} is not a finite number") from None


def _parsed(column: Input, values: Sequence[Any] | NDArray[Any]) -> Floats:
    parse = _PARSERS[column.kind]
    found = np.empty(len(values))
    for row, value in enumerate(values):
        if value is None or value != value:
            found[row] = MISSING
            continue
        try:
            found[row] = parse(value)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise Unreadable(row, f"{shown(value)} is not {_ARTICLES[column.kind]}") from error
    return found


def require_kind(column: Input, found: Floats) -> None:
    """Raises Unreadable for the first number that is not of the column's kind."""
    with np.errstate(invalid="ignore"):
        bad = np.abs(found) > LARGEST
        what = "a finite number"
        if not bad.any() and column.kind in ("integer", "date", "boolean"):
            bad, what = ~np.isnan(found) & (found != np.trunc(found)), "a whole number"
        if not bad.any() and column.kind in ("integer", "date"):
            bad, what = np.abs(found) > EXACT, "a whole number within ±2^53"
        if not bad.any() and column.kind in _RANGES:
            low, high = _RANGES[column.kind]
            bad, what = (found < low) | (found > high), f"{_ARTICLES[column.kind]}, of the years 1 to 9999"
        if not bad.any() and column.kind == "boolean":
            bad, what = ~np.isnan(found) & (found != 0) & (found != 1), "a boolean"
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise Unreadable(row, f"{found[row]:.17g} is not {what}")


def _vectors(column: Input, values: Sequence[Any] | NDArray[Any]) -> Floats:
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf" and values.ndim == 2:
        found = values.astype(np.float64)
        if found.shape[1] != column.length:
            raise Unreadable(0, f"holds {found.shape[1]} numbers, not {column.length}")
    else:
        found = np.full((len(values), column.length), MISSING)
        for row, value in enumerate(values):
            if value is None:
                continue
            if isinstance(value, str) or not hasattr(value, "__len__"):
                raise Unreadable(row, f"{shown(value)} is not a list of numbers")
            if len(value) != column.length:
                raise Unreadable(row, f"holds {len(value)} numbers, not {column.length}")
            found[row] = _numbers(Input(column.name, "float"), value)
    bad = np.isinf(found) | (np.abs(found) > LARGEST)
    if bad.any():
        raise Unreadable(int(np.flatnonzero(bad.any(axis=1))[0]), "holds a number that is not finite")
    return found


def _number(value: Any) -> float:
    if isinstance(value, (bool, np.bool_, str)):
        raise TypeError
    return float(value)


def _boolean(value: Any) -> float:
    if isinstance(value, str):
        return _SPELLED[value.lower()]
    return float(value)


def _date(value: Any) -> float:
    if isinstance(value, str):
        if _COUNT.fullmatch(value):
            return float(value)
        _require(_DAY, value)
        return float(date.fromisoformat(value).toordinal() - _FIRST_DAY)
    if isinstance(value, datetime):
        return _seconds(value) / 86400
    if isinstance(value, date):
        return float(value.toordinal() - _FIRST_DAY)
    if isinstance(value, np.datetime64):
        return float(value.astype("datetime64[D]").astype(np.int64))
    return _number(value)


def _timestamp(value: Any) -> float:
    if isinstance(value, str):
        if _COUNT.fullmatch(value):
            return float(value)
        _require(_TIME, value)
        return _seconds(datetime.fromisoformat(value.replace(" Z", "Z")))
    if isinstance(value, datetime):
        return _seconds(value)
    if isinstance(value, np.datetime64):
        return float(value.astype("datetime64[us]").astype(np.int64)) / 1e6
    return _number(value)


def _seconds(value: datetime) -> float:
    """Seconds since 1970, exact to the microsecond; a time without a zone is in UTC."""
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) / 1e6


def _require(pattern: re.Pattern[str], value: str) -> None:
    if not pattern.fullmatch(value):
        raise ValueError


_PARSERS: dict[str, Callable[[Any], float]] = {
    "integer": _number,
    "float": _number,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}
_SPELL: dict[str, Callable[[float], Any]] = {
    "integer": int,
    "float": float,
    "boolean": bool,
    "date": lambda days: date.fromordinal(int(days) + _FIRST_DAY).isoformat(),
    "timestamp": lambda seconds: (_EPOCH + timedelta(microseconds=int(microseconds(seconds)))).isoformat(),
}
_ARTICLES = {
    "integer": "a whole number",
    "float": "a finite number",
    "boolean": "a boolean",
    "date": "a date such as 2026-05-31",
    "timestamp": "a time such as 2026-05-31T10:00:00Z",
}

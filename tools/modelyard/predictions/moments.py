"""Moments, however they were written down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from modelyard.errors import ModelyardError


def moments(column: Any, path: str) -> Any:
    """A column of moments, texts or seconds since 1970 as moments in UTC; what names no zone is taken for UTC.

    ModelyardError, which names ``path``, when it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            seconds = pc.multiply(pc.cast(column, pa.float64()), 1e6)
            return pc.cast(pc.cast(seconds, pa.int64(), safe=False), pa.timestamp("us", "UTC"))
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            return pc.cast(column, pa.timestamp("us"), safe=False).cast(pa.timestamp("us", "UTC"))
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return _from_texts(column)
        return pc.cast(column, pa.timestamp("us", "UTC"), safe=False)
    except pa.ArrowException as error:
        raise ModelyardError(
            f"{path}: its times cannot be read: {str(error).splitlines()[0].rstrip('.')}.",
            "Write RFC 3339 (2026-05-03T14:00:00Z) or seconds since 1970.",
        ) from error


def _from_texts(column: Any) -> Any:
    """All with a zone, or all without, as Arrow reads them; one by one where they are mixed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    utc = pa.timestamp("us", "UTC")
    for kind in (utc, pa.timestamp("us")):
        try:
            return pc.cast(column, kind).cast(utc)
        except pa.ArrowInvalid:
            continue
    return pa.chunked_array([pa.array([_moment(text) for text in column.to_pylist()], utc)])


def _moment(text: str | None) -> datetime | None:
    import pyarrow as pa

    if text is None or not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise pa.ArrowInvalid(str(error)) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)

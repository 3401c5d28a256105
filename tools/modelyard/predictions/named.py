"""Single predictions, found by what somebody knows of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from modelyard.manifests.model import Model
from modelyard.predictions.interface import Reader

_COLUMNS = ("id", "entity", "time", "version", "variant", "score", "error")


def named(reader: Reader, model: Model, begin: float, end: float, wanted: str, most: int) -> list[dict[str, Any]]:
    """The rows of ``[begin, end)`` whose id, request or entity is ``wanted``, oldest first, at most so many."""
    import pyarrow.compute as pc

    found: list[dict[str, Any]] = []
    for table in reader.read(model, begin, end, _COLUMNS):
        those = pc.or_kleene(pc.equal(table["id"], wanted), pc.starts_with(table["id"], f"{wanted}/"))
        those = pc.or_kleene(those, pc.equal(table["entity"], wanted)).fill_null(False)
        found += table.filter(those).select(_COLUMNS).to_pylist()
    return sorted(found, key=lambda row: row["time"] or datetime.fromtimestamp(0, UTC))[:most]

"""Labelled rows of a window: predictions with a label, collected in parts and evaluated like held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.candidate.evaluation import levels_of
from modelyard.errors import ModelyardError
from modelyard.flavors.signature import Input
from modelyard.metrics.evaluation import Holdout
from modelyard.metrics.scores import Floats, Integers
from modelyard.metrics.slices import Levels
from modelyard.predictions.columns import LOG
from modelyard.predictions.interface import Window
from modelyard.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


_BLOCKS = (86400.0, 21600.0, 3600.0, 600.0)
_FEWEST_BLOCKS = 20
"""With fewer blocks, an interval by blocks is too narrow to be trusted."""


def block_seconds(window: Window) -> float:
    """The longest block (day, six hours, hour, ten minutes) of which the window holds at least twenty.

    0 for a window shorter than twenty times ten minutes; its rows count as independent.
    """
    return next((seconds for seconds in _BLOCKS if window.end - window.begin >= _FEWEST_BLOCKS * seconds), 0.0)


class LabelledRows:
    """The labelled rows of one version in one window. ``slices``: slice column → how it is read."""

    def __init__(self, slices: Mapping[str, Input], window: Window) -> None:
        self._slices, self._begin, self._block = slices, window.begin, block_seconds(window)
        self._scores: list[Floats] = []
        self._labels: list[Floats] = []
        self._blocks: list[Integers] = []
        self._columns: dict[str, list[Any]] = {name: [] for name in slices}

    @property
    def rows(self) -> int:
        """Number of labelled rows."""
        return sum(len(part) for part in self._labels)

    def take(self, rows: pa.Table, known: NDArray[np.bool_], at: Floats, scores: Floats, labels: Floats) -> None:
        """Adds the rows that are ``known`` (rows,), of log rows with their times and scores; ``labels`` has theirs."""
        import pyarrow as pa

        self._scores.append(scores[known])
        self._labels.append(labels)
        since = (at[known] - self._begin) // self._block if self._block else np.zeros(labels.size)
        self._blocks.append(since.astype(np.int64))
        for name, column in self._slices.items():
            self._columns[name].append(_column(rows, column).filter(pa.array(known)))

    def holdout(self) -> Holdout:
        """All rows (at least one), ordered by score: every metric sorts them, and sorted rows are sorted faster."""
        scores, blocks = np.concatenate(self._scores), np.concatenate(self._blocks)
        there = np.bincount(blocks) > 0
        blocks = (np.cumsum(there) - 1)[blocks]  # blocks without rows are left out
        order = np.argsort(scores, kind="stable") if scores.ndim == 1 else np.arange(len(scores))
        levels = {name: found.first_of(order) for name, found in self._levels().items()}
        labels = np.concatenate(self._labels)
        return Holdout(labels[order], scores[order], None, levels, {}, blocks[order] if blocks.any() else None)

    def _levels(self) -> dict[str, Levels]:
        """Levels of the slice columns that at least one row has."""
        import pyarrow as pa

        found: dict[str, Levels] = {}
        for name, parts in self._columns.items():
            chunks = [chunk for part in parts for chunk in getattr(part, "chunks", [part])]
            if any(chunk.null_count < len(chunk) for chunk in chunks):
                found[name] = levels_of(
                    Table(pa.table({name: pa.chunked_array(chunks)}), LOG), name, self._slices[name]
                )
        return found


def _column(rows: pa.Table, column: Input) -> Any:
    """The slice column of a part; nulls when the part lacks the column or it has another type."""
    import pyarrow as pa

    name, kind = f"inputs.{column.name}", pa.string() if column.is_text else pa.float64()
    if name not in rows.column_names:
        return pa.nulls(rows.num_rows, kind)
    table = Table(rows.select([name]).rename_columns([column.name]), LOG)
    try:
        return pa.array(list(table.values(column)) if column.is_text else table.scalars(column), kind, from_pandas=True)
    except ModelyardError:
        return pa.nulls(rows.num_rows, kind)

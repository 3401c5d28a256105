"""What happened to what was predicted: labels by the contract's id, one each, whatever was delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import UsageError, near_match
from modelyard.manifests.model import PREDICTION, TIME, Model
from modelyard.metrics.scores import Floats, Integers
from modelyard.predictions.columns import mask, seconds, times_of
from modelyard.predictions.ids import Hashes, Lookup, sorting_order, text_hashes
from modelyard.predictions.interface import ahead
from modelyard.predictions.lookup import AsLogged
from modelyard.tables.file import read_parts
from modelyard.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class GroundTruth:
    """Sorted by id. Where an id has several, that of the latest time counts."""

    hashes: Hashes
    """Of the ids (labels,), sorted, distinct."""
    labels: Any
    """Numbers, or codes of the contract's classes (labels,)."""
    times: Floats
    """Seconds since 1970 (labels,); NaN where nobody said."""
    delivered: int
    duplicates: int
    """Delivered again with the same label."""
    changed: int
    """Superseded by a later one with another label."""
    contradicting: int
    """Ids with different labels and nothing to say which is later; they count as unknown."""
    unreadable: int
    """Without an id, or with a label that the contract does not know."""
    by_prediction: bool = False
    """Whether ids are those of predictions, not the contract's."""

    def of_rows(self, table: pa.Table, at: Floats) -> Integers:
        """``places`` for rows of a prediction log, ``at`` their times; a row without an id has none."""
        column = table["id" if self.by_prediction else "entity"]
        return np.where(mask(column.is_valid()), self.places(text_hashes(column), at), -1)

    def places(self, hashes: Hashes, at: Floats) -> Integers:
        """Where each prediction's outcome stands (rows,); −1 where there is none, or it came before the prediction."""
        place = self._lookup.places(hashes)
        if self._timed:
            place[self.times[place] < at] = -1
        return place

    @cached_property
    def _timed(self) -> bool:
        return not np.isnan(self.times).all()

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self.hashes)


def read_ground_truth(file: Path, model: Model, names: AsLogged | None = None) -> GroundTruth:
    """Labels of a Parquet, Arrow or CSV file: the contract's label, its id or ``prediction_id``, ``label_time``.

    A UsageError when the columns are not there.
    """
    contract = model.contract
    columns = [contract.id, PREDICTION, contract.label, TIME]
    return ground_truth_of(ahead(read_parts(file, columns, named_texts(model))), model, names)


def named_texts(model: Model) -> tuple[str, ...]:
    """Columns of labels that are texts, also where a file has nothing but digits in them."""
    return (model.contract.id, PREDICTION, *([model.contract.label] if model.task == "multiclass" else []))


def ground_truth_of(tables: Iterable[Table], model: Model, names: AsLogged | None = None) -> GroundTruth:
    """The same from tables with the same columns; at least one. ``names`` turns the contract's ids into the log's."""
    parts = [_part(table, model, names) for table in tables]
    if len({part.by_prediction for part in parts}) > 1:
        raise UsageError(
            f"Some labels are named by {PREDICTION}, others by {model.contract.id}.", "Name all of them the same way."
        )
    hashes, labels = (np.concatenate([part.columns[i] for part in parts]) for i in range(2))
    timed = any(part.timed for part in parts)
    times = np.concatenate([part.columns[2] for part in parts]) if timed else _nowhen(hashes.size)
    rows, unreadable = sum(part.rows for part in parts), sum(part.rows - part.columns[0].size for part in parts)
    by_prediction = parts[0].by_prediction
    order, hashes = _by_id_and_time(hashes, times)
    labels, times = labels[order], times[order] if timed else times
    if not hashes.size:
        return GroundTruth(hashes, labels, times, rows, 0, 0, 0, unreadable, by_prediction)
    begins = np.concatenate([[True], hashes[1:] != hashes[:-1]])
    if begins.all():
        return GroundTruth(hashes, labels, times, rows, 0, 0, 0, unreadable, by_prediction)
    ends = np.concatenate([begins[1:], [True]])
    group = np.cumsum(begins) - 1
    last = labels[ends]
    again = (labels == last[group]) & ~ends
    other = labels != last[group]
    newest = np.where(np.isnan(times[ends]), -np.inf, times[ends])
    same_time = other & (np.where(np.isnan(times), -np.inf, times) == newest[group])
    torn = np.zeros(last.size, dtype=bool)
    torn[group[same_time]] = True
    keep = ~torn
    return GroundTruth(
        hashes[ends][keep],
        last[keep],
        times[ends][keep],
        rows,
        int(again.sum()),
        int((other & ~torn[group]).sum()),
        int(torn.sum()),
        unreadable,
        by_prediction,
    )


@dataclass(frozen=True)
class _Part:
    columns: tuple[Hashes, Floats, Floats]
    """Hash, label and time of each readable row."""
    rows: int
    by_prediction: bool
    timed: bool


def _part(table: Table, model: Model, names: AsLogged | None) -> _Part:
    import pyarrow as pa
    import pyarrow.compute as pc

    contract = model.contract
    key = PREDICTION if PREDICTION in table.names else contract.id
    for name in (key, contract.label):
        if name not in table.names:
            raise UsageError(f"{table.path} has no column {name!r}.", near_match(name, table.names))
    ids = table.column(key).cast(pa.string())
    named = mask(pc.not_equal(ids, "").fill_null(False))  # an empty text is no id
    if names is not None and key == contract.id:
        ids = pa.chunked_array([pa.array(names(ids.to_pylist()), pa.string())])
    hashes, labels = text_hashes(ids), labels_of(table, model)
    timed = TIME in table.names
    times = _times(table) if timed else _nowhen(hashes.size)
    sound = named & np.isfinite(labels)
    if not sound.all():
        hashes, labels, times = hashes[sound], labels[sound], times[sound]
    return _Part((hashes, labels, times), table.rows, key == PREDICTION, timed)


def _nowhen(rows: int) -> Floats:
    """NaN for each row, in the memory of one."""
    return np.broadcast_to(np.float64(np.nan), (rows,))


def _times(table: Table) -> Floats:
    """Seconds since 1970 (rows,); NaN where nobody said."""
    import pyarrow as pa

    written = pa.types.is_string(table.column(TIME).type)
    return seconds(times_of(table.column(TIME), str(table.path))) if written else table.numbers(TIME)


def _by_id_and_time(hashes: Hashes, times: Floats) -> tuple[Integers, Hashes]:
    """The order in which, of one id, the latest is last, and the hashes in it; without a time comes first."""
    order, ordered = sorting_order(hashes)
    twice = np.zeros(order.size, dtype=bool)
    twice[1:] = ordered[1:] == ordered[:-1]
    twice[:-1] |= twice[1:]
    again = order[twice]  # nearly all ids come once, and need no second key
    order[twice] = again[np.lexsort((np.where(np.isnan(times[again]), -np.inf, times[again]), hashes[again]))]
    return order, ordered


def labels_of(table: Table, model: Model) -> Floats:
    """Labels as numbers, or codes of the contract's classes (rows,); NaN for what the contract does not know."""
    label = model.contract.label
    if model.task == "multiclass":
        places = {name: float(i) for i, name in enumerate(model.contract.classes)}
        names, codes = table.text_codes(label)
        known = np.array([places.get(name or "", np.nan) for name in names], dtype=np.float64)
        return np.asarray(known[codes], dtype=np.float64)
    values = table.numbers(label)
    return np.where((values == 0) | (values == 1), values, np.nan) if model.task == "binary" else values

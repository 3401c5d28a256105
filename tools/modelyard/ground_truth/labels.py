"""Ground truth: one label per id, made of all labels that were delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import UsageError, near_match
from modelyard.flavors.signature import Input
from modelyard.flavors.values import Unreadable, scalar
from modelyard.manifests.model import PREDICTION, TIME, Model
from modelyard.metrics.scores import Floats, Integers
from modelyard.predictions.columns import mask, times_of
from modelyard.predictions.ids import Hashes, Lookup, sorting_order, text_hashes
from modelyard.predictions.interface import ahead
from modelyard.predictions.lookup import AsLogged
from modelyard.tables.arrays import numbers, texts
from modelyard.tables.file import read_parts
from modelyard.tables.table import Table
from modelyard.tables.types import require_flat

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class GroundTruth:
    """Labels sorted by id. Of several labels of one id, the one with the latest time counts."""

    hashes: Hashes
    """Hashes of the ids (labels,), sorted and distinct."""
    labels: Any
    """Numbers, or codes of the contract's classes (labels,)."""
    times: Floats
    """Seconds since 1970 (labels,); NaN when the time is not known."""
    delivered: int
    """Rows that were delivered."""
    duplicates: int
    """Rows that repeat a label."""
    changed: int
    """Rows that a later row with another label replaces."""
    contradicting: int
    """Ids whose latest labels differ; they have no label."""
    unreadable: int
    """Rows without an id, or with a label that the contract does not know."""
    by_prediction: bool = False
    """Whether the ids are prediction ids instead of the contract's id."""

    def of_rows(self, table: pa.Table, at: Floats) -> Integers:
        """``places`` for rows of a prediction log with times ``at`` (rows,); −1 for a row without an id."""
        column = table["id" if self.by_prediction else "entity"]
        return np.where(mask(column.is_valid()), self.places(text_hashes(column), at), -1)

    def places(self, hashes: Hashes, at: Floats) -> Integers:
        """The index of each prediction's label (rows,); −1 when there is none, or it is older than the prediction."""
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
    """Ground truth of a Parquet, Arrow or CSV file.

    Its columns are the contract's label, the contract's id or ``prediction_id``, and ``label_time`` (optional). A
    UsageError when a column is missing. ``names`` turns the contract's ids into those of the log.
    """
    contract = model.contract
    columns = [contract.id, PREDICTION, contract.label, TIME]
    return ground_truth_of(ahead(read_parts(file, columns, named_texts(model))), model, names)


def named_texts(model: Model) -> tuple[str, ...]:
    """Columns that are read as text even when they hold only digits."""
    return (model.contract.id, PREDICTION, *([model.contract.label] if model.task == "multiclass" else []))


def ground_truth_of(tables: Iterable[Table], model: Model, names: AsLogged | None = None) -> GroundTruth:
    """Ground truth of at least one table with the columns that ``read_ground_truth`` expects."""
    parts = [_part(table, model, names) for table in tables]
    if len({part.by_prediction for part in parts}) > 1:
        raise UsageError(
            f"Some labels have {PREDICTION}, others {model.contract.id}.", "Use one of the two columns in all files."
        )
    hashes, labels = (np.concatenate([part.columns[i] for part in parts]) for i in range(2))
    timed = any(part.timed for part in parts)
    times = np.concatenate([part.columns[2] for part in parts]) if timed else _no_times(hashes.size)
    rows, unreadable = sum(part.rows for part in parts), sum(part.rows - part.columns[0].size for part in parts)
    by_prediction = parts[0].by_prediction
    order, hashes = _by_id_and_time(hashes, times)
    labels, times = labels[order], times[order] if timed else times
    begins = np.concatenate([np.ones(min(hashes.size, 1), dtype=bool), hashes[1:] != hashes[:-1]])
    if begins.all():  # the usual case, and the fast one: every id occurs once
        return GroundTruth(
            hashes=hashes,
            labels=labels,
            times=times,
            delivered=rows,
            duplicates=0,
            changed=0,
            contradicting=0,
            unreadable=unreadable,
            by_prediction=by_prediction,
        )
    ends = np.concatenate([begins[1:], [True]])
    group = np.cumsum(begins) - 1
    last = labels[ends]
    again = (labels == last[group]) & ~ends
    other = labels != last[group]
    newest = np.where(np.isnan(times[ends]), -np.inf, times[ends])
    same_time = other & (np.where(np.isnan(times), -np.inf, times) == newest[group])
    contradicting = np.zeros(last.size, dtype=bool)
    contradicting[group[same_time]] = True
    keep = ~contradicting
    return GroundTruth(
        hashes=hashes[ends][keep],
        labels=last[keep],
        times=times[ends][keep],
        delivered=rows,
        duplicates=int(again.sum()),
        changed=int((other & ~contradicting[group]).sum()),
        contradicting=int(contradicting.sum()),
        unreadable=unreadable,
        by_prediction=by_prediction,
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
    ids = texts(require_flat(table.column(key), key, table.path))
    named = mask(pc.not_equal(ids, "").fill_null(False))  # an empty text is not an id
    if names is not None and key == contract.id:
        ids = pa.chunked_array([pa.array(names(ids.to_pylist()), pa.string())])
    hashes, labels = text_hashes(ids), labels_of(table, model)
    timed = TIME in table.names
    times = _times(table) if timed else _no_times(hashes.size)
    sound = named & np.isfinite(labels)
    if not sound.all():
        hashes, labels, times = hashes[sound], labels[sound], times[sound]
    return _Part((hashes, labels, times), table.rows, key == PREDICTION, timed)


def _no_times(rows: int) -> Floats:
    """NaN for each row (rows,), in the memory of one number."""
    return np.broadcast_to(np.float64(np.nan), (rows,))


def _times(table: Table) -> Floats:
    """Seconds since 1970 (rows,); NaN when the time is not known."""
    return numbers(times_of(table.column(TIME), str(table.path)), TIME, table.path)


def _by_id_and_time(hashes: Hashes, times: Floats) -> tuple[Integers, Hashes]:
    """The order by id and then by time, rows without a time first, and the hashes in that order."""
    order, ordered = sorting_order(hashes)
    twice = np.zeros(order.size, dtype=bool)
    twice[1:] = ordered[1:] == ordered[:-1]
    twice[:-1] |= twice[1:]
    again = order[twice]  # most ids occur once and need no second key
    order[twice] = again[np.lexsort((np.where(np.isnan(times[again]), -np.inf, times[again]), hashes[again]))]
    return order, ordered


_TRUTH = Input("label", "boolean")
_WORDS = {"yes": "true", "no": "false"}
"""What people write into label files besides; an input may not be spelled so."""


def _truth(text: str | None) -> float:
    """1 or 0 for a text such as true, No or 1.0; NaN for any other."""
    try:
        found = scalar(_TRUTH, _WORDS.get((text or "").lower(), text))
    except Unreadable:
        return np.nan
    return found if isinstance(found, float) else np.nan


def labels_of(table: Table, model: Model) -> Floats:
    """Labels as numbers, or as codes of the contract's classes (rows,); NaN for labels the contract does not know."""
    import pyarrow as pa

    label = model.contract.label
    if model.task == "multiclass":
        places = {name: float(i) for i, name in enumerate(model.contract.classes)}
        names, codes = table.text_codes(label)
        known = np.array([places.get(name or "", np.nan) for name in names], dtype=np.float64)
        return np.asarray(known[codes], dtype=np.float64)
    if model.task == "binary" and pa.types.is_string(table.column(label).type):
        names, codes = table.text_codes(label)
        known = np.array([_truth(name) for name in names], dtype=np.float64)
        return np.asarray(known[codes], dtype=np.float64)
    values = table.numbers(label)
    return np.where((values == 0) | (values == 1), values, np.nan) if model.task == "binary" else values

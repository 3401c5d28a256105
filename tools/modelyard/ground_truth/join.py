"""The join of ground truth and predictions: at most one labelled row per label, written in parts.

It passes over the log twice. The first pass reads only ids and times and finds, for each label, the newest prediction
before it. The second pass writes those rows with all columns. Memory therefore grows with the number of labels, not
with the size of the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError
from modelyard.evidence.production import Joined
from modelyard.flavors.frames import arrow_array, arrow_type
from modelyard.flavors.signature import Input
from modelyard.ground_truth.labels import GroundTruth
from modelyard.manifests.model import Model
from modelyard.metrics.scores import Floats, Integers
from modelyard.predictions.columns import LOG, mask, seconds
from modelyard.predictions.ids import Hashes, text_hashes
from modelyard.predictions.interface import Reader, Window, ahead
from modelyard.scoring.signature import signature_of
from modelyard.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Earlier:
    """The labels that earlier increments hold."""

    hashes: Hashes
    """Hashes of prediction ids (rows,), sorted."""
    labels: Floats

    def of(self, ids: Any) -> Floats:
        """The earlier label of each prediction id (rows,); NaN when it has none."""
        if not self.hashes.size:
            return np.full(len(ids), np.nan)
        hashes = text_hashes(ids)
        place = np.minimum(np.searchsorted(self.hashes, hashes), self.hashes.size - 1)
        return np.where(self.hashes[place] == hashes, self.labels[place], np.nan)


NOTHING = Earlier(np.empty(0, dtype=np.uint64), np.empty(0))


def join(
    reader: Reader, model: Model, window: Window, ground_truth: GroundTruth, earlier: Earlier, target: Path
) -> Joined:
    """Writes the increment to ``target`` (Parquet) and returns the counts. Without a row for it no file is written."""
    newest = np.full(ground_truth.hashes.size, -np.inf)
    chosen = np.full(ground_truth.hashes.size, -1, dtype=np.int64)
    predictions = matched = 0
    key = "id" if ground_truth.by_prediction else "entity"

    def placed(table: pa.Table) -> tuple[int, Floats, Integers, Integers]:
        at = seconds(table["time"])
        place = ground_truth.of_rows(table, at)
        hits = np.flatnonzero(place >= 0)
        return table.num_rows, at[hits], place[hits], hits

    for size, at, place, hits in ahead(
        map(placed, _answered(reader, model, window, (key, "time", "score", "variant")))
    ):
        matched += int(hits.size)
        _keep_newest(newest, chosen, place, at, predictions + hits)
        predictions += size
    label_of = np.full(predictions, -1, dtype=np.int32)
    taken = np.flatnonzero(chosen >= 0)
    label_of[chosen[taken]] = taken
    found = np.flatnonzero(label_of >= 0)
    places = label_of[found].astype(np.int64)
    known = corrected = rows = first = 0
    writer = _Writer(target, model)
    for table in _answered(reader, model, window, _whole(model)) if found.size else ():
        low, high = np.searchsorted(found, [first, first + table.num_rows])
        here, place = found[low:high] - first, places[low:high]
        first += table.num_rows
        if not here.size:
            continue
        part = table if here.size == table.num_rows else table.take(here)
        if (seconds(part["time"]) != newest[place]).any():
            raise ModelyardError("The prediction log changed while it was read.", "Run the command again.")
        labels = np.asarray(ground_truth.labels[place], dtype=np.float64)
        before = earlier.of(part["id"])
        same = before == labels
        known += int(same.sum())
        corrected += int((~same & ~np.isnan(before)).sum())
        if same.all():
            continue
        writer.write(_increment(part, model, labels, ~same))
        rows += int((~same).sum())
    writer.close()
    lacking = tuple(c.name for c in model.contract.inputs if c.personal != "no")
    return Joined(
        predictions=predictions,
        labelled=rows,
        corrected=corrected,
        known=known,
        repeated=matched - int(found.size),
        waiting=predictions - matched,
        delivered=ground_truth.delivered,
        duplicates=ground_truth.duplicates,
        changed=ground_truth.changed,
        contradicting=ground_truth.contradicting,
        unreadable=ground_truth.unreadable,
        unknown=int(ground_truth.hashes.size - found.size),
        lacking=lacking,
    )


def _whole(model: Model) -> tuple[str, ...]:
    """The log's columns that an increment is made of."""
    inputs = (f"inputs.{column.name}" for column in model.contract.inputs if column.personal == "no")
    return "id", "entity", "time", "version", "variant", "score", *inputs


def _answered(reader: Reader, model: Model, window: Window, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    """Predictions that a caller got: those with a score that are not a shadow's."""
    import pyarrow.compute as pc

    for table in ahead(reader.read(model, window.begin, window.end, columns)):
        kept = mask(pc.is_valid(table["score"])) & mask(pc.not_equal(table["variant"], "shadow").fill_null(True))
        yield table if kept.all() else table.filter(kept)


def _keep_newest(newest: Floats, chosen: Integers, place: Integers, at: Floats, rows: Integers) -> None:
    """Keeps the newest prediction of each label; of several at the same time, the last."""
    if (at[1:] < at[:-1]).any():
        order = np.argsort(at, kind="stable")
        place, at, rows = place[order], at[order], rows[order]
    later = at >= newest[place]
    place, at, rows = place[later], at[later], rows[later]
    newest[place] = at  # of repeated places NumPy keeps the last one assigned
    chosen[place] = rows


def _increment(part: pa.Table, model: Model, labels: Floats, keep: NDArray[np.bool_]) -> pa.Table:
    import pyarrow as pa

    contract = model.contract
    columns: dict[str, Any] = {contract.id: part["entity"], "prediction_id": part["id"], "predicted_at": part["time"]}
    columns |= {name: part[name] for name in ("version", "score")}
    if model.task == "multiclass":
        columns[contract.label] = pa.array([contract.classes[int(code)] for code in labels])
    else:
        columns[contract.label] = pa.array(labels)
    for column in _kept(model):
        name = f"inputs.{column.name}"
        if name in part.column_names:
            own = Table(part.select([name]).rename_columns([column.name]), LOG)
            columns[column.name] = arrow_array(column, own.values(column))
        else:
            columns[column.name] = pa.nulls(part.num_rows)
    types = {name: kind for name, kind in increment_types(model).items() if name in columns}
    typed = pa.table({name: columns[name].cast(kind, safe=False) for name, kind in types.items()})
    return typed if keep.all() else typed.filter(pa.array(keep))


def increment_types(model: Model) -> dict[str, Any]:
    """Column → Arrow type of labelled rows. They follow from the contract, so all parts and increments have the same.

    Personal inputs are left out. ``reviewer`` and ``reviewed_at`` are null for labels that no reviewer gave.
    """
    import pyarrow as pa

    contract, moment = model.contract, pa.timestamp("us", "UTC")
    label = {"binary": pa.int64(), "multiclass": pa.string()}.get(model.task, pa.float64())
    score = pa.list_(pa.float64()) if model.task == "multiclass" else pa.float64()
    return {
        contract.id: pa.string(),
        **{column.name: arrow_type(column) for column in _kept(model)},
        contract.label: label, "prediction_id": pa.string(), "predicted_at": moment, "version": pa.string(),
        "score": score, "reviewer": pa.string(), "reviewed_at": moment,
    }  # fmt: skip


def _kept(model: Model) -> list[Input]:
    """The inputs that are not personal, without their categories: a value that no model knows is kept as it was."""
    personal = {column.name for column in model.contract.inputs if column.personal != "no"}
    return [replace(c, categories=()) for c in signature_of(model).inputs if c.name not in personal]


class _Writer:
    """A Parquet file that is written in parts, each in the background while the next is made."""

    def __init__(self, target: Path, model: Model) -> None:
        self._target, self._model = target, model
        self._file: Any = None
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def write(self, table: pa.Table) -> None:
        """Writes a part in the background; raises the error of the part before."""
        if self._last is not None:
            self._last.result()
        self._last = self._pool.submit(self._write, table)

    def close(self) -> None:
        """Finishes the file; without a part there is none."""
        if self._last is not None:
            self._last.result()
            self._file.close()
        self._pool.shutdown()

    def _write(self, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        if self._file is None:
            # Ids are all different: their dictionary, or their bounds, would take longer than the rest of the file.
            levels = ["version", *(c.name for c in self._model.contract.inputs if c.type == "string")]
            bounded = [name for name in table.column_names if name not in (self._model.contract.id, "prediction_id")]
            self._file = pq.ParquetWriter(
                self._target, table.schema, compression="snappy", use_dictionary=levels, write_statistics=bounded
            )
        self._file.write_table(table)

"""Rows of a window and of the version's held-out rows, as Parquet files for a library of another environment.

==================  =================================================================================
an input            number, or text for a level; left out are personal inputs, and those with rare_below
prediction          number; of several classes (confidence), the largest probability
(decision)          text; 0 or 1 by the contract's threshold, or the likeliest class
(day)               text; the day (UTC) of the prediction, such as 2026-05-01
the label's name    number, of a classification text; missing where it is not known
==================  =================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.candidate.profiles import CONFIDENCE, SCORE, profile_type
from modelyard.checkout.artifacts import fetch_version
from modelyard.errors import ModelyardError
from modelyard.flavors.signature import Input
from modelyard.manifests.model import Model
from modelyard.metrics.scores import Floats
from modelyard.predictions.columns import LOG, has_scores, mask, scores_of, seconds
from modelyard.production.exchange.interface import WindowToExport
from modelyard.scoring.scorer import loaded
from modelyard.scoring.signature import input_of
from modelyard.tables.file import read_table
from modelyard.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

DECISION, DAY = "(decision)", "(day)"
"""Names that no column of a contract can have."""


@dataclass(frozen=True)
class Roles:
    """The names of the columns by what they are."""

    numbers: tuple[str, ...]
    levels: tuple[str, ...]
    label: str
    score: str


def roles_of(model: Model) -> Roles:
    """The roles of a model's columns, without those of personal inputs."""
    found = [(column.name, _is_level(column)) for column in _inputs(model)]
    return Roles(
        tuple(name for name, level in found if not level),
        tuple(name for name, level in found if level),
        model.contract.label,
        _score(model),
    )


def write_window(exported: WindowToExport, path: Path, most: int = 0) -> int:
    """Writes what the monitored version answered as champion; returns the number of rows.

    Of more than ``most`` rows every n-th is taken; 0 takes all.
    """
    monitoring = exported.monitoring
    step = -(-monitoring.rows // most) if most else 1
    return _write(path, exported.view.manifest, _thinned(_window_tables(exported), max(step, 1)))


def write_held_out(exported: WindowToExport, path: Path, most: int, say: Callable[[str], None]) -> int:
    """Writes the version's held-out rows with the scores of its artifact; 0 without writing where there are none."""
    view, version = exported.view, exported.view.history.known(exported.monitoring.version)
    if version is None:
        return 0
    say(f"Scoring the held-out rows of {version.version} …")
    with fetch_version(view, version, holdout=True) as fetched:
        if fetched.holdout is None:
            return 0
        model = fetched.model
        table = read_table(fetched.holdout, texts=model.contract.texts)
        chosen = np.arange(0, table.rows, max(-(-table.rows // most), 1), dtype=np.int64)
        rows = table.take(chosen)
        with loaded(model, fetched.artifact, fetched.folder, version.version) as artifact:
            scores = artifact.score_table(rows)
        columns = {column.name: _values(rows, column) for column in _inputs(model)}
        return _write(path, model, [_table(model, columns, scores, np.empty(0), _held_labels(model, rows))])


def _window_tables(exported: WindowToExport) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.compute as pc

    model, version, window = exported.view.manifest, exported.monitoring.version, exported.window
    for table in exported.reader.read(model, window.begin, window.end):
        ours = pc.and_(
            pc.equal(table["version"], version), pc.equal(table["variant"].fill_null("champion"), "champion")
        )
        kept = mask(ours.fill_null(False)) & ~mask(pc.is_valid(table["error"])) & has_scores(table, model)
        rows = table.filter(pa.array(kept))
        if not rows.num_rows:
            continue
        at = seconds(rows["time"])
        columns = {column.name: _logged(rows, column) for column in _inputs(model)}
        yield _table(model, columns, scores_of(rows, model), at, _arrived(exported, rows, at))


def _thinned(tables: Iterable[pa.Table], step: int) -> Iterator[pa.Table]:
    import pyarrow as pa

    before = 0
    for table in tables:
        yield table.take(pa.array(np.arange(-before % step, table.num_rows, step, dtype=np.int64)))
        before += table.num_rows


def _write(path: Path, model: Model, tables: Iterable[pa.Table]) -> int:
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(path, _schema(model)) as writer:
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
    return rows


def _schema(model: Model) -> Any:
    import pyarrow as pa

    fields = [(column.name, pa.string() if _is_level(column) else pa.float64()) for column in _inputs(model)]
    fields += [(_score(model), pa.float64()), (DECISION, pa.string()), (DAY, pa.string())]
    label = pa.string() if model.task in ("binary", "multiclass") else pa.float64()
    return pa.schema([*fields, (model.contract.label, label)])


def _table(model: Model, columns: dict[str, Any], scores: Floats, at: Floats, labels: Sequence[Any]) -> pa.Table:
    import pyarrow as pa

    tops = scores if scores.ndim == 1 else scores.max(axis=1, initial=0.0)
    days = np.datetime_as_string((at // 86400).astype("datetime64[D]")).tolist() if at.size else [None] * tops.size
    said = columns | {_score(model): tops, DECISION: _decisions(model, scores), DAY: days, model.contract.label: labels}
    schema = _schema(model)
    return pa.table({f.name: pa.array(said[f.name], f.type, from_pandas=True) for f in schema}, schema=schema)


def _decisions(model: Model, scores: Floats) -> list[str | None]:
    if model.task == "binary":
        return ["1" if positive else "0" for positive in scores >= model.contract.threshold]
    if model.task == "multiclass":
        return [model.contract.classes[place] for place in scores.argmax(axis=1)] if len(scores) else []
    return [None] * len(scores)


def _arrived(exported: WindowToExport, rows: pa.Table, at: Floats) -> list[Any]:
    """The label of each row, None where none has arrived."""
    if exported.ground_truth is None:
        return [None] * rows.num_rows
    places = exported.ground_truth.of_rows(rows, at).tolist()
    known = exported.ground_truth.labels
    return [None if place < 0 else _label(exported.view.manifest, float(known[place])) for place in places]


def _label(model: Model, value: float) -> Any:
    """A label in its spelling: of a classification a text."""
    if model.task == "multiclass":
        return model.contract.classes[int(value)]
    return str(int(value)) if model.task == "binary" else value


def _held_labels(model: Model, table: Table) -> list[Any]:
    if model.task == "multiclass":
        return list(table.texts(model.contract.label))
    return [None if np.isnan(v) else _label(model, float(v)) for v in table.numbers(model.contract.label)]


def _inputs(model: Model) -> list[Input]:
    """The inputs whose values may leave: not personal, and without levels that a profile may not name."""
    taken = _score(model)
    return [
        input_of(column)
        for column in model.contract.inputs
        if column.personal == "no" and not column.rare_below and column.name != taken
    ]


def _score(model: Model) -> str:
    """The name of the score, as the version's own profile has it."""
    return CONFIDENCE if model.task == "multiclass" else SCORE


def _is_level(column: Input) -> bool:
    return profile_type(column) in ("string", "boolean")


def _logged(rows: pa.Table, column: Input) -> Any:
    """An input as the log has it; missing where the log lacks it or it cannot be read, which monitoring reports."""
    name = f"inputs.{column.name}"
    if name not in rows.column_names:
        return [None] * rows.num_rows
    try:
        return _values(Table(rows.select([name]).rename_columns([column.name]), LOG), column)
    except ModelyardError:
        return [None] * rows.num_rows


def _values(table: Table, column: Input) -> Any:
    if not _is_level(column):
        return table.scalars(column)
    names, places = table.levels(column)
    return [names[place] for place in places.tolist()]

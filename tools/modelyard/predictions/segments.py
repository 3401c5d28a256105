"""Segments of a prediction log: compaction to Parquet (one row per prediction), retention, reading and erasure.

Compaction runs as its own process (``python -m modelyard.predictions.segments FOLDER DAYS``), so it delays no request.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from modelyard.flavors.values import spelled_text
from modelyard.predictions.columns import as_text, joined
from modelyard.predictions.writer import Entry, open_segments, plain_values

if TYPE_CHECKING:
    import pyarrow as pa


_TEXTS = ("id", "entity", "time", "version", "variant", "error")
_LINES_AT_ONCE = 20_000
_ROWS_AT_ONCE = 65_536
_CLOCK_SET_BACK = 7200.0
"""Seconds by which answers may be newer than their segment's file, after the machine's clock was set back."""


def compact(folder: Path, keep_days: int) -> list[Path]:
    """Converts every segment but the newest and deletes those older than ``keep_days`` (0: none); returns new files."""
    import pyarrow.parquet as pq

    made = []
    for closed in open_segments(folder)[:-1]:
        target = closed.with_suffix(".parquet")
        if not target.is_file():
            temporary = closed.with_name(f".{closed.name}.{os.getpid()}")
            pq.write_table(table_of(entries_of(closed)), temporary, compression="zstd")
            temporary.chmod(closed.stat().st_mode & 0o777)  # not readable by more people than the segment was
            temporary.replace(target)
            os.utime(target, (closed.stat().st_mtime,) * 2)  # the file keeps the age of its last answer
            made.append(target)
        closed.unlink()
    if keep_days:
        oldest = time.time() - keep_days * 86400
        for segment in folder.glob("[0-9]*.parquet"):
            if segment.stat().st_mtime < oldest:
                segment.unlink()
    return made


def read_predictions(folder: Path, since: float = 0.0, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The logged predictions of one model as tables, oldest first; segments that ended before ``since`` are left out.

    Columns are those of ``predictions.interface``; with ``columns``, at least those. The id is request/row.
    """
    stems = sorted({path.stem for path in folder.glob("[0-9]*") if path.suffix in (".jsonl", ".parquet")})
    for stem in stems:
        whole, lines = folder / f"{stem}.parquet", folder / f"{stem}.jsonl"
        try:
            if (whole if whole.is_file() else lines).stat().st_mtime >= since - _CLOCK_SET_BACK:
                yield from _closed(whole, columns) if whole.is_file() else [table_of(entries_of(lines))]
        except FileNotFoundError:
            if whole.is_file():  # it was converted in the meantime
                yield from _closed(whole, columns)


def table_of(entries: Iterable[Entry]) -> pa.Table:
    """Entries as a table with one row per prediction; a failed request is one row without a score."""

    parts = []
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) >= _LINES_AT_ONCE:
            parts.append(_part(batch))
            batch = []
    parts.append(_part(batch))
    return joined(parts)


def entries_of(path: Path) -> Iterator[Entry]:
    """The entries of a segment; lines that were cut off are left out."""
    decoder = msgspec.json.Decoder(Entry)
    with path.open("rb") as file:
        for line in file:
            try:
                yield decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue  # cut off when the machine went down; the answer was not sent


def erase(folder: Path, entity: str, live: bool) -> tuple[int, int]:
    """Erases an id from all closed segments.

    Returns the rows erased and the rows left in the segment that a ``live`` server writes to; they can be erased once
    it is closed. Each segment is replaced in one rename. All are searched again until none holds the id, because a
    segment may be converted at the same time from its older content.
    """
    erased = 0
    while found := _pass(folder, entity, live):
        erased += found
    waiting = open_segments(folder)[-1:] if live else []
    return erased, sum(_count(table_of(entries_of(path)), entity) for path in waiting)


def _closed(path: Path, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """A Parquet segment in parts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
            yield pa.Table.from_batches([batch])


def _part(entries: list[Entry]) -> pa.Table:
    import pyarrow as pa

    texts: dict[str, list[Any]] = {name: [] for name in _TEXTS}
    scores: list[Any] = []
    latencies: list[float] = []
    names = dict.fromkeys(name for entry in entries for name in entry.inputs)
    inputs: dict[str, list[Any]] = {name: [] for name in names}
    for entry in entries:
        rows = len(entry.scores) or 1
        entities = entry.entities or []
        texts["id"] += [f"{entry.id}/{row}" for row in range(rows)]
        texts["entity"] += [None if e is None else spelled_text(e) for e in entities[:rows]]
        texts["entity"] += [None] * (rows - len(entities))
        for name in ("time", "version", "variant"):
            texts[name] += [getattr(entry, name)] * rows
        texts["error"] += [entry.error or None] * rows
        scores += entry.scores or [None]
        latencies += [entry.latency_ms] * rows
        for name, values in inputs.items():
            given = plain_values(entry.inputs[name]) if name in entry.inputs else None
            values += given if given is not None and len(given) == rows else [None] * rows
    arrays: dict[str, Any] = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    arrays["time"] = arrays["time"].cast(pa.timestamp("us", "UTC"))
    arrays["score"] = _typed(scores)
    arrays["latency_ms"] = pa.array(latencies, pa.float64())
    return pa.table(arrays | {f"inputs.{name}": _typed(values) for name, values in inputs.items()})


def _typed(values: list[Any]) -> pa.Array:
    """Values as null, booleans, numbers, lists of numbers or texts, whichever is the first that holds all of them."""
    import pyarrow as pa

    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    if kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds <= {bool, int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if kinds == {list}:
        inner = {type(number) for value in values if value is not None for number in value}
        if inner <= {int, float, type(None)}:
            return pa.array(values, pa.list_(pa.float64()))
    return pa.array([as_text(value) for value in values], pa.string())


def _pass(folder: Path, entity: str, live: bool) -> int:
    import pyarrow.parquet as pq

    erased = 0
    lines = open_segments(folder)
    for path in lines[:-1] if live else lines:
        table = table_of(entries_of(path))
        if rows := _count(table, entity):
            _replace(path.with_suffix(".parquet"), _without(table, entity), path)
            path.unlink(missing_ok=True)
            erased += rows
    for path in sorted(folder.glob("[0-9]*.parquet")):
        if rows := _count(pq.read_table(path, columns=["entity"]), entity):
            _replace(path, _without(pq.read_table(path), entity), path)
            erased += rows
    return erased


def _replace(target: Path, table: pa.Table, source: Path) -> None:
    """Writes the table in place of the segment ``source``, with its age and for the same readers."""
    import pyarrow.parquet as pq

    known = source.stat()
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    pq.write_table(table, temporary, compression="zstd")
    temporary.chmod(known.st_mode & 0o777)
    os.utime(temporary, (known.st_mtime, known.st_mtime))  # the file keeps the age of its last answer
    temporary.replace(target)


def _count(table: pa.Table, entity: str) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.equal(table["entity"], entity)).as_py() or 0)


def _without(table: pa.Table, entity: str) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.invert(pc.equal(table["entity"], entity).fill_null(False)))


if __name__ == "__main__":
    os.nice(10)
    compact(Path(sys.argv[1]), int(sys.argv[2]))

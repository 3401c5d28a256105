"""Taking one id's predictions out of a model's log. The ids of all other predictions stay what they were."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.serving.predictions import open_segments
from modelyard.serving.segments import entries_of, table_of

if TYPE_CHECKING:
    import pyarrow as pa


def erase(folder: Path, entity: str, live: bool) -> tuple[int, int]:
    """Rows erased, and rows that stand in the segment a ``live`` server writes to: those have to wait until it closes.

    Closed segments are replaced in one rename each, and looked through again until none holds the id: one may be
    converted meanwhile from what it held before.
    """
    erased = 0
    while found := _pass(folder, entity, live):
        erased += found
    waiting = open_segments(folder)[-1:] if live else []
    return erased, sum(_count(table_of(entries_of(path)), entity) for path in waiting)


def _pass(folder: Path, entity: str, live: bool) -> int:
    import pyarrow.parquet as pq

    erased = 0
    lines = open_segments(folder)
    for path in lines[:-1] if live else lines:
        table = table_of(entries_of(path))
        if rows := _count(table, entity):
            _replace(path.with_suffix(".parquet"), _without(table, entity), path.stat().st_mtime)
            path.unlink(missing_ok=True)
            erased += rows
    for path in sorted(folder.glob("[0-9]*.parquet")):
        if rows := _count(pq.read_table(path, columns=["entity"]), entity):
            _replace(path, _without(pq.read_table(path), entity), path.stat().st_mtime)
            erased += rows
    return erased


def _replace(target: Path, table: pa.Table, modified: float) -> None:
    import pyarrow.parquet as pq

    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    pq.write_table(table, temporary, compression="zstd")
    os.utime(temporary, (modified, modified))  # its age is the age of its last answer
    temporary.replace(target)


def _count(table: pa.Table, entity: str) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.equal(table["entity"], entity)).as_py() or 0)


def _without(table: pa.Table, entity: str) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.invert(pc.equal(table["entity"], entity).fill_null(False)))

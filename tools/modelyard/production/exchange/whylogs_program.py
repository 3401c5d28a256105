"""The program in whylogs' environment: rows in, one profile a day and their merged profile out. It imports nothing of
ours.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_BATCH = 100_000


def main(job_file: Path, rows: Path, into: Path) -> None:
    """Writes ``<day>.bin`` and ``merged/<first>_<last>.bin`` into a folder; a larger profile of a day stays."""
    import pyarrow.parquet as pq
    import whylogs as why
    from whylogs.core import DatasetProfileView

    job = json.loads(job_file.read_text(encoding="utf-8"))
    days: dict[str, Any] = {}
    for batch in pq.ParquetFile(rows).iter_batches(batch_size=_BATCH):
        for day, part in batch.to_pandas().groupby(job["day"]):
            found = why.log(part.drop(columns=[job["day"]])).profile()
            found.set_dataset_timestamp(datetime.fromisoformat(day).replace(tzinfo=UTC))
            days[day] = days[day].merge(found.view()) if day in days else found.view()
    for day, view in days.items():
        view.metadata.update(job["tags"])
        place = into / f"{day}.bin"
        if place.is_file() and _rows(known := DatasetProfileView.read(str(place))) > _rows(view):
            days[day] = known
        else:
            _write(view, place)
    first, *others = (days[day] for day in sorted(days))
    for view in others:
        first = first.merge(view)
    first.metadata.update(job["tags"])
    _write(first, into / "merged" / f"{min(days)}_{max(days)}.bin")


def _rows(view: Any) -> int:
    counts = [column.get_metric("counts") for column in view.get_columns().values()]
    return max((int(found.n.value) for found in counts if found is not None), default=0)


def _write(view: Any, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    scratch = place.with_suffix(".part")
    view.write(str(scratch))
    scratch.replace(place)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

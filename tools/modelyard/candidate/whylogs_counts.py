"""The program in whylogs' environment: profiles and edges in, counts out. It imports nothing of ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(job_file: Path, into: Path) -> None:
    """Writes the rows of each profile of the job (first those of ``merged``), and what is known of each column of the
    job (column → edges, or null) in the merged ones.
    """
    job = json.loads(job_file.read_text(encoding="utf-8"))
    views = [_read(Path(path)) for path in [*job["merged"], *job["others"]]]
    rows = [_rows(view) for view in views]
    first, *more = views[: len(job["merged"])]
    for view in more:
        first = first.merge(view)
    columns: dict[str, list[float] | None] = job["columns"]
    found = {name: _counted(column, edges) for name, edges in columns.items() if (column := first.get_column(name))}
    into.write_text(json.dumps({"rows": rows, "columns": found}), encoding="utf-8")


def _read(path: Path) -> Any:
    from whylogs.core import DatasetProfileView

    try:
        return DatasetProfileView.read(str(path))
    except Exception as error:
        raise ValueError(f"{path.name} cannot be read as a profile ({type(error).__name__})") from error


def _rows(view: Any) -> int:
    counts = [column.get_metric("counts") for column in view.get_columns().values()]
    return max((int(found.n.value) for found in counts if found is not None), default=0)


def _counted(column: Any, edges: list[float] | None) -> dict[str, Any]:
    import whylogs_sketching

    counts = column.get_metric("counts")
    rows, nulls = int(counts.n.value), int(counts.null.value)
    said: dict[str, Any] = {"rows": rows, "nulls": nulls}
    if edges is None:
        frequent = column.get_metric("frequent_items")
        none_invented = whylogs_sketching.frequent_items_error_type.NO_FALSE_POSITIVES
        items = frequent.frequent_strings.value.get_frequent_items(none_invented) if frequent else []
        return said | {"levels": {str(name): int(min(bounds)) for name, *bounds in items}}
    distribution = column.get_metric("distribution")
    sketch = distribution.kll.value if distribution else None
    if sketch is None or sketch.is_empty():
        return said | {"nulls": rows}
    return said | {"below": [float(share) for share in sketch.get_cdf(edges)[: len(edges)]] if edges else []}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

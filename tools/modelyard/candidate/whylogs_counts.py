"""The program in whylogs' environment: profiles and edges in, counts out. It imports nothing of ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(job_file: Path, folder: Path, into: Path) -> None:
    """Merges ``*.bin`` of a folder, and writes what is known of each column of the job: column → edges, or null."""
    from whylogs.core import DatasetProfileView

    job: dict[str, list[float] | None] = json.loads(job_file.read_text(encoding="utf-8"))
    merged: Any = None
    for path in sorted(folder.glob("*.bin")):
        try:
            view = DatasetProfileView.read(str(path))
        except Exception as error:
            raise ValueError(f"{path.name} cannot be read as a profile ({type(error).__name__})") from error
        merged = view if merged is None else merged.merge(view)
    found = {name: _counted(column, edges) for name, edges in job.items() if (column := merged.get_column(name))}
    into.write_text(json.dumps(found), encoding="utf-8")


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

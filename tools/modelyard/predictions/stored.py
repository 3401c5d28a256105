"""Files of tables in a folder or an object store: what there is, and one after another in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, missing_extra

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = (".parquet", ".csv", ".jsonl")
_BATCH = 200_000


def files_below(uri: str, root: Path, kinds: tuple[str, ...], said: str) -> list[tuple[Any, str]]:
    """(file system, path) of a file, or of every file below a place that fsspec knows, in the order of their names.

    A ``uri`` without a scheme is a path below ``root``; ``said`` names the manifest's field, for errors.
    """
    try:
        import fsspec
    except ImportError as error:
        raise missing_extra("train", "fsspec") from error
    if "://" not in uri:
        uri = str(root / Path(uri).expanduser())
    try:
        system, path = fsspec.core.url_to_fs(uri)
        found = sorted(name for name in system.find(path) if not kinds or name.endswith(kinds))
    except (OSError, ImportError, ValueError) as error:
        raise ModelyardError(
            f"{uri} cannot be listed: {error}.", f"Check {said}, its credentials, and its fsspec driver."
        ) from error
    if not found and not system.exists(path):
        raise ModelyardError(f"{uri} is not there.", f"Check {said}.")
    return [(system, name) for name in found]


def parts_of(system: Any, path: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """A file's rows: Parquet in parts and of ``columns`` alone, CSV and JSON lines at once and whole.

    ModelyardError when it cannot be read.
    """
    import pyarrow as pa

    try:
        with system.open(path, "rb") as file:
            if path.endswith(".parquet"):
                import pyarrow.parquet as pq

                reader = pq.ParquetFile(file)
                wanted = None if columns is None else [n for n in reader.schema_arrow.names if n in columns]
                for batch in reader.iter_batches(_BATCH, columns=wanted):
                    yield pa.Table.from_batches([batch])
            elif path.endswith(".csv"):
                from pyarrow import csv

                yield csv.read_csv(file)
            else:
                yield _lines(file.read())
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise ModelyardError(f"{path} cannot be read: {said}.", "Mend or remove the file.") from error


def _lines(content: bytes) -> pa.Table:
    """JSON lines; the last one is left out when it was cut off in the middle."""
    import io

    import pyarrow as pa
    from pyarrow import json

    whole = content[: content.rfind(b"\n") + 1]
    return json.read_json(io.BytesIO(whole)) if whole.strip() else pa.table({})

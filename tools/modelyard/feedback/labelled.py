"""All labelled rows of a checkout as one table, for a pipeline to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import ModelyardError
from modelyard.feedback.increment import folder_of
from modelyard.files import write_whole
from modelyard.ground_truth.join import increment_types
from modelyard.manifests.model import Model
from modelyard.manifests.repository import ModelRepository
from modelyard.predictions.ids import text_hashes

if TYPE_CHECKING:
    import pyarrow as pa


def write_labelled(repository: ModelRepository, model: Model, target: Path) -> int:
    """Writes them as Parquet, of each prediction what the newest increment says; how many there are.

    Columns are the contract's id, inputs and label, then those of ``increment_types``; what an older increment lacks is
    null there. Without increments the table is empty. ModelyardError for an increment whose bytes are not here.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = increment_types(model)
    parts = [_read(path, types) for path in _files(repository.root / folder_of(model.name))]
    table = pa.concat_tables(parts) if parts else pa.schema(types).empty_table()
    newest = np.unique(text_hashes(table["prediction_id"])[::-1], return_index=True)[1]
    table = table.take(pa.array(np.sort(table.num_rows - 1 - newest)))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy")
    write_whole(target, sink.getvalue())
    return int(table.num_rows)


def _files(folder: Path) -> list[Path]:
    """The increments, oldest first; ModelyardError where only a pointer is there."""
    found = sorted(pointer.with_suffix("") for pointer in folder.glob("*.parquet.dvc"))
    for path in found:
        if not path.is_file():
            raise ModelyardError(f"{path} is not here, only its pointer.", f"Run: dvc pull {path}.dvc")
    return found


def _read(path: Path, types: dict[str, Any]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        columns = {
            name: table[name].cast(kind, safe=False) if name in table.column_names else pa.nulls(table.num_rows, kind)
            for name, kind in types.items()
        }
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise ModelyardError(f"{path} is no increment of labelled rows: {said}.", "Run: dvc checkout") from error
    return pa.table(columns)

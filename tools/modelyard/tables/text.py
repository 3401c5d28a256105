"""Tables written as text: CSV and JSON lines."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

_QUOTED = re.compile(r'"[^"]*"')
_SEPARATORS = ";\t|"
_FIRST = 1 << 16
_MARK = b"\xef\xbb\xbf"


def read_csv(source: Path | bytes, texts: Collection[str] = (), last_row: str | None = None) -> Any:
    """An Arrow table of a CSV file, also gzipped. Empty cells are missing, texts among them.

    Cells are separated by commas; by semicolons, tabs or bars where the header has them and no comma. ``texts`` names
    columns that stay texts whatever they look like: 007 is no 7. A row of the wrong length is an error of Arrow's,
    unless it is ``last_row``: that is left out.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    separator = separator_of(source)
    with opened(source) as file:
        table = csv.read_csv(
            file,
            parse_options=csv.ParseOptions(
                delimiter=separator,
                invalid_row_handler=(lambda row: "skip" if row.text == last_row else "error") if last_row else None,
            ),
            # A thread of Arrow's that still has the Python file when the interpreter ends aborts the process.
            read_options=csv.ReadOptions(use_threads=False),
            convert_options=csv.ConvertOptions(column_types={name: pa.string() for name in texts}),
        )
    for place, column in enumerate(table.columns):
        if pa.types.is_string(column.type):
            kept = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
            table = table.set_column(place, table.field(place).name, kept)
    return table


def separator_of(source: Path | bytes) -> str:
    """What is between two cells of a CSV file, by its header."""
    with opened(source) as file:
        header = file.read(_FIRST).partition(b"\n")[0].decode("utf-8-sig", "replace")
    plain = _QUOTED.sub("", header)
    found = max(_SEPARATORS, key=plain.count)
    return found if "," not in plain and found in plain else ","


def read_json(source: Path | bytes) -> Any:
    """An Arrow table of JSON lines or of one JSON list of rows, also gzipped; ArrowInvalid for anything else.

    A last line that was cut off is left out.
    """
    import pyarrow as pa
    from pyarrow import json as arrow

    with opened(source) as file:
        content = file.read()
    if content.removeprefix(_MARK).lstrip().startswith(b"["):
        content = _lines(content.removeprefix(_MARK))
    end = content.rfind(b"\n") + 1
    whole = content if _is_json(content[end:]) else content[:end]
    options = arrow.ReadOptions(use_threads=False)  # as for CSV
    return arrow.read_json(pa.BufferReader(whole), read_options=options) if whole.strip() else pa.table({})


def is_json(first: bytes) -> bool:
    """Whether a file that begins so holds JSON lines or a JSON list."""
    return first.removeprefix(_MARK).lstrip().startswith((b"{", b"[{"))


def opened(source: Path | bytes) -> Any:
    """A file opened for reading bytes, unzipped where it is gzipped."""
    import gzip

    file: Any = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if zipped else file


def _lines(content: bytes) -> bytes:
    """A JSON list of rows as JSON lines."""
    import pyarrow as pa

    try:
        rows = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise pa.ArrowInvalid(f"JSON: {error}") from error
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True

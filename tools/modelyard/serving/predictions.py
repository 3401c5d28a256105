"""The prediction log: one JSON line per row, written before the answer leaves."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from modelyard.serving.tensors import Rows


class PredictionLog:
    """An append-only file. A line is whole or not there: each request is one write."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._encoder = msgspec.json.Encoder()

    def append(self, request_id: str, model: str, version: str, rows: Rows, scores: list[float]) -> None:
        """Logs the rows of one request; OSError when the disk does not take them whole."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        lines = []
        for row, score in enumerate(scores):
            entry = {
                "id": f"{request_id}/{row}",
                "row_id": rows.ids[row] if rows.ids else None,
                "time": now,
                "model": model,
                "version": version,
                "inputs": {name: values[row] for name, values in rows.sent.items()},
                "prediction": score,
            }
            lines.append(self._encoder.encode(entry))
        content = b"\n".join(lines) + b"\n"
        end = os.lseek(self._file, 0, os.SEEK_END)
        if os.write(self._file, content) != len(content):
            os.ftruncate(self._file, end)
            raise OSError(errno.ENOSPC, "the disk took only a part of it")

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

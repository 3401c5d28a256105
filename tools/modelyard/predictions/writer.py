"""The prediction log: one JSON line per request and version, written before the answer leaves.

The rows stand column by column, as the caller sent them. A line is one write, so a killed process leaves whole lines;
what the disk took only in part is cut off again, and the caller is told.
"""

from __future__ import annotations

import base64
import errno
import hmac
import os
import struct
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from modelyard.manifests.configuration import PredictionLogging
from modelyard.manifests.model import Contract

_DIGEST_BYTES = 12


class Entry(Struct, frozen=True, omit_defaults=True):
    """What one version made of one request, or of those of its rows that it answered."""

    id: str
    """The request's."""
    time: str
    """When its last byte had come, RFC 3339 in UTC."""
    version: str
    variant: str
    """champion, candidate or shadow."""
    latency_ms: float
    entities: list[Any] | None = None
    """Row → the contract's id, where the caller sent it; else the caller's entity."""
    inputs: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Column → values, one per row; numbers that came as bytes are base64 of little-endian float64."""
    scores: list[Any] = msgspec.field(default_factory=list)
    """One per row; of a multiclass model a list of one per class."""
    error: str = ""
    """Why there are no scores."""


class Privacy:
    """What of a contract's columns may be kept."""

    def __init__(self, contract: Contract, key: bytes | None) -> None:
        self._key = key
        columns = {column.name: column.personal for column in contract.inputs}
        self._dropped = {name for name, personal in columns.items() if personal == "drop"}
        self._hashed = {name for name, personal in columns.items() if personal == "hash"}
        self._id = contract.personal_id
        self.needs_key = bool(self._hashed) or self._id == "hash"
        self.asks_nothing = not (self._dropped or self._hashed or self._id != "no")

    def inputs(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The columns as they may be logged. Digests are keyed: without the key nobody can try out values."""
        kept = {name: values for name, values in inputs.items() if name not in self._dropped}
        for name in self._hashed & kept.keys():
            plain = plain_values(kept[name])
            kept[name] = [None if value is None else self._digest(value) for value in plain]
        return kept

    def entities(self, entities: list[Any] | None) -> list[Any] | None:
        """The ids as they may be logged."""
        if entities is None or self._id == "drop":
            return None
        return [self._digest(entity) for entity in entities] if self._id == "hash" else entities

    def _digest(self, value: object) -> str:
        return hmac.digest(self._key or b"", str(value).encode(), "sha256")[:_DIGEST_BYTES].hex()


def plain_values(values: Any) -> list[Any]:
    """A column as a list, whichever way it was logged."""
    if isinstance(values, msgspec.Raw):
        return list(msgspec.json.decode(values))
    if isinstance(values, str):
        values = base64.b64decode(values)
    if isinstance(values, bytes):
        numbers = (value for (value,) in struct.iter_unpack("<d", values))
        return [None if value != value else value for value in numbers]
    return list(values)


class PredictionLog:
    """One model's append-only log, cut into segments."""

    def __init__(self, folder: Path, keeping: PredictionLogging) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._keeping = folder, keeping
        self._encoder = msgspec.json.Encoder()
        self._writing = threading.Lock()  # the shadow has a thread of its own
        self._open(new=not open_segments(folder))

    def append(self, entry: Entry) -> None:
        """Logs one entry; OSError when the disk does not take it whole."""
        content = self._encoder.encode(entry) + b"\n"
        with self._writing:
            written = os.write(self._file, content)
            if written != len(content):
                os.ftruncate(self._file, self._size)
                raise OSError(errno.ENOSPC, "the disk took only a part of it")
            self._size += written

    def due(self) -> bool:
        """Whether the open segment is large or old enough to be closed."""
        old = time.monotonic() - self._since > self._keeping.segment_hours * 3600
        return self._size >= self._keeping.segment_bytes or (old and self._size > 0)

    def rotate(self) -> None:
        """Begins another segment; the one before stays as it is until it is converted."""
        with self._writing:
            os.close(self._file)
            self._open(new=True)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    def _open(self, new: bool) -> None:
        # Named by when it began, and never renamed: a reader finds every segment once, whatever is converted meanwhile.
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl" if new else open_segments(self._folder)[-1]
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        self._size = os.lseek(self._file, 0, os.SEEK_END)
        self._since = time.monotonic()
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            # The machine itself went down in a write: what is left of that line is no answer anybody got.
            os.write(self._file, b"\n")
            self._size += 1


def open_segments(folder: Path) -> list[Path]:
    """The segments that are not Parquet yet, oldest first; the newest is the one that is written to."""
    return sorted(folder.glob("[0-9]*.jsonl"))

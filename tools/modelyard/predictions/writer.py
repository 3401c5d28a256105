"""The writer of the prediction log: one JSON line per request and version, written before the answer is sent.

Rows are logged column by column, as the caller sent them. A line is one write, so a killed process leaves whole lines.
A line that the disk took only in part is removed again, and the request fails.
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

from modelyard.flavors.values import spelled_text
from modelyard.manifests.configuration import PredictionLogging
from modelyard.manifests.model import Contract

_DIGEST_BYTES = 12


class Entry(Struct, frozen=True, omit_defaults=True):
    """One request to one version, or those of its rows that the version answered."""

    id: str
    """Of the request."""
    time: str
    """When its last byte arrived, RFC 3339 in UTC."""
    version: str
    variant: str
    """champion, candidate or shadow."""
    latency_ms: float
    entities: list[Any] | None = None
    """The contract's id of each row, if the caller sent it; else the caller's entity."""
    inputs: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Column → values, one per row; numbers sent as bytes are base64 of little-endian float64."""
    scores: list[Any] = msgspec.field(default_factory=list)
    """One per row; for a multiclass model a list with one per class."""
    error: str = ""
    """Why there are no scores."""


class Privacy:
    """The rules of a contract for logging personal columns: keep, hash or drop."""

    def __init__(self, contract: Contract, key: bytes | None) -> None:
        self._key = key
        columns = {column.name: column.personal for column in contract.inputs}
        self._dropped = {name for name, personal in columns.items() if personal == "drop"}
        self._hashed = {name for name, personal in columns.items() if personal == "hash"}
        self._id = contract.personal_id
        self.needs_key = bool(self._hashed) or self._id == "hash"
        self.asks_nothing = not (self._dropped or self._hashed or self._id != "no")

    def inputs(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The columns as they may be logged. Digests are keyed, so that values cannot be guessed without the key."""
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
        return hmac.digest(self._key or b"", spelled_text(value).encode(), "sha256")[:_DIGEST_BYTES].hex()


def plain_values(values: Any) -> list[Any]:
    """A column as a list, in whichever form it was logged."""
    if isinstance(values, msgspec.Raw):
        return list(msgspec.json.decode(values))
    if isinstance(values, str):
        values = base64.b64decode(values)
    if isinstance(values, bytes):
        numbers = (value for (value,) in struct.iter_unpack("<d", values))
        return [None if value != value else value for value in numbers]
    return list(values)


class PredictionLog:
    """The append-only log of one model, in segments."""

    def __init__(self, folder: Path, keeping: PredictionLogging) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._keeping = folder, keeping
        self._encoder = msgspec.json.Encoder()
        self._writing = threading.Lock()  # the shadow logs from its own thread
        self._open(new=not open_segments(folder))

    def append(self, entry: Entry) -> None:
        """Logs one entry; an OSError when the disk does not take all of it."""
        content = self._encoder.encode(entry) + b"\n"
        with self._writing:
            written = os.write(self._file, content)
            if written != len(content):
                os.ftruncate(self._file, self._size)
                raise OSError(errno.ENOSPC, "the disk took only part of the line")
            self._size += written

    def due(self) -> bool:
        """Whether the open segment is so large or old that it is to be closed."""
        old = time.monotonic() - self._since > self._keeping.segment_hours * 3600
        return self._size >= self._keeping.segment_bytes or (old and self._size > 0)

    def rotate(self) -> None:
        """Begins another segment; the one before does not change until it is converted."""
        with self._writing:
            os.close(self._file)
            self._open(new=True)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    def _open(self, new: bool) -> None:
        # Named by its beginning and never renamed, so that a reader finds every segment once, even during conversion.
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl" if new else open_segments(self._folder)[-1]
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        self._size = os.lseek(self._file, 0, os.SEEK_END)
        self._since = time.monotonic()
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            # The machine went down during a write: the rest of that line belongs to an answer that was not sent.
            os.write(self._file, b"\n")
            self._size += 1


def open_segments(folder: Path) -> list[Path]:
    """The segments that are not converted yet, oldest first; the newest is the one being written."""
    return sorted(folder.glob("[0-9]*.jsonl"))

"""FlatBuffers read without a schema, in strict bounds: tables, and vectors of numbers or tables."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .unsound import Unsound

_MOST_TABLES = 10_000_000


@dataclass(frozen=True)
class Table:
    """One table in a buffer."""

    content: bytes
    at: int

    @classmethod
    def root(cls, content: bytes) -> Table:
        """The table that a buffer begins with."""
        return cls(content, _number(content, "<I", 0))

    def number(self, field: int, kind: str, missing: int) -> int:
        """A number; ``missing`` where the table does not have it. ``kind`` is of ``struct``, such as <i."""
        place = self._place(field)
        return _number(self.content, kind, place) if place else missing

    def table(self, field: int) -> Table | None:
        """A table in the table; None without one."""
        place = self._place(field)
        return Table(self.content, place + _number(self.content, "<I", place)) if place else None

    def numbers(self, field: int, kind: str) -> NDArray[Any]:
        """A vector of numbers, empty without one. ``kind`` is of NumPy, such as <i4."""
        start, count = self._vector(field)
        size = count * np.dtype(kind).itemsize
        if start + size > len(self.content):
            raise Unsound("a list leads outside of the file")
        return np.frombuffer(self.content[start : start + size], kind)

    def tables(self, field: int) -> list[Table]:
        """A vector of tables, empty without one."""
        start, count = self._vector(field)
        if count > _MOST_TABLES or start + 4 * count > len(self.content):
            raise Unsound("a list leads outside of the file")
        places = range(start, start + 4 * count, 4)
        return [Table(self.content, place + _number(self.content, "<I", place)) for place in places]

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._place(field)
        if not place:
            return 0, 0
        start = place + _number(self.content, "<I", place)
        return start + 4, _number(self.content, "<I", start)

    def _place(self, field: int) -> int:
        """Where a field is; 0 where the table does not have it."""
        listed = self.at - _number(self.content, "<i", self.at)
        if 4 + 2 * field >= _number(self.content, "<H", listed):
            return 0
        offset = _number(self.content, "<H", listed + 4 + 2 * field)
        return self.at + offset if offset else 0


def _number(content: bytes, kind: str, at: int) -> int:
    if not 0 <= at <= len(content) - struct.calcsize(kind):
        raise Unsound("it leads outside of itself")
    return int(struct.unpack_from(kind, content, at)[0])

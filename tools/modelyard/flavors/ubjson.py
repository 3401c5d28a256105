"""The part of UBJSON that XGBoost writes, read in strict bounds.

Keys and lengths are of type L. An array gives its length first; one with a type is a NumPy array. Everything else that
UBJSON knows is refused, so that no reader sees another document than this one.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from .unsound import Unsound

_INTEGERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8"}
_FLOATS = {b"d": ">f4", b"D": ">f8"}
_TYPES = {kind: np.dtype(name) for kind, name in (_INTEGERS | _FLOATS).items()}
_DEEPEST, _LONGEST_KEY = 16, 200
_LENGTH = struct.Struct(">q")


def read_ubjson(content: bytes) -> dict[str, Any]:
    """The object in the bytes: objects, lists, texts, numbers and NumPy arrays. Unsound where it is anything else."""
    reader = _Reader(content)
    found = reader.value(0)
    if not isinstance(found, dict) or reader.at != len(content):
        raise Unsound("it is not one object and nothing after it")
    return found


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content, self.at = content, 0

    def value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise Unsound(f"it is nested deeper than {_DEEPEST} levels")
        kind = self._take(1)
        if kind == b"{":
            return self._object(depth)
        if kind == b"[":
            return self._array(depth)
        if kind == b"S":
            return self._text(self._length())
        if kind in _TYPES:
            found = np.frombuffer(self._take(_TYPES[kind].itemsize), _TYPES[kind])[0]
            return int(found) if kind in _INTEGERS else float(found)
        if kind in (b"T", b"F"):
            return kind == b"T"
        raise Unsound(f"byte {self.at - 1} is {kind!r}, which XGBoost does not write there")

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._content[self.at : self.at + 1] != b"}":
            size = self._length()
            if size > _LONGEST_KEY:
                raise Unsound(f"it has a name of {size} bytes")
            name = self._text(size)
            if name in found:
                raise Unsound(f"it has {name!r} twice in one object")
            found[name] = self.value(depth + 1)
        self.at += 1
        return found

    def _array(self, depth: int) -> Any:
        mark = self._take(1)
        if mark == b"#":
            count = self._length()
            return [self.value(depth + 1) for _ in range(count)]  # ends with the bytes: each value takes one or more
        if mark != b"$":
            raise Unsound(f"byte {self.at - 1} begins an array that does not give its length")
        kind = self._take(1)
        if kind not in _TYPES or self._take(1) != b"#":
            raise Unsound(f"byte {self.at - 1} begins an array of a type that XGBoost does not write")
        count = self._length()
        return np.frombuffer(self._take(count * _TYPES[kind].itemsize), _TYPES[kind])

    def _length(self) -> int:
        if self._take(1) != b"L":
            raise Unsound(f"byte {self.at - 1} is not the type of a length")
        (found,) = _LENGTH.unpack(self._take(8))
        if not 0 <= found <= len(self._content):
            raise Unsound(f"byte {self.at - 8} gives a length of {found}")
        return int(found)

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise Unsound(f"byte {self.at - size} begins a text that is not UTF-8") from None

    def _take(self, size: int) -> bytes:
        found = self._content[self.at : self.at + size]
        if len(found) != size:
            raise Unsound("it is cut off")
        self.at += size
        return found

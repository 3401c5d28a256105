"""Protocol Buffers read without a schema: the fields of one message, in strict bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .unsound import Unsound

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


@dataclass(frozen=True)
class Message:
    """One message: field number → its values in order, numbers as int and everything else as bytes."""

    fields: dict[int, list[int | bytes]]

    @classmethod
    def of(cls, content: bytes) -> Message:
        """The message in the bytes; Unsound where they are none."""
        found: dict[int, list[int | bytes]] = {}
        at = 0
        while at < len(content):
            key, at = _varint(content, at)
            number, kind = key >> 3, key & 7
            value: int | bytes
            if kind == _VARINT:
                value, at = _varint(content, at)
            else:
                size = 8 if kind == _EIGHT else 4
                if kind == _BYTES:
                    size, at = _varint(content, at)
                elif kind not in (_EIGHT, _FOUR):
                    raise Unsound(f"a message has a field of the type {kind}, which is not used any more")
                value, at = content[at : at + size], at + size
                if at > len(content):
                    raise Unsound("a message is cut off")
            found.setdefault(number, []).append(value)
        return cls(found)

    def texts(self, number: int) -> list[bytes]:
        """The values of a field of bytes, text or messages; Unsound if it holds numbers."""
        found = self.fields.get(number, [])
        if not all(isinstance(value, bytes) for value in found):
            raise Unsound(f"a message has numbers in field {number}")
        return found  # type: ignore[return-value]

    def text(self, number: int) -> bytes:
        """The one value of such a field, b'' without one; Unsound for several, of which readers take one or all."""
        found = self.texts(number)
        if len(found) > 1:
            raise Unsound(f"a message has field {number} twice")
        return found[0] if found else b""

    def messages(self, number: int) -> Iterator[Message]:
        """The messages in a field."""
        return map(Message.of, self.texts(number))

    def numbers(self, number: int) -> list[int]:
        """The whole numbers of a field, packed or not."""
        found = []
        for value in self.fields.get(number, []):
            if isinstance(value, int):
                found.append(value)
                continue
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                found.append(one)
        return found


def _varint(content: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        if at >= len(content) or shift > 63:
            raise Unsound("a message is cut off")
        byte = content[at]
        found |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return found & (2**64 - 1), at

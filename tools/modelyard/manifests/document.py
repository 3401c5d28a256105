"""YAML of an untrusted author as plain values, with the line of every field; faults as data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct, field

from modelyard.errors import ModelyardError

MAXIMUM_BYTES = 1_000_000
MAXIMUM_DEPTH = 40
MAXIMUM_NODES = 100_000
"""Values in a file with aliases, each alias written out."""
FieldPath = tuple[str | int, ...]
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")

_CONSTANTS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip

Fault = tuple[FieldPath, str, str]
"""The field, what is wrong with it, what to do."""


class Problem(Struct, frozen=True, order=True):
    """One fault: file, line and field; what is wrong; what to do."""

    file: str
    line: int
    field: str
    what: str
    remedy: str

    def __str__(self) -> str:
        name = f" {self.field}" if self.field else ""
        return f"{self.file}:{self.line}:{name} {self.what} {self.remedy}"


class ManifestErrors(ModelyardError):
    """One or more manifests cannot be used."""

    def __init__(self, problems: list[Problem]) -> None:
        first = problems[0]
        name = f" {first.field}" if first.field else ""
        more = len(problems) - 1
        rest = f" ({more} more: run modelyard validate.)" if more else ""
        super().__init__(f"{first.file}:{first.line}:{name} {first.what}", first.remedy + rest)
        self.problems = problems


class Document(Struct, frozen=True):
    """One parsed file: its value, and the line of each field, from 1."""

    file: str
    value: Any
    lines: dict[FieldPath, int] = field(default_factory=dict)
    content: bytes = b""

    def line(self, path: FieldPath) -> int:
        """The line of a field, or of its nearest parent in the file."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 1


def read_document(root: Path, file: str, *, aliases: bool = False) -> Document:
    """The parsed file ``root/file``, as ``parse_document`` reads it; ManifestErrors when it cannot be read."""
    path = root / file
    try:
        size = path.stat().st_size
        if size > MAXIMUM_BYTES:
            raise _too_large(file, size)
        return parse_document(path.read_bytes(), file, aliases=aliases)
    except OSError as error:
        raise ManifestErrors(
            [Problem(file, 1, "", f"cannot be read: {error.strerror}", "Check that the file is there and readable.")]
        ) from error


def parse_document(content: bytes, file: str, *, aliases: bool = False) -> Document:
    """The document in YAML or JSON bytes. Errors show the name ``file``.

    No alias, anchor or tag is read: with them a small file can become a large value, or an object. ``aliases`` reads
    anchors, aliases and merge keys, as DVC does in its files, up to the size of ``MAXIMUM_NODES``.
    """
    if len(content) > MAXIMUM_BYTES:
        raise _too_large(file, len(content))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = content.decode("utf-8")
        return _Builder(file, yaml.parse(text, Loader=loader), aliases).document(content)
    except RecursionError as error:
        raise ManifestErrors([Problem(file, 1, "", "is nested too deeply.", "Write it with fewer levels.")]) from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ManifestErrors([Problem(file, line, "", "is not UTF-8 text.", "Save the file as UTF-8.")]) from error
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        what = (getattr(error, "problem", None) or str(error)).splitlines()[0]
        line = mark.line + 1 if mark else 1
        lines = content.split(b"\n")
        tabbed = line <= len(lines) and b"\t" in lines[line - 1]
        remedy = "Indent with spaces instead of tabs." if tabbed else "Correct the YAML on that line."
        raise ManifestErrors([Problem(file, line, "", f"is not valid YAML: {what}.", remedy)]) from error


def field_name(path: FieldPath) -> str:
    """A field path in dotted form: ``contract.inputs[2].type``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Builder:
    def __init__(self, file: str, events: Iterator[Any], aliases: bool = False) -> None:
        self._file = file
        self._events = events
        self._aliases = aliases
        self._anchored: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._lines: dict[FieldPath, int] = {}

    def document(self, content: bytes) -> Document:
        value: Any = None
        seen = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise self._error(
                        event, (), "contains more than one YAML document.", "Keep one document in each file."
                    )
                seen = True
                value = self._value(next(self._events), (), 0)
        return Document(self._file, value, self._lines, content)

    def _value(self, event: Any, path: FieldPath, depth: int) -> Any:
        self._lines.setdefault(path, self._line(event))
        if depth > MAXIMUM_DEPTH:
            raise self._error(event, path[:3], f"is nested deeper than {MAXIMUM_DEPTH} levels.", "Flatten the file.")
        self._nodes += 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            if self._aliases:
                return self._anchor(event, path, depth)
            raise self._error(
                event, path, "uses a YAML anchor or alias.", "Write the value in full; aliases are not supported."
            )
        return self._plain(event, path, depth)

    def _anchor(self, event: Any, path: FieldPath, depth: int) -> Any:
        """The value that an alias names, or the value that gets a name."""
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchored:
                raise self._error(event, path, f"uses the unknown alias *{event.anchor}.", "Define the anchor first.")
            value, nodes = self._anchored[event.anchor]
            self._nodes += nodes
            if self._nodes > MAXIMUM_NODES:
                what = f"has more than {MAXIMUM_NODES:,} values when its aliases are written out."
                raise self._error(event, path, what, "Use fewer aliases.")
            return value
        before = self._nodes
        value = self._plain(event, path, depth)
        self._anchored[event.anchor] = value, self._nodes - before + 1
        return value

    def _plain(self, event: Any, path: FieldPath, depth: int) -> Any:
        if getattr(event, "tag", None):
            raise self._error(event, path, f"uses the YAML tag {event.tag}.", "Remove the tag; tags are not supported.")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _sequence(self, path: FieldPath, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), depth + 1))
        return items

    def _mapping(self, path: FieldPath, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error(event, path, "has a key that is not plain text.", "Use a word as the key.")
            key = event.value
            if self._aliases and key == "<<" and event.implicit[0]:
                merged |= self._merged(event, path, depth)
                continue
            if key in values:
                first = self._lines[(*path, key)]
                raise self._error(
                    event, (*path, key), f"is given twice (first on line {first}).", "Keep one of the two."
                )
            self._lines[(*path, key)] = self._line(event)
            values[key] = self._value(next(self._events), (*path, key), depth + 1)
        return merged | values if merged else values

    def _merged(self, event: Any, path: FieldPath, depth: int) -> dict[str, Any]:
        """What a merge key adds: of several mappings, the first that has a key counts."""
        value = self._value(next(self._events), (*path, "<<"), depth + 1)
        found: dict[str, Any] = {}
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                raise self._error(event, path, "merges a value that is not a mapping.", "Name a mapping after <<.")
            found = one | found
        return found

    @staticmethod
    def _line(event: Any) -> int:
        return int(event.start_mark.line) + 1

    def _error(self, event: Any, path: FieldPath, what: str, remedy: str) -> ManifestErrors:
        return ManifestErrors([Problem(self._file, self._line(event), field_name(path), what, remedy)])


def _scalar(event: Any) -> Any:
    text: str = event.value
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.match(text) and len(text) <= 18:
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def _too_large(file: str, size: int) -> ManifestErrors:
    what = f"has {size:,} bytes; a manifest may have {MAXIMUM_BYTES:,}."
    return ManifestErrors([Problem(file, 1, "", what, "Move large values out of the manifest.")])

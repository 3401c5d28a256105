"""The contents of ``dvc.yaml``, ``dvc.lock`` and ``*.dvc`` files, read without loading DVC."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelyard.manifests.document import ManifestErrors, Problem, parse_document

_TEMPLATE = re.compile(r"\$\{\s*([^}]+?)\s*\}")


@dataclass(frozen=True)
class Pipeline:
    """The files that a ``dvc.yaml`` names, as paths from the repository's root."""

    reads: frozenset[str]
    writes: frozenset[str]


@dataclass(frozen=True)
class LockedFile:
    """One entry of ``dvc.lock``: a path from the repository's root, its md5, and its size in bytes."""

    path: str
    md5: str
    size: int


@dataclass(frozen=True)
class Lock:
    """The contents of ``dvc.lock``: inputs from outside the pipeline, outputs, and parameter values."""

    inputs: tuple[LockedFile, ...]
    outputs: tuple[LockedFile, ...]
    params: dict[str, Any]

    def data(self, model: str) -> tuple[LockedFile, ...]:
        """The inputs outside the model's own folder: its data, without its code."""
        return tuple(entry for entry in self.inputs if not entry.path.startswith(f"models/{model}/"))

    def output(self, path: str) -> LockedFile | None:
        """The locked output at a path from the repository's root."""
        return next((entry for entry in self.outputs if entry.path == path), None)


def is_import(content: bytes, file: str) -> bool:
    """Whether a ``.dvc`` file has a source outside the repository, which ``dvc update`` reads again."""
    document = parse_document(content, file).value
    return isinstance(document, dict) and bool(document.get("deps"))


def read_pipeline(content: bytes, file: str, variables: dict[str, Any] | None = None) -> Pipeline:
    """The files that the ``dvc.yaml`` at ``file`` reads and writes.

    ``${name}`` is filled from ``variables`` (the parsed params.yaml). A path with a template that cannot be filled is
    cut before it, so that a change below the remaining folder still counts. ManifestErrors when a stage is not
    a mapping.
    """
    document = _mapping(parse_document(content, file).value, file)
    folder = posixpath.dirname(file)
    values = dict(variables or {})
    for extra in _items(document.get("vars")):
        if isinstance(extra, dict):
            values |= extra
    reads: set[str] = set()
    writes: set[str] = set()
    for name, stage in _mapping(document.get("stages"), file, "stages").items():
        body = _mapping(stage, file, f"stages.{name}")
        inner = _mapping(body.get("do", body), file, f"stages.{name}.do")
        base = _join(folder, _fill(str(inner.get("wdir", ".")), values))
        reads |= {_join(base, _fill(path, values)) for path in _paths(inner.get("deps"))}
        reads |= {_join(base, path) for path in _param_files(inner.get("params"))}
        for key in ("outs", "metrics", "plots"):
            writes |= {_join(base, _fill(path, values)) for path in _paths(inner.get(key))}
    return Pipeline(frozenset(reads), frozenset(writes))


def read_lock(content: bytes, file: str) -> Lock:
    """The contents of the ``dvc.lock`` at ``file``; ManifestErrors when they are not those of a lock."""
    document = _mapping(parse_document(content, file).value, file)
    folder = posixpath.dirname(file)
    deps: dict[str, LockedFile] = {}
    outs: dict[str, LockedFile] = {}
    params: dict[str, Any] = {}
    for name, entries in _mapping(document.get("stages"), file, "stages").items():
        stage = _mapping(entries, file, f"stages.{name}")
        for key, into in (("deps", deps), ("outs", outs)):
            for entry in _items(stage.get(key)):
                locked = _locked(entry, folder, file, f"stages.{name}.{key}")
                into[locked.path] = locked
        for values in _mapping(stage.get("params"), file, f"stages.{name}.params").values():
            params |= _mapping(values, file, f"stages.{name}.params")
    inputs = tuple(deps[path] for path in sorted(deps) if path not in outs)
    return Lock(inputs, tuple(outs[path] for path in sorted(outs)), params)


def pointer_outputs(content: bytes, file: str) -> tuple[LockedFile, ...]:
    """The data files that the ``.dvc`` pointer at ``file`` names; ManifestErrors when it is not a pointer."""
    document = _mapping(parse_document(content, file).value, file)
    base = _join(posixpath.dirname(file), str(document.get("wdir", ".")))
    return tuple(_locked(entry, base, file, "outs") for entry in _items(document.get("outs")))


def _mapping(value: Any, file: str, field: str = "") -> dict[str, Any]:
    """A mapping; an empty one for a missing value."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _fault(file, field, "is not a mapping.")
    return value


def _locked(entry: Any, base: str, file: str, field: str) -> LockedFile:
    values = _mapping(entry, file, field)
    size = values.get("size") or 0
    if not isinstance(values.get("path"), str) or not isinstance(size, int):
        raise _fault(file, field, "has an entry without a valid path and size.")
    return LockedFile(_join(base, values["path"]), str(values.get("md5", "")), size)


def _fault(file: str, field: str, what: str) -> ManifestErrors:
    return ManifestErrors([Problem(file, 1, field, what, "Correct the file, or let DVC write it again.")])


def _paths(entries: Any) -> Iterator[str]:
    for entry in _items(entries):
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            yield from (str(path) for path in entry)


def _param_files(entries: Any) -> Iterator[str]:
    for entry in _items(entries):
        if isinstance(entry, str):
            yield "params.yaml"
        elif isinstance(entry, dict):
            yield from (str(path) for path in entry)


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _fill(text: str, values: dict[str, Any]) -> str:
    def one(found: re.Match[str]) -> str:
        value: Any = values
        for part in found.group(1).split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return found.group(0) if value is None else str(value)

    filled = _TEMPLATE.sub(one, text)
    return posixpath.dirname(filled.split("${")[0]) or "." if "${" in filled else filled


def _join(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))

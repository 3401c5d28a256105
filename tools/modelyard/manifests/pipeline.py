"""The contents of ``dvc.yaml``, ``dvc.lock`` and ``*.dvc`` files, read without loading DVC."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelyard.manifests.document import parse_document

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
    cut before it, so that a change below the remaining folder still counts.
    """
    document = parse_document(content, file).value or {}
    folder = posixpath.dirname(file)
    values = dict(variables or {})
    for extra in _items(document.get("vars")):
        if isinstance(extra, dict):
            values |= extra
    reads: set[str] = set()
    writes: set[str] = set()
    stages = document.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        bodies = [stage] if isinstance(stage, dict) else []
        for body in bodies:
            inner = body.get("do", body)
            if not isinstance(inner, dict):
                continue
            base = _join(folder, _fill(str(inner.get("wdir", ".")), values))
            reads |= {_join(base, _fill(path, values)) for path in _paths(inner.get("deps"))}
            reads |= {_join(base, path) for path in _param_files(inner.get("params"))}
            for key in ("outs", "metrics", "plots"):
                writes |= {_join(base, _fill(path, values)) for path in _paths(inner.get(key))}
    return Pipeline(frozenset(reads), frozenset(writes))


def read_lock(content: bytes, file: str) -> Lock:
    """The contents of the ``dvc.lock`` at ``file``."""
    document = parse_document(content, file).value or {}
    folder = posixpath.dirname(file)
    deps: dict[str, LockedFile] = {}
    outs: dict[str, LockedFile] = {}
    params: dict[str, Any] = {}
    stages = document.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        for key, into in (("deps", deps), ("outs", outs)):
            for entry in _items(stage.get(key)):
                path = _join(folder, str(entry.get("path")))
                into[path] = LockedFile(path, str(entry.get("md5", "")), int(entry.get("size", 0) or 0))
        for values in (stage.get("params") or {}).values():
            params |= values
    inputs = tuple(deps[path] for path in sorted(deps) if path not in outs)
    return Lock(inputs, tuple(outs[path] for path in sorted(outs)), params)


def pointer_outputs(content: bytes, file: str) -> tuple[LockedFile, ...]:
    """The data files that the ``.dvc`` pointer at ``file`` names."""
    document = parse_document(content, file).value or {}
    base = _join(posixpath.dirname(file), str(document.get("wdir", ".")))
    return tuple(
        LockedFile(_join(base, str(entry.get("path"))), str(entry.get("md5", "")), int(entry.get("size", 0) or 0))
        for entry in _items(document.get("outs"))
    )


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

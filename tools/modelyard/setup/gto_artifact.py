"""The artifact behind a tag of GTO, as the files of its commit declare it: ``dvc.yaml``, ``dvc.lock``, ``*.dvc``."""

from __future__ import annotations

import json
import math
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from modelyard.documents import one_line
from modelyard.errors import ModelyardError
from modelyard.git import Git
from modelyard.manifests.document import MAXIMUM_BYTES, parse_document
from modelyard.manifests.pipeline import Lock, LockedFile, pointer_outputs, read_lock

_DECLARED = "dvc.yaml"
_OLD = "artifacts.yaml"
"""Where GTO kept artifacts before they went into dvc.yaml."""
_MOST = 300
"""Names of one kind in one version."""


@dataclass(frozen=True)
class CommittedArtifact:
    """What a commit says about an artifact. Texts are made safe to show."""

    declared: str = ""
    """The file that declares it; '' for none."""
    path: str = ""
    """From the repository's root."""
    type: str = ""
    description: str = ""
    labels: tuple[str, ...] = ()
    stored: str = ""
    """``dvc`` or ``git``; '' where neither has it."""
    out: str = ""
    """DVC's output that has it: the path itself, or a folder above it."""
    md5: str = ""
    """DVC's md5 of that output."""
    size: int = 0
    """Bytes of that output, where DVC says it."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Path → md5 of the data that ``dvc.lock`` pins beside it."""
    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    """Numbers in the committed metric files: somebody's own, on rows that nobody here knows."""
    unknown: tuple[str, ...] = ()


NOTHING_KNOWN = CommittedArtifact()


class CommittedArtifacts:
    """The artifacts that commits of one repository declare; each commit is read once."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._known: dict[tuple[str, str], CommittedArtifact] = {}

    def at(self, commit: str, name: str) -> CommittedArtifact:
        """What a commit says about an artifact. A file that cannot be read says nothing, and no artifact is loaded."""
        if (commit, name) not in self._known:
            self._known[commit, name] = self._read(commit, name)
        return self._known[commit, name]

    def _read(self, commit: str, name: str) -> CommittedArtifact:
        declared, entry = self._entry(commit, name)
        path = _path(entry.get("path"))
        if not path:
            return CommittedArtifact(
                declared=declared, unknown=("the path of the artifact", "its data, params, metrics")
            )
        metrics = self._metrics(commit)
        unknown = ["whether the metric files of the commit are about it" if metrics else "its metrics"]
        out, lock = self._out(commit, path)
        tracked = self._git.files_at(commit, f":(literal){path}") if out is None else {}
        if out is None and not tracked:
            unknown.append("where the artifact is stored")
        if lock is None:
            unknown.append("its data and params")
        else:
            unknown.append("which of the data and params of dvc.lock it was made of")
        inputs = self._data(commit, lock) if lock else {}
        labels = entry.get("labels")
        return CommittedArtifact(
            declared=declared,
            path=one_line(path),
            type=one_line(str(entry.get("type") or "")),
            description=one_line(str(entry.get("desc") or entry.get("description") or "")),
            labels=tuple(one_line(str(label)) for label in labels[:_MOST]) if isinstance(labels, list) else (),
            stored="dvc" if out else "git" if tracked else "",
            out=one_line(out.path) if out else "",
            md5=one_line(out.md5) if out else "",
            size=out.size if out else 0,
            inputs=inputs,
            params={one_line(str(key)): _value(value) for key, value in [*lock.params.items()][:_MOST]} if lock else {},
            metrics=metrics,
            unknown=tuple(unknown),
        )

    def _entry(self, commit: str, name: str) -> tuple[str, dict[str, Any]]:
        """The file that declares an artifact and its entry; ('', {}) for none."""
        for file in (_DECLARED, _OLD):
            document = self._mapping(commit, file)
            artifacts = document.get("artifacts") if file == _DECLARED else document
            entry = artifacts.get(name) if isinstance(artifacts, dict) else None
            if isinstance(entry, dict):
                return file, entry
        return "", {}

    def _out(self, commit: str, path: str) -> tuple[LockedFile | None, Lock | None]:
        """DVC's output that is or holds a path, and the lock that names it; None where a pointer does, or nothing."""
        read = partial(self._git.file_at, commit)
        for place in _upwards(path):
            if (content := read(f"{place}.dvc")) is not None:
                for out in self._outputs(content, f"{place}.dvc"):
                    if _holds(out.path, path):
                        return out, None
            file = posixpath.join(posixpath.dirname(place), "dvc.lock")
            if (content := read(file)) is not None:
                try:
                    lock = read_lock(content, file, read)
                except ModelyardError:
                    continue
                if found := next((out for out in lock.outputs if _holds(out.path, path)), None):
                    return found, lock
        return None, None

    def _outputs(self, content: bytes, file: str) -> tuple[LockedFile, ...]:
        try:
            return pointer_outputs(content, file)
        except ModelyardError:
            return ()

    def _data(self, commit: str, lock: Lock) -> dict[str, str]:
        """The inputs that git does not have: data, without code."""
        inputs = {entry.path: entry.md5 for entry in lock.inputs if entry.md5 and not entry.path.startswith("..")}
        tracked = self._git.files_at(commit, *(f":(literal){path}" for path in inputs)) if inputs else {}
        kept = [path for path in inputs if not any(_holds(path, file) for file in tracked)]
        return {one_line(path): one_line(inputs[path]) for path in kept[:_MOST]}

    def _metrics(self, commit: str) -> dict[str, float]:
        """Numbers of the metric files that git has; a name that two files give is left out."""
        document = self._mapping(commit, _DECLARED)
        stages = document.get("stages")
        bodies = [body for body in stages.values() if isinstance(body, dict)] if isinstance(stages, dict) else []
        paths = {path for one in (document, *bodies) for path in _files(one.get("metrics"))}
        found: dict[str, float] = {}
        twice: set[str] = set()
        for path in sorted(paths)[:_MOST]:
            for key, value in _numbers(self._git.file_at(commit, path) or b""):
                twice |= {key} & found.keys()
                found[key] = value
        kept = [key for key in found if key not in twice]
        return {key: found[key] for key in kept[:_MOST]}

    def _mapping(self, commit: str, file: str) -> dict[str, Any]:
        content = self._git.file_at(commit, file)
        try:
            value = parse_document(content, file, aliases=True).value if content is not None else None
        except ModelyardError:
            return {}
        return value if isinstance(value, dict) else {}


def _path(value: Any) -> str:
    """A path below the repository's root; '' for any other."""
    path = posixpath.normpath(value) if isinstance(value, str) and value and value.isprintable() else ""
    return "" if path in (".", "..") or path.startswith(("/", "../")) or len(path) > _MOST else path


def _upwards(path: str) -> Iterator[str]:
    while path:
        yield path
        path = posixpath.dirname(path)


def _holds(out: str, path: str) -> bool:
    return out == path or path.startswith(f"{out}/")


def _files(entries: Any) -> Iterator[str]:
    for entry in entries if isinstance(entries, list) else [entries]:
        for path in [entry] if isinstance(entry, str) else entry if isinstance(entry, dict) else ():
            if isinstance(path, str) and path.endswith(".json") and (safe := _path(path)):
                yield safe


def _numbers(content: bytes) -> Iterator[tuple[str, float]]:
    """The finite numbers of a JSON file with dotted names; nothing of a file that is too large or not JSON."""
    if len(content) > MAXIMUM_BYTES:
        return
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return
    waiting = [("", value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict) and name.count(".") < 10:
            waiting += [(f"{name}.{key}" if name else str(key), inner) for key, inner in value.items()]
        elif name and isinstance(value, (int, float)) and not isinstance(value, bool) and _finite(value):
            yield one_line(name), float(value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _value(value: Any) -> Any:
    """A parameter as it is where it is a number or a truth value, and as a safe text otherwise."""
    if isinstance(value, int):
        small = value.bit_length() < 54  # larger ones are exact in no JSON reader
        return value if small else "a large number"
    return value if isinstance(value, float) and _finite(value) else one_line(str(value))

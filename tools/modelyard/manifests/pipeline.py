"""The contents of ``dvc.yaml``, ``dvc.lock`` and ``*.dvc`` files, read without loading DVC."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelyard.manifests.document import ManifestErrors, Problem, parse_document
from modelyard.manifests.templates import (
    OpenFile,
    Values,
    file_values,
    filled,
    has_template,
    iterations,
    variable_files,
    variables,
)

_PARAMS = "params.yaml"


def no_file(path: str) -> bytes | None:
    """No content for any path."""
    return None


@dataclass(frozen=True)
class Stage:
    """One stage of a ``dvc.yaml`` or one ``.dvc`` file, with paths from the repository's root; ``.`` is any path."""

    name: str
    reads: frozenset[str]
    writes: frozenset[str]
    definition: Any = None
    """What stands in the file about it: two stages with the same one differ only in what they read."""
    folder: str | None = None
    """The folder that its paths in ``dvc.lock`` start from; None when its iterations have several."""


@dataclass(frozen=True)
class Pipeline:
    """The stages of a ``dvc.yaml``."""

    stages: tuple[Stage, ...]

    @property
    def reads(self) -> frozenset[str]:
        """Every path that a stage reads."""
        return frozenset().union(*(stage.reads for stage in self.stages))

    @property
    def writes(self) -> frozenset[str]:
        """Every path that a stage writes."""
        return frozenset().union(*(stage.writes for stage in self.stages))


@dataclass(frozen=True)
class LockedFile:
    """One entry of ``dvc.lock``: a path from the repository's root, its md5, and its size in bytes."""

    path: str
    md5: str
    size: int


@dataclass(frozen=True)
class Lock:
    """The contents of ``dvc.lock``: inputs from outside the pipeline, outputs, and parameter values.

    A parameter of another file than params.yaml is named with the file: ``shared/tuning.yaml:lr``.
    """

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
    document = parse_document(content, file, aliases=True).value
    return isinstance(document, dict) and bool(document.get("deps"))


def read_pipeline(content: bytes, file: str, read: OpenFile = no_file) -> Pipeline:
    """The stages of the ``dvc.yaml`` at ``file``, and its data sets (``ds://name``).

    Templates are filled from params.yaml and the section ``vars``, whose files come from ``read``, and a stage with a
    template reads those files too. A path that cannot be filled is ``.``. ManifestErrors when a stage is not a mapping.
    """
    document = _mapping(parse_document(content, file, aliases=True).value, file)
    folder = posixpath.dirname(file)
    texts = document.get("vars")
    default = _join(folder, _PARAMS)
    files = frozenset({default, *variable_files(texts, folder)})
    values = variables(texts, folder, read, file_values(default, read)) if has_template(document) else {}
    stages = []
    for name, stage in _mapping(document.get("stages"), file, "stages").items():
        body = _mapping(stage, file, f"stages.{name}")
        inner = _mapping(body["do"], file, f"stages.{name}.do") if "do" in body else body
        templated = has_template(body)
        reads: set[str] = set(files) if templated else set()
        writes: set[str] = set()
        bases: set[str | None] = set()
        for known in iterations(body, values):
            base = _placed(folder, inner.get("wdir") or ".", known)
            bases.add(base)
            if base is None:  # the stage may work anywhere
                reads, writes = {"."}, {"."}
                break
            reads |= {*variable_files(inner.get("vars"), base)} if templated else set()
            known = variables(inner.get("vars"), base, read, known) if inner.get("vars") else known
            sources = (*_paths(inner.get("deps")), *_param_files(inner))
            targets = [path for key in ("outs", "metrics", "plots") for path in _paths(inner.get(key))]
            reads |= {_placed(base, path, known) or "." for path in sources}
            writes |= {_placed(base, path, known) or "." for path in targets}
        definition = (body, texts) if templated else body
        base = bases.pop() if len(bases) == 1 else None
        stages.append(Stage(str(name), frozenset(reads), frozenset(writes), definition, base))
    for entry in _items(document.get("datasets")):
        name = str(_mapping(entry, file, "datasets").get("name"))
        stages.append(Stage(f"ds://{name}", frozenset(), frozenset({f"ds://{name}"}), entry))
    return Pipeline(tuple(stages))


def read_pointer(content: bytes, file: str) -> Stage:
    """The stage of the ``.dvc`` file at ``file``: data that is added, or imported and then read from its source.

    ManifestErrors when it is not such a file.
    """
    document = _mapping(parse_document(content, file, aliases=True).value, file)
    base = _join(posixpath.dirname(file), str(document.get("wdir") or "."))
    sources = [_mapping(entry, file, "deps") for entry in _items(document.get("deps"))]
    reads = {_join(base, str(entry["path"])) for entry in sources if "path" in entry and "repo" not in entry}
    outs = frozenset(entry.path for entry in pointer_outputs(content, file))
    return Stage(file, frozenset(reads), outs, document)


def locked_stages(content: bytes, file: str) -> dict[str, Any]:
    """Stage (``ds://name`` for a data set) → its entries in the ``dvc.lock`` at ``file``.

    The stages that one ``foreach`` makes are entries of it. ManifestErrors when it is no lock.
    """
    document = _mapping(parse_document(content, file, aliases=True).value, file)
    found: dict[str, Any] = {}
    for name, entry in _mapping(document.get("stages"), file, "stages").items():
        found.setdefault(str(name).partition("@")[0], {})[name] = entry
    for entry in _items(document.get("datasets")):
        found[f"ds://{_mapping(entry, file, 'datasets').get('name')}"] = entry
    return found


def read_lock(content: bytes, file: str, read: OpenFile = no_file) -> Lock:
    """The contents of the ``dvc.lock`` at ``file``; ManifestErrors when they are not those of a lock.

    ``read`` gives the ``dvc.yaml`` beside it, for a lock does not say in which folder (``wdir``) a stage works.
    """
    document = _mapping(parse_document(content, file, aliases=True).value, file)
    own = posixpath.dirname(file)
    folders = _stage_folders(_join(own, "dvc.yaml"), read)
    deps: dict[str, LockedFile] = {}
    outs: dict[str, LockedFile] = {}
    params: dict[str, Any] = {}
    for name, entries in _mapping(document.get("stages"), file, "stages").items():
        stage = _mapping(entries, file, f"stages.{name}")
        folder = folders.get(str(name).partition("@")[0]) or own
        for key, into in (("deps", deps), ("outs", outs)):
            for entry in _items(stage.get(key)):
                locked = _locked(entry, folder, file, f"stages.{name}.{key}")
                into[locked.path] = locked
        for source, values in _mapping(stage.get("params"), file, f"stages.{name}.params").items():
            named = _mapping(values, file, f"stages.{name}.params")
            prefix = "" if source == _PARAMS else f"{_short(_join(folder, source), own)}:"
            params |= {f"{prefix}{key}": value for key, value in named.items()}
    inputs = tuple(deps[path] for path in sorted(deps) if path not in outs)
    return Lock(inputs, tuple(outs[path] for path in sorted(outs)), params)


def pointer_outputs(content: bytes, file: str) -> tuple[LockedFile, ...]:
    """The data files that the ``.dvc`` pointer at ``file`` names; ManifestErrors when it is not a pointer."""
    document = _mapping(parse_document(content, file, aliases=True).value, file)
    base = _join(posixpath.dirname(file), str(document.get("wdir") or "."))
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


def _param_files(stage: dict[str, Any]) -> Iterator[str]:
    for entry in _items(stage.get("params")):
        if isinstance(entry, str):
            yield _PARAMS
        elif isinstance(entry, dict):
            yield from (str(path) for path in entry)


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _stage_folders(file: str, read: OpenFile) -> dict[str, str | None]:
    """Stage → the folder in which it works; empty for a ``dvc.yaml`` that is not there or cannot be read."""
    content = read(file)
    if content is None or b"wdir" not in content:
        return {}
    try:
        return {stage.name: stage.folder for stage in read_pipeline(content, file, read).stages}
    except ManifestErrors:
        return {}


def _short(path: str, folder: str) -> str:
    """A path from the folder where it lies in it, else from the repository's root."""
    return path.removeprefix(f"{folder}/")


def _placed(base: str, path: str, values: Values) -> str | None:
    """A path of a stage from the repository's root; None when a template in it cannot be filled."""
    name = filled(str(path), values)
    return name if name is None or name.startswith("ds://") else _join(base, name)


def _join(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))

"""The three-way merge of ``dvc.lock`` entry by entry: stages, data sets, and every other section as one."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from modelyard.manifests.document import Document, FieldPath, ManifestErrors, parse_document

Key = tuple[str, ...]
"""("stages", name), ("datasets", name), or the name of another section alone."""
_STAGES, _DATASETS = "stages", "datasets"
_ABSENT = object()
_EMPTY = b"schema: '2.0'\nstages: {}\n"


class MergedLock(Struct, frozen=True):
    """The merged file, the stages that were left out because they must run again, and what could not be merged.

    With ``conflicts`` the content is not a merge; a person has to decide.
    """

    content: bytes
    recompute: tuple[str, ...]
    conflicts: tuple[str, ...] = ()


class _Lock(Struct, frozen=True):
    """One version of the file: the lines above the first section, sections, and the value and lines of each entry."""

    top: str
    heads: dict[str, str]
    """Section → the lines before its first entry, in the order of the file."""
    values: dict[Key, Any]
    texts: dict[Key, str]


def merge_locks(base: bytes, ours: bytes, theirs: bytes, file: str) -> MergedLock:
    """Merges three versions of a ``dvc.lock``; ``file`` is its path for errors.

    An entry that one side changed is taken from that side. A stage is left out when both sides changed it differently,
    or when what it read is not what the merged stages write. Any other entry that both sides changed is a conflict,
    and so is a file whose entries do not stand on lines of their own. ManifestErrors for an invalid lock.
    """
    old, mine, other = (_read(content, file) for content in (base, ours, theirs))
    for one, two, whole in ((mine, old, theirs), (other, old, ours), (mine, other, ours)):
        if one.values == two.values:
            return MergedLock(whole if whole.strip() else _EMPTY, ())
    chosen: dict[Key, _Lock] = {}
    raced: list[str] = []
    conflicts: list[str] = []
    for key in dict.fromkeys([*mine.values, *other.values]):
        before, one, two = (lock.values.get(key, _ABSENT) for lock in (old, mine, other))
        if one == two or two == before:
            kept = mine
        elif one == before:
            kept = other
        elif key[0] == _STAGES:
            raced.append(key[-1])
            continue
        else:
            conflicts.append(" ".join(key))
            continue
        if key in kept.values:
            chosen[key] = kept
    while stale := _stale(chosen, (mine, other)):
        raced += [key[-1] for key in stale]
        for key in stale:
            del chosen[key]
    content = _written(chosen, mine, other)
    if not conflicts and _read_back(content) != {key: lock.values[key] for key, lock in chosen.items()}:
        conflicts.append("the file, which is not written as DVC writes it")
    return MergedLock(content.encode(), tuple(raced), tuple(conflicts))


def _read(content: bytes, file: str) -> _Lock:
    document = parse_document(content, file)
    values, places = _entries(document)
    sections = {str(path[0]): line for path, line in document.lines.items() if len(path) == 1}
    lines = content.decode("utf-8").removesuffix("\n").split("\n")
    starts = sorted({*places.values(), *sections.values(), len(lines) + 1})

    def text(line: int) -> str:
        end = next(start for start in starts if start > line) if line <= len(lines) else line
        return "".join(f"{one}\n" for one in lines[line - 1 : end - 1])

    heads = {name: "" if (name,) in places else text(line) for name, line in sections.items()}
    top = "".join(f"{line}\n" for line in lines[: starts[0] - 1]) if sections else ""
    return _Lock(top, heads, values, {key: text(line) for key, line in places.items()})


def _entries(document: Document) -> tuple[dict[Key, Any], dict[Key, int]]:
    """Each entry's value, and the line on which it begins."""
    values: dict[Key, Any] = {}
    places: dict[Key, int] = {}
    sections = document.value if isinstance(document.value, dict) else {}
    for name, section in sections.items():
        found: list[tuple[Key, FieldPath, Any]]
        if name == _STAGES and (section is None or isinstance(section, dict)):
            found = [((name, stage), (name, stage), value) for stage, value in (section or {}).items()]
        elif name == _DATASETS and _are_named(section):
            found = [((name, str(value["name"])), (name, i), value) for i, value in enumerate(section or [])]
        else:
            found = [((name,), (name,), section)]
        for key, path, value in found:
            values[key], places[key] = value, document.line(path)
    return values, places


def _are_named(section: Any) -> bool:
    if section is not None and not isinstance(section, list):
        return False
    names = [str(value["name"]) for value in section or [] if isinstance(value, dict) and value.get("name")]
    return len(set(names)) == len(section or [])


def _written(chosen: Mapping[Key, _Lock], mine: _Lock, other: _Lock) -> str:
    """The lines of the chosen entries below the heads of their sections, indented as in our file."""
    parts = [mine.top]
    for section in dict.fromkeys([*mine.heads, *other.heads, _STAGES]):
        keys = [key for key in chosen if key[0] == section]
        if keys == [(section,)]:
            parts.append(chosen[keys[0]].texts[keys[0]])
        elif keys:
            side = next(lock for lock in (mine, other) if any(key[0] == section for key in lock.texts))
            wanted = _indent(next(text for key, text in side.texts.items() if key[0] == section))
            parts += [side.heads[section], *(_indented(chosen[key].texts[key], wanted) for key in keys)]
        elif section == _STAGES:
            parts.append("stages: {}\n")
    return "".join(parts)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _indented(text: str, wanted: int) -> str:
    shift = wanted - _indent(text)
    lines = text.splitlines(keepends=True)
    if shift >= 0:
        return "".join(" " * shift + line if line.strip() else line for line in lines)
    return "".join(line[-shift:] if line[:-shift].isspace() and line.strip() else line for line in lines)


def _read_back(content: str) -> dict[Key, Any] | None:
    try:
        return _entries(parse_document(content.encode(), ""))[0]
    except ManifestErrors:
        return None


def _stale(chosen: Mapping[Key, _Lock], sides: tuple[_Lock, _Lock]) -> list[Key]:
    """Stages that read something else than what the chosen entries write."""
    outputs: dict[str, list[tuple[Any, Key]]] = {}
    for key, lock in chosen.items():
        for out in _files(lock.values[key], "outs"):  # each side may have another stage that writes the same path
            outputs.setdefault(_path(out), []).append((out.get("md5"), key))
    found = []
    for key, lock in chosen.items():
        if key[0] != _STAGES:
            continue
        value = lock.values[key]
        where = [side for side in sides if side.values.get(key) == value]
        for dep in _files(value, "deps"):
            path = _path(dep)
            if path in outputs:
                fits = all(md5 == dep.get("md5") for md5, _ in outputs[path])
            else:
                # Of a file in a folder, or a folder around outputs, the lock does not say what the other was. It fits
                # when the two stand together in one side's file.
                near = [writer for out, made in outputs.items() if _overlap(path, out) for _, writer in made]
                near += [(_DATASETS, path[5:])] if path.startswith("ds:/") else []
                fits = all(any(_same(side, chosen, writer) for side in where) for writer in near)
            if not fits:
                found.append(key)
                break
    return found


def _same(side: _Lock, chosen: Mapping[Key, _Lock], key: Key) -> bool:
    kept = chosen[key].values[key] if key in chosen else None
    return bool(side.values.get(key) == kept)


def _files(stage: Any, key: str) -> list[dict[str, Any]]:
    entries = stage.get(key) if isinstance(stage, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _path(entry: Mapping[str, Any]) -> str:
    return posixpath.normpath(str(entry.get("path")))


def _overlap(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")

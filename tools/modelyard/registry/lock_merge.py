"""The three-way merge of ``dvc.lock`` by stage, without conflict markers."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from modelyard.manifests.document import parse_document

_STAGE = re.compile(r"  (?P<name>[^\s#].*?):\s*\Z")
_EMPTY = "schema: '2.0'\nstages: {}\n"


class MergedLock(Struct, frozen=True):
    """The merged file, and the stages that were left out because they must run again."""

    content: bytes
    recompute: tuple[str, ...]


class _Stage(Struct, frozen=True):
    text: str
    value: Any


def merge_locks(base: bytes, ours: bytes, theirs: bytes, file: str) -> MergedLock:
    """Merges three versions of a ``dvc.lock``; ``file`` is its path for errors.

    A stage that one side changed is taken from that side. A stage is left out when both sides changed it differently,
    or when its inputs do not match the outputs of the merged stages. ManifestErrors for an invalid lock.
    """
    old, mine, other = (_stages(content, file) for content in (base, ours, theirs))
    chosen: dict[str, _Stage] = {}
    raced: list[str] = []
    for name in dict.fromkeys([*mine, *other]):
        before, one, two = old.get(name), mine.get(name), other.get(name)
        if _value(one) == _value(two) or _value(two) == _value(before):
            kept = one
        elif _value(one) == _value(before):
            kept = two
        else:
            kept = None
            raced.append(name)
        if kept is not None:
            chosen[name] = kept
    while stale := _stale(chosen):
        raced += stale
        for name in stale:
            del chosen[name]
    body = "".join(stage.text for stage in chosen.values())
    content = f"schema: '2.0'\nstages:\n{body}" if body else _EMPTY
    return MergedLock(content.encode(), tuple(raced))


def _stages(content: bytes, file: str) -> dict[str, _Stage]:
    if not content.strip():
        return {}
    document = parse_document(content, file).value
    values = document.get("stages") if isinstance(document, dict) else None
    texts: dict[str, list[str]] = {}
    name = ""
    for line in content.decode("utf-8", "surrogateescape").splitlines(keepends=True):
        found = _STAGE.match(line)
        if found:
            name = str(parse_document(found["name"].encode(), file).value)
            texts[name] = []
        if name and (line.startswith("  ") or not line.strip()):
            texts[name].append(line if line.endswith("\n") else f"{line}\n")
        elif not line.startswith(" "):
            name = ""
    stages = values if isinstance(values, dict) else {}
    return {key: _Stage("".join(texts[key]), value) for key, value in stages.items() if key in texts}


def _value(stage: _Stage | None) -> Any:
    return stage.value if stage else None


def _stale(chosen: dict[str, _Stage]) -> list[str]:
    written = {str(out.get("path")): out.get("md5") for stage in chosen.values() for out in _entries(stage, "outs")}
    return [
        name
        for name, stage in chosen.items()
        if any(written.get(str(dep.get("path")), dep.get("md5")) != dep.get("md5") for dep in _entries(stage, "deps"))
    ]


def _entries(stage: _Stage, key: str) -> list[dict[str, Any]]:
    entries = stage.value.get(key) if isinstance(stage.value, dict) else None
    return [entry for entry in entries or [] if isinstance(entry, dict)]

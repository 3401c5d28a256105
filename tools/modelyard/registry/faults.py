"""Faults of registry tags: deleted, moved, handmade, lightweight, of equal time, or outside the grammar."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from modelyard.errors import Refused
from modelyard.registry.history import Tag
from modelyard.registry.tags import Action, has_record, parse_tag, read_stage_record, read_version_record

Level = Literal["error", "warning"]


class Fault(Struct, frozen=True):
    """One fault and its remedy. Level ``error`` means that the registry may be wrong."""

    level: Level
    tag: str
    sentence: str
    remedy: str


def find_faults(
    tags: Iterable[Tag],
    objects: Mapping[str, str],
    copies: Mapping[str, str],
    remote: Mapping[str, str] | None = None,
) -> tuple[Fault, ...]:
    """The faults of all tags, errors first.

    ``objects``, ``copies`` and ``remote`` map names to object ids here, filed, and on the remote (None without one).
    """
    found = []
    for name in sorted(copies):
        if remote is not None and remote.get(name) != copies[name]:
            moved = "was moved on the remote" if name in remote else "was deleted on the remote; its filed copy exists"
            found.append(Fault("error", name, moved, RESTORE))
        elif name not in objects and remote is not None:
            found.append(Fault("warning", name, "is not fetched into this clone", "Run: git fetch --tags"))
        elif name not in objects:
            found.append(Fault("error", name, "was deleted; its filed copy exists", RESTORE))
        elif objects[name] != copies[name]:
            found.append(Fault("error", name, "was moved: it differs from its filed copy", RESTORE))
    for name in sorted(remote or {}):
        if name not in objects and name not in copies and parse_tag(name):
            said = "is on the remote only, and has no filed copy: it proves nothing"
            found.append(Fault("error", name, said, deletion(name)))
    times: dict[str, list[tuple[int, str]]] = defaultdict(list)
    foreign, adopted = [], []
    for tag in tags:
        parsed = parse_tag(tag.name)
        if parsed is None:
            foreign.append(tag.name)
            continue
        if not tag.annotated:
            found.append(Fault("warning", tag.name, "is lightweight, so modelyard and GTO ignore it", _MAKE))
            continue
        times[parsed.model].append((tag.tagged_at, tag.name))
        record: object = True
        try:
            if parsed.action is Action.REGISTER:
                record = read_version_record(tag.message)
            elif parsed.action is Action.ASSIGN:
                record = read_stage_record(tag.message)
        except Refused as error:
            found.append(Fault("error", tag.name, "was written for a newer modelyard", error.remedy))
        if tag.name in copies and not has_record(tag.message):
            adopted.append(tag.name)
        elif record is None:
            found.append(Fault("warning", tag.name, "was made by hand and has no record", _MAKE))
        if tag.name not in copies and record is not None and record is not True:
            found.append(
                Fault(
                    "error",
                    tag.name,
                    "says that modelyard wrote it, and has no filed copy: it proves nothing",
                    deletion(tag.name),
                )
            )
        elif copies and tag.name not in copies:
            found.append(Fault("warning", tag.name, "has no filed copy, so it counts for nothing", deletion(tag.name)))
    imported = frozenset(adopted)
    for at in times.values():
        at.sort()
        found += [
            Fault("warning", later, f"has the same time as {earlier}, so GTO orders them by name", _MAKE)
            for (when, earlier), (then, later) in pairwise(at)
            if when == then and later not in imported
        ]
    if adopted:
        said = f"{len(adopted)} filed tags have no record: imported, and nobody here measured what they say"
        found.append(Fault("warning", f"{adopted[0]}{' …' if adopted[1:] else ''}", said, _NOTHING))
    if foreign:
        shown = ", ".join(foreign[:3]) + (" …" if len(foreign) > 3 else "")
        found.append(Fault("warning", shown, f"{len(foreign)} tags are outside the grammar and ignored", _NOTHING))
    return tuple(sorted(found, key=lambda fault: (fault.level, fault.tag)))


def deletion(tag: str) -> str:
    """What to do about a tag that was made by hand, with the command that deletes it."""
    return f"Find out who pushed it, then delete it: git push origin ':refs/tags/{tag}'; git tag --delete '{tag}'"


RESTORE = "Find out who changed it, then run: modelyard audit check --restore"
_NOTHING = "Nothing to do."
_MAKE = "Create such tags with modelyard register or deploy."

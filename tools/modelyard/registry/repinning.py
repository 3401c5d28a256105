"""A lock that pins other outputs than a registered one for the same command, inputs and parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Stages = Mapping[str, Any]
"""Stage → its entries in a dvc.lock, as ``locked_stages`` reads them."""


def repinned(known: Iterable[Stages], lock: Stages) -> tuple[str, ...]:
    """The stages of a lock that ran before with the same inputs, and of which no earlier run gave these outputs.

    Either a stage is not deterministic, or somebody wrote the lock by hand. ``known`` are the locks of registered
    versions.
    """
    ran: dict[str, set[str]] = {}
    for stages in known:
        for inputs, outputs in _runs(stages).values():
            ran.setdefault(inputs, set()).add(outputs)
    found = _runs(lock)
    return tuple(sorted(name for name, (inputs, outputs) in found.items() if outputs not in ran.get(inputs, {outputs})))


def _runs(stages: Stages) -> dict[str, tuple[str, str]]:
    """Stage → (what it reads and runs, what it wrote), each as one text."""
    return {
        str(name): (repr((name, entry.get("cmd"), _files(entry, "deps"), _sorted(entry.get("params")))),
                    repr(_files(entry, "outs")))
        for entries in stages.values() if isinstance(entries, Mapping)
        for name, entry in entries.items() if isinstance(entry, Mapping) and entry.get("outs")
    }  # fmt: skip


def _files(entry: Mapping[str, Any], key: str) -> list[tuple[str, str]]:
    files = entry.get(key) or []
    return sorted((str(file.get("path")), str(file.get("md5"))) for file in files if isinstance(file, Mapping))


def _sorted(value: Any) -> Any:
    """A value in which the order of keys says nothing."""
    if isinstance(value, Mapping):
        return sorted((str(key), _sorted(inner)) for key, inner in value.items())
    return value

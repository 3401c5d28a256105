"""The next version's number follows from what changed."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.manifests.names import Version
from modelyard.manifests.schema import Column, Contract

FIRST = Version(1, 0, 0)


@dataclass(frozen=True)
class Changes:
    """What differs between the previous version and the candidate."""

    contract: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    """Files of code, parameters or pipeline."""
    data: tuple[str, ...] = ()
    """Data paths whose content changed."""


@dataclass(frozen=True)
class Numbering:
    """A version and why it is this one."""

    version: Version
    reasons: tuple[str, ...]


def next_version(previous: Version | None, changes: Changes) -> Numbering:
    """major: the contract changed; minor: code, parameters or features; patch: data only."""
    if previous is None:
        return Numbering(FIRST, ("first version",))
    for part, what in (("major", changes.contract), ("minor", changes.code)):
        if what:
            label = "contract" if part == "major" else "code"
            return Numbering(previous.bump(part), tuple(f"{label}: {name}" for name in what))
    return Numbering(previous.bump("patch"), tuple(f"data: {name}" for name in changes.data) or ("same sources",))


def contract_changes(before: Contract, after: Contract) -> tuple[str, ...]:
    """Sentences for every difference a caller could notice."""
    old, new = {c.name: c for c in before.inputs}, {c.name: c for c in after.inputs}
    found = [f"input {name} removed" for name in old if name not in new]
    found += [f"input {name} added" for name in new if name not in old]
    found += [
        f"input {name} changed"
        for name, column in new.items()
        if name in old and (column.type, column.nullable) != (old[name].type, old[name].nullable)
    ]
    found += [f"input {name} narrowed" for name, column in new.items() if name in old and _narrower(old[name], column)]
    if before.output != after.output:
        found.append(f"output {before.output} became {after.output}")
    return tuple(found)


def _narrower(before: Column, after: Column) -> bool:
    raised = after.minimum is not None and (before.minimum is None or after.minimum > before.minimum)
    lowered = after.maximum is not None and (before.maximum is None or after.maximum < before.maximum)
    return raised or lowered

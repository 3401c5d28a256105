"""The number of the next version, computed from the changes since the previous one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelyard.errors import Refused
from modelyard.manifests.model import Column, Contract
from modelyard.manifests.names import Version

FIRST = Version.of(1, 0, 0)
_OVERRIDE = re.compile(r"Bump: +(?:(?P<model>[a-zA-Z0-9][\w-]*) +)?(?P<wanted>major|minor|patch|v\d\S*)\Z", re.I)


@dataclass(frozen=True)
class Changes:
    """Changes between the previous version and the candidate."""

    contract: tuple[str, ...] = ()
    """Sentences on changes of the contract."""
    code: tuple[str, ...] = ()
    """Changed files of code, parameters or pipeline."""
    data: tuple[str, ...] = ()
    """Data paths with new content."""


@dataclass(frozen=True)
class Override:
    """The number that a commit message requests: major, minor, patch or a version."""

    wanted: str
    by: str
    """Author and SHA of the commit."""


@dataclass(frozen=True)
class Numbering:
    """A version number and the reasons for it."""

    version: Version
    reasons: tuple[str, ...]


def next_version(
    previous: Version | None, changes: Changes, highest: Version | None = None, override: Override | None = None
) -> Numbering:
    """The next version number: major for contract changes, minor for code or parameters, patch for data only.

    ``highest`` is the highest number ever given, including withdrawn versions and deleted tags, because no number is
    used twice. An ``override`` replaces the computed number; the reasons
    name both. Refused when the override is not later than every number given before.
    """
    base = max((v for v in (previous, highest) if v is not None), default=None)
    part, reasons = _computed(previous, changes)
    computed = base.bump(part) if base else FIRST
    if override is None:
        return Numbering(computed, reasons)
    reasons = (f"requested: {override.wanted} (by {override.by}), computed: {computed}", *reasons)
    if override.wanted in ("major", "minor", "patch"):
        return Numbering(base.bump(override.wanted) if base else FIRST, reasons)
    wanted = Version.parse(override.wanted)
    if wanted is None or (base is not None and not base < wanted):
        raise Refused(
            f"The commit of {override.by} requests the version {override.wanted}, which does not follow {base}.",
            "Add a commit whose message has the line Bump: major (or minor, patch, a later version).",
        )
    return Numbering(wanted, reasons)


def parse_override(message: str, model: str, by: str, *, touches: bool) -> Override | None:
    """The override in a commit message: a line ``Bump: major``, or ``Bump: MODEL v2.0.0`` for one model.

    ``touches`` says whether the commit changes the model; a line without a model's name needs that.
    """
    for line in reversed(message.splitlines()):
        found = _OVERRIDE.match(line.strip())
        if found and (found["model"] == model or (touches and not found["model"])):
            return Override(found["wanted"], by)
    return None


def _computed(previous: Version | None, changes: Changes) -> tuple[str, tuple[str, ...]]:
    if previous is None:
        return "patch", ("first version",)
    for part, what in (("major", changes.contract), ("minor", changes.code)):
        if what:
            label = "contract" if part == "major" else "code"
            return part, tuple(f"{label}: {name}" for name in what)
    return "patch", tuple(f"data: {name}" for name in changes.data) or ("same sources",)


def contract_changes(before: Contract, after: Contract) -> tuple[str, ...]:
    """One sentence for each contract change that a caller could notice."""
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

"""What a candidate changes against its champion: data, parameters, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One named thing before and after; '' where it is not there."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Changes:
    """Everything that differs, in the order a reviewer asks for it."""

    against: str = ""
    """The champion's version; '' without one."""
    data: tuple[Difference, ...] = ()
    """Input path, md5 before and after."""
    params: tuple[Difference, ...] = ()
    files: tuple[str, ...] = ()
    """Files of the proposal, against the base branch."""


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Difference, ...]:
    """Keys whose values differ, sorted; nested mappings are spelled with dots."""
    old, new = flat(before), flat(after)
    return tuple(
        Difference(key, old.get(key, ""), new.get(key, "")) for key in sorted(old | new) if old.get(key) != new.get(key)
    )


def flat(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """``{"train": {"trees": 5}}`` → ``{"train.trees": "5"}``."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = str(value)
    return found

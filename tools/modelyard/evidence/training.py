"""What a training run used and gave, what it changed, and how a second run compares."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class DataInput:
    """One input of the pipeline from outside of it, as DVC pinned it."""

    path: str
    md5: str


@dataclass(frozen=True)
class Training:
    """Lineage of one artifact: the commit, the pinned data, the parameters and the environment that made it."""

    commit: str
    """The commit that was checked out; ``changed`` says what differed from it."""
    changed: tuple[str, ...]
    lock_sha256: str
    artifact_bytes: int
    inputs: tuple[DataInput, ...]
    params: dict[str, Any]
    packages: dict[str, str]
    """Package → version, of those that make the bytes."""
    reproduced: bool
    """False when DVC found everything cached and ran nothing."""


def environment_digest(packages: Mapping[str, str]) -> str:
    """sha256 of the packages that made an artifact, one ``name==version`` a line, sorted."""
    return hashlib.sha256("".join(f"{name}=={packages[name]}\n" for name in sorted(packages)).encode()).hexdigest()


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


@dataclass(frozen=True)
class Reproduction:
    """How the second making compares with the first."""

    model: str
    version: str
    outcome: Literal["pass", "inconclusive", "fail"]
    """pass: the same bytes; inconclusive: other bytes, the same predictions; fail: other predictions."""
    artifact_before: str
    artifact_after: str
    largest_difference: float | None
    """Of any prediction on the held-out rows; None where the bytes are the same or the rows differ."""
    metrics: tuple[Difference, ...]
    """Metrics that differ in their sixth digit."""
    outputs: tuple[str, ...]
    """Outputs of the pipeline whose bytes differ."""
    packages: tuple[Difference, ...]
    """Packages that are of another version here than when it was made."""


@dataclass(frozen=True)
class RetrainingRecord:
    """The predicate of a ``retraining`` document; one for each run that trained."""

    at: float
    """Seconds since 1970."""
    cause: str
    reasons: tuple[str, ...]
    seconds: float
    """Of training."""
    proposed: bool
    sentence: str
    gain: float | None

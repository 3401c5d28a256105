"""Training evidence: lineage, the changes against the champion, the comparison with a second run, and retrainings."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class DataInput:
    """One external input of the pipeline, as dvc.lock pins it."""

    path: str
    md5: str


@dataclass(frozen=True)
class Training:
    """The lineage of one artifact: the commit, the data, the parameters and the packages that produced it."""

    commit: str
    """The commit that was checked out. ``changed`` are the files that differed from it."""
    changed: tuple[str, ...]
    lock_sha256: str
    artifact_bytes: int
    inputs: tuple[DataInput, ...]
    params: dict[str, Any]
    packages: dict[str, str]
    """Package → version, of the packages that determine the artifact."""
    reproduced: bool
    """False when DVC found every stage in its cache and ran none."""
    elsewhere: bool = False
    """Whether it was trained elsewhere: then nobody here knows its data, code and parameters."""


NOT_APPLICABLE = (
    "Training evidence is not applicable: the model was trained elsewhere, so nobody here can reproduce it."
)
"""What every report says of a model that was trained elsewhere."""


def environment_digest(packages: Mapping[str, str]) -> str:
    """sha256 of the sorted lines ``name==version`` of all packages."""
    return hashlib.sha256("".join(f"{name}=={packages[name]}\n" for name in sorted(packages)).encode()).hexdigest()


@dataclass(frozen=True)
class Difference:
    """One named value before and after; '' where it does not exist."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Changes:
    """The changes of a candidate against the champion, in the order of a review."""

    against: str = ""
    """The champion's version; '' without one."""
    data: tuple[Difference, ...] = ()
    """Path of an input, md5 before and after."""
    params: tuple[Difference, ...] = ()
    files: tuple[str, ...] = ()
    """Files that differ from the base branch."""


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Difference, ...]:
    """The keys with different values, sorted. Keys of nested mappings are joined by dots."""
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
    """The comparison of a reproduced artifact with the original."""

    model: str
    version: str
    outcome: Literal["pass", "inconclusive", "fail"]
    """pass: the same bytes; inconclusive: other bytes, the same predictions; fail: other predictions."""
    artifact_before: str
    artifact_after: str
    largest_difference: float | None
    """Between two predictions for one held-out row; None for equal bytes, or when the rows differ."""
    metrics: tuple[Difference, ...]
    """Metrics that differ at six significant digits."""
    outputs: tuple[str, ...]
    """Outputs of the pipeline whose bytes differ."""
    packages: tuple[Difference, ...]
    """Packages with another version than at the original training."""
    commit: str = ""
    """The commit whose pipeline ran again."""
    once_more: str = ""
    """sha256 of the artifact of one more run, which tells whether the pipeline is deterministic; '' where none ran."""
    probe: str = ""
    """How many probe rows got their registered scores from the reproduced artifact, such as 100/100; '' without any."""


LONGEST = 31 * 86400.0
"""Seconds: no CI lets a job run longer."""
_MOST = 10**15
"""Rows or bytes: more than any training has."""


@dataclass(frozen=True)
class TrainingRun:
    """The predicate of a ``run`` document: what a job says of the retraining that it ran, for the job that proposes."""

    cause: str
    seconds: float
    """Duration of the training."""
    reproduced: bool
    """Whether any stage ran."""
    rows: int | None
    """Training rows; None for a model that was trained elsewhere."""
    size: int
    """The artifact's size in bytes."""

    def possible(self) -> bool:
        """Whether its numbers can be those of a training: finite, not negative, and not larger than any."""
        return (
            math.isfinite(self.seconds)
            and 0 <= self.seconds <= LONGEST
            and (self.rows is None or 0 <= self.rows <= _MOST)
            and 0 <= self.size <= _MOST
        )


@dataclass(frozen=True)
class RetrainingRecord:
    """The predicate of a ``retraining`` document: one run that trained."""

    at: float
    """Seconds since 1970."""
    cause: str
    reasons: tuple[str, ...]
    seconds: float
    """Duration of the training."""
    proposed: bool
    sentence: str
    gain: float | None

"""What a training run used and gave."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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

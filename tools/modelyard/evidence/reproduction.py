"""How the second making of an artifact compares with the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modelyard.evidence.changes import Difference


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

"""What is known of a candidate, and of its champion, on the same held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.measure.calibration import Calibration
from modelyard.measure.fairness import GroupFairness
from modelyard.measure.flips import Flips
from modelyard.measure.folds import Stability
from modelyard.measure.intervals import Interval
from modelyard.measure.leakage import Leakage
from modelyard.measure.levels import Levels
from modelyard.measure.scores import Floats, Integers


@dataclass(frozen=True)
class Holdout:
    """Held-out rows, aligned: every array has one entry per row."""

    label: Floats
    """Multiclass: codes of the classes. Ranking: relevance."""
    candidate: Floats
    """(rows,); multiclass: (rows, classes)."""
    champion: Floats | None
    """None for a first version."""
    slices: dict[str, Levels]
    groups: dict[str, Levels]
    blocks: Integers | None
    """Codes from 0 of rows that depend on each other."""
    queries: Integers | None = None
    """Ranking: codes from 0 of the rows that are ordered against each other."""


@dataclass(frozen=True)
class MetricResult:
    """One metric. ``difference`` is candidate − champion; values are None where the metric is undefined."""

    name: str
    higher_is_better: bool
    candidate: float | None
    champion: float | None
    difference: float | None
    interval: Interval | None
    """95 % interval of the paired difference; of the candidate's own value when there is no champion."""
    method: str


@dataclass(frozen=True)
class SliceResult:
    """The metrics of the rows with one level of one column; intervals hold for all slices at once."""

    column: str
    level: str
    rows: int
    sufficient: bool
    metrics: tuple[MetricResult, ...]


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on the holdout."""

    task: str
    rows: int
    positives: int | None
    threshold: float
    champion: str | None
    """The champion's version, or None for a first version."""
    identical_bytes: bool
    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...]
    fairness: tuple[GroupFairness, ...]
    calibration: Calibration | None
    champion_calibration: Calibration | None
    flips: Flips | None
    leakage: Leakage
    inputs_added: tuple[str, ...]
    inputs_removed: tuple[str, ...]
    notes: tuple[str, ...] = ()
    stability: Stability | None = None

    def metric(self, name: str) -> MetricResult | None:
        """The result of one metric over all rows."""
        return next((result for result in self.metrics if result.name == name), None)


@dataclass(frozen=True)
class Comparison:
    """The part of an evaluation that comes from the rows alone."""

    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...]
    fairness: tuple[GroupFairness, ...]
    calibration: Calibration | None
    champion_calibration: Calibration | None
    flips: Flips | None

"""One candidate's evidence, made by the run code from generated rows, for tests of the gate and the reports."""

from __future__ import annotations

from typing import Any

import numpy as np
from modelyard.evidence.artifact import Artifact
from modelyard.evidence.bundle import Bundle
from modelyard.evidence.training import DataInput, Training
from modelyard.metrics.drift import measure_drift
from modelyard.metrics.evaluation import BaselineResult, Evaluation, Holdout, MetricResult, compare
from modelyard.metrics.held_out import HoldoutChange
from modelyard.metrics.intervals import Interval
from modelyard.metrics.leakage import Leakage, input_strengths
from modelyard.metrics.scores import Settings
from modelyard.metrics.slices import Levels
from modelyard.metrics.tally import ColumnValues, profile_table

ARTIFACT = "a" * 64


def metric(name: str, candidate: float | None, champion: float | None, half: float = 0.002) -> MetricResult:
    """A metric whose interval reaches ``half`` to both sides."""
    difference = candidate - champion if candidate is not None and champion is not None else None
    interval = Interval(difference - half, difference + half) if difference is not None else None
    return MetricResult(name, name == "auc", candidate, champion, difference, interval, "bootstrap")


def _evaluation() -> Evaluation:
    rng = np.random.default_rng(7)
    n = 6000
    x = rng.normal(size=n)
    truth = 1 / (1 + np.exp(-(x - 1)))
    label = (rng.random(n) < truth).astype(float)
    champion = 1 / (1 + np.exp(-(0.6 * x - 0.8 + 0.5 * rng.normal(size=n))))
    region = Levels.of(np.array(["north", "south", "east|<b>"])[np.arange(n) % 3].tolist())
    compared = compare(
        Holdout(label, truth, champion, {"region": region}, {"region": region}, None), "binary", Settings(0.5), 100
    )
    return Evaluation(
        "binary", n, int(label.sum()), 0.5, "v1.0.0", False, compared.metrics, compared.slices, compared.fairness,
        compared.calibration, compared.champion_calibration, compared.flips,
        Leakage(input_strengths({"x": x}, label), 0), (), (),
        holdout_change=HoldoutChange("v1.0.0", rows=5800, kept=5800, added=200),
        baselines=(BaselineResult("the best of the last 10 versions by auc", "v1.0.0", compared.metrics),),
    )  # fmt: skip


EVALUATION = _evaluation()
_BASE = profile_table([ColumnValues("x", "float", np.random.default_rng(1).normal(size=2000))])
DRIFT = measure_drift(
    _BASE, profile_table([ColumnValues("x", "float", np.random.default_rng(2).normal(size=2000))], _BASE), "v1.0.0"
)
TRAINING = Training(
    "c" * 40,
    (),
    "d" * 64,
    1234,
    (DataInput("data/flights", "e" * 32),),
    {"train": {"trees": 5}},
    {"lightgbm": "4.7.0"},
    True,
)

SCAN = Artifact("lightgbm-text", 1234, 0.2)


def bundle(**changes: Any) -> Bundle:
    """Complete evidence about one artifact, with parts replaced (None takes one away)."""
    parts: dict[str, Any] = {"training": TRAINING, "evaluation": EVALUATION, "drift": DRIFT, "scan": SCAN} | changes
    digests = {"artifact" if part == "scan" else part: "f" * 64 for part, value in parts.items() if value is not None}
    return Bundle("churn", ARTIFACT, digests=digests, **parts)

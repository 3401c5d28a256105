"""Our side: all metrics with intervals, all slices, calibration, flips."""

from __future__ import annotations

from evaluation_rows import LEVELS, PRECISION, THRESHOLD, rows
from modelyard.metrics.evaluation import Holdout, compare
from modelyard.metrics.scores import Settings
from modelyard.metrics.slices import Levels

if __name__ == "__main__":
    label, candidate, champion, columns = rows()
    names = tuple(f"level {i}" for i in range(LEVELS))
    slices = {f"c{i}": Levels(names, codes) for i, codes in enumerate(columns)}
    holdout = Holdout(label, candidate, champion, slices, {}, None)
    found = compare(holdout, "binary", Settings(THRESHOLD, PRECISION), 100)
    assert len(found.metrics) == 9 and len(found.slices) == 50
    assert all(metric.interval for metric in found.metrics)

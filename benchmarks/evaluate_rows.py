"""Our side: all metrics with intervals, all slices, calibration, flips."""

from __future__ import annotations

from evaluation_rows import LEVELS, PRECISION, THRESHOLD, rows
from modelyard.measure.comparing import compare
from modelyard.measure.evaluation import Holdout
from modelyard.measure.levels import Levels
from modelyard.measure.scores import Settings

if __name__ == "__main__":
    label, candidate, champion, columns = rows()
    names = tuple(f"level {i}" for i in range(LEVELS))
    slices = {f"c{i}": Levels(names, codes) for i, codes in enumerate(columns)}
    holdout = Holdout(label, candidate, champion, slices, {}, None)
    found = compare(holdout, "binary", Settings(THRESHOLD, PRECISION), 100)
    assert len(found.metrics) == 9 and len(found.slices) == 50
    assert all(metric.interval for metric in found.metrics)

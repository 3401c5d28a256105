"""Looks at the artifact itself: what it is by content, how large, how fast."""

from __future__ import annotations

import statistics
import time

from modelyard.evidence.artifact import Artifact, rounded_up
from modelyard.flavors.lightgbm import LightGBMScorer
from modelyard.proposal.candidate import Candidate
from modelyard.proposal.sniffing import sniff_file

_ROWS = 50


def scan(candidate: Candidate) -> Artifact:
    """The artifact evidence of the candidate. Only what is read without running code is loaded and timed."""
    found = sniff_file(candidate.artifact)
    milliseconds = None
    if found == "lightgbm-text" and candidate.model.scorer.type == "lightgbm":
        milliseconds = _row_milliseconds(candidate)
    return Artifact(found, candidate.artifact.stat().st_size, milliseconds)


def _row_milliseconds(candidate: Candidate) -> float | None:
    table = candidate.holdout()
    inputs = candidate.model.contract.inputs
    columns = {column.name: table.values(column.name, column.type) for column in inputs}
    scorer = LightGBMScorer.load(candidate.model, candidate.artifact, threads=1)
    times = []
    for row in range(min(_ROWS, table.rows)):
        one = {name: values[row : row + 1] for name, values in columns.items()}
        begun = time.perf_counter()
        scorer.score(one)
        times.append((time.perf_counter() - begun) * 1000)
    return rounded_up(statistics.median(times)) if times else None

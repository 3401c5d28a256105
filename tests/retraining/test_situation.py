"""Watches that failed count for a retraining as long as the version they measured serves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from modelyard.predictions.writer import Entry
from modelyard.retraining.situation import situation_of
from msgspec.structs import replace
from support.logged import MODEL, Flights, write_log
from support.versions import add_stage, add_version, opened
from support.yard import tool

ROWS = np.random.default_rng(1).permutation(27_900).tolist()[:9000]


def test_a_window_of_a_version_that_was_replaced_makes_nothing_due(champion: Path) -> None:
    def unsure(entry: Entry) -> Entry:
        return replace(entry, scores=[0.2 + entry.scores[0] / 10])

    write_log(champion, Flights(champion).entries(ROWS, change=unsure))
    tool(champion, "monitor", MODEL, "--env", "production", "--until", "2026-05-08T00:00", "--file", expect=1)

    def failed() -> set[str]:
        return {one.check for one in situation_of(opened(champion).model(MODEL)).failed}

    assert {"score-drift", "quality-kept"} <= failed()
    add_version(champion, MODEL, "v1.1.0")
    add_stage(champion, MODEL, "v1.1.0", "production")
    assert failed() == set()
    add_stage(champion, MODEL, "v1.0.0", "production")
    assert "quality-kept" in failed(), "it is back"

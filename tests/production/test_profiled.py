"""A window of whylogs' profiles, without whylogs: which days and versions count, and what is not said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.candidate import whylogs_profiles
from modelyard.candidate.files import Candidate
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import Environment, Predictions
from modelyard.manifests.policy import Policy
from modelyard.manifests.watches import AnyWatch, DriftReference, InputsWatch
from modelyard.metrics.window import Monitoring
from modelyard.predictions.discovery import open_reader
from modelyard.predictions.interface import Window
from modelyard.production.monitoring.profiled import whole_days
from modelyard.production.monitoring.window import monitor_window
from modelyard.progress import no_progress
from production.test_counts import BEGIN, WINDOW, serving
from support.versions import opened

ENVIRONMENT = Environment(name="production", predictions=Predictions(reader="whylogs", uri="profiles/{model}"))


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Candidate:
    """A served model. Instead of whylogs, a stand-in reads profiles that are JSON: rows, and levels of c."""
    candidate = serving(tmp_path, "binary")

    def run_tool(_name: str, _requirements: Any, _program: Path, arguments: tuple[Path, Path], _seconds: int) -> None:
        job = json.loads(arguments[0].read_text())
        read = [json.loads(Path(path).read_text()) for path in [*job["merged"], *job["others"]]]
        assert set(job["columns"]) <= {"x", "z", "c", "prediction"} and not job["columns"].get("c")
        merged = read[: len(job["merged"])]
        levels = {
            name: sum(one["c"].get(name, 0) for one in merged) for name in {n for one in merged for n in one["c"]}
        }
        rows = sum(one["rows"] for one in merged)
        columns = {"c": {"rows": rows, "nulls": 0, "levels": levels}}
        arguments[1].write_text(json.dumps({"rows": [one["rows"] for one in read], "columns": columns}))

    monkeypatch.setattr(whylogs_profiles, "run_tool", run_tool)
    return candidate


def profile(yard: Candidate, version: str, day: str, rows: int, **levels: int) -> None:
    place = yard.folder.parents[1] / f"profiles/tiny/{version}/{day}.bin"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"rows": rows, "c": levels}))


def watched(yard: Candidate, *rules: AnyWatch) -> Monitoring:
    view = opened(yard.folder.parents[1]).model("tiny")
    view.__dict__["manifest"] = yard.model
    policy = Policy(name="p", description="", checks=[], monitoring=[*rules])
    reader = open_reader(ENVIRONMENT, view.checkout.root)
    return monitor_window(view, policy, ENVIRONMENT, reader, WINDOW, None, no_progress)


def test_the_days_of_a_window_are_merged_and_what_profiles_lack_is_said(yard: Candidate) -> None:
    for day in range(1, 8):
        profile(yard, "v1.0.0", f"2026-05-0{day}", 100, new=100)
    profile(yard, "v0.9.0", "2026-05-01", 40, new=40)
    profile(yard, "v1.0.0", "2026-04-30", 7, new=7)
    profile(yard, "v1.0.0", "2026-05-08", 7, new=7)
    profile(yard, "merged", "2026-05-01_2026-05-07", 700)
    profile(yard, "v1.0.0", "2026-05-99", 7)
    found = watched(yard)
    assert (found.version, found.rows, found.outliers, found.confidence) == ("v1.0.0", 700, None, None)
    assert (found.estimate, found.realised, found.burns, found.profiles) == (None, None, (), True)
    assert [(day.rows, day.others, day.mean_score) for day in found.days] == [(100, 40, None)] + [(100, 0, None)] * 6
    assert found.drift is not None
    states = {column.name: (column.state, column.alarm) for column in found.drift.columns}
    assert states["c"][1] and states["x"] == ("insufficient", False), "a level that is new everywhere"
    assert any("whole days" in note for note in found.notes) and any("v0.9.0" in note for note in found.notes)


def test_the_version_of_the_last_day_is_watched_and_of_two_the_assigned_one(yard: Candidate) -> None:
    profile(yard, "v2.0.0", "2026-05-06", 5)
    profile(yard, "v1.0.0", "2026-05-05", 5)
    assert watched(yard).version == "v2.0.0" and watched(yard).drift is None, "it has no profile"
    profile(yard, "v1.0.0", "2026-05-06", 5)
    assert watched(yard).version == "v1.0.0"


def test_a_window_without_profiles_has_no_rows(yard: Candidate) -> None:
    profile(yard, "v1.0.0", "2026-04-01", 5)
    found = watched(yard)
    assert (found.version, found.rows) == ("v1.0.0", 0)


@given(st.floats(0, 4e9), st.floats(0, 400 * 86400.0))
def test_whole_days_are_as_many_as_the_window_has_and_have_ended(end: float, length: float) -> None:
    begin = max(end - length, 0.0)
    try:
        found = whole_days(Window(begin, end))
    except UsageError:
        assert end - begin < 86400
        return
    assert found.begin % 86400 == found.end % 86400 == 0 and begin - 86400 < found.begin <= begin
    assert end - 86400 < found.end <= end
    assert whole_days(found) == found


def test_what_needs_rows_says_that_there_are_none(yard: Candidate) -> None:
    profile(yard, "v1.0.0", "2026-05-02", 500)
    with pytest.raises(ModelyardError, match="keeps profiles of days, and no predictions of tiny"):
        open_reader(ENVIRONMENT, yard.folder).read(yard.model, BEGIN, BEGIN + 1)
    season = InputsWatch(
        id="i", why="r", maximum_alarm_share=0.1, reference=DriftReference(season="same-month")
    )  # fmt: skip
    assert "Profiles of days are not compared with earlier ones" in watched(yard, season).incomparable

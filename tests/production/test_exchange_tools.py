"""Windows handed to monitoring libraries: the real ones in their environments, and what happens without them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from support.logged import MODEL, Flights, write_ground_truth, write_log
from support.yard import git, tool

UNTIL = "2026-05-08T00:00"
ROWS = np.random.default_rng(1).permutation(27_900).tolist()[:3000]
MONITOR = ("monitor", MODEL, "--env", "production", "--until", UNTIL)


def filed(yard: Path, name: str) -> dict[str, object]:
    """The one file on the evidence branch whose path ends so."""
    listed = git(yard, "ls-tree", "-r", "--name-only", "modelyard/evidence").splitlines()
    (path,) = [path for path in listed if path.endswith(name) and "superseded" not in path]
    found: dict[str, object] = json.loads(git(yard, "show", f"modelyard/evidence:{path}"))
    return found


def test_evidently_reports_a_window_and_its_numbers_are_filed(champion: Path, tmp_path: Path) -> None:
    flights = Flights(champion)
    write_log(champion, flights.entries(ROWS))
    labels = write_ground_truth(champion, flights, ROWS[:2000])
    tool(champion, "tools", "install", "evidently")
    into = tmp_path / "evidently"
    options = (*MONITOR, "--ground-truth", str(labels), "--evidently", str(into), "--file")
    for _ in range(2):  # the same window twice
        done = tool(champion, *options, expect=None)
        assert "evidently failed" not in done.stderr, done.stderr
    assert {path.name for path in into.iterdir()} == {
        "drift.html", "drift.json", "quality.html", "quality.json", "workspace"
    }  # fmt: skip
    assert b"<html" in (into / "drift.html").read_bytes()[:2000].lower()
    snapshots = list(into.glob("workspace/*/snapshots/*.json"))
    assert len(snapshots) == 2, "one of each report, however often the window is exported"
    statement = filed(champion, ".evidently.json")
    kept = statement["predicate"]
    assert isinstance(kept, dict)
    assert (kept["rows"], kept["of"]) == (3000, 3000)
    drift = {m["config"].get("column"): m["value"] for m in kept["reports"]["drift"]["metrics"]}
    assert drift["(score)"] < 0.1, "the rows are held-out rows with their real scores"
    values = {m["config"]["type"].rpartition(":")[2]: m["value"] for m in kept["reports"]["quality"]["metrics"]}
    right = sum((flights.scores[row] >= 0.35) == (flights.labels[row] == 1) for row in ROWS[:2000]) / 2000
    assert abs(values["Accuracy"] - right) < 1e-9

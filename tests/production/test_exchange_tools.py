"""Windows handed to monitoring libraries: the real ones in their environments, and what happens without them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml
from modelyard.report.exchange.evidently import evidently_page
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
    assert drift["prediction"] < 0.1, "the rows are held-out rows with their real scores"
    values = {m["config"]["type"].rpartition(":")[2]: m["value"] for m in kept["reports"]["quality"]["metrics"]}
    right = sum((flights.scores[row] >= 0.35) == (flights.labels[row] == 1) for row in ROWS[:2000]) / 2000
    assert abs(values["Accuracy"] - right) < 1e-9
    assert "| Accuracy(" in evidently_page((into / "quality.json").read_bytes(), "quality.json"), (
        "a stage's own is read"
    )


def test_whylogs_profiles_of_days_are_written_merged_and_read_back(champion: Path, tmp_path: Path) -> None:
    flights = Flights(champion)
    write_log(champion, flights.entries(ROWS))
    tool(champion, "tools", "install", "whylogs")
    into = tmp_path / "profiles"
    done = tool(champion, *MONITOR, "--whylogs", str(into), expect=None)
    assert f"whylogs: {into}" in done.stderr, done.stderr
    place = into / "production/v1.0.0"
    days = {f"2026-05-0{day}.bin" for day in range(1, 8)}
    assert {path.name for path in place.glob("*.bin")} == days
    assert [path.name for path in place.glob("merged/*")] == ["2026-05-01_2026-05-07.bin"]
    before = {path.name: path.read_bytes() for path in place.glob("*.bin")}
    # A window that holds only half of its first day keeps what is there of that day.
    shorter = [*MONITOR[:-1], "2026-05-07T12:00", "--window", "2d"]
    done = tool(champion, *shorter, "--whylogs", str(into), expect=None)
    assert "whylogs profiles 857 rows" in done.stderr, done.stderr
    assert (place / "2026-05-05.bin").read_bytes() == before["2026-05-05.bin"]
    assert (place / "2026-05-07.bin").read_bytes() == before["2026-05-07.bin"]
    # The profiles alone show the drift that the rows show.
    rows = tmp_path / "rows.parquet"
    holdout = pq.read_table(champion / f"models/{MODEL}/data/holdout.parquet").take(ROWS)
    pq.write_table(holdout, rows)
    by_rows, by_profiles = (
        {
            column["name"]: column
            for column in json.loads(tool(champion, "drift", MODEL, "--current", str(path), "--json").stdout)["columns"]
        }
        for path in (rows, place)
    )
    inputs = {column.name for column in flights.model.contract.inputs}
    compared = {name for name, column in by_profiles.items() if column["js"] is not None}
    assert compared == inputs | {"prediction"}, "no label arrived"
    far = {name: (by_rows[name]["js"], by_profiles[name]["js"]) for name in inputs}
    assert all(abs(one - other) < 0.03 for one, other in far.values()), far
    # And they alone are monitored, where a system kept no rows.
    logged = json.loads(tool(champion, *MONITOR, "--json", expect=None).stdout)
    config = champion / "modelyard.yaml"
    environments = yaml.safe_load(config.read_text(encoding="utf-8"))
    for environment in environments["environments"]:
        environment["predictions"] = {"reader": "whylogs", "uri": str(into)}
    config.write_text(yaml.safe_dump(environments), encoding="utf-8")
    page = tmp_path / "window.html"
    later = [*MONITOR[:-1], "2026-05-08T15:00", "--html", str(page)]
    done = tool(champion, *later, "--json", expect=None)
    monitored = json.loads(done.stdout)
    outcomes = {check["id"]: check["outcome"] for check in monitored["verdict"]["checks"]}
    judged = {name for name, outcome in outcomes.items() if outcome != "inconclusive"}
    assert judged == {"has-traffic", "input-drift", "score-drift"}, outcomes
    found = monitored["monitoring"]
    assert (found["since"], found["until"]) == (logged["monitoring"]["since"], logged["monitoring"]["until"])
    assert [day["rows"] for day in found["days"]] == [day["rows"] for day in logged["monitoring"]["days"]]
    one, other = ({c["name"]: c["js"] for c in m["drift"]["columns"]} for m in (found, logged["monitoring"]))
    assert set(one) == set(other) and all(abs(one[name] - other[name]) < 0.03 for name in one), (one, other)
    assert "profiles of whole days" in page.read_text(encoding="utf-8")
    said = tool(champion, *MONITOR, "--evidently", str(tmp_path / "e"), expect=None).stderr
    assert "keeps profiles of days, and no predictions" in said

"""An id erased from logs and increments, with a tombstone; predictions traced to version, evidence and approval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from modelyard.checkout.checkout import Checkout
from modelyard.dvc import Dvc
from modelyard.manifests.configuration import PredictionLogging
from modelyard.predictions.segments import compact, erase, read_predictions
from modelyard.predictions.writer import Entry, PredictionLog
from support.logged import MODEL, Flights, write_ground_truth, write_log
from support.yard import IDENTITY, git, tool

ROWS = np.random.default_rng(1).permutation(27_900).tolist()[:300]
WINDOW = ("--window", "7d", "--until", "2026-05-08T00:00")


@pytest.fixture(scope="module")
def flights(champion_template: Path) -> Flights:
    return Flights(champion_template)


def erased(yard: Path, entity: str, *more: str, expect: int = 0) -> dict[str, Any]:
    done = tool(yard, "feedback", "forget", MODEL, "--entity", entity, "--json", *more, expect=expect)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def everything_under(*folders: Path) -> bytes:
    return b"".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())


def test_an_id_is_erased_from_log_and_increments_and_the_tombstone_does_not_name_it(
    champion: Path, flights: Flights
) -> None:
    wanted, other = flights.ids[ROWS[0]], flights.ids[ROWS[1]]
    log = write_log(champion, flights.entries(ROWS) + flights.entries(ROWS[:1], day=0.5)).parent
    ground_truth = write_ground_truth(champion, flights, ROWS)
    tool(champion, "feedback", "collect", MODEL, "--env", "production", *WINDOW, "--ground-truth", str(ground_truth))
    git(champion, "merge", "--quiet", "--no-ff", "-m", "Take it", f"modelyard/feedback/{MODEL}")
    [pointer] = (champion / f"data/feedback/{MODEL}").glob("*.parquet.dvc")
    name = str(pointer.relative_to(champion))

    found = erased(champion, wanted)
    assert found["logs"] == {"staging": 0, "production": 2}
    assert [one["rows"] for one in found["increments"]] == [1]
    assert found["judged"] == ["v1.0.0"] and found["trained"] == [], "it is a held-out flight of the champion"
    assert git(champion, "status", "--porcelain") == "", "the checkout is as it was"
    left = [row for table in read_predictions(log) for row in table.to_pylist()]
    assert len(left) == 299 and wanted not in {row["entity"] for row in left} and other in {r["entity"] for r in left}

    tombstone = git(champion, "show", f"modelyard/evidence:{MODEL}/erasures/{found['digest']}.json")
    assert wanted not in tombstone and found["digest"] in tombstone
    branch = f"modelyard/forget/{MODEL}-{found['digest'][:12]}"
    assert wanted not in git(champion, "log", "-1", "--format=%B", branch)
    said = tool(champion, "feedback", "forget", MODEL, "--entity", wanted, "--purge", expect=1).stderr
    assert "still hold the id" in said, "main points at the older bytes"

    old = pointer.read_text().split("md5: ")[1].split()[0]
    git(champion, "merge", "--quiet", "--no-ff", "-m", "Forget", branch)
    Dvc(champion).pull(name)
    rows = pq.read_table(pointer.with_suffix(""))["flight_id"].to_pylist()
    assert len(rows) == 299 and wanted not in rows
    record = json.loads(next(pointer.parent.glob("*Z.json")).read_text())
    assert (record["joined"]["labelled"], record["erased"]) == (299, 1)
    again = erased(champion, wanted, "--purge")
    assert again["logs"] == {"staging": 0, "production": 0}
    assert again["increments"] == found["increments"], "the tombstone remembers what was there"
    assert old not in Dvc(champion).stored("cache") and old not in Dvc(champion).stored("remote")

    evaluation = {f"{MODEL}/{'e' * 64}/evaluation.json": f'{{"id": "{other}"}}'.encode(),
                  "pulls/9/report.html": f"<td>{other}</td>".encode(), "pulls/8/report.html": f"<td>{other}0</td>".encode()}  # fmt: skip
    Checkout(champion, IDENTITY).evidence.append(evaluation, "what reviewers saw")
    done = tool(champion, "feedback", "forget", MODEL, "--entity", other, expect=3)
    assert "  pulls/9/report.html" in done.stdout.splitlines()
    assert "--entity is empty" in tool(champion, "feedback", "forget", MODEL, "--entity", " ", expect=2).stderr
    assert "pulls/8" not in done.stdout and other not in done.stdout


def test_closed_segments_are_rewritten_ids_stay_and_a_live_one_has_to_wait(tmp_path: Path) -> None:
    keeping = PredictionLogging()
    log = PredictionLog(tmp_path, keeping)
    for segment in range(3):
        for request in range(20):
            log.append(
                Entry(f"r{segment}-{request}", "2026-05-01T00:00:00Z", "v1.0.0", "champion", 1.0,
                      ["ann", f"bob{request}", "ann"], {"x": [1.0, 2.0, 3.0]}, [0.1, 0.2, 0.3])
            )  # fmt: skip
        if segment == 0:
            log.rotate()
            compact(tmp_path, 0)
        elif segment == 1:
            log.rotate()
    assert erase(tmp_path, "ann", live=True) == (80, 40)
    rows = [row for table in read_predictions(tmp_path) for row in table.to_pylist()]
    assert sum(row["entity"] == "ann" for row in rows) == 40
    of_bob = [(row["id"], row["inputs.x"], row["score"]) for row in rows if row["entity"] == "bob7"]
    assert of_bob == [(f"r{segment}-7/1", 2.0, 0.2) for segment in range(3)], "no other prediction is renamed or moved"
    assert erase(tmp_path, "ann", live=True) == (0, 40)
    log.close()
    assert erase(tmp_path, "ann", live=False) == (40, 0)
    assert b"ann" not in everything_under(tmp_path)
    assert sum(table.num_rows for table in read_predictions(tmp_path)) == 60


def test_a_prediction_is_traced_to_its_version_its_evidence_and_its_approval(champion: Path, flights: Flights) -> None:
    entries = flights.entries(ROWS[:3], day=365)
    write_log(champion, entries)
    when = ("--env", "production", "--window", "3000d", "--until", "2028-01-01T00:00")
    for wanted in (entries[1].id, f"{entries[1].id}/0", flights.ids[ROWS[1]]):
        [found] = json.loads(tool(champion, "audit", "prediction", wanted, *when, "--json").stdout)
        assert (found["id"], found["version"], found["variant"]) == (f"{entries[1].id}/0", "v1.0.0", "champion")
        assert found["period"]["approved_by"] == ["Grace Reviewer"]
        assert {"training", "evaluation", "drift"} <= found["lineage"]["evidence"].keys()
        assert found["lineage"]["verdict"] == "pass"
        assert "data/flights" in {source["path"] for source in found["lineage"]["data"]}
    shown = tool(champion, "audit", "prediction", entries[1].id, *when).stdout
    assert max(map(len, shown.splitlines())) <= 80
    said = " ".join(shown.split())
    assert "v1.0.0 was in service in production since" in said and "(approved by Grace Reviewer)" in said
    said = tool(champion, "audit", "prediction", "nobody", *when, expect=2).stderr
    assert "There is no prediction 'nobody' in that window in the log of production" in said
    done = tool(champion, "audit", "prediction", entries[1].id, *when[2:])
    assert "flight-delay in production" in done.stdout and "Not searched: flight-delay in staging" in done.stderr


def test_a_prediction_of_a_version_without_a_receipt_says_so(champion: Path, flights: Flights) -> None:
    early = flights.entries(ROWS[:1], day=-2000)
    unregistered = flights.entries(ROWS[1:2], day=365, version="v9.9.9")
    write_log(champion, [*early, *unregistered])
    when = ("--env", "production", "--window", "9000d", "--until", "2028-01-01T00:00")
    shown = tool(champion, "audit", "prediction", early[0].id, *when).stdout
    assert "No receipt says that v1.0.0 was in service there then" in shown
    shown = tool(champion, "audit", "prediction", unregistered[0].id, *when).stdout
    assert "v9.9.9 is not registered" in shown

"""Labels joined to predictions, and the labelled increment that is proposed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.evidence.production import Joined
from modelyard.ground_truth.join import NOTHING, join
from modelyard.ground_truth.labels import ground_truth_of
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.predictions.interface import Window
from modelyard.tables.table import Table
from support.logged import MODEL, START, Flights, write_ground_truth, write_log
from support.yard import IDENTITY, MODEL_YAML, commit_all, git, killed_after, tool

UNTIL = "2026-05-08T00:00"
SPREAD = np.random.default_rng(1).permutation(27_900).tolist()
BRANCH = f"modelyard/feedback/{MODEL}"
SMALL = parse(Model, MODEL_YAML.format(name="m").encode(), "model.yaml")


@pytest.fixture(scope="module")
def flights(champion_template: Path) -> Flights:
    return Flights(champion_template)


def collected(yard: Path, *source: str) -> dict[str, Any]:
    done = tool(
        yard, "feedback", "collect", MODEL, "--env", "production", "--window", "7d", "--until", UNTIL, "--json", *source
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def merged(yard: Path) -> Path:
    """Merges the proposal; returns the folder of the increments."""
    git(yard, "merge", "--quiet", "--no-ff", "-m", "Take the feedback", BRANCH)
    git(yard, "branch", "-D", BRANCH)
    return yard / f"data/feedback/{MODEL}"


def test_the_increment_holds_each_labelled_prediction_once(champion: Path, flights: Flights) -> None:
    rows = SPREAD[:1000]
    write_log(champion, flights.entries(rows))
    ground_truth = write_ground_truth(champion, flights, rows[:600])
    with ground_truth.open("a") as file:
        file.write("nobody-flew-this,1\n")
        file.writelines(f"{flights.ids[row]},{flights.labels[row]}\n" for row in rows[:180])  # 30 % twice
    found = collected(champion, "--ground-truth", str(ground_truth))["joined"]
    assert (found["labelled"], found["waiting"], found["unknown"], found["duplicates"]) == (600, 400, 1, 180)
    assert git(champion, "status", "--porcelain") == "", "the checkout is as it was"
    folder = merged(champion)
    pointer = next(folder.glob("*.parquet.dvc"))
    tool(champion, "doctor", expect=None)
    from modelyard.dvc import Dvc

    Dvc(champion).pull(str(pointer.relative_to(champion)))
    table = pq.read_table(pointer.with_suffix("")).to_pylist()
    labels = {flights.ids[row]: flights.labels[row] for row in rows[:600]}
    assert {row["flight_id"]: row["late"] for row in table} == labels
    assert len({row["prediction_id"] for row in table}) == len(table) == 600
    place = {name: i for i, name in enumerate(flights.ids)}
    for row in table[:50]:
        sent = flights.inputs[place[row["flight_id"]]]
        assert {name: row[name] for name in sent} == pytest.approx(sent)
    profile = json.loads(next(folder.glob("*.profile.json")).read_text())
    assert profile["rows"] == 600


def test_killed_at_any_moment_and_two_at_once_it_ends_as_one_undisturbed_run(
    champion: Path, flights: Flights, tmp_path: Path
) -> None:
    rows = SPREAD[:4000]
    write_log(champion, flights.entries(rows))
    ground_truth = write_ground_truth(champion, flights, rows)
    twin = tmp_path / "twin"
    shutil.copytree(champion.parent, twin, symlinks=True)

    def command(until: str) -> list[str]:
        when = ["--env", "production", "--window", "7d", "--until", until, "--ground-truth", str(ground_truth)]
        return ["feedback", "collect", MODEL, *when]

    ended = [killed_after(champion, 0.2 + 0.15 * step, *command("2026-05-08T00:00:07")) for step in range(8)]
    assert -signal.SIGKILL in ended
    both = [subprocess.Popen([sys.executable, "-m", "modelyard", *command(UNTIL)], cwd=champion, env=os.environ | IDENTITY) for _ in range(2)]  # fmt: skip
    assert [one.wait() for one in both] == [0, 0]
    tool(twin / "repository", *command(UNTIL))
    trees = {git(yard, "rev-parse", f"{BRANCH}^{{tree}}") for yard in (champion, twin / "repository")}
    assert len(trees) == 1
    assert git(champion, "status", "--porcelain") == "", "the killed runs left nothing behind"
    assert not list((champion / f"data/feedback/{MODEL}").glob("2026*"))


def test_a_second_run_brings_what_is_new_and_what_changed(champion: Path, flights: Flights) -> None:
    rows = SPREAD[:300]
    write_log(champion, flights.entries(rows))
    assert (
        collected(champion, "--ground-truth", str(write_ground_truth(champion, flights, rows[:200])))["joined"][
            "labelled"
        ]
        == 200
    )
    head = git(champion, "rev-parse", BRANCH)
    again = collected(champion, "--ground-truth", str(write_ground_truth(champion, flights, rows[:200])))
    assert git(champion, "rev-parse", BRANCH) == head, "killed and repeated, it is the same proposal"
    assert again["joined"]["labelled"] == 200
    merged(champion)
    later = write_ground_truth(champion, flights, rows[100:])
    lines = later.read_text().splitlines()
    lines[1] = lines[1].rsplit(",", 1)[0] + f",{1 - flights.labels[rows[100]]}"
    later.write_text("\n".join(lines) + "\n")
    until = ["--window", "7d", "--until", UNTIL]
    done = tool(
        champion, "feedback", "collect", MODEL, "--env", "production", "--json", "--ground-truth", str(later), *until
    )
    found = json.loads(done.stdout)["joined"]
    assert (found["labelled"], found["corrected"], found["known"]) == (101, 1, 99)
    assert json.loads(done.stdout)["path"].endswith("/20260508T000001Z.parquet"), "after the one that it corrects"
    folder = merged(champion)
    everything = champion / "build/feedback.parquet"
    said = tool(champion, "feedback", "table", MODEL, "--out", str(everything), expect=4).stderr
    assert "not in this checkout, only its pointer" in said and "dvc pull" in said
    for pointer in folder.glob("*.dvc"):
        subprocess.run([sys.executable, "-m", "dvc", "-q", "pull", str(pointer)], cwd=champion, check=True)
    assert "300 labelled rows" in tool(champion, "feedback", "table", MODEL, "--out", str(everything)).stdout
    table = pq.read_table(everything)
    assert len(set(table["prediction_id"].to_pylist())) == table.num_rows == 300
    given = dict(zip(table["flight_id"].to_pylist(), table["late"].to_pylist(), strict=True))
    turned = flights.ids[rows[100]]
    assert given == {flights.ids[row]: flights.labels[row] for row in rows} | {turned: 1 - flights.labels[rows[100]]}
    (folder / f"{pointer.name.removesuffix('.dvc')}").write_bytes(b"PAR1")
    assert (
        "not a valid increment of labelled rows"
        in tool(champion, "feedback", "table", MODEL, "--out", str(everything), expect=4).stderr
    )
    subprocess.run([sys.executable, "-m", "dvc", "-q", "checkout", "--force", str(pointer)], cwd=champion, check=True)
    done = tool(
        champion, "feedback", "collect", MODEL, "--env", "production", "--json", "--ground-truth", str(later), *until
    )
    assert json.loads(done.stdout) | {"joined": None} == {"model": MODEL, "joined": None, "path": "", "pull": None}
    assert json.loads(done.stdout)["joined"]["known"] == 200


def test_a_table_without_increments_is_empty_and_has_its_columns(champion: Path) -> None:
    out = champion / "build/feedback.parquet"
    assert "0 labelled rows" in tool(champion, "feedback", "table", MODEL, "--out", str(out)).stdout
    found = pq.read_table(out)
    assert (found.num_rows, found.schema.field("late").type) == (0, pa.int64())
    assert {"flight_id", "carrier", "temp", "late", "prediction_id", "reviewer"} <= set(found.column_names)


def test_a_database_is_queried_and_its_password_is_never_shown(champion: Path, flights: Flights) -> None:
    rows = SPREAD[:50]
    write_log(champion, flights.entries(rows))
    base = sqlite3.connect(champion.parent / "base.db")
    base.execute("create table landed (flight text, delayed integer, at text)")
    arrived = [(flights.ids[row], flights.labels[row], (START + timedelta(days=9)).timestamp()) for row in rows[:40]]
    base.executemany("insert into landed values (?, ?, ?)", arrived)
    base.commit()
    query = "select flight as flight_id, delayed as late, cast(at as real) as label_time from landed"
    command = ["feedback", "collect", MODEL, "--env", "production", "--until", UNTIL, "--window", "7d"]
    done = tool(
        champion, *command, "--sql", "env:OUTCOMES", "--query", query, OUTCOMES=f"sqlite:///{champion.parent}/base.db"
    )
    assert "40 labelled rows" in done.stdout
    failed = tool(champion, *command, "--sql", "env:OUTCOMES", "--query", query, expect=4,
                  OUTCOMES="nothing://user:canary-7351@host/base")  # fmt: skip
    assert "cannot be read from env:OUTCOMES" in failed.stderr
    assert "canary-7351" not in failed.stderr + failed.stdout


def test_what_model_yaml_declares_is_collected_and_nothing_where_it_declares_nothing(
    champion: Path, flights: Flights
) -> None:
    rows = SPREAD[:50]
    write_log(champion, flights.entries(rows))
    command = ["feedback", "collect", MODEL, "--env", "production", "--until", UNTIL, "--window", "7d", "--if-declared"]
    assert "names no ground_truth" in tool(champion, *command).stderr
    assert not git(champion, "branch", "--list", BRANCH)
    manifest = champion / f"models/{MODEL}/model.yaml"
    write_ground_truth(champion, flights, rows)
    manifest.write_text(manifest.read_text() + f"\nground_truth: {{uri: '{champion.parent}/ground_truth.csv'}}\n")
    commit_all(champion, "Declare ground truth")
    assert "50 labelled rows" in tool(champion, *command).stdout
    assert git(champion, "branch", "--list", BRANCH)


def test_wrong_use_says_what_to_pass(champion: Path) -> None:
    said = tool(champion, "feedback", "collect", MODEL, "--env", "production", expect=2).stderr
    assert "--labels FILE, or --sql" in said
    file = champion.parent / "ground_truth.csv"
    with file.open("w") as handle:
        csv.writer(handle).writerows([["flight_id", "delayed"], ["1", "0"]])
    said = tool(
        champion, "feedback", "collect", MODEL, "--env", "production", "--ground-truth", str(file), expect=2
    ).stderr
    assert "has no column 'late'" in said


class Given:
    """A log of rows (id, entity, second), in parts."""

    def __init__(self, rows: list[tuple[str, str | None, int]], at_once: int) -> None:
        self._rows, self._at_once = rows, at_once

    def read(self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None) -> Any:
        for at in range(0, len(self._rows), self._at_once):
            part = self._rows[at : at + self._at_once]
            texts = {"id": [r[0] for r in part], "entity": [r[1] for r in part], "version": ["v1.0.0"] * len(part),
                     "variant": ["champion"] * len(part), "error": [None] * len(part)}  # fmt: skip
            arrays = {name: pa.array(values, pa.string()) for name, values in texts.items()}
            arrays["time"] = pa.array([r[2] * 1_000_000 for r in part], pa.timestamp("us", "UTC"))
            arrays["score"] = pa.array([0.5] * len(part))
            arrays["inputs.x"] = pa.array([float(r[2]) for r in part])
            yield pa.table(arrays)


names = st.sampled_from(["a", "b", "c", None])
logged = st.lists(st.tuples(names, st.integers(0, 9)), max_size=20)
labels = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "z"]), st.sampled_from([0, 1]), st.integers(0, 12)), max_size=8
)


@given(log=logged, ground_truth=labels, at_once=st.integers(1, 7))
def test_every_prediction_and_every_label_is_in_one_count(
    log: list[tuple[str | None, int]],
    ground_truth: list[tuple[str, int, int]],
    at_once: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    target = tmp_path_factory.mktemp("join") / "increment.parquet"
    table = pa.table({"id": pa.array([o[0] for o in ground_truth], pa.string()), "label": pa.array([o[1] for o in ground_truth], pa.int64()),
                      "label_time": pa.array([float(o[2]) for o in ground_truth], pa.float64())})  # fmt: skip
    known = ground_truth_of([Table(table, Path("ground_truth"))], SMALL)
    rows = [(f"{i}/0", entity, second) for i, (entity, second) in enumerate(log)]
    found: Joined = join(Given(rows, at_once), SMALL, Window(0, 100), known, NOTHING, target)
    assert found.labelled + found.known + found.repeated + found.waiting == found.predictions == len(rows)
    written = pq.read_table(target).to_pylist() if found.labelled else []
    assert len(written) == found.labelled
    expected = {}
    for name in "abc":
        times = [time for entity, _, time in ground_truth if entity == name]
        labels = {label for entity, label, time in ground_truth if entity == name and time == max(times)}
        before = [
            (second, i) for i, (entity, second) in enumerate(log) if entity == name and times and second <= max(times)
        ]
        if len(labels) == 1 and before:
            expected[f"{max(before)[1]}/0"] = labels.pop()
    assert {row["prediction_id"]: row["label"] for row in written} == expected

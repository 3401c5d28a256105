"""Rows picked for reviewers to label, and their labels collected."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from modelyard.predictions.writer import Entry
from msgspec.structs import replace
from support.logged import MODEL, Flights, write_log
from support.yard import git, tool

SPREAD = np.random.default_rng(1).permutation(27_900).tolist()
WINDOW = ("--window", "7d", "--until", "2026-05-08T00:00")


@pytest.fixture(scope="module")
def flights(champion_template: Path) -> Flights:
    return Flights(champion_template)


def sampled(yard: Path, rows: int = 60) -> list[dict[str, str]]:
    out = yard.parent / "sample.csv"
    tool(yard, "feedback", "sample", MODEL, "--env", "production", "--rows", str(rows), *WINDOW, "--out", str(out))
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def filled(yard: Path, rows: list[dict[str, str]]) -> Path:
    path = yard.parent / "labelled.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def log_with_a_flip_and_outliers(yard: Path, flights: Flights) -> None:
    def odd(entry: Entry) -> Entry:
        hot = {n: [200.0] for n in ("temp", "dewp", "wind_speed")}
        return replace(entry, inputs=dict(entry.inputs) | hot | {"carrier": ["=cmd|' /C calc'!A0"]})

    def other(entry: Entry) -> Entry:
        return replace(entry, scores=[1 - round(entry.scores[0])])

    usual = flights.entries(SPREAD[:3000])
    outliers = flights.entries(SPREAD[3000:3004], day=0.5, change=odd)
    shadow = flights.entries(SPREAD[:5], version="v1.1.0", variant="shadow", change=other)
    write_log(yard, usual + outliers + shadow)


def test_each_reason_has_rows_and_every_row_has_its_reason(champion: Path, flights: Flights) -> None:
    log_with_a_flip_and_outliers(champion, flights)
    rows = sampled(champion)
    assert len(rows) == 60 == len({row["prediction_id"] for row in rows})
    by_reason = {why: [row for row in rows if row["why"] == why] for why in {row["why"] for row in rows}}
    assert set(by_reason) == {"uncertain", "outlier", "rare", "flip", "random"}
    assert all(abs(float(row["score"]) - 0.35) < 0.05 for row in by_reason["uncertain"])
    assert {row["flight_id"] for row in by_reason["flip"]} <= {flights.ids[row] for row in SPREAD[:5]}
    outliers = [row for row in by_reason["outlier"] if row["flight_id"] in {flights.ids[r] for r in SPREAD[3000:3004]}]
    assert outliers and all(row["carrier"].startswith("'=") for row in outliers), "no cell is a formula"
    assert all("." not in row["departure_minute"] for row in rows), "whole numbers look whole"
    assert all(row["late"] == row["reviewer"] == row["reviewed_at"] == "" for row in rows)
    assert rows == sampled(champion), "the same log gives the same sample"


def test_labels_are_collected_with_reviewer_and_time_and_not_picked_again(champion: Path, flights: Flights) -> None:
    log_with_a_flip_and_outliers(champion, flights)
    rows = sampled(champion)
    for row in rows[:40]:
        row |= {"late": "1", "reviewer": "@grace", "reviewed_at": "2026-06-01T10:00:00+02:00"}
    again = rows[0] | {"late": "0", "reviewer": "@ada", "reviewed_at": "2026-06-02T10:00Z"}
    back = filled(champion, [again, *rows])
    done = tool(champion, "feedback", "collect", MODEL, "--env", "production", *WINDOW, "--labels", str(back), "--json")
    assert "40 labels; 20 rows have no label yet" in done.stderr
    assert json.loads(done.stdout)["joined"]["labelled"] == 40
    git(champion, "merge", "--quiet", "--no-ff", "-m", "Take the labels", f"modelyard/feedback/{MODEL}")
    [pointer] = (champion / f"data/feedback/{MODEL}").glob("*.parquet.dvc")
    from modelyard.dvc import Dvc

    Dvc(champion).pull(str(pointer.relative_to(champion)))
    taken = {row["prediction_id"]: row for row in pq.read_table(pointer.with_suffix("")).to_pylist()}
    assert len(taken) == 40
    assert taken[rows[0]["prediction_id"]]["late"] == 0 and taken[rows[0]["prediction_id"]]["reviewer"] == "@ada"
    other = taken[rows[1]["prediction_id"]]
    assert (other["late"], other["reviewer"]) == (1, "@grace")
    assert other["reviewed_at"].isoformat() == "2026-06-01T08:00:00+00:00"
    record = json.loads(next(pointer.parent.glob("*Z.json")).read_text())
    assert record["reviewers"] == {"@ada": 1, "@grace": 39}
    assert not {row["prediction_id"] for row in sampled(champion)} & taken.keys()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"late": "maybe"}, "labelled.csv:2 has late 'maybe'"),
        ({"reviewer": " "}, "labelled.csv:2 has a label but no reviewer"),
        ({"reviewed_at": "yesterday"}, "labelled.csv:2 has a label, but reviewed_at 'yesterday' is not a time"),
        ({"prediction_id": ""}, "labelled.csv:2 has a label but no prediction_id"),
    ],
)
def test_an_invalid_label_is_named_by_its_line(
    champion: Path, flights: Flights, change: dict[str, str], said: str
) -> None:
    row = {"prediction_id": "a/0", "late": "1", "reviewer": "@grace", "reviewed_at": "2026-06-01", "why": "random"}
    back = filled(champion, [row | change])
    done = tool(champion, "feedback", "collect", MODEL, "--env", "production", *WINDOW, "--labels", str(back), expect=2)
    assert said in done.stderr

"""What is counted of a window in memory: requests, errors, days, labels, outliers, by version and variant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.ground_truth.labels import GroundTruth, ground_truth_of
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.metrics.profile import Profile
from modelyard.metrics.window import Objective
from modelyard.predictions.interface import Window
from modelyard.production.monitoring.counts import VersionCounts, WindowCounts
from modelyard.tables.table import Table
from production.test_sample_rows import PROFILE
from support.yard import MODEL_YAML

MODEL = parse(Model, (MODEL_YAML.format(name="m") + "evaluation: {slices: [colour]}\n").encode(), "model.yaml")
DAY = 86400
WINDOW = Window(0, 7 * DAY)
OBJECTIVE = Objective(id="slo", share=0.99, maximum_milliseconds=100.0, long_seconds=3600, short_seconds=300)


def row(name: str, second: float, **more: Any) -> dict[str, Any]:
    usual = {"id": name if "/" in name else f"{name}/0", "entity": name, "time": int(second * 10**6), "version": "v1.0.0",
             "variant": "champion", "error": None, "score": 0.5, "latency_ms": 5.0, "inputs.x": 0.0, "inputs.colour": "red"}  # fmt: skip
    return usual | more


def table(*rows: dict[str, Any], without: tuple[str, ...] = ()) -> Any:
    kinds = {
        "time": pa.timestamp("us", "UTC"),
        "score": pa.float64(),
        "latency_ms": pa.float64(),
        "inputs.x": pa.float64(),
    }
    return pa.table(
        {
            name: pa.array([one[name] for one in rows], kinds.get(name, pa.string()))
            for name in row("", 0)
            if name not in without
        }
    )


def truth(**labels: int) -> GroundTruth:
    known = pa.table({"id": pa.array(list(labels), pa.string()), "label": pa.array(list(labels.values()), pa.int64())})
    return ground_truth_of([Table(known, Path("ground_truth"))], MODEL)


def counted(
    *tables: Any,
    ground_truth: GroundTruth | None = None,
    due_before: float = WINDOW.end,
    profile: Profile | None = None,
) -> dict[tuple[str, str], VersionCounts]:
    counts = WindowCounts(MODEL, lambda version: profile, WINDOW, [OBJECTIVE], ground_truth, due_before)
    try:
        for one in tables:
            counts.take(one)
    finally:
        counts.close()
    return counts.found


def champion(*tables: Any, **more: Any) -> VersionCounts:
    [(key, found)] = counted(*tables, **more).items()
    assert key == ("v1.0.0", "champion")
    return found


def test_a_request_of_several_rows_is_one_request() -> None:
    found = champion(table(row("a/0", 1), row("a/1", 1), row("a/2", 1), row("b/0", 2), row("c/10", 3)))
    assert (found.requests, found.rows, found.errors) == (2, 5, 0)
    assert sum(len(part) for part in found.milliseconds) == 2 and found.last == 3


def test_a_failed_request_is_an_error_and_no_row() -> None:
    found = champion(table(row("a", 1), row("b", 2, error="down", score=None)))
    assert (found.requests, found.rows, found.errors) == (2, 1, 1)
    assert found.days == {0: (1, 1, 0.5)}


def test_slow_and_failed_requests_use_the_error_budget() -> None:
    found = champion(
        table(row("a", 1), row("b", 2, latency_ms=101.0), row("c", 3, error="down", score=None, latency_ms=1.0))
    )
    assert (found.minutes.sum(), found.bad["slo"].sum()) == (3, 2)
    assert (found.minutes[0], found.bad["slo"][0]) == (3, 2), "in the first minute of the window"


def test_versions_and_variants_are_counted_apart() -> None:
    rows = [row("a", 1), row("b", 2, variant="shadow"), row("c", 3, version="v1.1.0"), row("d", 4, variant="candidate", version="v1.1.0"),
            row("e", 5, version=None, variant=None)]  # fmt: skip
    found = counted(table(*rows), ground_truth=truth(a=1, b=1))
    assert {key: one.rows for key, one in found.items()} == {
        ("v1.0.0", "champion"): 1, ("v1.0.0", "shadow"): 1, ("v1.1.0", "champion"): 1, ("v1.1.0", "candidate"): 1, ("", "champion"): 1,
    }  # fmt: skip
    assert found["v1.0.0", "shadow"].labelled is None, "a shadow's predictions reach no caller and need no label"


def test_labels_are_due_missing_and_known() -> None:
    rows = table(row("a", 1), row("b", 2), row("c", 3), row("d", 4))
    found = champion(rows, ground_truth=truth(a=1, d=0), due_before=4.0)
    assert (found.due, found.missing, found.oldest_missing) == (3, 2, 2.0)
    assert found.labelled is not None and found.labelled.rows == 2
    holdout = found.labelled.holdout()
    assert sorted(holdout.label.tolist()) == [0.0, 1.0]
    plain = champion(rows)
    assert (plain.due, plain.missing, plain.labelled) == (0, 0, None)


def test_outliers_are_counted_among_the_rows_that_can_be_scored() -> None:
    rows = [row("a", 1), row("b", 2, **{"inputs.x": 50.0}), row("c", 3, **{"inputs.colour": "green"})]
    found = champion(table(*rows), profile=PROFILE)
    assert (found.outliers, found.scored, found.faults) == (2, 3, {})
    assert found.profile().rows == 3
    x = next(column for column in found.profile().columns if column.name == "x")
    assert x.rows == 3 and x.nulls == 0


def test_an_input_that_callers_left_out_is_missing_and_one_of_another_type_is_a_fault() -> None:
    found = champion(table(row("a", 1), without=("inputs.colour",)), profile=PROFILE)
    colour = next(column for column in found.profile().columns if column.name == "colour")
    assert (colour.nulls, found.scored) == (1, 1)
    texts = table(row("a", 1)).set_column(8, "inputs.x", pa.array(["many"]))
    assert "x" in champion(texts, profile=PROFILE).faults
    assert champion(texts, profile=PROFILE).scored == 0, "without x there is no outlier score"


def test_a_version_without_a_profile_has_no_distributions() -> None:
    found = champion(table(row("a", 1)))
    assert (found.profiles, found.scored, found.rows) == ({}, 0, 1)


kinds = st.tuples(
    st.sampled_from(["v1.0.0", "v1.1.0"]), st.sampled_from(["champion", "shadow"]), st.booleans(), st.integers(0, 7 * DAY - 1),
    st.floats(-3, 3), st.sampled_from(["red", "blue", "green", None]),
)  # fmt: skip


def described(found: dict[tuple[str, str], VersionCounts]) -> Any:
    return {
        key: (
            one.rows, one.requests, one.errors, one.outliers, one.scored, one.due, one.missing, one.oldest_missing, one.last,
            {day: (rows, errors, round(total, 9)) for day, (rows, errors, total) in one.days.items()},
            one.minutes.tolist(), {name: bad.tolist() for name, bad in one.bad.items()},
            {name: parts[0].bins() for name, parts in one.profiles.items()},
            {name: cells.tolist() for name, cells in one.sliced.items()},
            sorted(np.concatenate(one.milliseconds).tolist()), one.labelled.rows if one.labelled else None,
        )
        for key, one in found.items()
    }  # fmt: skip


@settings(max_examples=40)  # each counts seven days by the minute
@given(st.lists(kinds, min_size=1, max_size=12), st.integers(1, 11))
def test_the_parts_of_the_log_do_not_matter(
    rows: list[tuple[str, str, bool, int, float, str | None]], cut: int
) -> None:
    made = [
        row(f"r{n}", at, version=version, variant=variant, error="down" if failed else None, score=None if failed else 0.25,
            **{"inputs.x": x, "inputs.colour": colour})
        for n, (version, variant, failed, at, x, colour) in enumerate(rows)
    ]  # fmt: skip
    known = truth(r0=1, r3=0)
    whole = described(counted(table(*made), ground_truth=known, due_before=3.0 * DAY, profile=PROFILE))
    parts = [part for part in (made[:cut], made[cut:]) if part]
    split = described(
        counted(*(table(*part) for part in parts), ground_truth=known, due_before=3.0 * DAY, profile=PROFILE)
    )
    assert split == whole


@pytest.mark.parametrize("kind", ["outliers", "scored", "due", "missing"])
def test_a_new_count_is_zero(kind: str) -> None:
    assert getattr(VersionCounts(), kind) == 0

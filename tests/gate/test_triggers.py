"""What makes a retraining due, and what holds it back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.gate.triggers import Failed, PastRun, Situation, due
from modelyard.manifests.calendar import Freeze
from modelyard.manifests.model import Budget, Retrain

DAY = 86400.0
NOW = 20_000 * DAY  # 2024-10-04, a Friday
QUIET = Situation(NOW, "v1.0.0", NOW - 10 * DAY, 0, (), ())


def failed(kind: str) -> Failed:
    return Failed("production", f"{kind}-kept", kind, "It moved.", "2024-10-03T00:00:00Z")


def test_nothing_is_due_without_a_reason() -> None:
    assert due(Retrain(), QUIET).reasons == ()
    assert due(Retrain(), QUIET).held == ""


@pytest.mark.parametrize(
    ("rules", "situation", "expected"),
    [
        (Retrain(new_rows=500), replace(QUIET, new_rows=500), ["data"]),
        (Retrain(new_rows=500), replace(QUIET, new_rows=499), []),
        (Retrain(), replace(QUIET, new_rows=10**9), []),
        (Retrain(maximum_age="10d"), replace(QUIET, champion_at=NOW - 10 * DAY - 1), ["age"]),
        (Retrain(maximum_age="10d"), QUIET, []),
        (Retrain(maximum_age="10d"), replace(QUIET, champion="", champion_at=0.0), []),
        (Retrain(), replace(QUIET, failed=(failed("quality"), failed("inputs"))), ["decay", "drift"]),
        (Retrain(on_drift=False), replace(QUIET, failed=(failed("quality"), failed("scores"))), ["decay"]),
        (Retrain(on_decay=False), replace(QUIET, failed=(failed("quality"),)), []),
        (Retrain(), replace(QUIET, failed=(failed("service"), failed("traffic"), failed("ground_truth"))), []),
    ],
)
def test_triggers(rules: Retrain, situation: Situation, expected: list[str]) -> None:
    assert [trigger for trigger, _ in due(rules, situation).reasons] == expected


def test_a_freeze_holds_what_is_due() -> None:
    rules = Retrain(new_rows=1, freezes=[Freeze(why="closing the books", days=["friday"])])
    found = due(rules, replace(QUIET, new_rows=1))
    assert found.reasons and found.held == "Retraining is frozen: closing the books"
    assert due(rules, replace(QUIET, new_rows=1, now=NOW + DAY)).held == ""


@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 7200)), max_size=20),
    st.integers(1, 10),
    st.none() | st.floats(1, 500),
)
def test_the_budget_is_used_up_exactly_when_its_span_cost_as_much(
    runs: list[tuple[float, float]], most: int, minutes: float | None
) -> None:
    past = tuple(PastRun(NOW - age * DAY, seconds) for age, seconds in runs)
    found = due(Retrain(budget=Budget(runs=most, minutes=minutes, every="30d")), replace(QUIET, runs=past))
    counted = [run for run in past if run.at > NOW - 30 * DAY]
    over = len(counted) >= most or (minutes is not None and sum(run.seconds for run in counted) >= minutes * 60)
    assert bool(found.held) == over
    assert found.spent.startswith(f"{len(counted)} of {most} runs")

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.gate.waivers import Granted, quarter, waiver_states, within_budget
from modelyard.manifests.approvals import Waiver

TODAY = date(2026, 5, 3)


def waiver(model: str = "churn", expires: str = "2026-06-30") -> Waiver:
    return Waiver(model=model, check="calibrated", artifact="a" * 64, reason="r", requested_by="@ada", expires=expires)


def test_the_budget_of_a_quarter_counts_what_was_removed_too() -> None:
    there = (("waivers/new.yaml", waiver()),)
    used = [
        Granted("waivers/gone.yaml", "churn", date(2026, 4, 1)),
        Granted("waivers/new.yaml", "churn", date(2026, 4, 9)),
    ]
    assert within_budget(there, used, "churn", 2, TODAY) == (there, ())
    kept, notes = within_budget(there, used, "churn", 1, TODAY)
    assert kept == () and "waivers/new.yaml does not count: churn already used its budget of 1" in notes[0]
    assert within_budget(there, used, "churn", None, TODAY) == (there, ())
    others = [
        Granted("waivers/x.yaml", "price", date(2026, 4, 1)),
        Granted("waivers/y.yaml", "churn", date(2026, 3, 31)),
    ]
    assert within_budget(there, others, "churn", 1, TODAY) == (there, ()), "another model, another quarter"


def test_an_invalid_date_is_an_error_and_not_a_pass() -> None:
    with pytest.raises(ModelyardError, match=r"waivers/bad.yaml: expires: '2026-02-31' is not a valid date"):
        within_budget((("waivers/bad.yaml", waiver(expires="2026-02-31")),), [], "churn", None, TODAY)


def test_the_state_of_a_waiver_gives_its_remaining_days() -> None:
    states = waiver_states([("b", waiver()), ("a", waiver(expires="2026-05-02"))], [], TODAY)
    assert [(s.file, s.expired, s.days_left) for s in states] == [("a", True, -1), ("b", False, 58)]


DAYS = st.dates(date(2025, 1, 1), date(2026, 12, 31))


@given(
    st.dictionaries(st.sampled_from([f"w{i}" for i in range(9)]), DAYS),
    st.integers(0, 4),
    st.sets(st.sampled_from([f"w{i}" for i in range(9)])),
)
def test_no_quarter_ever_has_more_than_its_budget(granted: dict[str, date], budget: int, there: set[str]) -> None:
    kept, notes = within_budget(
        [(name, waiver()) for name in sorted(there)],
        [Granted(n, "churn", d) for n, d in granted.items()],
        "churn",
        budget,
        TODAY,
    )
    counts: dict[tuple[int, int], int] = {}
    for name, _ in kept:
        day = granted.get(name, TODAY)
        counts[quarter(day)] = counts.get(quarter(day), 0) + 1
    assert all(count <= budget for count in counts.values())
    assert len(kept) + len(notes) == len(there)


@given(DAYS)
def test_quarters_are_three_months(day: date) -> None:
    year, number = quarter(day)
    assert year == day.year and 1 <= number <= 4
    assert quarter(day + timedelta(days=92)) != (year, number)

"""The earlier predictions that a window's inputs are compared with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.manifests.watches import DriftReference
from modelyard.predictions.interface import Window
from modelyard.production.monitoring.reference import YEARS, spans_of

SEASON = DriftReference(season="same-month")
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


def window(begin: datetime, end: datetime) -> Window:
    return Window(begin.timestamp(), end.timestamp())


def shown(span: Window) -> tuple[str, str]:
    begin, end = (datetime.fromtimestamp(moment, UTC) for moment in (span.begin, span.end))
    return begin.isoformat()[:10], end.isoformat()[:10]


@pytest.mark.parametrize(
    ("begin", "end", "newest"),
    [
        (datetime(2026, 7, 6, tzinfo=UTC), datetime(2026, 7, 13, tzinfo=UTC), ("2025-07-01", "2025-08-01")),
        (datetime(2026, 7, 25, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC), ("2025-07-01", "2025-08-01")),
        (datetime(2026, 7, 28, tzinfo=UTC), datetime(2026, 8, 4, tzinfo=UTC), ("2025-07-01", "2025-09-01")),
        (datetime(2025, 12, 29, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC), ("2024-12-01", "2025-02-01")),
        (datetime(2028, 2, 26, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC), ("2027-02-01", "2027-03-01")),
    ],
)
def test_the_same_months_of_the_year_before(begin: datetime, end: datetime, newest: tuple[str, str]) -> None:
    spans = spans_of(SEASON, window(begin, end))
    assert shown(spans[0]) == newest and len(spans) == YEARS


@given(MOMENTS, st.integers(1, 800 * 24))
def test_every_span_is_before_the_window_and_has_its_months_only(begin: datetime, hours: int) -> None:
    found = window(begin, begin + timedelta(hours=hours))
    first = datetime.fromtimestamp(found.begin, UTC)
    for span in spans_of(SEASON, found):
        assert span.begin < span.end <= found.begin
        assert datetime.fromtimestamp(span.begin, UTC).month == first.month
    [rolling] = spans_of(DriftReference(rolling="28d"), found)
    assert rolling == Window(found.begin - 28 * 86400, found.begin)

"""Times in any notation, and scores of any task, as NumPy arrays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.predictions.columns import has_scores, mask, scores_of, seconds, times_of
from predictions.test_payload import CLASSES, MODEL

moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
zones = st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.lists(st.tuples(moments, zones), min_size=1, max_size=8))
def test_the_same_moments_in_every_notation_are_the_same_seconds(
    given_moments: list[tuple[datetime, timezone]],
) -> None:
    plain = [at for at, _ in given_moments]
    expected = [round(at.timestamp(), 6) for at in plain]
    here = [at.astimezone(zone).isoformat() for at, zone in given_moments]
    naive = [at.replace(tzinfo=None).isoformat() for at in plain]
    columns = [
        pa.array(here),
        pa.array([text.replace("+00:00", "Z") for text in here]),
        pa.array(naive),
        pa.array([one if n % 2 else other for n, (one, other) in enumerate(zip(here, naive, strict=True))]),
        pa.array(plain, pa.timestamp("us", "UTC")),
        pa.array(plain, pa.timestamp("us", "Europe/Berlin")),
        pa.array([at.replace(tzinfo=None) for at in plain], pa.timestamp("us")),
        pa.array(expected, pa.float64()),
    ]
    for column in columns:
        found = seconds(times_of(pa.chunked_array([column]), "log"))
        assert found.tolist() == pytest.approx(expected, abs=2e-6), column.type


def test_whole_seconds_may_be_integers() -> None:
    assert seconds(times_of(pa.array([0, 1_777_593_600]), "log")).tolist() == [0.0, 1_777_593_600.0]


@pytest.mark.parametrize(
    "texts", [["yesterday"], ["2026-05-01T00:00:00Z", "2026-13-01T00:00:00"], ["01/02/2018 00:15", "13/02/2018 00:15"]]
)
def test_a_time_that_cannot_be_read_names_its_file(texts: list[str]) -> None:
    with pytest.raises(ModelyardError, match=r"^The times in a\.csv cannot be read: .*\. Write RFC 3339"):
        times_of(pa.array(texts), "a.csv")


@pytest.mark.parametrize("written", ["1601-01-01T00:00:00Z", -11_644_473_600, -11_644_473_600.0])
def test_times_before_1678_are_times(written: str | float) -> None:
    assert times_of(pa.array([written]), "a.csv").to_pylist() == [datetime(1601, 1, 1, tzinfo=UTC)]


def test_an_empty_text_among_mixed_zones_is_a_missing_time() -> None:
    found = times_of(pa.array(["2026-05-01T00:00:00Z", " ", None, "2026-05-01T00:00:00"]), "a.csv")
    assert [None if at is None else at.hour for at in found.to_pylist()] == [0, None, None, 0]


def test_scores_of_one_number_and_of_several_classes() -> None:
    one = pa.table({"score": pa.array([0.25, None])})
    assert has_scores(one, MODEL).tolist() == [True, False]
    np.testing.assert_array_equal(scores_of(one, MODEL), [0.25, np.nan])
    several = pa.table({"score": pa.array([[0.25, 0.75], None, [0.5], [0.1, 0.2, 0.7]])})
    assert has_scores(several, CLASSES).tolist() == [True, False, False, False]
    np.testing.assert_array_equal(scores_of(several.slice(0, 1), CLASSES), [[0.25, 0.75]])
    assert scores_of(several.slice(0, 0), CLASSES).shape == (0, 2)
    assert has_scores(one, CLASSES).tolist() == [False, False], "one number is no score of several classes"


def test_a_mask_is_a_plain_array() -> None:
    assert mask(pa.chunked_array([[True], [False, True]])).tolist() == [True, False, True]

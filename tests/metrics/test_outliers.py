"""Outliers: a robust distance and the rarity of levels, both from the profile alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.candidate.reference import decode_profile, encode_profile
from modelyard.errors import ModelyardError
from modelyard.metrics.outliers import REFERENCE_RATE, OutlierScore, bits, fits, outliers, row_shape
from modelyard.metrics.profile import ColumnProfile, Profile
from modelyard.metrics.scores import Floats, Integers
from modelyard.metrics.tally import ColumnValues, level_codes, number_codes, profile_column
from numpy.typing import NDArray

ROWS = 40_000
Rows = dict[str, NDArray[np.object_] | Floats]


def people(rows: int, seed: int) -> Rows:
    """Tall people are heavy, incomes have a long tail, one age in ten is missing."""
    random = np.random.default_rng(seed)
    tall = random.normal(size=rows)
    age = random.uniform(18, 90, rows)
    age[random.random(rows) < 0.1] = np.nan
    return {
        "height": 170 + 10 * tall,
        "weight": 70 + 12 * (0.95 * tall + np.sqrt(1 - 0.95**2) * random.normal(size=rows)),
        "income": np.exp(random.normal(10, 2, rows)),
        "age": age,
        "eyes": np.array(["brown", "blue", "green"], dtype=object)[random.choice(3, rows, p=[0.7, 0.29, 0.01])],
    }


def codes_of(rows: Rows, columns: tuple[ColumnProfile, ...]) -> dict[str, Integers]:
    found = {}
    for column in columns:
        values = rows[column.name]
        if column.numeric:
            found[column.name] = number_codes(np.asarray(values, dtype=np.float64), column)
        else:
            names = sorted(set(values.tolist()))
            found[column.name] = level_codes(names, column)[[names.index(value) for value in values]]
    return found


def known(rows: Rows) -> Profile:
    kinds = {"eyes": "string"}
    columns = tuple(profile_column(ColumnValues(n, kinds.get(n, "float"), values)) for n, values in rows.items())
    return Profile(columns[0].rows, columns, row_shape(columns, codes_of(rows, columns)))


@pytest.fixture(scope="module")
def profile() -> Profile:
    return known(people(ROWS, 1))


def share(profile: Profile, rows: Rows) -> float:
    score = OutlierScore.of(profile)
    assert score is not None
    return float((score.of_rows(codes_of(rows, profile.columns)) > score.limit).mean())


def test_one_row_in_a_hundred_of_other_rows_of_the_same_kind_is_an_outlier(profile: Profile) -> None:
    assert share(profile, people(ROWS, 1)) <= REFERENCE_RATE
    assert share(profile, people(ROWS, 2)) == pytest.approx(REFERENCE_RATE, abs=0.003)


def test_a_new_combination_of_common_numbers_is_an_outlier(profile: Profile) -> None:
    rows = people(2000, 3)
    rows["height"], rows["weight"] = np.full(2000, 184.0), np.full(2000, 56.0)  # each about one person in ten
    assert share(profile, rows) > 0.9
    rows["weight"] = np.full(2000, 86.0)
    assert share(profile, rows) < 0.05


def test_new_values_are_outliers_and_long_tails_are_not(profile: Profile) -> None:
    rows = people(2000, 3)
    assert share(profile, rows | {"height": np.full(2000, 300.0)}) > 0.9
    assert share(profile, rows | {"eyes": np.full(2000, "red", dtype=object)}) > 0.9
    assert share(profile, rows | {"income": np.full(2000, np.inf)}) > 0.9
    assert share(profile, rows | {"age": np.full(2000, np.nan)}) < 0.05, "one in ten is missing"
    rich = np.quantile(np.asarray(people(ROWS, 1)["income"], dtype=np.float64), 0.97)
    assert share(profile, rows | {"income": np.full(2000, rich)}) < 0.1


def test_extreme_rows_in_the_reference_hide_no_outlier(profile: Profile) -> None:
    dirty = people(ROWS, 1)
    weight = np.asarray(dirty["weight"], dtype=np.float64)
    weight[:: ROWS // 100] = 1e9
    spoilt = known(dirty | {"weight": weight})
    unlikely = people(2000, 3) | {"height": np.full(2000, 184.0), "weight": np.full(2000, 56.0)}
    assert share(spoilt, unlikely) > 0.9


def test_columns_that_are_nearly_equal_and_one_that_is_constant() -> None:
    rows = people(ROWS, 1)
    rows |= {"pounds": np.asarray(rows["weight"], dtype=np.float64) * 2.2, "planet": np.zeros(ROWS)}
    profile = known(rows)
    assert share(profile, rows) <= REFERENCE_RATE
    assert share(profile, {name: values[:500] for name, values in rows.items()} | {"planet": np.ones(500)}) > 0.9
    wrong = {name: values[:500] for name, values in rows.items()} | {"pounds": np.full(500, 120.0)}  # 54 kg
    assert share(profile, wrong) > 0.6, "who does not weigh about that"


def test_numbers_beyond_the_most_important_64_still_count() -> None:
    random = np.random.default_rng(1)
    rows: Rows = {f"x{i}": random.normal(size=2000) for i in range(70)}
    columns = tuple(replace(profile_column(ColumnValues(name, "float", values)), importance=1 / (place + 1))
                    for place, (name, values) in enumerate(rows.items()))  # fmt: skip
    shape = row_shape(columns, codes_of(rows, columns))
    assert shape is not None and shape.names == tuple(f"x{i}" for i in range(64))
    assert len(shape.correlations) == 64 * 63 // 2
    profile = Profile(2000, columns, shape)
    assert share(profile, rows) <= REFERENCE_RATE
    ordinary, far = (OutlierScore(columns, shape).of_rows(codes_of(rows | {"x69": np.full(2000, x)}, columns))
                     for x in (0.0, 50.0))  # fmt: skip
    assert (far > ordinary).all()


@given(st.integers(0, 2**32 - 1), st.permutations(list(people(1, 1))))
def test_scores_depend_neither_on_the_order_of_columns_nor_on_other_rows(seed: int, order: list[str]) -> None:
    profile, rows = known(people(1500, 1)), people(40, seed)
    score = OutlierScore.of(profile)
    assert score is not None
    codes = codes_of(rows, profile.columns)
    whole = score.of_rows(codes)
    parts = [score.of_rows({n: codes[n][a:b] for n in order}) for a, b in ((0, 13), (13, 40))]
    assert np.concatenate(parts) == pytest.approx(whole, abs=1e-3)


def test_texts_alone_and_numbers_alone() -> None:
    for names in (["eyes"], ["height", "weight"], ["income"]):
        rows = {name: values for name, values in people(ROWS, 1).items() if name in names}
        profile = known(rows)
        assert profile.shape is not None and share(profile, rows) <= REFERENCE_RATE
        assert fits(decode_profile(encode_profile(profile), "p"))
    assert share(known({"eyes": people(ROWS, 1)["eyes"]}), {"eyes": np.array(["red"] * 9, dtype=object)}) == 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"names": ("height", "weight", "income", "eyes")}, {"names": ("height", "height", "income", "age")},
        {"correlations": (0.1,)}, {"correlations": (2.0, 0.0, 0.0, 0.0, 0.0, 0.0)},
        {"correlations": (-1.0, -1.0, -1.0, -1.0, -1.0, -1.0)},
    ],
)  # fmt: skip
def test_a_shape_of_other_columns_is_refused(profile: Profile, change: dict[str, Any]) -> None:
    assert profile.shape is not None and fits(profile) and fits(replace(profile, shape=None))
    wrong = replace(profile, shape=replace(profile.shape, **change))
    assert not fits(wrong)
    assert decode_profile(encode_profile(profile), "p") == profile
    with pytest.raises(ModelyardError, match=r"p is not a valid profile: its shape"):
        decode_profile(encode_profile(wrong), "p")


def test_a_small_reference_has_no_limit() -> None:
    assert known(people(999, 1)).shape is None
    assert OutlierScore.of(known(people(999, 1))) is None


def test_rarity_is_that_of_the_definition(profile: Profile) -> None:
    eyes = next(column for column in profile.columns if column.name == "eyes")
    counts = np.array(eyes.bins()[1]) + 0.5
    assert bits(eyes) == pytest.approx(-np.log2(counts / counts.sum()))


def test_the_outlier_rate_has_an_interval() -> None:
    found = outliers([700, 500], 50_500)
    assert found is not None
    assert found.interval.low < found.rate < found.interval.high
    assert outliers([], 0) is None

"""Contracts guessed from facts, and tables that no contract can be made of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import UsageError
from modelyard.flavors.signature import Kind
from modelyard.setup.contract_guess import FLAVORS, TASKS, Guess, Needs, Wishes, guess_contract
from modelyard.tables.facts import ColumnFacts, TableFacts

ROWS = 4000


def levels(*names: str) -> dict[str, int]:
    return dict.fromkeys(sorted(names), ROWS // len(names))


def column(name: str, kind: Kind | None = "float", distinct: int = 3000, **said: object) -> ColumnFacts:
    return replace(ColumnFacts(name, kind, 0, distinct, {}), **said)  # type: ignore[arg-type]


ID = column("customer_id", "string", ROWS)
X = column("x", missing=7)
PLAN = column("plan", "string", 2, levels=levels("a", "b"))
WON = column("won", "string", 2, levels={"no": 3000, "yes": 1000})
MANY = column("note", "string", ROWS)
DAY = column("day", "date", 300)
EMPTY = column("empty", None, 0)


def guessed(*columns: ColumnFacts, needs: Needs | None = None, **wishes: str) -> Guess:
    return guess_contract(TableFacts("csv", ",", ROWS, columns), "t.csv", Wishes(**wishes), needs or Needs())


def test_the_usual_table_needs_no_word() -> None:
    found = guessed(ID, X, PLAN, MANY, DAY, EMPTY, WON)
    assert (found.task, found.label, found.positive, found.id) == ("binary", "won", "yes", "customer_id")
    assert [(one.name, one.kind, one.nullable) for one in found.inputs] == [
        ("x", "float", True),
        ("plan", "string", False),
    ]
    assert found.slices == ("plan",) and found.flavor == "lightgbm" and not found.number_rows
    said = {(reason.what, reason.guess): reason.why for reason in found.reasons}
    assert "free text" in said["left out", "note"] and "date" in said["left out", "day"]
    assert "usable type" in said["left out", "empty"] and "--label" in said["label", "won"]
    assert any("--time day" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("label", "task"),
    [
        (column("y", "boolean", 2, levels=levels("false", "true")), "binary"),
        (column("y", "integer", 10, levels=levels(*map(str, range(10)))), "multiclass"),
        (column("y", "string", 3, levels=levels("a", "b", "c")), "multiclass"),
        (column("y", "integer", 900, levels=levels(*map(str, range(900)))), "regression"),
        (column("y", "float", 3000), "regression"),
    ],
)
def test_the_label_says_the_task(label: ColumnFacts, task: str) -> None:
    assert guessed(label, X).task == task, "a column named y is the label, wherever it stands"


def test_classes_are_in_the_order_of_numbers() -> None:
    label = column("y", "integer", 11, levels=levels(*map(str, range(11))))
    assert guessed(X, label).classes == tuple(map(str, range(11)))


@pytest.mark.parametrize(
    ("columns", "wishes", "problem", "remedy"),
    [
        ((X, DAY), {}, "no usable label", "--label COLUMN"),
        ((X, column("label", None, 0)), {}, "cannot be the label", "--label"),
        ((X, column("target", "integer", 1, levels=levels("1"))), {}, "1 different value", "--label"),
        ((X, WON), {"label": "wom"}, "no column 'wom'", "Did you mean 'won'?"),
        ((X, WON), {"task": "regression"}, "cannot be the label of a regression model", "--task binary"),
        ((X, column("y", "float")), {"task": "binary"}, "cannot be the label of a binary", "--task regression"),
        ((X, WON), {"positive": "maybe"}, "no value 'maybe'", "Known: no, yes."),
        ((X, column("y", "float")), {"positive": "1"}, "--positive is for binary", "Leave it out"),
        ((X, WON), {"id": "x"}, "cannot be the id", "rows are numbered"),
        ((X, PLAN, WON), {"time": "plan"}, "has no times", "dates"),
        ((MANY, WON), {}, "no column that can be an input", "numbers"),
        ((column("a b"), column("a_b"), WON), {}, "apart", "Rename"),
        ((column("a[0]"), WON), {}, "takes no feature named 'a[0]'", "--flavor sklearn"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(
    columns: tuple[ColumnFacts, ...], wishes: dict[str, str], problem: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as error:
        guessed(*columns, needs=None, **wishes)
    assert problem in error.value.problem and remedy in error.value.remedy


def test_the_share_gives_the_policy_its_rows_or_says_that_it_cannot() -> None:
    assert guessed(X, WON).share == 0.25
    assert 0.27 <= guessed(X, WON, needs=Needs(1000, 100)).share <= 0.3
    poor = guessed(X, WON, needs=Needs(5000, 1500))
    assert poor.share == 0.7 and "5000 held-out rows" in poor.warnings[0] and "1500" in poor.warnings[1]


KINDS: list[Kind | None] = ["integer", "float", "string", "boolean", "date", "timestamp", "vector", None]
COLUMNS = st.builds(
    lambda name, kind, few, missing, distinct: ColumnFacts(
        name, kind, missing, len(few) or distinct, dict.fromkeys(sorted(few), 9)
    ),
    st.text("abyid_ [\"", min_size=1, max_size=3), st.sampled_from(KINDS), st.sets(st.sampled_from(["0", "1", "2.5", "x"])),
    st.integers(0, 5), st.integers(1001, 2000),
)  # fmt: skip


@given(
    st.lists(COLUMNS, min_size=1, max_size=6, unique_by=lambda one: one.name),
    st.sampled_from(["", *TASKS]),
    st.sampled_from(FLAVORS),
)
def test_every_table_gets_a_sound_contract_or_a_reason(columns: list[ColumnFacts], task: str, flavor: str) -> None:
    try:
        found = guessed(*columns, task=task, flavor=flavor)
    except UsageError as error:
        assert error.problem.endswith(".") and error.remedy
        return
    names = [one.name for one in found.inputs]
    assert names and len({*names, found.label, found.id}) == len(names) + 2
    assert found.task == (task or found.task) and 0.25 <= found.share <= 0.7
    assert (found.task == "binary") == bool(found.positive) and (found.task == "multiclass") == bool(found.classes)

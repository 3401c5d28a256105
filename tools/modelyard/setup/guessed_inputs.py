"""The inputs of a contract, guessed from a table: for a model to be trained, or for one that exists already."""

from __future__ import annotations

from dataclasses import dataclass, replace

from modelyard.errors import UsageError, near_match
from modelyard.flavors.matrix import plain
from modelyard.flavors.signature import Kind
from modelyard.tables.facts import ColumnFacts, TableFacts

_NOT_IN_NAMES = {"lightgbm": '",:[]{}', "xgboost": "[]<"}
"""Characters that a library refuses in the name of a feature."""


@dataclass(frozen=True)
class Reason:
    """One guess, and why."""

    what: str
    guess: str
    why: str


@dataclass(frozen=True)
class GuessedInput:
    """One input of the contract."""

    name: str
    kind: Kind
    nullable: bool
    length: int = 0
    """vector: the numbers in each value."""


def inputs_of_table(table: TableFacts, taken: set[str]) -> tuple[tuple[GuessedInput, ...], list[Reason]]:
    """Every usable column but those in ``taken``, and why others are left out."""
    found, left_out = [], []
    for column in table.columns:
        if column.name in taken:
            continue
        why = _unusable(column, table.rows)
        if why:
            left_out.append(Reason("left out", column.name, why))
        elif column.kind is not None:
            found.append(GuessedInput(column.name, column.kind, column.missing > 0))
    return tuple(found), left_out


def not_read(table: TableFacts, features: tuple[str, ...] | None) -> TableFacts:
    """The table without the columns that a model reads: none of them is the label."""
    named = {name for name in features or () if name}
    return replace(table, columns=tuple(c for c in table.columns if not named & _feature_names(c))) if named else table


def inputs_of_model(
    table: TableFacts, features: tuple[str, ...], taken: set[str], name: str
) -> tuple[tuple[GuessedInput, ...], list[Reason]]:
    """The inputs of a model that exists, in its order; UsageError where the table does not have them."""
    usable = [column for column in table.columns if column.name not in taken and column.kind is not None]
    if any(features):
        wanted, order = dict.fromkeys(features), []
        for feature in wanted:
            found = next((column for column in usable if feature in _feature_names(column)), None)
            if found is None:
                raise UsageError(
                    f"The model reads {feature!r}, and {name} has no such column of a usable type.",
                    near_match(feature, [column.name for column in usable], "Give a table with every input."),
                )
            order.append(found)
        chosen = list(dict.fromkeys(column.name for column in order))
        usable = [next(column for column in usable if column.name == one) for one in chosen]
    width = sum(max(1, column.length) for column in usable)
    if features and not any(features) and width != len(features):
        raise UsageError(
            f"The model reads {len(features)} numbers without names, and {name} has {width} beside label and id:"
            f" {', '.join(column.name for column in usable[:10])}.",
            "Give a table with exactly the model's inputs, in the order of its training, beside label and id.",
        )
    names = {column.name for column in usable}
    rest = [c for c in table.columns if c.name not in taken | names]
    left_out = [Reason("left out", column.name, "the model does not read it") for column in rest]
    found_inputs = [GuessedInput(c.name, c.kind, c.missing > 0, c.length) for c in usable if c.kind is not None]
    return tuple(found_inputs), left_out


def require_names(inputs: tuple[GuessedInput, ...], flavor: str, name: str) -> None:
    """UsageError for names that the flavor's library refuses or cannot tell apart."""
    seen: dict[str, str] = {}
    for column in inputs:
        wrong = set(column.name) & set(_NOT_IN_NAMES.get(flavor, ""))
        if wrong:
            raise UsageError(
                f"{flavor} takes no feature named {column.name!r}, a column of {name}.",
                f"Rename it without {' '.join(sorted(wrong))}, or choose --flavor sklearn.",
            )
        written = column.name.replace(" ", "_")
        if written in seen:
            raise UsageError(
                f"Libraries cannot tell the columns {seen[written]!r} and {column.name!r} of {name} apart.",
                "Rename one of them.",
            )
        seen[written] = column.name


def _feature_names(column: ColumnFacts) -> set[str]:
    """How a library may name the features of a column."""
    if column.kind == "vector":
        names = [form.format(column.name, i) for i in range(column.length) for form in ("{}_{}", "{}[{}]")]
        names.append(column.name)
    else:
        names = [column.name]
    return {spelling for name in names for spelling in (name, plain(name))}


def _unusable(column: ColumnFacts, rows: int) -> str:
    """Why a column is no input; '' if it is one."""
    if column.kind is None:
        return "has no values of a usable type"
    if len(column.name) > 128 or not column.name.isprintable():
        return "has a name that is too long or not printable"
    if column.kind in ("date", "timestamp", "vector"):
        return f"is a {column.kind}, which needs code of its own"
    if column.distinct < 2:
        return "has the same value in every row"
    if column.kind == "string" and (not column.levels or column.distinct > rows / 2):
        return f"has {column.distinct} different texts: a name, an identifier or free text"
    return ""

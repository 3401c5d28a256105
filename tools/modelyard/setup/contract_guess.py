"""A model's task, label, id and inputs, guessed from the facts of a table; each guess with its reason."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from modelyard.errors import UsageError, near_match
from modelyard.setup.guessed_inputs import (
    GuessedInput,
    Reason,
    inputs_of_model,
    inputs_of_table,
    not_read,
    require_names,
)
from modelyard.tables.facts import ColumnFacts, TableFacts

FLAVORS = ("lightgbm", "xgboost", "catboost", "sklearn")
"""The flavors for which a pipeline is written."""
TASKS = ("binary", "multiclass", "regression")
"""The tasks for which a pipeline is written. A ranking needs queries, which no table shows."""
_LABELS = ("label", "target", "class", "y", "outcome", "response")
_POSITIVE = ("1", "true", "yes", "y", "positive")
_MOST_CLASSES, _MOST_WHOLE_CLASSES = 100, 20
_SLICE_LEVELS = 12
_SHARE, _MOST_SHARE = 0.25, 0.7


@dataclass(frozen=True)
class Wishes:
    """What the user said; '' is to be guessed."""

    task: str = ""
    flavor: str = ""
    label: str = ""
    positive: str = ""
    id: str = ""
    time: str = ""


@dataclass(frozen=True)
class Needs:
    """What the policy's rule about rows asks of the held-out rows."""

    rows: int = 0
    per_class: int = 0


@dataclass(frozen=True)
class Guess:
    """A contract and a split for a table."""

    task: str
    flavor: str
    label: str
    positive: str
    """binary: the label's value that counts as 1, as text."""
    classes: tuple[str, ...]
    id: str
    number_rows: bool
    """Whether the id is made of the row's number, because no column is one."""
    inputs: tuple[GuessedInput, ...]
    slices: tuple[str, ...]
    time: str
    share: float
    """The share of the rows that is held out."""
    reasons: tuple[Reason, ...] = field(default=())
    warnings: tuple[str, ...] = ()


def guess_contract(
    table: TableFacts, name: str, wishes: Wishes, needs: Needs, features: tuple[str, ...] | None = None
) -> Guess:
    """The contract of a table. ``name`` names it in errors.

    ``features`` are the names of what a model reads that exists already ('' for a number without a name; none at all
    where the file does not tell): then the whole table is held out.
    UsageError for a table without a usable label or input, and for a wish that the table cannot fulfil.
    """
    columns = {column.name: column for column in table.columns}
    if not table.rows:
        raise UsageError(f"{name} has no rows.", "Give a table with labelled rows.")
    for wished in (wishes.label, wishes.id, wishes.time):
        if wished and wished not in columns:
            raise UsageError(f"{name} has no column {wished!r}.", near_match(wished, columns))
    label, why = _label(not_read(table, features), name, wishes)
    task, why_task = _task(label, name, wishes.task)
    reasons = [Reason("label", label.name, why), Reason("task", task, why_task)]
    flavor = wishes.flavor or "lightgbm"
    why = "what the model's file is" if features is not None else "asked for"
    why = why if wishes.flavor else "the default for tables"
    reasons.append(Reason("flavor", flavor, why))
    positive = ""
    if task == "binary":
        positive, why = _positive(label, wishes.positive)
        reasons.append(Reason("positive", positive, why))
    elif wishes.positive:
        raise UsageError(f"--positive is for binary models, and the task is {task}.", "Leave it out.")
    classes = tuple(sorted(label.levels, key=_in_order)) if task == "multiclass" else ()
    if classes:
        reasons.append(Reason("classes", ", ".join(classes), "the values of the label"))
    identifier, why = _id(table, name, wishes.id, label.name)
    made = not identifier
    reasons.append(Reason("id", identifier or _free("row_id", columns), why))
    if wishes.time and columns[wishes.time].kind not in ("date", "timestamp", "integer", "float"):
        raise UsageError(f"Column {wishes.time!r} of {name} has no times.", "Name a column of dates, times or numbers.")
    inputs, left_out = inputs_of_table(table, {label.name, identifier, wishes.time})
    if features is not None:
        inputs, left_out = inputs_of_model(table, features, {label.name, identifier}, name)
    if not inputs:
        raise UsageError(
            f"{name} has no column that can be an input: {'; '.join(f'{r.guess} {r.why}' for r in left_out)}.",
            "Give a table with numbers, booleans or texts of few levels beside the label.",
        )
    if features is None:
        require_names(inputs, flavor, name)
    gaps = sum(column.nullable for column in inputs)
    which = "every other column of a usable type" if not any(features or ()) else "those that the model's file names"
    reasons.append(Reason("inputs", str(len(inputs)), f"{which}; {gaps} may be missing"))
    reasons += left_out
    kept = table.rows - label.missing
    share, warnings = _share(kept, label, classes or task == "binary", needs, whole=features is not None)
    slices = _slices(inputs, columns, share)
    if slices:
        reasons.append(Reason("slices", ", ".join(slices), "few levels, each with enough held-out rows"))
    why = f"the newest by {wishes.time}" if wishes.time else "by the content of the inputs, so equal rows stay together"
    why = why if features is None else "nothing is trained here"
    reasons.append(Reason("held out", f"{share:.0%} of the rows", why))
    times = [c.name for c in table.columns if c.kind in ("date", "timestamp") and c.name != wishes.time]
    if times and not wishes.time and features is None:
        warnings = (*warnings, f"If the model will predict the future, hold out the newest rows: --time {times[0]}")
    if label.missing:
        warnings = (*warnings, f"{label.missing} rows have no label and are left out.")
    return Guess(
        task=task, flavor=flavor, label=label.name, positive=positive, classes=classes,
        id=identifier or _free("row_id", columns), number_rows=made, inputs=inputs, slices=slices, time=wishes.time,
        share=share, reasons=tuple(reasons), warnings=warnings,
    )  # fmt: skip


def _label(table: TableFacts, name: str, wishes: Wishes) -> tuple[ColumnFacts, str]:
    by_name = {column.name.lower(): column for column in reversed(table.columns)}
    if wishes.label:
        return next(column for column in table.columns if column.name == wishes.label), "asked for"
    for known in _LABELS:
        if known in by_name:
            return by_name[known], "it has the name of a label"
    last = table.columns[-1]
    if _tasks_of(last):
        return last, "no column has the name of a label, so the last one is taken; --label names another"
    raise UsageError(
        f"{name} has no usable label: no column is named {', '.join(_LABELS[:-1])} or {_LABELS[-1]}, and the last one,"
        f" {last.name!r}, has {_described(last)}.",
        "Name the column to be predicted: --label COLUMN",
    )


def _task(label: ColumnFacts, name: str, wished: str) -> tuple[str, str]:
    possible = _tasks_of(label)
    if wished and wished in possible:
        return wished, "asked for"
    if wished or not possible:
        what = f"label of a {wished} model" if wished else "label"
        other = f"Choose --task {possible[0]}" if possible else "Name another column with --label"
        raise UsageError(
            f"Column {label.name!r} of {name} cannot be the {what}: it has {_described(label)}.",
            f"{other}; {_REQUIRED.get(wished, 'a label has at least two values')}.",
        )
    return possible[0], f"the label has {_described(label)}"


_REQUIRED = {
    "binary": "a binary label has two values",
    "multiclass": f"a multiclass label has 2 to {_MOST_CLASSES} values that are no fractions",
    "regression": "the label of a regression is a number",
}


def _tasks_of(label: ColumnFacts) -> list[str]:
    """The tasks that a column can be the label of, the likeliest first."""
    kind, distinct = label.kind, label.distinct
    if kind not in ("integer", "float", "string", "boolean") or distinct < 2:
        return []
    number = kind in ("integer", "float")
    whole = bool(label.levels) and all("." not in level and "e" not in level for level in label.levels)
    classes = 2 <= distinct <= _MOST_CLASSES and (not number or whole)
    found = ["binary"] if distinct == 2 else []
    likely = classes and (not number or (kind == "integer" and distinct <= _MOST_WHOLE_CLASSES))
    if likely:
        found.append("multiclass")
    if number:
        found.append("regression")
    if classes and not likely:
        found.append("multiclass")
    return found


def _described(column: ColumnFacts) -> str:
    if column.kind is None:
        return "no values of a usable type"
    shown = f": {', '.join(list(column.levels)[:3])}" if column.kind == "string" and 0 < len(column.levels) <= 3 else ""
    values = "value" if column.distinct == 1 else "values"
    return f"{column.distinct} different {values} of the type {column.kind}{shown}"


def _positive(label: ColumnFacts, wished: str) -> tuple[str, str]:
    if wished:
        if wished not in label.levels:
            raise UsageError(f"The label {label.name!r} has no value {wished!r}.", near_match(wished, label.levels))
        return wished, "asked for"
    for level in label.levels:
        if level.lower() in _POSITIVE:
            return level, f"the usual word for it; {label.levels[level] / sum(label.levels.values()):.0%} of the rows"
    rarer = min(label.levels, key=lambda level: label.levels[level])
    return rarer, "the rarer value; --positive names the other"


def _id(table: TableFacts, name: str, wished: str, label: str) -> tuple[str, str]:
    """The column of the id ('' for none), and why."""

    def unique(column: ColumnFacts) -> bool:
        return column.kind in ("integer", "string") and not column.missing and column.distinct == table.rows

    if wished:
        if not unique(next(column for column in table.columns if column.name == wished)):
            raise UsageError(
                f"Column {wished!r} of {name} cannot be the id: an id is a text or a whole number that differs in every"
                " row.",
                "Name another column, or leave --id out: then rows are numbered.",
            )
        return wished, "asked for"
    for column in table.columns:
        lowered = column.name.lower()
        named = lowered in ("id", "uuid", "key") or lowered.endswith(("_id", " id"))
        if named and column.name != label and unique(column):
            return column.name, "it has the name of an id, and differs in every row"
    return "", "no column is named like an id and differs in every row, so rows are numbered"


def _share(
    rows: int, label: ColumnFacts, classified: object, needs: Needs, *, whole: bool
) -> tuple[float, tuple[str, ...]]:
    """The share that gives the policy its rows but in one of a thousand tables, and what the table cannot give."""
    smallest = min(label.levels.values()) if classified and label.levels else 0
    wanted = max([_SHARE, *_shares(needs.rows, rows), *_shares(needs.per_class, smallest)])
    share = 1.0 if whole else min(_MOST_SHARE, math.ceil(wanted * 100) / 100)
    warnings = []
    if rows * share < needs.rows:
        warnings.append(f"The policy asks for {needs.rows} held-out rows; this table gives about {rows * share:.0f}.")
    if smallest and smallest * share < needs.per_class:
        warnings.append(
            f"The policy asks for {needs.per_class} held-out rows of each class; the rarest has about"
            f" {smallest * share:.0f}."
        )
    return share, tuple(warnings)


def _shares(needed: int, rows: int) -> Iterator[float]:
    if needed and rows:
        yield (needed + 3 * math.sqrt(needed)) / rows


def _slices(inputs: tuple[GuessedInput, ...], columns: dict[str, ColumnFacts], share: float) -> tuple[str, ...]:
    """At most two inputs of few levels, each with a hundred held-out rows."""

    def fits(column: ColumnFacts) -> bool:
        few = 2 <= len(column.levels) <= _SLICE_LEVELS and column.kind in ("string", "boolean")
        return few and min(column.levels.values()) * share >= 100

    return tuple(column.name for column in inputs if fits(columns[column.name]))[:2]


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _in_order(level: str) -> tuple[int, str]:
    """The sort key of a class: whole numbers by size, then texts."""
    return (int(level), "") if level.removeprefix("-").isdecimal() else (10**18, level)

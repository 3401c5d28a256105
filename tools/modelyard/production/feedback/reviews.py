"""Labels by reviewers: the CSV of ``feedback sample`` with label, reviewer and time filled in."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from modelyard.errors import UsageError
from modelyard.ground_truth.labels import GroundTruth, ground_truth_of
from modelyard.manifests.model import PREDICTION, TIME, Model
from modelyard.production.feedback.sample import REVIEW
from modelyard.tables.table import Table

_MOST_ROWS = 1_000_000


@dataclass(frozen=True)
class Labels:
    """The labels of a file. Of several labels of one prediction the latest counts."""

    ground_truth: GroundTruth
    reviews: dict[str, tuple[str, datetime]]
    """Prediction id → the reviewer of the label that counts, and when it was given."""
    unlabelled: int
    """Rows without a label."""


def read_labels(file: Path, model: Model) -> Labels:
    """The labels of a CSV file. Rows without a label are skipped; a UsageError names the line of an invalid one."""
    import pyarrow as pa

    label = model.contract.label
    ids: list[str] = []
    values: list[str] = []
    times: list[datetime] = []
    reviews: dict[str, tuple[str, datetime]] = {}
    unlabelled = 0
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        for name in (PREDICTION, label, *REVIEW):
            if name not in (rows.fieldnames or ()):
                raise UsageError(
                    f"{file} has no column {name!r}.", "Fill in the file that modelyard feedback sample wrote."
                )
        for row in rows:
            line = rows.line_num
            if len(ids) >= _MOST_ROWS:
                raise UsageError(f"{file} has more than {_MOST_ROWS:,} labels.", "Split the file.")
            given = (row[label] or "").strip()
            if not given:
                unlabelled += 1
                continue
            name = (row[PREDICTION] or "").strip().removeprefix("'")
            who, at = (row["reviewer"] or "").strip(), _moment(file, line, row["reviewed_at"] or "")
            if not name or not who:
                _unsound(file, line, f"has a label but no {'reviewer' if name else PREDICTION}")
            if not _known(given, model):
                _unsound(file, line, f"has {label} {given!r}, which the contract does not know")
            ids.append(name)
            values.append(given)
            times.append(at)
            if name not in reviews or at >= reviews[name][1]:
                reviews[name] = (who, at)
    table = pa.table({PREDICTION: pa.array(ids, pa.string()), label: pa.array(values, pa.string()),
                      TIME: pa.array(times, pa.timestamp("us", "UTC"))})  # fmt: skip
    if model.task != "multiclass":
        numbers = pa.array([float(value) for value in values], pa.float64())
        table = table.set_column(1, label, numbers)
    return Labels(ground_truth_of([Table(table, file)], model), reviews, unlabelled)


def _known(given: str, model: Model) -> bool:
    if model.task == "multiclass":
        return given in model.contract.classes
    try:
        number = float(given)
    except ValueError:
        return False
    return number in (0.0, 1.0) if model.task == "binary" else number == number and abs(number) != float("inf")


def _moment(file: Path, line: int, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        _unsound(file, line, f"has a label, but reviewed_at {text!r} is not a time")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unsound(file: Path, line: int, what: str) -> NoReturn:
    raise UsageError(f"{file}:{line} {what}.", "Fill in label, reviewer and reviewed_at, such as 2026-05-03T14:00Z.")

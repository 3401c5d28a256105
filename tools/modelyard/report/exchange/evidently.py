"""A report of Evidently that somebody else wrote, as a page of the team's own: which tests failed, and each metric."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from modelyard.errors import ModelyardError

SUFFIX = ".evidently.json"
MOST_BYTES = 2_000_000
_TESTS, _METRICS = 40, 50
_CELL = 100
_PARTS = ("count", "share", "mean", "std")
"""Parts of a value that no row has given a name."""
_STATUSES = ("ERROR", "FAIL", "WARNING", "SKIPPED", "SUCCESS")
"""Evidently's, the worst first."""


class _Test(Struct, frozen=True):
    name: str
    status: str
    description: str = ""


class _Metric(Struct, frozen=True):
    metric_name: str
    value: Any = None


class _Report(Struct, frozen=True):
    """The JSON of Evidently 0.7: ``Report.run(…).save_json(…)``."""

    metrics: list[_Metric]
    tests: list[_Test] = []


def evidently_page(content: bytes, name: str) -> str:
    """Markdown with the tests, those that failed first, and the metrics; of many, the first and how many others.

    Distributions are left out, for their levels are values of rows. ModelyardError for a file that is no such report.
    """
    try:
        report = msgspec.json.decode(content, type=_Report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ModelyardError(
            f"{name} is no JSON report of Evidently 0.7.", "Write it with Report.run(…).save_json(…)."
        ) from error
    lines = [f"## Evidently: {name}"]
    if report.tests:
        passed = sum(test.status == "SUCCESS" for test in report.tests)
        lines += ["", f"{passed} of {len(report.tests)} tests passed."]
        worst = sorted(report.tests, key=lambda test: _rank(test.status))
        rows = [(test.status, test.name, test.description) for test in worst[:_TESTS]]
        lines += _table(("status", "test", "found"), rows, len(report.tests))
    if report.metrics:
        values = [(metric.metric_name, _value(metric.value)) for metric in report.metrics[:_METRICS]]
        lines += _table(("metric", "value"), values, len(report.metrics))
    return "\n".join(lines) + "\n"


def _rank(status: str) -> int:
    return _STATUSES.index(status) if status in _STATUSES else 0


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], of: int) -> Iterable[str]:
    lines = ["", _row(headings), _row(["---"] * len(headings)), *map(_row, rows)]
    return lines + ([f"and {of - len(rows):,} more", ""] if of > len(rows) else [])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    plain = re.sub(r"\s+", " ", text[: 2 * _CELL]).strip()
    return (plain if len(plain) <= _CELL else plain[: _CELL - 1] + "…").replace("|", "\\|")


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        plain = [f"{key} {_value(value[key])}" for key in _PARTS if isinstance(value.get(key), int | float)]
        return ", ".join(plain) or "a distribution, not shown"
    return "not shown"

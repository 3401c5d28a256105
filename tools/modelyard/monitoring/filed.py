"""The windows that were judged before, as the evidence branch has them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from modelyard.delivery.evidence_branch import SUPERSEDED, filed, newest
from modelyard.errors import ModelyardError
from modelyard.evidence.monitoring import WindowRecord
from modelyard.evidence.statement import Statement, read_statement
from modelyard.gate.verdict import Outcome
from modelyard.git import Git

_PATH = re.compile(r"(?P<model>[^/]+)/([0-9a-f]{64}|unregistered)/monitoring/(?P<env>[^/]+)/\w+-(?P<until>\w+)\.json")
_REMEMBERED = 30


def filed_windows(git: Git, model: str, environment: str = "") -> list[Statement[WindowRecord]]:
    """The newest windows (at most 30) of a model, in one environment or all of them; the newest first."""
    commit = newest(git)
    places = _newest_first(git.files_at(commit, f"{model}/") if commit else ())
    paths = [path for (_, place), found in places.items() if environment in ("", place) for path in found]
    paths = sorted(paths, key=lambda path: path.rpartition("-")[2], reverse=True)[:_REMEMBERED]
    contents = filed(git, *paths) if paths else {}
    return [statement for path in paths if (statement := _readable(contents[path])) is not None]


def window_blobs(git: Git, most: int) -> dict[str, list[str]]:
    """Model → SHAs of the blobs of its newest windows in each environment, at most so many; the newest first."""
    commit = newest(git)
    files = git.files_at(commit) if commit else {}
    found: dict[str, list[str]] = {}
    for (model, _), paths in _newest_first(files).items():
        found.setdefault(model, []).extend(files[path] for path in paths[:most])
    return found


def _newest_first(paths: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """(model, environment) → paths of its windows."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for path in paths:
        match = _PATH.fullmatch(path)
        if match and SUPERSEDED not in path:
            found.setdefault((match["model"], match["env"]), []).append((match["until"], path))
    return {place: [path for _, path in sorted(windows, reverse=True)] for place, windows in found.items()}


def _readable(content: bytes) -> Statement[WindowRecord] | None:
    """None for what another version of the toolkit filed: nothing is known of it, and today's window is judged."""
    try:
        return read_statement(content, "monitoring", WindowRecord)
    except ModelyardError:
        return None


def settled_before(git: Git, model: str, environment: str, until: str) -> dict[str, Outcome]:
    """Each check's last outcome that was not inconclusive, in windows that ended before ``until`` (RFC 3339)."""
    settled: dict[str, Outcome] = {}
    for statement in filed_windows(git, model, environment):
        record = statement.predicate
        if record.monitoring.until < until:
            for check in record.verdict.checks:
                if check.outcome != "inconclusive":
                    settled.setdefault(check.id, check.outcome)
    return settled

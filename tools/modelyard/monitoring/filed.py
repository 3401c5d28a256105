"""The windows that were judged before, as the evidence branch has them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from modelyard.delivery.evidence_branch import SUPERSEDED, listed
from modelyard.errors import ModelyardError
from modelyard.evidence.production import WindowRecord
from modelyard.evidence.statement import Statement, read_statement
from modelyard.evidence.verdict import Outcome
from modelyard.git import Git

_PATH = re.compile(r"(?P<model>[^/]+)/([0-9a-f]{64}|unregistered)/monitoring/(?P<env>[^/]+)/\w+-(?P<until>\w+)\.json")
_REMEMBERED = 30


def filed_windows(git: Git, model: str, environment: str = "") -> list[Statement[WindowRecord]]:
    """The newest windows (at most 30) of a model, in one environment or all of them; the newest first."""
    files = listed(git, f"{model}/")
    paths = [path for _, place, path in _windows(files) if environment in ("", place)][:_REMEMBERED]
    contents = git.blobs(files[path] for path in paths)
    return [found for path in paths if (found := _readable(contents[files[path]])) is not None]


def window_blobs(files: Mapping[str, str], most: int) -> dict[str, list[str]]:
    """Model → SHAs of the blobs of its windows, the newest first and at most so many of each environment.

    Of files as the evidence branch has them ``listed``.
    """
    found: dict[str, list[str]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for model, place, path in _windows(files):
        seen[model, place] += 1
        if seen[model, place] <= most:
            found.setdefault(model, []).append(files[path])
    return found


def _windows(paths: Iterable[str]) -> list[tuple[str, str, str]]:
    """(model, environment, path) of the windows among them, the newest first."""
    matches = [match for path in paths if SUPERSEDED not in path and (match := _PATH.fullmatch(path))]
    matches.sort(key=lambda match: (match["until"], match[0]), reverse=True)
    return [(match["model"], match["env"], match[0]) for match in matches]


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

"""The windows that were judged before, as the evidence branch has them."""

from __future__ import annotations

import re

from modelyard.delivery.evidence_branch import SUPERSEDED, filed, newest
from modelyard.errors import ModelyardError
from modelyard.evidence.monitoring import WindowRecord
from modelyard.evidence.statement import Statement, read_statement
from modelyard.gate.verdict import Outcome
from modelyard.git import Git

_PATH = re.compile(r"[^/]+/([0-9a-f]{64}|unregistered)/monitoring/(?P<env>[^/]+)/\w+-(?P<until>\w+)\.json")
_REMEMBERED = 30


def filed_windows(git: Git, model: str, environment: str = "") -> list[Statement[WindowRecord]]:
    """The newest windows (at most 30) of a model, in one environment or all of them; the newest first."""
    commit = newest(git)
    found = []
    for path in git.files_at(commit, f"{model}/") if commit else ():
        match = _PATH.fullmatch(path)
        if match and SUPERSEDED not in path and environment in ("", match["env"]):
            found.append((match["until"], path))
    paths = [path for _, path in sorted(found, reverse=True)[:_REMEMBERED]]
    contents = filed(git, *paths) if paths else {}
    return [statement for path in paths if (statement := _readable(contents[path])) is not None]


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

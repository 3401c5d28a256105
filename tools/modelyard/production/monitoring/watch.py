"""A window measured, judged and filed, and the windows that were filed before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from modelyard.checkout.champion import model_history
from modelyard.checkout.evidence_branch import SUPERSEDED, append, listed
from modelyard.checkout.rules import rules_here
from modelyard.errors import ModelyardError
from modelyard.evidence.production import WindowRecord
from modelyard.evidence.statement import Statement, read_statement, write_statement
from modelyard.evidence.verdict import Outcome, Verdict
from modelyard.gate.watches import judge_window
from modelyard.git import Git
from modelyard.ground_truth.labels import Outcomes
from modelyard.manifests.repository import ModelRepository
from modelyard.metrics.window import Monitoring
from modelyard.predictions.discovery import open_reader
from modelyard.predictions.interface import Window
from modelyard.production.monitoring.window import artifact_of, monitor_window

_PATH = re.compile(r"(?P<model>[^/]+)/([0-9a-f]{64}|unregistered)/monitoring/(?P<env>[^/]+)/\w+-(?P<until>\w+)\.json")
_REMEMBERED = 30


@dataclass(frozen=True)
class Watched:
    """One window of one model in one environment."""

    model: str
    artifact: str
    """sha256 of the watched version's bytes; '' where it was never registered."""
    monitoring: Monitoring
    verdict: Verdict


def watch(
    repository: ModelRepository,
    git: Git,
    name: str,
    environment: str,
    window: Window,
    outcomes: Outcomes | None,
    say: Callable[[str], None],
) -> Watched:
    """Measures and judges a window by the rules of this checkout."""
    model, where = repository.model(name), repository.environment(environment)
    today = datetime.now(UTC).date()
    rules = rules_here(repository, git, name, today)
    reader = open_reader(where, repository.root)
    monitoring = monitor_window(git, model, rules.policy, where, reader, window, outcomes, say)
    artifact = artifact_of(model_history(git, name), monitoring.version)
    verdict = judge_window(rules.policy, rules.lines, name, artifact, monitoring, rules.waivers, today)
    return Watched(name, artifact, monitoring, verdict)


def file_window(git: Git, watched: Watched) -> str:
    """Files the evidence; the commit. The same window again is the same path, and the older content is kept."""
    record = WindowRecord(watched.monitoring, watched.verdict)
    content = write_statement("monitoring", watched.model, watched.artifact, record)
    span = f"{_stamp(watched.monitoring.since)}-{_stamp(watched.monitoring.until)}"
    path = (
        f"{watched.model}/{watched.artifact or 'unregistered'}/monitoring/{watched.monitoring.environment}/{span}.json"
    )
    return append(
        git, {path: content}, f"{watched.model} in {watched.monitoring.environment}: {watched.verdict.outcome}"
    )


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


def _stamp(moment: str) -> str:
    return moment.replace("-", "").replace(":", "")


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

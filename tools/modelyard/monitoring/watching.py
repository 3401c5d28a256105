"""A window measured, judged and filed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from modelyard.delivery.evidence_branch import append
from modelyard.evidence.production import WindowRecord
from modelyard.evidence.statement import write_statement
from modelyard.evidence.verdict import Verdict
from modelyard.gate.watches import judge_window
from modelyard.git import Git
from modelyard.ground_truth.labels import Outcomes
from modelyard.manifests.repository import ModelRepository
from modelyard.metrics.window import Monitoring
from modelyard.monitoring.window import artifact_of, monitor_window
from modelyard.predictions.discovery import open_reader
from modelyard.predictions.interface import Window
from modelyard.proposal.champion import model_history
from modelyard.proposal.rules import rules_here


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


def _stamp(moment: str) -> str:
    return moment.replace("-", "").replace(":", "")

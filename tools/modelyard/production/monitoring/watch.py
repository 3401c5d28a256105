"""The watch over one model in one environment: a window measured, judged and filed, and earlier windows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from modelyard.checkout.checkout import ModelView
from modelyard.checkout.evidence_branch import SUPERSEDED
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.errors import ModelyardError
from modelyard.evidence.production import WindowRecord
from modelyard.evidence.statement import Statement, read_statement, write_statement
from modelyard.evidence.verdict import Outcome, Verdict
from modelyard.gate.watches import judge_window
from modelyard.ground_truth.labels import GroundTruth
from modelyard.manifests.configuration import Environment
from modelyard.metrics.window import Monitoring
from modelyard.predictions.discovery import open_reader
from modelyard.predictions.interface import Window
from modelyard.predictions.profiles import ProfilesReader
from modelyard.production.monitoring.profiled import whole_days
from modelyard.production.monitoring.window import artifact_of, monitor_window
from modelyard.progress import Progress

_PATH = re.compile(r"(?P<model>[^/]+)/([0-9a-f]{64}|unregistered)/monitoring/(?P<env>[^/]+)/\w+-(?P<until>\w+)\.json")
_REMEMBERED = 30


@dataclass(frozen=True)
class Watched:
    """One judged window of one model in one environment."""

    model: str
    artifact: str
    """sha256 of the monitored version's bytes; '' when it was never registered."""
    monitoring: Monitoring
    verdict: Verdict


def watch(
    view: ModelView,
    environment: Environment,
    window: Window,
    ground_truth: GroundTruth | None,
    progress: Progress,
) -> Watched:
    """Measures and judges a window by the rules of this checkout."""
    today = datetime.now(UTC).date()
    rules = view.rules(today)
    reader = open_reader(environment, view.checkout.root)
    if isinstance(reader, ProfilesReader):
        window = whole_days(window)
    judged = _judged_until(view.checkout.evidence, view.name, environment.name, window)
    monitoring = monitor_window(view, rules.policy, environment, reader, window, ground_truth, progress, judged)
    artifact = artifact_of(view.history, monitoring.version)
    verdict = judge_window(rules.policy, rules.lines, view.manifest, artifact, monitoring, rules.waivers, today)
    return Watched(view.name, artifact, monitoring, verdict)


def file_window(evidence: EvidenceStore, watched: Watched, exchanged: Mapping[str, bytes] | None = None) -> str:
    """Files the evidence and returns the commit; ``exchanged`` is tool → what it measured of the window.

    The same window has the same path every time; content that it replaces is kept as superseded.
    """
    record = WindowRecord(watched.monitoring, watched.verdict)
    content = write_statement("monitoring", watched.model, watched.artifact, record)
    span = f"{_stamp(watched.monitoring.since)}-{_stamp(watched.monitoring.until)}"
    place = f"{watched.model}/{watched.artifact or 'unregistered'}/monitoring/{watched.monitoring.environment}/{span}"
    files = {f"{place}.json": content} | {f"{place}.{tool}.json": found for tool, found in (exchanged or {}).items()}
    message = f"{watched.model} in {watched.monitoring.environment}: {watched.verdict.outcome}"
    return evidence.append(files, message)


def filed_windows(evidence: EvidenceStore, model: str, environment: str = "") -> list[Statement[WindowRecord]]:
    """The newest windows (at most 30) of a model, in one environment or all of them, newest first."""
    files = evidence.listed(f"{model}/")
    paths = [path for _, place, path in _windows(files) if environment in ("", place)][:_REMEMBERED]
    contents = evidence.git.blobs(files[path] for path in paths)
    return [found for path in paths if (found := _readable(contents[files[path]])) is not None]


def window_blobs(files: Mapping[str, str], most: int) -> dict[str, list[str]]:
    """Model → SHAs of the blobs of its windows, newest first, at most ``most`` per environment.

    ``files`` is path → SHA, as the evidence store's ``listed`` gives it.
    """
    found: dict[str, list[str]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for model, place, path in _windows(files):
        seen[model, place] += 1
        if seen[model, place] <= most:
            found.setdefault(model, []).append(files[path])
    return found


def settled_before(evidence: EvidenceStore, model: str, environment: str, until: str) -> dict[str, Outcome]:
    """Each check's last conclusive outcome in the windows that ended before ``until`` (RFC 3339)."""
    settled: dict[str, Outcome] = {}
    for statement in filed_windows(evidence, model, environment):
        record = statement.predicate
        if record.monitoring.until < until:
            for check in record.verdict.checks:
                if check.outcome != "inconclusive":
                    settled.setdefault(check.id, check.outcome)
    return settled


def _judged_until(evidence: EvidenceStore, model: str, environment: str, window: Window) -> float:
    """The end, in seconds since 1970, of the newest filed window that ended before this one; 0.0 without one."""
    ends = (
        datetime.strptime(match["until"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        for path in evidence.listed(f"{model}/")
        if SUPERSEDED not in path and (match := _PATH.fullmatch(path)) and match["env"] == environment
    )
    return max((end for end in ends if end < window.end), default=0.0)


def _stamp(moment: str) -> str:
    return moment.replace("-", "").replace(":", "")


def _windows(paths: Iterable[str]) -> list[tuple[str, str, str]]:
    """(model, environment, path) of the windows among ``paths``, newest first."""
    matches = [match for path in paths if SUPERSEDED not in path and (match := _PATH.fullmatch(path))]
    matches.sort(key=lambda match: (match["until"], match[0]), reverse=True)
    return [(match["model"], match["env"], match[0]) for match in matches]


def _readable(content: bytes) -> Statement[WindowRecord] | None:
    """The window, or None when another version of the toolkit filed it in a form that this one cannot read."""
    try:
        return read_statement(content, "monitoring", WindowRecord)
    except ModelyardError:
        return None

"""Proposals and versions as runs of a tracker."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from modelyard.documents import encode, visible
from modelyard.evidence.bundle import Bundle
from modelyard.evidence.training import flat
from modelyard.evidence.verdict import Outcome
from modelyard.metrics.evaluation import Evaluation
from modelyard.registry.history import ModelHistory, RegisteredVersion
from modelyard.trackers.interface import Metric, TrackedRun

_UNSAFE = re.compile(r"[^A-Za-z0-9_.\- ]+")
_IN_PATHS = re.compile(r"[^A-Za-z0-9_.\-/ ]+")
_LONGEST_NAME, _LONGEST_VALUE = 200, 500
_MOST = {"params": 300, "metrics": 900, "inputs": 100}
"""More of a kind is left out, and a tag says so."""


class ProposedRun(Struct, frozen=True, kw_only=True):
    """What a run shows of a proposal beside its evidence."""

    pull: int
    commit: str
    branch: str
    outcome: Outcome
    reason: str
    report: str
    """The report in Markdown."""
    report_sha256: str
    url: str = ""
    """The address of the pull request."""


class VersionState(Struct, frozen=True, kw_only=True):
    """Where a version stands in the registry."""

    version: RegisteredVersion
    stages: tuple[str, ...]
    """The environments that it is assigned to."""
    withdrawn: str = ""
    """The reason of its withdrawal; '' for a version in use."""
    archived: str = ""
    """The reason why its model is archived; '' for a model in use."""

    @property
    def key(self) -> str:
        """The key of its run: that of the proposal that made it, where nothing differs."""
        record = self.version.record
        if record is None:
            return ""
        return _key(record.pull, record.artifact, record.params, record.data)

    def state(self, model: str) -> str:
        """A digest of everything that the run of the version shows."""
        shown = [model, self.version.version, self.version.message, self.stages, self.withdrawn, self.archived]
        return hashlib.sha256(encode(shown)).hexdigest()


def proposal_run(bundle: Bundle, proposed: ProposedRun) -> TrackedRun:
    """The run of one proposal of one model."""
    training = bundle.training
    inputs = {entry.path: entry.md5 for entry in training.inputs} if training else {}
    params = training.params if training else {"commit": proposed.commit}
    key = _key(proposed.pull, bundle.artifact, params, inputs)
    tags = {
        "model": bundle.model,
        "pull": str(proposed.pull),
        "pull_url": proposed.url,
        "branch": proposed.branch,
        "commit": proposed.commit,
        "verdict": proposed.outcome,
        "reason": proposed.reason,
        "artifact": bundle.artifact,
        "report": proposed.report_sha256,
        "champion": (bundle.evaluation.champion or "") if bundle.evaluation else "",
    }
    return _run(
        key=key,
        state=hashlib.sha256(f"{key} {proposed.commit} {proposed.report_sha256}".encode()).hexdigest(),
        model=bundle.model,
        name=f"{bundle.model} pull request {proposed.pull}",
        at=0,
        failed=proposed.outcome == "error",
        tags=tags,
        params=training.params if training else {},
        evaluation=bundle.evaluation,
        inputs=inputs,
        files={"report.md": proposed.report.encode()},
    )


def version_states(history: ModelHistory, environments: Sequence[str], newest: int) -> list[VersionState]:
    """The newest versions and those with a stage, oldest first. Tags without a record are left out."""
    assigned: dict[str, list[str]] = {}
    for environment in environments:
        if found := history.assigned(environment):
            assigned.setdefault(found.version, []).append(environment)
    reasons = {w.version: (w.record.why if w.record else "") or "withdrawn" for w in history.withdrawals}
    archived = next((reason for version, reason in reasons.items() if not version), "")
    known = history.all_versions
    return [
        VersionState(
            version=version,
            stages=tuple(assigned.get(version.version, ())),
            withdrawn=reasons.get(version.version, "") if version in history.withdrawn else "",
            archived=archived,
        )
        for at, version in enumerate(known)
        if version.record and not version.imported and (at >= len(known) - newest or version.version in assigned)
    ]


def version_run(model: str, stands: VersionState, bundle: Bundle, reports: Mapping[str, bytes]) -> TrackedRun:
    """The run of one version. ``reports`` are its filed reports (file name → content)."""
    version, record = stands.version, stands.version.record
    if record is None:
        raise ValueError("a version without a record has no run")
    tags = {
        "model": model,
        "version": version.version,
        "tag": f"{model}@{version.version}",
        "stages": ", ".join(stands.stages),
        "withdrawn": stands.withdrawn,
        "archived": stands.archived,
        "pull": str(record.pull),
        "commit": record.code or version.commit,
        "verdict": record.verdict,
        "artifact": record.artifact,
        "report": record.report,
        "champion": record.champion,
        "approved_by": ", ".join(record.approved_by),
        "author": record.by,
    }
    found = _run(
        key=stands.key,
        state=stands.state(model),
        model=model,
        name=f"{model} {version.version}",
        at=version.at,
        failed=False,
        tags=tags,
        params=record.params,
        evaluation=bundle.evaluation,
        inputs=record.data,
        files={name: content for name, content in reports.items() if name in ("report.md", "report.html")},
    )
    if bundle.evaluation is None:  # filed by another release of the toolkit
        return _with_metrics(found, record.metrics)
    return found


def _key(pull: int, artifact: str, params: Mapping[str, Any], data: Mapping[str, str]) -> str:
    parts = [pull, artifact, params, dict(sorted(data.items()))]
    return hashlib.sha256(encode(parts, order="sorted")).hexdigest()[:32]


def _run(
    *,
    key: str,
    state: str,
    model: str,
    name: str,
    at: int,
    failed: bool,
    tags: Mapping[str, str],
    params: Mapping[str, Any],
    evaluation: Evaluation | None,
    inputs: Mapping[str, str],
    files: dict[str, bytes],
) -> TrackedRun:
    flattened = {_safe(name): _short(value) for name, value in flat(params).items()}
    metrics = _metrics(evaluation) if evaluation else []
    left_out = [
        f"{len(whole) - _MOST[kind]} {kind}"
        for kind, whole in (("params", flattened), ("metrics", metrics), ("inputs", inputs))
        if len(whole) > _MOST[kind]
    ]
    shown = {name: _short(value) for name, value in tags.items()}
    return TrackedRun(
        key=key,
        state=state,
        model=model,
        name=name,
        at=at,
        failed=failed,
        tags=shown | ({"left_out": ", ".join(left_out)} if left_out else {}),
        params=dict(list(flattened.items())[: _MOST["params"]]),
        metrics=tuple(metrics[: _MOST["metrics"]]),
        inputs={_safe(path, _IN_PATHS): _short(md5)[:36] for path, md5 in list(inputs.items())[: _MOST["inputs"]]},
        files=files,
    )


def _with_metrics(run: TrackedRun, metrics: Mapping[str, float]) -> TrackedRun:
    from msgspec.structs import replace

    return replace(run, metrics=_finite([(name, value, 0) for name, value in metrics.items()]))


def _metrics(evaluation: Evaluation) -> list[Metric]:
    """The metrics of all rows with champion, difference and the ends of the 95 % interval, then those of each fold.

    The interval is that of the difference; without a champion, that of the candidate's own value.
    """
    found: list[tuple[str, float | None, int]] = []
    for result in evaluation.metrics:
        found += [
            (result.name, result.candidate, 0),
            (f"{result.name}.champion", result.champion, 0),
            (f"{result.name}.difference", result.difference, 0),
        ]
        if result.interval:
            of = f"{result.name}.difference" if result.difference is not None else result.name
            found += [(f"{of}.low", result.interval.low, 0), (f"{of}.high", result.interval.high, 0)]
    for folds in evaluation.stability.metrics if evaluation.stability else ():
        found += [(f"{folds.name}.fold", value, step) for step, value in enumerate(folds.values)]
        found += [(f"{folds.name}.folds.mean", folds.mean, 0), (f"{folds.name}.folds.deviation", folds.deviation, 0)]
    return list(_finite(found))


def _finite(found: Sequence[tuple[str, float | None, int]]) -> tuple[Metric, ...]:
    kept = {
        (_safe(name), step): float(value) for name, value, step in found if value is not None and math.isfinite(value)
    }
    return tuple(Metric(name, value, step) for (name, step), value in kept.items())


def _safe(name: str, unsafe: re.Pattern[str] = _UNSAFE) -> str:
    """A name that every tracker takes: letters, digits, ``_``, ``-``, ``.`` and spaces, in a path also ``/``."""
    return unsafe.sub("_", name)[:_LONGEST_NAME].strip(" .") or "_"


def _short(value: str) -> str:
    return visible(" ".join(str(value).split()))[:_LONGEST_VALUE]

"""What is known of a model before anybody decides to retrain it."""

from __future__ import annotations

import time

import msgspec

from modelyard.checkout.champion import champion_of, model_history
from modelyard.checkout.evidence_branch import append, filed
from modelyard.evidence.statement import read_statement, write_statement
from modelyard.evidence.training import RetrainingRecord
from modelyard.gate.triggers import Failed, PastRun, Situation
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.production.feedback.increment import increments
from modelyard.production.monitoring.watch import filed_windows
from modelyard.registry.history import ModelHistory


class _Increment(msgspec.Struct):
    joined: dict[str, object]


def situation_of(repository: ModelRepository, git: Git, model: str) -> Situation:
    """The champion, the feedback that came after it, what the newest windows failed, and what was spent."""
    history = model_history(git, model)
    champion = champion_of(repository, history)
    since = champion.commit if champion else "HEAD"
    before = set(increments(git, model, since))
    return Situation(
        time.time(),
        str(champion.version) if champion else "",
        float(champion.at) if champion else 0.0,
        sum(_rows(git, path) for path in increments(git, model) if path not in before),
        tuple(failed for place in repository.config.environments for failed in _failed(git, history, place.name)),
        tuple(PastRun(r.at, r.seconds) for r in _records(git, model)),
    )


def file_retraining(git: Git, model: str, artifact: str, record: RetrainingRecord) -> None:
    """Remembers a run, whatever came of it: what it cost counts."""
    content = write_statement("retraining", model, artifact, record)
    append(
        git, {f"{_folder(model)}{record.at:.0f}-{artifact[:12]}.json": content}, f"{model}: retrained, {record.cause}"
    )


def _failed(git: Git, history: ModelHistory, environment: str) -> list[Failed]:
    """What the newest window failed; nothing where it watched a version that another has replaced since."""
    windows = filed_windows(git, history.model, environment)
    if not windows:
        return []
    newest, serves = windows[0].predicate, history.assigned(environment)
    if serves is not None and serves.version != newest.monitoring.version:
        return []
    return [
        Failed(environment, c.id, c.kind, c.sentence, newest.monitoring.until)
        for c in newest.verdict.checks
        if c.outcome == "fail" and c.level != "advisory"
    ]


def _records(git: Git, model: str) -> list[RetrainingRecord]:
    contents = filed(git, _folder(model)).values()
    return [read_statement(content, "retraining", RetrainingRecord).predicate for content in contents]


def _rows(git: Git, path: str) -> int:
    content = git.file_at("HEAD", f"{path.removesuffix('.parquet')}.json")
    joined = msgspec.json.decode(content, type=_Increment).joined if content else {}
    rows = joined.get("labelled", 0)
    return rows if isinstance(rows, int) else 0


def _folder(model: str) -> str:
    return f"{model}/retrainings/"

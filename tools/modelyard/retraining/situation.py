"""The situation of a model, by which the triggers of a retraining are judged, and the record of past runs."""

from __future__ import annotations

import time

import msgspec

from modelyard.checkout.checkout import ModelView
from modelyard.evidence.statement import read_statement, write_statement
from modelyard.evidence.training import RetrainingRecord
from modelyard.gate.triggers import Failed, PastRun, Situation
from modelyard.git import Git
from modelyard.production.feedback.increment import increments
from modelyard.production.monitoring.watch import filed_windows


class _Increment(msgspec.Struct):
    joined: dict[str, object]


def situation_of(view: ModelView) -> Situation:
    """The champion, newer labelled rows, the watches that failed in the newest windows, and the runs so far."""
    git, model, champion = view.checkout.git, view.name, view.champion
    since = champion.commit if champion else "HEAD"
    before = set(increments(git, model, since))
    return Situation(
        now=time.time(),
        champion=champion.version if champion else "",
        champion_at=float(champion.at) if champion else 0.0,
        new_rows=sum(_rows(git, path) for path in increments(git, model) if path not in before),
        failed=tuple(
            failed for place in view.checkout.repository.config.environments for failed in _failed(view, place.name)
        ),
        runs=tuple(PastRun(r.at, r.seconds) for r in _records(view)),
    )


def file_retraining(view: ModelView, artifact: str, record: RetrainingRecord) -> None:
    """Files a run on the evidence branch, whether it was proposed or not: its cost counts against the budget."""
    content = write_statement("retraining", view.name, artifact, record)
    path = f"{_folder(view.name)}{record.at:.0f}-{artifact[:12]}.json"
    view.checkout.evidence.append({path: content}, f"{view.name}: retrained, {record.cause}")


def _failed(view: ModelView, environment: str) -> list[Failed]:
    """Watches that failed in the newest window; none when another version has replaced the monitored one since."""
    windows = filed_windows(view.checkout.evidence, view.name, environment)
    if not windows:
        return []
    newest, serves = windows[0].predicate, view.history.assigned(environment)
    if serves is not None and serves.version != newest.monitoring.version:
        return []
    return [
        Failed(environment=environment, check=c.id, kind=c.kind, sentence=c.sentence, until=newest.monitoring.until)
        for c in newest.verdict.checks
        if c.outcome == "fail" and c.level != "advisory"
    ]


def _records(view: ModelView) -> list[RetrainingRecord]:
    contents = view.checkout.evidence.filed(_folder(view.name)).values()
    return [read_statement(content, "retraining", RetrainingRecord).predicate for content in contents]


def _rows(git: Git, path: str) -> int:
    content = git.file_at("HEAD", f"{path.removesuffix('.parquet')}.json")
    joined = msgspec.json.decode(content, type=_Increment).joined if content else {}
    rows = joined.get("labelled", 0)
    return rows if isinstance(rows, int) else 0


def _folder(model: str) -> str:
    return f"{model}/retrainings/"

"""The stage tag that says which version answers in an environment, since when and on whose word."""

from __future__ import annotations

from modelyard.delivery.tagging import next_counter, signs_tags, write_tag
from modelyard.errors import ModelyardError
from modelyard.git import Git, RefRejected
from modelyard.manifests.repository import ModelRepository
from modelyard.proposal.champion import model_history, version_by_name
from modelyard.registry.tags import (
    StageRecord,
    WithdrawalRecord,
    model_patterns,
    stage_tag,
    unassigning_tag,
    write_record,
)

_ATTEMPTS = 5


def write_receipt(
    repository: ModelRepository, git: Git, model: str, environment: str, stage: StageRecord
) -> str | None:
    """Tags an assignment; None when the newest receipt says the same. A refused push counts anew and tries again."""
    for _ in range(_ATTEMPTS):
        _refresh(git, model)
        history = model_history(git, model)
        assigned = history.assigned(environment)
        if assigned and assigned.version == stage.version and not stage.blocked:
            return None
        if any(known.record and known.record.rollout == stage.rollout != "" for known in history.rollbacks()):
            return None
        tag = stage_tag(model, environment, next_counter(git, history))
        headline = f"Assigning stage {environment} to artifact {model} version {stage.version}"
        commit = version_by_name(history, stage.version).commit
        try:
            write_tag(git, history, tag, commit, write_record(headline, stage), sign=signs_tags(repository))
            return tag
        except RefRejected:
            continue
    raise _crowded(model)


def write_farewell(
    repository: ModelRepository, git: Git, model: str, environment: str, why: str, by: str
) -> str | None:
    """Tags the end of what an environment serves; None when no receipt says that it serves anything."""
    for _ in range(_ATTEMPTS):
        _refresh(git, model)
        history = model_history(git, model)
        assigned = history.assigned(environment)
        if assigned is None:
            return None
        tag = unassigning_tag(model, environment, next_counter(git, history))
        message = write_record(f"Unassigning stage {environment} from artifact {model}", WithdrawalRecord(why, by))
        try:
            write_tag(git, history, tag, assigned.commit, message, sign=signs_tags(repository))
            return tag
        except RefRejected:
            continue
    raise _crowded(model)


def _refresh(git: Git, model: str) -> None:
    if remote := git.remote():
        git.fetch_tags(remote, *model_patterns(model))


def _crowded(model: str) -> ModelyardError:
    return ModelyardError(f"Others tagged {model} {_ATTEMPTS} times in a row meanwhile.", "Run modelyard deploy again.")

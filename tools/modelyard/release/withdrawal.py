"""Takes a version, or a whole model, out of use. Nothing is deleted: a tag says so, and why."""

from __future__ import annotations

import re

from modelyard.checkout.champion import model_history, version_by_name
from modelyard.checkout.evidence_store import file_tags
from modelyard.checkout.tags import next_counter, signs_tags, write_tag
from modelyard.errors import ModelyardError, Refused
from modelyard.files import write_whole
from modelyard.git import Git, RefRejected
from modelyard.manifests.repository import ModelRepository, deployment_file, model_file
from modelyard.registry.history import ModelHistory
from modelyard.registry.tags import (
    WithdrawalRecord,
    archiving_tag,
    model_patterns,
    unassigning_tag,
    version_tag,
    withdrawing_tag,
    write_record,
)

_LIFECYCLE = re.compile(r"^lifecycle:[^\n#]*?(?P<after>[ \t]*(?:#[^\n]*)?)$", re.M)


def withdraw(repository: ModelRepository, git: Git, model: str, version: str, why: str) -> str:
    """Tags a version as out of use; the tag. Refused while an environment serves it or main asks for it."""
    history = _history(git, model)
    known = version_by_name(history, version)
    tag = withdrawing_tag(model, known.version)
    if known in history.withdrawn:
        return tag
    for environment in repository.config.environments:
        assigned = history.assigned(environment.name)
        desired = repository.deployment(environment.name, model)
        if str(known.version) in (assigned.version if assigned else "", desired.version if desired else ""):
            raise Refused(
                f"{environment.name} serves {version_tag(model, known.version)}, or is asked to by"
                f" {deployment_file(environment.name, model)}.",
                "Deploy another version there first.",
            )
    headline = f"Deprecating artifact {model} version {known.version}"
    _tag(git, history, tag, known.commit, headline, why, signs_tags(repository))
    return tag


def archive(repository: ModelRepository, git: Git, model: str, why: str) -> list[str]:
    """Ends what the model serves, tags it as out of use, and says so in its manifest; the tags."""
    history = _history(git, model)
    if history.archived:
        return []
    for environment in repository.config.environments:
        if repository.deployment(environment.name, model):
            raise Refused(
                f"{deployment_file(environment.name, model)} still asks for {model}.",
                "Remove that file in a pull request, merge it, then archive.",
            )
    tags = []
    for environment in repository.config.environments:
        if assigned := history.assigned(environment.name):
            tag = unassigning_tag(model, environment.name, next_counter(git, history))
            _tag(
                git,
                history,
                tag,
                assigned.commit,
                f"Unassigning stage {environment.name} from artifact {model}",
                why,
                signs_tags(repository),
            )
            tags.append(tag)
            history = _history(git, model)
    tag = archiving_tag(model)
    _tag(git, history, tag, git.commit_of("HEAD"), f"Deprecating artifact {model}", why, signs_tags(repository))
    return [*tags, tag]


def set_lifecycle(repository: ModelRepository, model: str, lifecycle: str) -> str | None:
    """Writes the lifecycle into model.yaml, whose other lines stay as they are; the file, None when it said so."""
    if repository.model(model).lifecycle == lifecycle:
        return None
    path = repository.root / model_file(model)
    text = path.read_text(encoding="utf-8")
    line = f"lifecycle: {lifecycle}"
    changed = _LIFECYCLE.sub(lambda found: line + found["after"], text, count=1)
    write_whole(path, (changed if changed != text else f"{text.rstrip()}\n{line}\n").encode())
    return model_file(model)


def _history(git: Git, model: str) -> ModelHistory:
    if remote := git.remote():
        git.fetch_tags(remote, *model_patterns(model))
    return model_history(git, model)


def _tag(git: Git, history: ModelHistory, tag: str, commit: str, headline: str, why: str, sign: bool) -> None:
    try:
        write_tag(git, history, tag, commit, write_record(headline, WithdrawalRecord(why, git.me())), sign=sign)
    except RefRejected as error:
        raise ModelyardError(
            f"Somebody wrote the tag {tag} meanwhile.", "Look at modelyard history, then repeat."
        ) from error
    file_tags(git, history.model)

"""Withdrawal of versions and archiving of models, recorded as tags. Nothing is deleted."""

from __future__ import annotations

import re

from modelyard.checkout.checkout import ModelView
from modelyard.checkout.tags import next_counter, settle_tags, write_tag
from modelyard.errors import ModelyardError, Refused
from modelyard.files import write_whole
from modelyard.git import RefRejected
from modelyard.manifests.repository import deployment_file, model_file
from modelyard.registry.tags import (
    WithdrawalRecord,
    archiving_tag,
    unassigning_tag,
    version_tag,
    withdrawing_tag,
    write_record,
)

_LIFECYCLE = re.compile(r"^lifecycle:[^\n#]*?(?P<after>[ \t]*(?:#[^\n]*)?)$", re.M)


def withdraw(view: ModelView, version: str, why: str) -> str:
    """Withdraws a version and returns the tag. Refused while an environment serves it or a deployment names it."""
    repository, model = view.checkout.repository, view.name
    settle_tags(view.checkout, model)
    history = view.checkout.reread(model, fetch=True)
    known = view.version(version)
    tag = withdrawing_tag(model, known.version)
    if known in history.withdrawn:
        return tag
    for environment in repository.config.environments:
        assigned = history.assigned(environment.name)
        desired = repository.deployment(environment.name, model)
        if known.version in (assigned.version if assigned else "", desired.version if desired else ""):
            raise Refused(
                f"{environment.name} serves {version_tag(model, known.version)},"
                f" or {deployment_file(environment.name, model)} names it.",
                "Deploy another version there first.",
            )
    _tag(view, tag, known.commit, f"Deprecating artifact {model} version {known.version}", why)
    return tag


def archive(view: ModelView, why: str) -> list[str]:
    """Unassigns a model from every environment and tags it as archived; returns the tags.

    Empty for an archived model. Refused while a deployment names the model.
    """
    repository, model = view.checkout.repository, view.name
    if view.checkout.reread(model, fetch=True).archived:
        return []
    for environment in repository.config.environments:
        if repository.deployment(environment.name, model):
            raise Refused(
                f"{deployment_file(environment.name, model)} still deploys {model}.",
                "Remove that file in a pull request, then archive the model.",
            )
    tags = []
    for environment in repository.config.environments:
        if assigned := view.history.assigned(environment.name):
            tag = unassigning_tag(model, environment.name, next_counter(view))
            _tag(view, tag, assigned.commit, f"Unassigning stage {environment.name} from artifact {model}", why)
            tags.append(tag)
    tag = archiving_tag(model)
    _tag(view, tag, view.checkout.git.commit_of("HEAD"), f"Deprecating artifact {model}", why)
    return [*tags, tag]


def set_lifecycle(view: ModelView, lifecycle: str) -> str | None:
    """Writes a lifecycle into model.yaml and returns its path; None when the lifecycle is set already."""
    if view.manifest.lifecycle == lifecycle:
        return None
    path = view.checkout.root / model_file(view.name)
    text = path.read_text(encoding="utf-8")
    write_whole(path, with_lifecycle(text, lifecycle).encode())
    return model_file(view.name)


def with_lifecycle(text: str, lifecycle: str) -> str:
    """A model.yaml with the lifecycle set, added at the end where the key is missing; all else stays as it is."""
    line = f"lifecycle: {lifecycle}"
    changed, count = _LIFECYCLE.subn(lambda found: line + found["after"], text, count=1)
    return changed if count else f"{text.rstrip()}\n{line}\n"


def _tag(view: ModelView, tag: str, commit: str, headline: str, why: str) -> None:
    record = WithdrawalRecord(why, view.checkout.git.author_name())
    try:
        write_tag(view, tag, commit, write_record(headline, record))
    except RefRejected as error:
        raise ModelyardError(
            f"A concurrent run wrote the tag {tag}.", f"See modelyard history {view.name}, then repeat."
        ) from error

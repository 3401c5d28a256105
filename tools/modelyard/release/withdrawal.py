"""Takes a version, or a whole model, out of use. Nothing is deleted: a tag says so, and why."""

from __future__ import annotations

import re

from modelyard.checkout.checkout import ModelView
from modelyard.checkout.tags import next_counter, write_tag
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
    """Tags a version as out of use; the tag. Refused while an environment serves it or main asks for it."""
    repository, model = view.checkout.repository, view.name
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
                f"{environment.name} serves {version_tag(model, known.version)}, or is asked to by"
                f" {deployment_file(environment.name, model)}.",
                "Deploy another version there first.",
            )
    _tag(view, tag, known.commit, f"Deprecating artifact {model} version {known.version}", why)
    return tag


def archive(view: ModelView, why: str) -> list[str]:
    """Ends what the model serves, tags it as out of use, and says so in its manifest; the tags."""
    repository, model = view.checkout.repository, view.name
    if view.checkout.reread(model, fetch=True).archived:
        return []
    for environment in repository.config.environments:
        if repository.deployment(environment.name, model):
            raise Refused(
                f"{deployment_file(environment.name, model)} still asks for {model}.",
                "Remove that file in a pull request, merge it, then archive.",
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
    """Writes the lifecycle into model.yaml, whose other lines stay as they are; the file, None when it said so."""
    if view.manifest.lifecycle == lifecycle:
        return None
    path = view.checkout.root / model_file(view.name)
    text = path.read_text(encoding="utf-8")
    line = f"lifecycle: {lifecycle}"
    changed = _LIFECYCLE.sub(lambda found: line + found["after"], text, count=1)
    write_whole(path, (changed if changed != text else f"{text.rstrip()}\n{line}\n").encode())
    return model_file(view.name)


def _tag(view: ModelView, tag: str, commit: str, headline: str, why: str) -> None:
    record = WithdrawalRecord(why, view.checkout.git.author_name())
    try:
        write_tag(view, tag, commit, write_record(headline, record))
    except RefRejected as error:
        raise ModelyardError(
            f"Somebody wrote the tag {tag} meanwhile.", "Look at modelyard history, then repeat."
        ) from error
    view.checkout.evidence.file_tags(view.name)

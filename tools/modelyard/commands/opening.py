"""How commands open the repository they are called in."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from modelyard.errors import UsageError
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository


def open_repository(context: click.Context) -> ModelRepository:
    """The model repository around the current folder (or ``-C``)."""
    folder: Path = context.obj
    return ModelRepository.find(folder)


def open_checkout(context: click.Context) -> tuple[ModelRepository, Git]:
    """The same with its git, which pushes with the CI's token; a UsageError when it is no checkout with a commit."""
    repository = open_repository(context)
    git = Git(repository.root, _settings(repository))
    git.require_work_tree()
    return repository, git


def _settings(repository: ModelRepository) -> dict[str, str]:
    """In CI, what lets git push with the job's token; elsewhere git's own settings do."""
    if not os.environ.get("CI"):
        return {}
    from modelyard.forges.ci import read_ci, repository_of

    ci = read_ci(os.environ)
    plain = Git(repository.root)
    if ci.token and not ci.server and (remote := plain.remote()):
        ci = replace(ci, server=repository_of(plain.text("remote", "get-url", remote))[0])
    return ci.git_settings()


def the_model(repository: ModelRepository, name: str | None) -> str:
    """The named model, or the only one; a UsageError where it must be named."""
    if name:
        repository.model_folder(name)
        return name
    names = repository.model_names()
    if len(names) == 1:
        return names[0]
    raise UsageError(f"There are {len(names)} models here.", f"Say which with --model: {', '.join(names[:5])}.")

"""Writes a registry tag so that GTO orders it last, here and on the remote."""

from __future__ import annotations

import time

from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import ModelHistory


def write_tag(git: Git, history: ModelHistory, name: str, commit: str, message: str, *, sign: bool = False) -> None:
    """Makes and pushes an annotated tag later than all of the model's; RefRejected when somebody was first."""
    # GTO orders by tagger time in whole seconds: two tags of one second would be ordered by their names.
    git.create_tag(name, commit, message, max(int(time.time()), history.last_time + 1), sign=sign)
    if remote := git.remote():
        git.push_tag(remote, name)


def signs_tags(repository: ModelRepository) -> bool:
    """Whether modelyard.yaml asks for signed tags."""
    return bool(repository.config.signing and repository.config.signing.allowed_signers)

"""Writes a registry tag so that GTO orders it last, here and on the remote."""

from __future__ import annotations

import time

from modelyard.delivery.evidence_store import filed_tags
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import ModelHistory
from modelyard.registry.tags import parse_tag


def write_tag(git: Git, history: ModelHistory, name: str, commit: str, message: str, *, sign: bool = False) -> None:
    """Makes and pushes an annotated tag later than all of the model's; RefRejected when somebody was first."""
    # GTO orders by tagger time in whole seconds: two tags of one second would be ordered by their names.
    git.create_tag(name, commit, message, max(int(time.time()), history.last_time + 1), sign=sign)
    if remote := git.remote():
        git.push_tag(remote, name)


def next_counter(git: Git, history: ModelHistory) -> int:
    """The number of a model's next receipt: never one that a receipt had before, not even one whose tag is gone."""
    parsed = [parse_tag(name) for name in filed_tags(git, history.model)]
    return max([history.last_counter, *(found.counter for found in parsed if found and found.counter)]) + 1


def signs_tags(repository: ModelRepository) -> bool:
    """Whether modelyard.yaml asks for signed tags."""
    return bool(repository.config.signing and repository.config.signing.allowed_signers)

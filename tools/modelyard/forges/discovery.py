"""The adapter for the forge that modelyard.yaml names."""

from __future__ import annotations

import os
from typing import cast

from modelyard.adapters import adapter
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.ci import CI, read_ci
from modelyard.forges.git import GitForge
from modelyard.forges.interface import Forge, PullForge
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository


def open_forge(repository: ModelRepository, git: Git) -> Forge:
    """The adapter for the repository's forge; ModelyardError when it is not installed or has no token."""
    name = repository.config.forge
    ci = read_ci(os.environ)
    if name == "git":
        return GitForge.connect(git, ci)
    if_none = "Install modelyard again: it has no adapter for a forge."
    return cast(Forge, adapter("forges", name, f"The forge {name!r} is not installed.", if_none).connect(git, ci))


def forge_if_reachable(repository: ModelRepository, git: Git) -> Forge | None:
    """The adapter for the repository's forge; None where it is not installed or has no token, as on a laptop."""
    try:
        return open_forge(repository, git)
    except ModelyardError:
        return None


def open_pull_forge(repository: ModelRepository, git: Git) -> tuple[PullForge, CI]:
    """The adapter for a forge with pull requests, and the CI system; UsageError for plain git."""
    if repository.config.forge == "git":
        raise UsageError(
            "This command needs pull requests, and modelyard.yaml has forge: git.",
            "Set forge: github or forge: gitlab in modelyard.yaml.",
        )
    return cast(PullForge, open_forge(repository, git)), read_ci(os.environ)

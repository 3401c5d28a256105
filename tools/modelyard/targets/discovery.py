"""The target of an environment, found by entry point."""

from __future__ import annotations

from pathlib import Path

from modelyard.adapters import adapter
from modelyard.manifests.configuration import Environment
from modelyard.secrets.interface import Secrets
from modelyard.targets.interface import Target


def open_target(environment: Environment, root: Path, secrets: Secrets) -> Target:
    """The target of an environment, by the entry point that its manifest names."""
    if environment.target == "local":  # without reading the entry points of every installed package
        from modelyard.targets.local import LocalTarget

        return LocalTarget(environment, root, secrets)
    problem = f"The environment {environment.name} names the target {environment.target!r}, which is not installed."
    target: Target = adapter("targets", environment.target, problem)(environment, root, secrets)
    return target

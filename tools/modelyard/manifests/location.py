"""The root of a model repository. A module of its own, because `affected` needs nothing else of the manifests."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import UsageError

CONFIG = "modelyard.yaml"


def find_root(start: Path) -> Path:
    """The folder at or above ``start`` that holds ``modelyard.yaml``; UsageError without one."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / CONFIG).is_file():
            return folder
    raise UsageError(
        f"{start.resolve()} is not inside a model repository: no {CONFIG} here or above.",
        "Go to your model repository, or create one with: modelyard init FOLDER",
    )

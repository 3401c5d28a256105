"""Where a model repository begins. Apart, because `affected` needs no more than this of the manifests."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import UsageError

CONFIG = "modelyard.yaml"


def find_root(start: Path) -> Path:
    """The folder at or above ``start`` that holds ``modelyard.yaml``; a UsageError when there is none."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / CONFIG).is_file():
            return folder
    raise UsageError(
        f"{start.resolve()} is not inside a model repository: no {CONFIG} here or above.",
        "Go to your model repository, or make one with: modelyard init FOLDER",
    )

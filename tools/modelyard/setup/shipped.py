"""The templates that ship with the toolkit."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import ModelyardError


def shipped_folder() -> Path:
    """The folder with copier.yml and the other templates: in the package, or the toolkit's root."""
    package = Path(__file__).parents[1]
    for folder in (package / "shipped", package.parents[1]):
        if (folder / "copier.yml").is_file():
            return folder
    raise ModelyardError("The template is missing from this installation.", "Install modelyard again.")

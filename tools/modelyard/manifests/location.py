"""The root of a model repository. A module of its own, because `affected` needs nothing else of the manifests."""

from __future__ import annotations

import re
from pathlib import Path

from modelyard.documents import require_readable
from modelyard.errors import UsageError

CONFIG = "modelyard.yaml"
ANSWERS = ".copier-answers.yml"
_WRITTEN_FOR = {
    CONFIG: re.compile(r"^toolkit: *[\"']?([0-9.]+)", re.MULTILINE),
    ANSWERS: re.compile(r"^(?:modelyard|_commit): *[\"']?v?([0-9.]+)", re.MULTILINE),
}


def find_root(start: Path) -> Path:
    """The folder at or above ``start`` that holds ``modelyard.yaml``.

    UsageError without one. Refused for a repository that was written for a newer toolkit than this one.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / CONFIG).is_file():
            require_toolkit(folder)
            return folder
    raise UsageError(
        f"{start.resolve()} is not inside a model repository: no {CONFIG} here or above.",
        "Go to your model repository, or create one with: modelyard init FOLDER",
    )


def require_toolkit(root: Path) -> None:
    """Refused for a repository that was written for a newer toolkit, as modelyard.yaml or the template's answers say.

    They are read as text: a newer toolkit may have given them another form.
    """
    for file, pattern in _WRITTEN_FOR.items():
        try:
            found = pattern.search((root / file).read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        require_readable(found[1] if found else "", file)

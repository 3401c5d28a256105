"""What the tools ask of a forge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Change:
    """One merged change of the default branch: what it was, who proposed it, who approved it."""

    commit: str
    subject: str
    author: str
    approvers: tuple[str, ...]
    """Never the author."""


class Forge(Protocol):
    """GitHub, GitLab, or plain git."""

    def last_change(self, path: str) -> Change | None:
        """The newest merged change of a path; None when the path was never committed."""

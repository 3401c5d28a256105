"""What ``modelyard add``, ``adopt`` and ``remove`` wrote, and why, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from modelyard.report.terminal.layout import Layout, Paragraph, Table


class ReasonLike(Protocol):
    """What is shown of a guess."""

    @property
    def what(self) -> str:
        """What was guessed, such as label."""

    @property
    def guess(self) -> str:
        """The guess."""

    @property
    def why(self) -> str:
        """Its reason."""


def render_guess(reasons: Sequence[ReasonLike], warnings: Sequence[str], written: Sequence[str]) -> Layout:
    """A row per guess, then what a person should look at, then the files."""
    table = Table(["what", "guess", "why"], [[r.what, r.guess, r.why] for r in reasons], shrink=("guess", "why"))
    noted = [Paragraph(f"  {warning}", "    ") for warning in warnings]
    said: list[str | Paragraph] = ["Look at this:", *noted, ""] if noted else []
    return Layout.of(table, "", *said, "Written:", *(f"  {path}" for path in written))


def render_removal(removed: Sequence[str], changed: Sequence[str], stays: Sequence[str]) -> Layout:
    """The files that went, those that changed, and what stays."""
    return Layout.of(
        "Removed:",
        *(f"  {path}" for path in removed),
        *(["Changed:", *(f"  {path}" for path in changed)] if changed else []),
        "What stays:",
        *(Paragraph(f"  {sentence}", "    ") for sentence in stays),
    )

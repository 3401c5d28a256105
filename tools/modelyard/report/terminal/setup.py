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


class FoundLike(Protocol):
    """What is shown of a file that looks like a model."""

    @property
    def file(self) -> str:
        """Its path."""

    @property
    def origin(self) -> str:
        """How it was found."""

    @property
    def problem(self) -> str:
        """Why it cannot be added as it is."""

    @property
    def command(self) -> str:
        """The command that adds it."""


def render_adoption(
    added: Sequence[str], kept: Sequence[tuple[str, str]], models: Sequence[FoundLike], done: bool
) -> Layout:
    """The files that are added, those that stay as they are, and the models that are there, with how to add each."""
    parts: list[str | Paragraph] = ["Written:" if done else "Would be written:", *(f"  {path}" for path in added)]
    if kept:
        parts += ["Kept as they are:", *(Paragraph(f"  {path}: {advice}.", "    ") for path, advice in kept)]
    parts.append(
        "Models found:" if models else "No file looks like a model; modelyard add NAME --data TABLE begins one."
    )
    for model in models:
        parts.append(Paragraph(f"  {model.file}, {model.origin}", "    "))
        parts.append(Paragraph(f"    {model.command or f'{model.problem}.'}", "      "))
    return Layout.of(*parts)

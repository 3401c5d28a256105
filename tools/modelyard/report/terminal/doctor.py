"""The findings of ``modelyard doctor`` as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from modelyard.report.terminal.layout import Layout, Paragraph, Table


class FindingLike(Protocol):
    """What is shown of a finding."""

    @property
    def what(self) -> str:
        """The program, package or setting that was checked."""

    @property
    def state(self) -> str:
        """ok, warning or missing."""

    @property
    def found(self) -> str:
        """The version or path that was found."""

    @property
    def remedy(self) -> str:
        """How to fix it; '' where nothing is wrong."""


def render_findings(findings: Sequence[FindingLike]) -> Layout:
    """A row per finding, then the remedies."""
    table = Table(["what", "state", "found"], [[f.what, f.state, f.found] for f in findings], shrink=("found",))
    remedies = [Paragraph(f"  {finding.what}: {finding.remedy}", "    ") for finding in findings if finding.remedy]
    return Layout.of(table, "", *(["What to do:", *remedies] if remedies else ["Nothing is missing."]))

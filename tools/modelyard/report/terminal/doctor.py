"""What the doctor found, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from modelyard.report.terminal.text import table


class FindingLike(Protocol):
    """What is shown of a finding."""

    @property
    def what(self) -> str:
        """What was looked at."""

    @property
    def state(self) -> str:
        """ok, warning or missing."""

    @property
    def found(self) -> str:
        """What was found."""

    @property
    def remedy(self) -> str:
        """How to get it."""


def render_findings(findings: Sequence[FindingLike]) -> str:
    """A row a finding, then what to do about those that are not ok."""
    text = table(["what", "state", "found"], [[f.what, f.state, f.found] for f in findings])
    remedies = [f"  {finding.what}: {finding.remedy}" for finding in findings if finding.remedy]
    return "\n".join([text, "", "What to do:", *remedies]) if remedies else f"{text}\n\nNothing is missing."

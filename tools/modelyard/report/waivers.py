"""The waivers as text."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.gate.waivers import WaiverState
from modelyard.report.text import bold, wrapped


def render_waivers(states: Sequence[WaiverState]) -> str:
    """Who let what pass, why, and until when."""
    if not states:
        return "There is no waiver."
    lines = []
    for state in states:
        left = "expired" if state.expired else f"{state.days_left} days left"
        lines.append(bold(f"{state.file}: {state.check} of {state.model} until {state.expires} ({left})"))
        approved = f", approved by {state.approved_by}" if state.approved_by else ""
        lines.append(wrapped(f"    {state.reason} (asked by {state.requested_by}{approved})", "    "))
        lines.append(f"    only for sha256 {state.artifact[:16]}")
    return "\n".join(lines)

"""A model's events and the versions in service as text. Imports little, because both commands are called often."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.registry.timeline import Event, Period
from modelyard.report.terminal.layout import Layout, Paragraph, Part, Table
from modelyard.report.terminal.text import bold, when


def render_history(model: str, events: Sequence[Event]) -> Layout:
    """A line per event, newest first, and below it who did it and why."""
    if not events:
        return Layout.of(f"{model} has no tags.")
    parts: list[Part] = []
    for event in reversed(events):
        where = f" in {event.environment}" if event.environment else ""
        parts.append(bold(f"{when(event.at)}  {event.version or model} {event.what}{where}"))
        nobody = ", unapproved" if event.unapproved else ""
        approved = f", approved by {', '.join(event.approved_by)}" if event.approved_by else nobody
        said = f"    by {event.by or 'unknown'}{approved}: {event.why or 'no reason is recorded'}"
        if event.doubt:
            parts.append(Paragraph(f"    {event.doubt} (it says: {said.strip()})", "      "))
            continue
        parts.append(Paragraph(said, "      "))
    return Layout.of(*parts)


def render_running(periods: Sequence[Period], at: str) -> Layout:
    """The versions in service at a moment, with their reasons and approvals if there are at most six."""
    if not periods:
        return Layout.of(f"No version was in service at {at}, by the receipts.")
    rows = [[p.model, p.environment, p.version, when(p.since), when(p.until) if p.until else "now"] for p in periods]
    parts: list[Part] = [Table(["model", "environment", "version", "since", "until"], rows)]
    for p in periods if len(periods) <= 6 else ():
        approved = f", approved by {', '.join(p.approved_by)}" if p.approved_by else ", no recorded approval"
        why = f"{p.model} {p.version} in {p.environment}: {p.why or 'no reason is recorded'}"
        parts += ["", Paragraph(f"{why}, by {p.by or 'unknown'}{approved} ({p.tag})", "  ")]
    return Layout.of(*parts)

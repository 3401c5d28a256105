"""What happened and what ran, as text that fits 80 columns. Imports little: it is asked for often."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.registry.timeline import Event, Period
from modelyard.report.terminal.text import bold, table, when, wrapped


def render_history(model: str, events: Sequence[Event]) -> str:
    """One line an event, newest first, each followed by its reason."""
    if not events:
        return f"{model}: no tag names it."
    lines = []
    for event in reversed(events):
        where = f" in {event.environment}" if event.environment else ""
        lines.append(bold(f"{when(event.at)}  {event.version or model} {event.what}{where}"))
        approved = f", approved by {', '.join(event.approved_by)}" if event.approved_by else ""
        lines.append(
            wrapped(f"    by {event.by or 'unknown'}{approved}: {event.why or 'no reason recorded'}", "      ")
        )
    return "\n".join(lines)


def render_running(periods: Sequence[Period], at: str) -> str:
    """Which versions ran, since and until when, and on whose word."""
    if not periods:
        return f"No receipt says that anything ran at {at}."
    rows = [[p.model, p.environment, p.version, when(p.since), when(p.until) if p.until else "now"] for p in periods]
    lines = [table(["model", "environment", "version", "since", "until"], rows)]
    if len(periods) <= 6:
        for p in periods:
            approved = f", approved by {', '.join(p.approved_by)}" if p.approved_by else ""
            why = f"{p.model} {p.version} in {p.environment}: {p.why or 'no reason recorded'}"
            lines += ["", wrapped(f"{why}, by {p.by or 'unknown'}{approved} ({p.tag})", "  ")]
    return "\n".join(lines)

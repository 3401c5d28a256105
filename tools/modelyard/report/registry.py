"""What the registry says, as text that fits 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.registry.comparison import VersionDifference
from modelyard.registry.faults import Fault
from modelyard.registry.search import Entry
from modelyard.registry.timeline import Event, Period
from modelyard.report.text import bold, coloured, table, when, wrapped


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


def render_version_difference(found: VersionDifference) -> str:
    """Metrics first, then what explains them."""
    head = f"{found.model} {found.before} → {found.after}"
    lines = [bold(head) + (": the same bytes" if found.same_bytes else "")]
    rows = [
        [m.name, _number(m.before), _number(m.after),
         f"{m.after - m.before:+.4f}" if m.before is not None and m.after is not None else "–"]
        for m in found.metrics
    ]  # fmt: skip
    lines += ["", table(["metric", found.before, found.after, "difference"], rows)] if rows else []
    for title, differences in (("parameter", found.params), ("data", found.data), ("package", found.environment)):
        if differences:
            rows = [[d.name, d.before[:16] or "–", d.after[:16] or "–"] for d in differences]
            lines += ["", table([title, found.before, found.after], rows)]
    for title, sentences in (("Features", found.features), ("Files", found.files)):
        if sentences:
            lines += ["", bold(title), *(wrapped(f"  {sentence}", "    ") for sentence in sentences)]
    if found.metrics:
        lines += ["", wrapped("Each version's metrics are of the rows held out when it was registered.")]
    return "\n".join(lines)


def render_found(entries: Sequence[Entry]) -> str:
    """One row a version, newest first."""
    if not entries:
        return "No version fulfils all of that."
    rows = []
    for entry in entries:
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in list(entry.metrics.items())[:2])
        live = ", ".join(entry.words.get("live", ())) or "–"
        rows.append([entry.model, entry.version, when(entry.at), live, entry.words["lifecycle"][0], metrics])
    return table(["model", "version", "registered", "live in", "lifecycle", "metrics"], rows)


def render_faults(faults: Sequence[Fault]) -> str:
    """Errors first, each with what to do."""
    if not faults:
        return "Tags and evidence agree."
    lines = []
    for fault in faults:
        lines.append(wrapped(f"{fault.level}  {fault.tag}: {fault.sentence}", "  ").replace(
            fault.level, coloured(fault.level), 1))  # fmt: skip
        lines.append(wrapped(f"  {fault.remedy}", "  "))
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"

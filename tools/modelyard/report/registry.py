"""What the registry says, as text that fits 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.registry.comparison import VersionDifference
from modelyard.registry.faults import Fault
from modelyard.registry.search import Entry
from modelyard.report.text import bold, coloured, table, when, wrapped


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


def render_found(entries: Sequence[Entry], metrics: Sequence[str] = ()) -> str:
    """One row a version, newest first, with the metrics that were asked for (else the first it has)."""
    if not entries:
        return "No version fulfils all of that."
    rows = []
    for entry in entries:
        shown = [name for name in metrics if name in entry.metrics] or list(entry.metrics)[:1]
        values = ", ".join(f"{name} {entry.metrics[name]:.4f}" for name in shown)
        live = ", ".join(entry.words.get("live", ())) or "–"
        rows.append([entry.model, entry.version, when(entry.at), live, entry.words["lifecycle"][0], values])
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

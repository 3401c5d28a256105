"""Monitored windows, joined labels and erasures as text."""

from __future__ import annotations

from modelyard.evidence.production import Erasure, Joined
from modelyard.evidence.verdict import Verdict
from modelyard.metrics.window import Monitoring, Realised
from modelyard.report.content import (
    between,
    check_difference,
    drift_word,
    label_counts,
    lacking_sentence,
    number,
    prediction_counts,
    share,
    signed,
)
from modelyard.report.terminal.layout import Layout, Paragraph, Part, Table
from modelyard.report.terminal.text import bold, coloured
from modelyard.report.window import (
    estimate_sentence,
    ground_truth_sentence,
    headline,
    served_rows,
    slice_rows,
    span,
    sparkline,
)


def render_monitoring(model: str, monitoring: Monitoring, verdict: Verdict) -> Layout:
    """Headline, traffic, checks, and the sentences of the checks that did not pass; then quality, slices and drift."""
    parts: list[Part] = [
        Paragraph(bold(headline(model, monitoring, verdict))),
        Paragraph(span(monitoring)),
        "",
    ]
    headings = ["version", "as", "requests", "rows", "share", "errors", "p50 ms", "p95", "p99"]
    parts.append(Table(headings, served_rows(monitoring)))
    if monitoring.days:
        parts += ["", f"rows per day  {sparkline(monitoring.days)}"]
    if verdict.checks:
        rows = [[c.outcome, c.id, number(c.champion), number(c.candidate), check_difference(c)] for c in verdict.checks]
        parts += ["", Table(["outcome", "check", "baseline", "now", "difference [95 %]"], rows)]
    for check in verdict.checks:
        if check.outcome != "pass":
            parts += ["", Paragraph(f"{coloured(check.outcome)} {check.id}: {check.sentence}", "  ")]
            parts.append(Paragraph(f"  {check.why} ({check.file}:{check.line})", "  "))
    if monitoring.realised:
        parts += ["", *_realised(monitoring.realised)]
    elif guess := estimate_sentence(monitoring):
        parts += ["", Paragraph(guess)]
    if found := slice_rows(monitoring, 5):
        parts += ["", Table(*found, shrink=found[0][:1])]
    if monitoring.drift:
        moved = [c for c in monitoring.drift.columns if c.state == "drifted" or c.new_level_share > 0.01]
        rows = [
            [c.name, drift_word(c), number(c.js), number(c.threshold), signed(c.consequence), share(c.importance),
             share(c.missing_current), share(c.new_level_share)]
            for c in moved
        ]  # fmt: skip
        if rows:
            parts += ["", Table(["column", "state", "JS", "limit", "effect", "importance", "missing", "new"], rows)]
    notes = [Paragraph(f"Note: {note}", "  ") for note in verdict.notes]
    parts += ["", *notes] if notes else []
    return Layout.of(*parts)


def render_joined(model: str, joined: Joined, path: str) -> Layout:
    """The counts of predictions and labels; every prediction and every label is in exactly one count."""
    head = f"{joined.labelled:,} labelled rows for {model}" if path else f"No new labelled rows for {model}"
    parts: list[Part] = [bold(head), *([path] if path else []), ""]
    parts.append(Table(["predictions", ""], prediction_counts(joined)))
    parts += ["", Table(["labels", ""], label_counts(joined))]
    if lacking := lacking_sentence(joined):
        parts += ["", Paragraph(lacking)]
    return Layout.of(*parts)


def render_erasure(model: str, erasure: Erasure) -> Layout:
    """Where the id was erased, where it still is, and the versions that were trained or evaluated on it."""
    rows = [[f"log of {name}", f"{count:,} erased"] for name, count in erasure.logs.items()]
    rows += [[f"log of {name}", f"{n:,} in the open segment"] for name, n in erasure.waiting.items() if n]
    rows += [[f"log of {name}", "not kept by modelyard: erase it there"] for name in erasure.unreached]
    rows += [[one.path, f"{one.rows:,} rows"] for one in erasure.increments]
    known = (
        ("versions trained on it", erasure.trained), ("versions evaluated on it", erasure.judged),
        ("versions whose training data are lost", erasure.unknown),
    )  # fmt: skip
    rows += [[what, ", ".join(names)] for what, names in known if names]
    head = f"Erased from the logs and increments of {model}; tombstone {erasure.digest[:12]}"
    parts: list[Part] = [Paragraph(bold(head))]
    if rows:
        parts += ["", Table(["where", "result"], rows, shrink=("result",))]
    if erasure.evidence:
        said = "These files of the evidence branch contain the id; nothing can be removed from that branch:"
        parts += ["", Paragraph(said), *(f"  {path}" for path in erasure.evidence)]
    return Layout.of(*parts)


def _realised(realised: Realised) -> list[Part]:
    parts: list[Part] = [Paragraph(ground_truth_sentence(realised))]
    if realised.metrics:
        rows = [
            [m.name, "↑" if m.higher_is_better else "↓", number(m.champion), number(m.candidate), between(m.interval)]
            for m in realised.metrics
        ]
        parts += ["", Table(["metric", "", "baseline", "realised", "[95 %]"], rows)]
    return parts

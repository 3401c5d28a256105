"""A window of production, joined labels and erasures, as text."""

from __future__ import annotations

from modelyard.evidence.production import Erasure, Joined
from modelyard.evidence.verdict import Verdict
from modelyard.metrics.window import Monitoring, Realised
from modelyard.report.content import (
    between,
    check_difference,
    drift_word,
    label_counts,
    number,
    prediction_counts,
    share,
    signed,
)
from modelyard.report.terminal.text import bold, coloured, table, wrapped
from modelyard.report.window import (
    estimate_sentence,
    ground_truth_sentence,
    headline,
    served_rows,
    slice_rows,
    span,
    sparkline,
)


def render_monitoring(model: str, monitoring: Monitoring, verdict: Verdict) -> str:
    """For a terminal of 80 columns."""
    lines = [bold(headline(model, monitoring, verdict)), wrapped(span(monitoring)), ""]
    headings = ["version", "as", "requests", "rows", "share", "errors", "p50 ms", "p95", "p99"]
    lines.append(table(headings, served_rows(monitoring)))
    if monitoring.days:
        lines += ["", f"rows a day  {sparkline(monitoring.days)}"]
    if verdict.checks:
        rows = [[c.outcome, c.id, number(c.champion), number(c.candidate), check_difference(c)] for c in verdict.checks]
        lines += ["", table(["outcome", "check", "accepted", "now", "difference [95 %]"], rows)]
    for check in verdict.checks:
        if check.outcome != "pass":
            lines += ["", wrapped(f"{coloured(check.outcome)} {check.id}: {check.sentence}", "  ")]
            lines.append(wrapped(f"  {check.why} ({check.file}:{check.line})", "  "))
    if monitoring.realised:
        lines += ["", *_realised(monitoring.realised)]
    elif guess := estimate_sentence(monitoring):
        lines += ["", wrapped(guess)]
    if found := slice_rows(monitoring, 5):
        lines += ["", table(*found)]
    if monitoring.drift:
        moved = [c for c in monitoring.drift.columns if c.state == "drifted" or c.new_level_share > 0.01]
        rows = [
            [c.name, drift_word(c), number(c.js), number(c.threshold), signed(c.consequence), share(c.importance),
             f"{c.missing_current:.1%}", f"{c.new_level_share:.1%}"]
            for c in moved
        ]  # fmt: skip
        if rows:
            lines += ["", table(["column", "state", "JS", "alarm >", "effect", "weight", "missing", "new"], rows)]
    lines += ["", *(wrapped(f"Note: {note}", "  ") for note in verdict.notes)] if verdict.notes else []
    return "\n".join(lines)


def render_joined(model: str, joined: Joined, path: str) -> str:
    """For a terminal: every prediction and every outcome in exactly one count."""
    head = f"{joined.labelled:,} labelled rows for {model}" if path else f"Nothing new to learn from for {model}"
    lines = [bold(head), *([path] if path else []), "", table(["predictions", ""], prediction_counts(joined))]
    lines += ["", table(["ground_truth", ""], label_counts(joined))]
    if joined.lacking:
        lines += ["", wrapped(f"Not in the log, for they are personal: {', '.join(joined.lacking)}.")]
    return "\n".join(lines)


def render_erasure(model: str, erasure: Erasure) -> str:
    """For a terminal: what is gone, what is not, and which versions know it."""
    rows = [[f"log of {name}", f"{count:,} erased"] for name, count in erasure.logs.items()]
    rows += [[f"log of {name}", f"{n:,} in the segment being written"] for name, n in erasure.waiting.items() if n]
    rows += [[f"log of {name}", "kept by somebody else: erase it there"] for name in erasure.unreached]
    rows += [[one.path, f"{one.rows:,} rows"] for one in erasure.increments]
    known = (("learnt from it", erasure.trained), ("judged on it", erasure.judged), ("unknown", erasure.unknown))
    rows += [[f"versions: {what}", ", ".join(names)] for what, names in known if names]
    head = f"Erased from what {model} logged and learns from; tombstone {erasure.digest[:12]}"
    lines = [bold(head), "", table(["where", ""], rows)] if rows else [bold(head)]
    if erasure.evidence:
        said = "These files on the evidence branch name it, and things are only added there:"
        lines += ["", said, *(f"  {path}" for path in erasure.evidence)]
    return "\n".join(lines)


def _realised(realised: Realised) -> list[str]:
    lines = [wrapped(ground_truth_sentence(realised))]
    if realised.metrics:
        rows = [
            [m.name, "↑" if m.higher_is_better else "↓", number(m.champion), number(m.candidate), between(m.interval)]
            for m in realised.metrics
        ]
        lines += ["", table(["realised", "", "accepted", "now", "[95 %]"], rows)]
    return lines

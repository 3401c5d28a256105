"""The pull request's comment: Markdown that GitHub and GitLab show as it is meant, whatever the names in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from modelyard.report.content import (
    SYMBOLS,
    Report,
    check_difference,
    metric_difference,
    number,
    worst_slices,
)

LIMIT = 60_000
"""Characters; GitHub takes 65,536."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~])")


def render_markdown(report: Report) -> str:
    """The comment. The same report gives the same bytes; sections that do not fit are left out and named on top."""
    head = [f"## {text(report.headline)}", "", text(report.next_step), ""]
    head += [f"> ⚠️ {text(note)}\n" for note in report.verdict.notes]
    sections = [
        ("checks", _checks(report)),
        ("worst slices", _slices(report)),
        ("all metrics", _fold("All metrics", _metrics(report))),
        ("fairness", _fold("Gaps between groups", _fairness(report))),
        ("drift", _fold("Drift", _drift(report))),
        ("lineage", _fold("Lineage", _lineage(report))),
        ("reproduce", _fold("How to reproduce", ["```sh", *report.reproduce(), "```"])),
    ]
    kept = [(name, "\n".join(lines)) for name, lines in sections if lines]
    left_out: list[str] = []
    while sum(len(body) for _, body in kept) > LIMIT:
        left_out.append(kept.pop(max(range(len(kept)), key=lambda i: (kept[i][0] != "checks", len(kept[i][1]))))[0])
    if left_out:
        head += [f"> Left out, because a comment has a limit: {', '.join(left_out)}. The HTML report has all.", ""]
    body = "\n".join([*head, *(f"{body}\n" for _, body in kept)])
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f"{body}<sub>artifact sha256 {report.bundle.artifact[:16]} · report sha256 {digest[:16]}</sub>\n"


def text(value: str) -> str:
    """Text from anywhere, made harmless: no markup, no HTML, no mention, no issue link, no second line."""
    line = " ".join(value.split())
    line = _SPECIAL.sub(r"\\\1", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A zero-width space after @ keeps it from calling people; a URL scheme broken so is not linked.
    return re.sub(r"@(?=\w)", "@\u200b", line).replace("://", ":\u200b//")


def _checks(report: Report) -> list[str]:
    rows = [
        [
            f"{SYMBOLS[check.outcome]} {text(check.id)}" + (" *(advisory)*" if check.level == "advisory" else ""),
            number(check.champion),
            number(check.candidate),
            check_difference(check),
            f"`{check.file}:{check.line}`",
        ]
        for check in report.checks[:12]
    ]
    lines = _table(["check", "champion", "candidate", "difference [95 %]", "rule"], rows)
    said = [c for c in report.checks if c.outcome != "pass"]
    lines += [""] + [f"- {SYMBOLS[c.outcome]} **{text(c.id)}**: {text(c.sentence)} *{text(c.why)}*"
                     + (f" Waived by {text(c.waiver)}." if c.waiver else "") for c in said]  # fmt: skip
    if len(report.checks) > 12:
        lines += ["", f"{len(report.checks) - 12} more checks are in the HTML report."]
    return lines


def _slices(report: Report) -> list[str]:
    worst = worst_slices(report.bundle.evaluation)
    if not worst:
        return []
    rows = [
        [f"{text(part.column)} = {text(part.level)}", f"{part.rows:,}", number(result.champion),
         number(result.candidate), metric_difference(result)]
        for part, result in worst
    ]  # fmt: skip
    name = worst[0][1].name
    return [f"**Worst slices by {name}**", "", *_table(["slice", "rows", "champion", "candidate", "difference"], rows)]


def _metrics(report: Report) -> list[str]:
    evaluation = report.bundle.evaluation
    if evaluation is None:
        return []
    against = f"against {evaluation.champion}" if evaluation.champion else "without a champion"
    rows = [
        [f"{m.name} {'↑' if m.higher_is_better else '↓'}", number(m.champion), number(m.candidate),
         metric_difference(m), m.method]
        for m in evaluation.metrics
    ]  # fmt: skip
    lines = [f"{evaluation.rows:,} held-out rows, {against}.", ""]
    lines += _table(["metric", "champion", "candidate", "difference [95 %]", "interval by"], rows)
    if evaluation.flips:
        flips = evaluation.flips
        lines += ["", f"Decisions that flip: {flips.to_positive:,} to positive, {flips.to_negative:,} to negative."]
    return lines


def _fairness(report: Report) -> list[str]:
    evaluation = report.bundle.evaluation
    if evaluation is None or not evaluation.fairness:
        return []
    lines = []
    for fairness in evaluation.fairness:
        rows = [[text(g.level), f"{g.rows:,}", number(g.selection_rate), number(g.true_positive_rate),
                 number(g.false_positive_rate)] for g in fairness.groups]  # fmt: skip
        lines += [*_table([text(fairness.column), "rows", "selection rate", "TPR", "FPR"], rows), ""]
        rows = [[gap.measure.replace("_", " "), number(gap.champion), number(gap.candidate),
                 f"[{number(gap.interval.low)}, {number(gap.interval.high)}]" if gap.interval else "–"]
                for gap in fairness.gaps]  # fmt: skip
        lines += [*_table(["gap", "champion", "candidate", "95 %"], rows), ""]
    return lines


def _drift(report: Report) -> list[str]:
    drift = report.bundle.drift
    if drift is None:
        return []
    rows = [
        [{"drifted": "🔺", "stable": "·", "insufficient": "⚪"}[c.state] + f" {text(c.name)}", number(c.js),
         number(c.psi), f"{c.missing_current:.1%}", f"{c.new_level_share:.1%}", text(c.reason)]
        for c in drift.columns[:40]
    ]  # fmt: skip
    said = f"{drift.current_rows:,} rows against {drift.reference_rows:,} of {text(drift.reference)}."
    return [said, "", *_table(["column", "JS distance", "PSI", "missing", "new levels", "note"], rows)]


def _lineage(report: Report) -> list[str]:
    training = report.bundle.training
    if training is None:
        return []
    lines = ["```mermaid", "flowchart LR"]
    for i, entry in enumerate(training.inputs):
        lines.append(f'  d{i}["{_node(entry.path)}<br/>md5 {_node(entry.md5[:10])}"] --> p')
    lines.append(f'  p["pipeline at {training.commit[:10]}"] --> m["{_node(report.bundle.model)}<br/>'
                 f'sha256 {report.bundle.artifact[:10]}"]')  # fmt: skip
    lines += ["```", "", "Parameters: " + ", ".join(f"{text(k)} {text(str(v))}" for k, v in _flat(training.params))]
    if training.changed:
        lines += ["", f"Not committed when it was trained: {', '.join(text(path) for path in training.changed[:10])}."]
    return lines


def _flat(params: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in params.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, value))
    return found


def _fold(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    return lines + [f"| {' | '.join(cells)} |" for cells in rows]


def _node(value: str) -> str:
    return re.sub(r"[^\w ./:-]", "", value)

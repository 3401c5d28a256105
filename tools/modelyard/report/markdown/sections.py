"""The sections of the comment as lists of lines. A section without measurements is empty."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.evidence.training import NOT_APPLICABLE, Difference, flat
from modelyard.evidence.verdict import CheckResult
from modelyard.report.content import (
    EFFECT,
    SYMBOLS,
    Report,
    between,
    change_of,
    check_difference,
    drift_sentence,
    drift_sign,
    evaluation_sentence,
    flips_sentence,
    metric_difference,
    number,
    outcome_mark,
    outcome_word,
    share,
    signed,
    worst_slices,
)
from modelyard.report.markdown.safe import code, fold, is_address, node, table, text

_ROWS = 12
_FOLDED = 40
_FILES = 30


def checks_section(report: Report) -> list[str]:
    """The checks that did not pass, failures first, with their sentences; those that passed are folded."""
    open_ = [check for check in report.checks if check.outcome != "pass"]
    closed = [check for check in report.checks if check.outcome == "pass"]
    lines = []
    if open_:
        lines += [*_checks_table(report, open_[:_ROWS]), "", *_sentences(open_[:_ROWS]), ""]
        more = len(open_) - _ROWS
        if more > 0:
            lines += [f"{more} more {'check is' if more == 1 else 'checks are'} in the HTML report.", ""]
    absent = sum(not check.applicable for check in closed)
    title = f"{len(closed) - absent} passed" + (f", {absent} not applicable" if absent else "")
    return lines + fold(title, _checks_table(report, closed[:_FOLDED]) if closed else [])


def _checks_table(report: Report, checks: Sequence[CheckResult]) -> list[str]:
    rows = [
        [
            text(check.id) + (" *(advisory)*" if check.level == "advisory" else ""),
            f"{outcome_mark(check)} {outcome_word(check)}",
            number(check.candidate),
            text(check.limit) or "–",
            number(check.champion),
            check_difference(check),
            _rule(report, check),
        ]
        for check in checks
    ]  # what decides stands left, where a telephone shows it
    return table(["check", "outcome", "candidate", "limit", "champion", "difference [95 %]", "rule"], rows)


def _rule(report: Report, check: CheckResult) -> str:
    """The file and line of a rule, with a link to it where its address is known."""
    shown = code(f"{check.file}:{check.line}")
    if not is_address(report.rules_url) or check.file != report.verdict.policy_file:
        return shown
    return f"[{shown}]({report.rules_url}#L{check.line})"


def backtest_section(report: Report) -> list[str]:
    """The verdicts of the proposed policy on past versions; verdicts that flip come first."""
    backtest = report.backtest
    if backtest is None:
        return []
    rows = [
        [text(f"{one.model} {one.version}"), text(one.before), f"{SYMBOLS[one.after]} {one.after}",
         text(", ".join(one.because)) or "–"]
        for one in sorted(backtest.versions, key=lambda one: not one.flips)[:_ROWS]
    ]  # fmt: skip
    lines = [f"**The proposed policy {text(backtest.policy)} on past versions.** {text(backtest.sentence)}", ""]
    lines += table(["version", "verdict then", "by the proposed policy", "blocked by"], rows)
    loose = [change.sentence for change in backtest.changes if change.loosens]
    return [*lines, "", *(f"- ⚠️ looser: {text(sentence)}" for sentence in loose[:_ROWS])]


def numbering_section(report: Report) -> list[str]:
    """The version that merging registers, with the reasons."""
    if report.numbering is None:
        return []
    reasons = "; ".join(report.numbering.reasons[:6])
    said = f"Merging registers **{text(report.numbering.version)}**: {text(reasons, 600)}."
    return [
        f"{said} The line `Bump: major` (or minor, patch, v2.0.0) in a commit message requests another version.",
        "",
    ]


def _sentences(checks: Sequence[CheckResult]) -> list[str]:
    """The finding of each check and the reason for its rule; checks with the same finding share a line."""
    found: dict[tuple[str, str], list[CheckResult]] = {}
    for check in checks:
        found.setdefault((check.outcome, check.sentence), []).append(check)
    lines = []
    for (_, sentence), same in found.items():
        names = ", ".join(f"**{text(check.id)}**" for check in same)
        why = f" *{text(same[0].why)}*" if len(same) == 1 else ""
        waived = f" Waived by {text(same[0].waiver)}." if same[0].waiver else ""
        lines.append(f"- {SYMBOLS[same[0].outcome]} {names}: {text(sentence)}{why}{waived}")
    return lines


def slices_section(report: Report) -> list[str]:
    """The five slices with the smallest gain."""
    evaluation = report.bundle.evaluation
    worst = worst_slices(evaluation.slices if evaluation else ())
    if not worst:
        return []
    rows = [
        [f"{text(part.column)} = {text(part.level)}", f"{part.rows:,}", number(result.champion),
         number(result.candidate), metric_difference(result)]
        for part, result in worst
    ]  # fmt: skip
    name = text(worst[0][1].name)
    return [
        f"**Worst slices by {name}**",
        "",
        *table(["slice", "rows", "champion", "candidate", "difference [95 %]"], rows),
    ]


def metrics_section(report: Report) -> list[str]:
    """Every metric, and its variation over folds."""
    evaluation = report.bundle.evaluation
    if evaluation is None:
        return []
    rows = [
        [f"{text(m.name)} {'↑' if m.higher_is_better else '↓'}", number(m.champion), number(m.candidate),
         metric_difference(m), text(m.method)]
        for m in evaluation.metrics[:40]
    ]  # fmt: skip
    lines = [text(evaluation_sentence(evaluation)), ""]
    lines += table(["metric", "champion", "candidate", "difference [95 %]", "interval method"], rows)
    if evaluation.stability:
        rows = [[text(m.name), number(m.mean), number(m.deviation), ", ".join(number(v) for v in m.values[:10])]
                for m in evaluation.stability.metrics]  # fmt: skip
        title = f"over {len(evaluation.stability.folds)} folds"
        lines += ["", *table([title, "mean", "deviation", "by fold"], rows)]
    return lines


def flips_section(report: Report) -> list[str]:
    """The held-out rows whose decision flips, by slice, and those that moved most, with the inputs behind it."""
    flips = report.bundle.evaluation.flips if report.bundle.evaluation else None
    if flips is None:
        return []
    total = flips.to_positive + flips.to_negative
    lines = [flips_sentence(flips)]
    if not total:
        return lines
    rows = [[f"{text(s.column)} = {text(s.level)}", f"{s.rows:,}", f"{s.to_positive:,}", f"{s.to_negative:,}",
             share((s.to_positive + s.to_negative) / s.rows)] for s in flips.slices[:8]]  # fmt: skip
    if rows:
        lines += ["", *table(["slice", "rows", "to positive", "to negative", "share"], rows)]
    rows = [[text(row.id), f"{row.label:g}", number(row.champion), number(row.candidate),
             ", ".join(f"{text(d.input)} {signed(d.change)}" for d in row.drivers)]
            for row in flips.rows[:8]]  # fmt: skip
    if rows:
        lines += ["", *table(["row", "label", "champion", "candidate", "moved by (raw score)"], rows)]
    return lines


def fairness_section(report: Report) -> list[str]:
    """Rates by group, and the gaps between groups."""
    evaluation = report.bundle.evaluation
    if evaluation is None or not evaluation.fairness:
        return []
    lines = []
    for fairness in evaluation.fairness[:10]:
        rows = [[text(g.level), f"{g.rows:,}", number(g.selection_rate), number(g.true_positive_rate),
                 number(g.false_positive_rate)] for g in fairness.groups[:30]]  # fmt: skip
        lines += [*table([text(fairness.column), "rows", "selection rate", "TPR", "FPR"], rows), ""]
        rows = [[text(gap.measure.replace("_", " ")), number(gap.champion), number(gap.candidate),
                 between(gap.interval), change_of(gap)] for gap in fairness.gaps[:10]]  # fmt: skip
        lines += [*table(["gap", "champion", "candidate", "[95 %]", "change [95 %]"], rows), ""]
        thin = sum(not group.sufficient for group in fairness.groups)
        if thin:
            lines += [f"{thin} {'group has' if thin == 1 else 'groups have'} too few rows to be compared.", ""]
    return lines


def drift_section(report: Report) -> list[str]:
    """Every column, compared with the champion's profile."""
    drift = report.bundle.drift
    if drift is None:
        return []
    rows = [
        [f"{drift_sign(c)} {text(c.name)}", number(c.js), number(c.threshold), number(c.psi), share(c.importance),
         signed(c.consequence), share(c.missing_current), share(c.new_level_share), text(c.reason)]
        for c in drift.columns[:40]
    ]  # fmt: skip
    headings = ["column", "JS distance", "limit", "PSI", "importance", "effect", "missing", "new levels", "note"]
    legend = "🔺 alarm, 🔸 drifted but hardly used by the model, ⚪ not enough data. " + EFFECT
    return [text(drift_sentence(drift)), "", *table(headings, rows), "", legend]


def changes_section(report: Report) -> list[str]:
    """Changes of data and parameters against the champion, and of files against the base branch."""
    changes = report.changes
    lines = []
    if changes.against and not (changes.data or changes.params):
        lines += [f"Data and parameters are the same as for {text(changes.against)}.", ""]
    for title, found, length in (("data", changes.data, 10), ("parameter", changes.params, 120)):
        if found:
            rows = [_row(difference, length) for difference in found[:_FILES]]
            lines += [*table([title, text(changes.against), "candidate"], rows), ""]
    if changes.files:
        lines += [f"{len(changes.files)} {'file' if len(changes.files) == 1 else 'files'}:", ""]
        lines += [f"- {text(path)}" for path in changes.files[:_FILES]]
        if len(changes.files) > _FILES:
            lines.append(f"- … and {len(changes.files) - _FILES} more")
    return lines


def lineage_section(report: Report) -> list[str]:
    """A diagram of data, commit and artifact, and the parameters."""
    training = report.bundle.training
    if training is None:
        return []
    lines = ["```mermaid", "flowchart LR"]
    if training.elsewhere:
        lines += [f'  e["trained elsewhere"] --> m["{node(report.bundle.model)}<br/>'
                  f'sha256 {node(report.bundle.artifact[:10])}"]', "```", "", NOT_APPLICABLE]  # fmt: skip
        return lines
    for i, entry in enumerate(training.inputs[:_FILES]):
        lines.append(f'  d{i}["{node(entry.path)}<br/>md5 {node(entry.md5[:10])}"] --> p')
    lines.append(f'  p["pipeline at {node(report.commit[:10])}"] --> m["{node(report.bundle.model)}<br/>'
                 f'sha256 {node(report.bundle.artifact[:10])}"]')  # fmt: skip
    params = [f"{text(key, 80)} {text(value, 80)}" for key, value in flat(training.params).items()]
    lines += ["```", "", "Parameters: " + ", ".join(params[:60])]
    if training.changed:
        lines += ["", f"Uncommitted changes at training: {', '.join(text(path) for path in training.changed[:10])}."]
    return lines


def _row(difference: Difference, length: int) -> list[str]:
    return [text(difference.name), *(text(value[:length]) or "–" for value in (difference.before, difference.after))]

"""The one comment on a pull request: the report on its model, or a line for each of several, and their reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.evidence.verdict import SEVERITY, Outcome, worst
from modelyard.report.markdown.comment import marker, outcome_sign
from modelyard.report.markdown.safe import fold, table, text

REPORT = "<!-- modelyard:report -->"
"""The first line of the comment, by which it is found again."""
PLAN, PLAN_END = "<!-- modelyard:plan -->", "<!-- modelyard:plan-end -->"
"""The first and the last line of the deployment plan, which is the last part of the comment."""
_END = "<!-- modelyard:end -->"
_PLAN_PART = re.compile(rf"^{re.escape(PLAN)}\n.*?^{re.escape(PLAN_END)}$\n?", re.MULTILINE | re.DOTALL)
_OUT_OF_DATE = re.compile(rf"(?<=\A{re.escape(REPORT)}\n)> ⚠️ \*\*Out of date\*\*: [^\n]*\n\n")
_TABLE = 0.6
"""The largest share of a comment for the table of models."""
_WIDTHS = (240, 120, 80, 50, 30, 16)
"""Characters of a reason and of a next step; the widest with which the table fits is used."""


@dataclass(frozen=True)
class ModelReport:
    """The report on one model of a pull request."""

    model: str
    outcome: Outcome
    reason: str
    """In a few words, as plain text."""
    step: str
    """Who does what next."""
    body: str
    """The rendered report, which begins with the marker of its model."""
    rules: bool = False
    """Whether only the rules change for this model, and not its artifact."""
    champion: str | None = None
    """The version that it was compared with; '' for a first version, None where nothing was evaluated."""


def render_summary(reports: Sequence[ModelReport], limit: int) -> str:
    """The comment of at most ``limit`` characters, largest trouble first.

    With several models, the reports are folded below the table, as many as there is room for. What is left out is said.
    """
    if not reports:
        return f"{REPORT}\n## ⚪ This pull request does not change a model any more\n"
    if len(reports) == 1:
        return f"{REPORT}\n{_closed(reports[0].body)}"
    ordered = sorted(reports, key=lambda one: SEVERITY.index(one.outcome))
    head = [REPORT, f"## {_headline(ordered)}", "", *_models(ordered, int(_TABLE * limit)), ""]
    room = limit - len("\n".join(head)) - 300
    folded: list[str] = []
    left_out = 0
    for one in ordered:
        title = f"{outcome_sign(one.outcome)} Report on {text(one.model)}"
        shown = "\n".join([*fold(title, [_closed(one.body).rstrip("\n")]), ""])
        if len(shown) > room:
            left_out += 1
            continue
        folded.append(shown)
        room -= len(shown) + 1
    if left_out:
        many = "1 report is" if left_out == 1 else f"{left_out} reports are"
        head += [f"{many} left out, because comments have a size limit. The run's artifacts have all of them.", ""]
    return "\n".join([*head, *folded])


def out_of_date(body: str, sentence: str) -> str:
    """The comment with a note at its top that the verdict stands no more; an older note is replaced."""
    rest = _OUT_OF_DATE.sub("", body.replace("\r\n", "\n")).removeprefix(f"{REPORT}\n")
    return f"{REPORT}\n> ⚠️ **Out of date**: {text(sentence)}\n\n{rest}"


def plan_in(body: str) -> str:
    """The deployment plan in the comment, with its markers; '' where it has none."""
    found = _PLAN_PART.search(body.replace("\r\n", "\n"))
    return found[0] if found else ""


def with_plan(body: str, plan: str) -> str:
    """The comment with a deployment plan at its end, instead of an older one; '' takes that away."""
    rest = _PLAN_PART.sub("", body.replace("\r\n", "\n")).rstrip()
    return f"{rest}\n\n{plan}" if plan else f"{rest}\n"


def report_in(body: str, model: str) -> str:
    """The report on a model in the comment, from its marker on; '' where the comment has none."""
    begin = re.search(rf"^{re.escape(marker(model))}$", body.replace("\r\n", "\n"), re.MULTILINE)
    if begin is None:
        return ""
    found = body.replace("\r\n", "\n")[begin.start() :]
    end = re.search(rf"^{re.escape(_END)}$", found, re.MULTILINE)
    return found[: end.start()] if end else found


def _closed(body: str) -> str:
    return f"{body.rstrip()}\n{_END}\n"


def _headline(ordered: Sequence[ModelReport]) -> str:
    """The verdict on all models, with the reason of the worst."""
    outcome = worst([one.outcome for one in ordered])
    count, first = len(ordered), ordered[0]
    if outcome in ("pass", "waived"):
        if all(one.rules for one in ordered):
            return f"📜 Rules of {count} models change"
        waived = sum(one.outcome == "waived" for one in ordered)
        note = f", {waived} with a waiver" if waived else ""
        return f"{outcome_sign(outcome)} All {count} models may be merged{note}"
    stopped = sum(one.outcome not in ("pass", "waived") for one in ordered)
    said = f"{stopped} of {count} models {'does' if stopped == 1 else 'do'} not pass; {text(first.model)}"
    reason = text(first.reason, 240)
    if outcome == "inconclusive":
        return f"⚪ More data are needed: {said}: {reason}"
    return f"⛔ Do not merge: {said}: {reason}"


def _models(ordered: Sequence[ModelReport], room: int) -> list[str]:
    """A line for each model. Reasons and steps are shortened until it fits; then lines are cut, and it says so."""
    for width in _WIDTHS:
        lines = table(
            ["model", "verdict", "reason", "what to do"],
            [
                [text(one.model), f"{outcome_sign(one.outcome)} {one.outcome}", text(one.reason, width) or "–",
                 text(one.step.removeprefix("Next: "), width) or "–"]
                for one in ordered
            ],
        )  # fmt: skip
        if len("\n".join(lines)) <= room:
            return lines
    kept = 2
    while kept < len(lines) and len("\n".join(lines[: kept + 1])) <= room - 100:
        kept += 1
    return [*lines[:kept], "", f"{len(lines) - kept} more models are not listed, because comments have a size limit."]

"""The texts of pull requests, issues and replies that modelyard opens or writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from modelyard.evidence.production import Erasure, Joined
from modelyard.evidence.verdict import CheckResult
from modelyard.gate.triggers import Cause, Due, Worth
from modelyard.manifests.document import Document
from modelyard.manifests.model import Model
from modelyard.manifests.policy import AnyCheck, Policy
from modelyard.manifests.rules import checks_for
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.metrics.window import Monitoring
from modelyard.report.content import (
    drift_word,
    label_counts,
    lacking_sentence,
    metric_difference,
    number,
    prediction_counts,
    share,
    signed,
)
from modelyard.report.markdown.safe import code, code_line, fold, shortened, table, text
from modelyard.report.markdown.summary import PLAN, PLAN_END
from modelyard.report.terminal.deployments import delivery_lines
from modelyard.report.terminal.text import when
from modelyard.report.window import slice_rows, sparkline
from modelyard.rollout.plan import Delivery, JournalEntry
from modelyard.rollout.progress import RolloutState

_CAUSES = {
    "schedule": "a scheduled run", "drift": "data drift", "manual": "requested by a person",
    "due": "a trigger in model.yaml",
}  # fmt: skip

PLAN_LIMIT = 15_000
"""Characters of a deployment plan in a comment."""
EXPLAINED = "<!-- modelyard:explain -->"
_LEVELS = {
    "advisory": "It never blocks.",
    "soft": "It blocks; an approved waiver lets one artifact pass until a given day.",
    "hard": "It blocks and cannot be waived.",
}


def retrain_body(
    model: str,
    cause: Cause,
    now: Due,
    worth: Worth,
    evaluation: Evaluation,
    drift: Drift,
    rows: int | None,
    size: int,
    seconds: float,
) -> str:
    """The text of a retraining's pull request.

    ``rows`` is the number of training rows, None for a model that was trained elsewhere. ``size`` is the artifact's
    size in bytes, ``seconds`` the pipeline's time.
    """
    title = f"Retrain {text(model)}" if rows is not None else f"Propose {text(model)}, trained elsewhere"
    cost = f"{_duration(seconds)} of training on {rows:,} rows" if rows is not None else "no training here"
    metric = evaluation.metrics[0]
    drifted = [column for column in drift.columns if column.alarm]
    facts = [
        ["why now", f"{_CAUSES[cause]}: {text(worth.sentence)}"],
        *([[trigger, text(sentence)] for trigger, sentence in now.reasons]),
        ["expected gain", f"{text(metric.name)} {metric_difference(metric)} on {evaluation.rows:,} held-out rows"],
        ["cost", f"{cost}; an artifact of {size:,} bytes"],
        ["budget used before", text(f"{now.spent}. {now.held}".strip(" ."))],
        ["drift", f"{len(drifted)} of {len(drift.columns)} columns drifted from {text(drift.reference)}"],
    ]
    columns = [[text(c.name), f"{c.js:.4f}" if c.js is not None else "–", text(c.reason)] for c in drifted[:20]]
    lines = [
        f"## {title}", "", *table(["", ""], facts), "",
        *fold("Columns that drifted", table(["column", "JS distance", "note"], columns) if columns else []), "",
        "The report is in the first comment. Only the lock, the metrics, the profile and the data pointers change.",
        "",
        "**If it is merged:** it becomes the next version and is deployed to every environment that follows `latest`.",
        "",
        f"**If nobody acts:** the next run updates this pull request; {text(model)} never has a second one. After you"
        " close it, it stays closed until a run has another result.",
        "",
        "<sub>Opened by modelyard. The next run overwrites edits of this text.</sub>",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def plan_part(deliveries: Sequence[Delivery]) -> str:
    """The part of the comment with the deployment plan: what merging the pull request changes in each environment.

    It has at most PLAN_LIMIT characters; the number of deployments that are left out is said.
    """
    moving = [delivery for delivery in deliveries if delivery.actions or delivery.skipped]
    count = f"{len(moving)} deployment{'' if len(moving) == 1 else 's'}" if moving else "nothing"
    lines, room = [PLAN, f"## Merging changes {count}", ""], PLAN_LIMIT - 500
    shown = 0
    for delivery in sorted(deliveries, key=lambda one: one not in moving):
        part = [f"**{text(delivery.environment)} / {text(delivery.model)}**", "", "```diff"]
        for line in delivery_lines(delivery, True):
            said = shortened(code_line(line), 400)
            part.append(said[2:] if said.startswith(("  - ", "  + ")) else said)
        part += ["```", "", *([text(delivery.rollout), ""] if delivery.rollout else [])]
        room -= len("\n".join(part)) + 1
        if room < 0:
            break
        lines += part
        shown += 1
    if shown < len(deliveries):
        lines += [f"{len(deliveries) - shown} more are not shown. See them with: `modelyard deploy --plan`", ""]
    note = "<sub>Planned from the observed state of the targets; deploy observes them again.</sub>"
    return "\n".join([*lines, note, PLAN_END, ""])


def rollback_story(state: RolloutState, moments: Sequence[JournalEntry]) -> str:
    """The text of a rollback's pull request: the reason, the state of main and the journal of the rollout."""
    rows = [[when(moment.at), text(moment.sentence)] for moment in moments]
    lines = [
        f"{text(state.candidate)} was rolled back: {text(state.reason)}.",
        "",
        f"All traffic is on {text(state.stable)} already. Until this is merged, main still names"
        f" {text(state.candidate)}. The rolled-back artifact (sha256 {text(state.artifact[:16])}) is not deployed"
        " again, unless a deployment file lists this rollback under readmit.",
    ]
    return "\n".join([*lines, "", *table(["time (UTC)", "event"], rows)] if rows else lines)


def render_cause(model: str, monitoring: Monitoring, check: CheckResult) -> str:
    """The text of an issue about one failed check."""
    lines = [
        f"**{text(check.sentence, 2000)}**",
        "",
        text(check.why, 2000),
        "",
        *table(
            ["", ""],
            [
                ["model", text(f"{model} {monitoring.version}")],
                ["environment", text(monitoring.environment)],
                ["window", f"{monitoring.since} to {monitoring.until}"],
                ["predictions", f"{monitoring.rows:,}"],
                ["rule", f"{text(check.id)} ({text(check.file)}:{check.line}, {text(check.level)})"],
            ],
        ),
    ]
    if monitoring.drift and check.kind in ("inputs", "scores"):
        rows = [
            [
                text(c.name),
                drift_word(c),
                number(c.js),
                number(c.threshold),
                share(c.importance),
                signed(c.consequence),
            ]
            for c in monitoring.drift.columns
            if c.state == "drifted"
        ]
        if rows:
            lines += ["", *table(["column", "state", "JS distance", "limit", "importance", "effect"], rows[:20])]
    if check.kind == "quality" and (found := slice_rows(monitoring, 10)):
        headings, rows = found
        lines += ["", *table([text(heading) for heading in headings], [[text(cell) for cell in row] for row in rows])]
    lines += ["", f"Predictions per day: {sparkline(monitoring.days)}"]
    return "\n".join(lines)


def increment_body(model: str, environment: str, path: str, begin: float, end: float, joined: Joined) -> str:
    """The text of the pull request that adds a labelled increment; ``begin`` and ``end`` are seconds since 1970."""
    lines = [
        f"## Feedback for {text(model)}", "",
        f"Labels for the predictions of {text(environment)} from {_day(begin)} to {_day(end)}, as the next labelled"
        f" increment: {code(path)}.", "",
        *table(["predictions", ""], prediction_counts(joined)), "",
        *table(["labels", ""], label_counts(joined)), "",
        *([text(lacking_sentence(joined), 2000), ""] if joined.lacking else []),
        "**If it is merged:** the next retraining uses it, if the pipeline has `modelyard feedback table` as a stage.",
        "",
        "**If nobody acts:** the next run updates this pull request; no row is added twice.", "",
        "<sub>Opened by modelyard. The next run overwrites edits of this text.</sub>", "",
    ]  # fmt: skip
    return "\n".join(lines)


def forgetting_body(model: str, erasure: Erasure, paths: Sequence[str]) -> str:
    """The text of the pull request that erases an id from the increments. It does not contain the id."""
    trained = ", ".join(erasure.trained) or "none"
    lines = [
        f"## Erase an id from the feedback of {text(model)}", "",
        f"The tombstone {code(erasure.digest[:16])} on the evidence branch records the erasure, without the id.", "",
        *table(["increment", ""], [[code(path), "rewritten without it"] for path in paths]), "",
        f"Versions that were trained on it: {text(trained)}. They stay in service: retrain or deprecate them.", "",
        "**If it is merged:** the next retraining does not see it. `modelyard feedback forget --purge` then deletes the"
        " older increments for good.", "",
        "**If nobody acts:** the increments on main still contain it.", "",
        "<sub>Opened by modelyard. The next run overwrites edits of this text.</sub>", "",
    ]  # fmt: skip
    return "\n".join(lines)


def explain(model: Model, policy: Policy, lines: Document, report: str, check: str | None) -> str:
    """The reply to ``/modelyard explain``: the rules of a policy that are for the model, or one of them, with their
    results in the report.
    """
    parts = [f"## How {text(model.name)} is judged: {text(policy.name)}", "", text(policy.description, 1000), ""]
    for i, rule in enumerate(policy.checks):
        if rule in checks_for(policy, model) and check in (None, rule.id):
            parts += _rule(rule, f"{lines.file}:{lines.line(('checks', i))}", report)
    return "\n".join([*parts, EXPLAINED, ""])


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(1, round(seconds))} s"


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _rule(rule: AnyCheck, where: str, report: str) -> list[str]:
    settings = [
        [text(field.name), text(_shown(getattr(rule, field.name)))]
        for field in msgspec.structs.fields(rule)
        if field.name not in ("id", "why", "level", "kind") and getattr(rule, field.name) is not None
    ]
    row = next((line for line in report.splitlines() if line.startswith(f"| {text(rule.id)} ")), "")
    outcome = row.split("|", 3)[2].strip() if row.count("|") > 2 else ""
    said = next((line for line in report.splitlines() if line.startswith("- ") and f"**{text(rule.id)}**" in line), "")
    lines = [f"<details{' open' if said else ''}><summary><b>{text(rule.id)}</b> {outcome}</summary>", ""]
    lines += [f"{text(rule.why, 1000)} {_LEVELS[rule.level]} Rule: {code(where)}.", ""]
    lines += [
        *(table(["setting", "value"], settings) if settings else []),
        "",
        f"What to do about a failure: {rule.mend}",
        "",
    ]
    return [*lines, *([said, ""] if said else []), "</details>", ""]


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

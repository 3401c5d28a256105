"""The body of the pull request that retrains: why now, what it brings, what it costs, what happens next."""

from __future__ import annotations

from modelyard.gate.triggers import Cause, Due, Worth
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.report.content import metric_difference
from modelyard.report.safe import fold, table, text

_CAUSES = {
    "schedule": "the schedule came round", "drift": "the data drifted", "manual": "somebody asked for it",
    "due": "a trigger of model.yaml holds",
}  # fmt: skip


def retrain_body(
    model: str,
    cause: Cause,
    now: Due,
    worth: Worth,
    evaluation: Evaluation,
    drift: Drift,
    rows: int,
    size: int,
    seconds: float,
) -> str:
    """Markdown. ``rows`` were learnt from, ``size`` is the artifact's bytes, ``seconds`` the pipeline took."""
    metric = evaluation.metrics[0]
    drifted = [column for column in drift.columns if column.alarm]
    facts = [
        ["why now", f"{_CAUSES[cause]}. {text(worth.sentence)}"],
        *([[trigger, text(sentence)] for trigger, sentence in now.reasons]),
        ["expected gain", f"{text(metric.name)} {metric_difference(metric)} on {evaluation.rows:,} held-out rows"],
        ["cost", f"{_duration(seconds)} of training on {rows:,} rows; an artifact of {size:,} bytes"],
        ["spent before this", text(f"{now.spent}. {now.held}".strip(" ."))],
        ["drift", f"{len(drifted)} of {len(drift.columns)} columns against {text(drift.reference)}"],
    ]
    columns = [[text(c.name), f"{c.js:.4f}" if c.js is not None else "–", text(c.reason)] for c in drifted[:20]]
    lines = [
        f"## Retrain {text(model)}", "", *table(["", ""], facts), "",
        *fold("Columns that drifted", table(["column", "JS distance", "note"], columns) if columns else []), "",
        "The report is in the first comment. Only the lock, the metrics, the profile and data pointers change.",
        "",
        "**If it is merged:** it becomes the next version, and is deployed where an environment follows `latest`.",
        "",
        "**If nobody acts:** the next run refreshes this same pull request; there is never a second one for"
        f" {text(model)}. Close it, and it stays closed until the result is another one.",
        "",
        "<sub>Opened by modelyard. Edits of this text are overwritten when it is refreshed.</sub>",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(1, round(seconds))} s"
